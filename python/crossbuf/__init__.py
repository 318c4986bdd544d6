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
#   isolation                    NumPy in interpreters that own their GIL
#   interpreters                 the standard library's sub-interpreters, 3.12 to 3.15
#   _pickling, _by_value         what messages of other types are made of
#   _forking                     ndarrays through multiprocessing's pickler
#   _core                        the extension, written in Rust: arenas, arrays, channels
#   errors, records              what all of them raise; what statistics() returns

from . import _forking
from . import errors as errors
from . import interpreters as interpreters
from . import isolation as isolation
from ._core import Arena as Arena
from ._core import Array as Array
from ._core import Connection as Connection
from ._core import Draft as Draft
from ._core import Receiver as Receiver
from ._core import Sender as Sender
from ._core import Service as Service
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

_forking.watch()
