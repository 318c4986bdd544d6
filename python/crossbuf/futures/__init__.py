"""Executors whose workers take and return arrays.

```python
from crossbuf.futures import InterpreterPoolExecutor, ProcessPoolExecutor

with InterpreterPoolExecutor() as pool:
    norms = list(pool.map(np.linalg.norm, frames))
```
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .interpreters import BrokenInterpreterPool as BrokenInterpreterPool
    from .interpreters import InterpreterPoolExecutor as InterpreterPoolExecutor
    from .processes import BrokenProcessPool as BrokenProcessPool
    from .processes import ProcessPoolExecutor as ProcessPoolExecutor

#: By the module that has it. Neither pool has a use for what the other imports, and a worker for none of it.
_LATER = {
    "BrokenInterpreterPool": "interpreters",
    "BrokenProcessPool": "processes",
    "InterpreterPoolExecutor": "interpreters",
    "ProcessPoolExecutor": "processes",
}


if not TYPE_CHECKING:  # or checkers would take every name for one that there is

    def __getattr__(name: str) -> object:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(f".{_LATER[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
