"""Zero-copy exchange of NumPy arrays between Python interpreters that own their GIL.

```python
a = crossbuf.share(np.arange(12.0))        # one copy, into memory that every interpreter of the process reads
tx, rx = crossbuf.channel()
worker = crossbuf.spawn(f, rx)             # f(rx) in a new interpreter, on its own thread
tx.send(a)                                 # no copy
```
"""

# The layers, each on top of the next:
#
#   cli                          crossbuf demo, doctor, bench
#   bench, demo                  what the first and the last of them do
#   futures                      InterpreterPoolExecutor, ProcessPoolExecutor: calls in a pool of workers
#   workers                      spawn: a function in an interpreter of its own
#   _worker                      what runs inside of it, and inside of those of pools
#   isolation                    NumPy in interpreters that own their GIL
#   interpreters                 the standard library's sub-interpreters, 3.12 to 3.15
#   _pickling, _by_value         what messages of other types are made of
#   _forking                     ndarrays through multiprocessing's pickler
#   _finders                     who looks out for NumPy and multiprocessing, until they are imported
#   _core                        the extension, written in Rust: arenas, arrays, channels
#   errors, records              what all of them raise; what statistics() returns

from . import _finders
from ._core import Arena as Arena
from ._core import Array as Array
from ._core import Connection as Connection
from ._core import Draft as Draft
from ._core import Receiver as Receiver
from ._core import Sender as Sender
from ._core import Service as Service
from ._core import _interpreter_id
from ._core import channel as channel
from ._core import connect as connect
from ._core import drop_tickets as drop_tickets
from ._core import empty as empty
from ._core import open as open
from ._core import processes as processes
from ._core import publish as publish
from ._core import share as share
from ._core import statistics as statistics
from ._core import tickets as tickets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import errors as errors
    from . import interpreters as interpreters
    from . import isolation as isolation
    from . import records as records
    from . import workers as workers
    from .errors import ArenaClosed as ArenaClosed
    from .errors import ArenaFull as ArenaFull
    from .errors import Broken as Broken
    from .errors import ChannelError as ChannelError
    from .errors import Closed as Closed
    from .errors import DTypeError as DTypeError
    from .errors import Empty as Empty
    from .errors import Ended as Ended
    from .errors import Error as Error
    from .errors import ExecutionFailed as ExecutionFailed
    from .errors import Full as Full
    from .errors import HandleError as HandleError
    from .errors import InterpreterError as InterpreterError
    from .errors import IsolationError as IsolationError
    from .errors import LayoutError as LayoutError
    from .errors import NotShareable as NotShareable
    from .errors import ServiceError as ServiceError
    from .errors import StaleHandle as StaleHandle
    from .errors import WorkerError as WorkerError
    from .records import ArenaStatistics as ArenaStatistics
    from .records import ChannelStatistics as ChannelStatistics
    from .records import ProcessStatistics as ProcessStatistics
    from .records import Ticket as Ticket
    from .workers import Worker as Worker
    from .workers import spawn as spawn

__version__ = "0.1.0"

#: What is imported when it is first asked for, by module. Few programs need all of it, and workers start as fast as they import little.
_LATER: dict[str, tuple[str, ...]] = {
    "errors": (
        "ArenaClosed", "ArenaFull", "Broken", "ChannelError", "Closed", "DTypeError", "Empty", "Ended", "Error", "ExecutionFailed",
        "Full", "HandleError", "InterpreterError", "IsolationError", "LayoutError", "NotShareable", "ServiceError", "StaleHandle",
        "WorkerError",
    ),
    "interpreters": (),
    "isolation": (),
    "records": ("ArenaStatistics", "ChannelStatistics", "ProcessStatistics", "Ticket"),
    "workers": ("Worker", "spawn"),
}  # fmt: skip
_MODULES = {name: module for module, names in _LATER.items() for name in names}


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER, *_MODULES})


if not TYPE_CHECKING:  # or checkers would take every name for one that there is

    def __getattr__(name: str) -> object:
        if name not in _LATER and name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        if name in _LATER:
            return import_module(f".{name}", __name__)
        globals()[name] = found = getattr(import_module(f".{_MODULES[name]}", __name__), name)
        return found

    __all__ = [name for name in __dir__() if not name.startswith("_") and name != "TYPE_CHECKING"]


_finders.watch_pickler()
if _interpreter_id() == 0:
    from . import _forks
    from . import errors as errors  # a process that has given up its rights could not import them any more

    _forks.watch()
