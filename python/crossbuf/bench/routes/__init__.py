"""The routes: each a class, with its receiver's side beside it.

```text
prepare ─▶ payload ─▶ send ═══════▶ receiver: opened ─▶ looked at ─▶ given up
                      answer ◀═══════════════════════════ reply
           not timed │ timed: a trip
```
"""

from collections.abc import Iterable

from .files import NewArrowFile, NewJoblibFile, ReadyArrowFile, ReadyJoblibFile
from .here import Copy, PickleInBand, PickleOutOfBand
from .iceoryx2 import Iceoryx2, Iceoryx2Published
from .multiprocess import KeptSharedMemory, NewSharedMemory, Pipe, PipeOutOfBand, Queue, ReadySharedMemory
from .ours import InterpreterCopied, InterpreterDrafted, InterpreterShared, ProcessCopied, ProcessDrafted, ProcessShared
from .pools import InterpreterPool, ProcessPool
from .ray import RayPut, RayReady
from .route import Refused as Refused
from .route import Route as Route
from .stdlib_interpreters import QueueBytes, QueueMemoryview, QueuePickled, QueueWoken

#: In the order of the tables.
ROUTES: tuple[type[Route], ...] = (
    InterpreterShared,
    InterpreterCopied,
    InterpreterDrafted,
    ProcessShared,
    ProcessCopied,
    ProcessDrafted,
    Copy,
    PickleInBand,
    PickleOutOfBand,
    QueueMemoryview,
    QueueWoken,
    QueueBytes,
    QueuePickled,
    InterpreterPool,
    Pipe,
    PipeOutOfBand,
    Queue,
    NewSharedMemory,
    KeptSharedMemory,
    ReadySharedMemory,
    ProcessPool,
    NewJoblibFile,
    ReadyJoblibFile,
    NewArrowFile,
    ReadyArrowFile,
    Iceoryx2,
    Iceoryx2Published,
    RayPut,
    RayReady,
)


def companies(routes: Iterable[type[Route]] = ROUTES) -> list[list[type[Route]]]:
    """Those that may be open at the same time, without disturbing each other."""
    routes = list(routes)
    return [[route for route in routes if route.apart == apart] for apart in dict.fromkeys(route.apart for route in routes)]
