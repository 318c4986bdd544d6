"""Executors whose workers take and return arrays.

```python
from crossbuf.futures import InterpreterPoolExecutor, ProcessPoolExecutor

with InterpreterPoolExecutor() as pool:
    norms = list(pool.map(np.linalg.norm, frames))
```
"""

from typing import TYPE_CHECKING, Any

from .interpreters import BrokenInterpreterPool as BrokenInterpreterPool
from .interpreters import InterpreterPoolExecutor as InterpreterPoolExecutor

if TYPE_CHECKING:
    from .processes import BrokenProcessPool as BrokenProcessPool
    from .processes import ProcessPoolExecutor as ProcessPoolExecutor

_OF_PROCESSES = ("BrokenProcessPool", "ProcessPoolExecutor")


def __getattr__(name: str) -> Any:
    # multiprocessing takes its time, which workers of the other pool have no use for.
    if name in _OF_PROCESSES:
        from . import processes

        return getattr(processes, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_OF_PROCESSES})
