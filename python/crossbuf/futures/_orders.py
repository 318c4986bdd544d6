"""What a call looks like on its way to a worker.

```text
order = (function, arguments, keywords)        function: its name, or the pickle of one that has one, or whatever else can be called
```

A message that has only native parts is written in a microsecond, one with anything else goes through pickle. So functions that
travel by name do so as text or bytes, which both sides remember.
"""

import copyreg
import pickle
from collections.abc import Callable, Sequence
from types import FunctionType

from .._by_value import has_name
from .._function import by_name, portable
from .._worker import MANY, Order


class Batched:
    """A function for several calls in one order: called with their arguments, it returns their results."""

    __slots__ = ("f",)

    def __init__(self, f: Callable[..., object]) -> None:
        self.f = f

    def __call__(self, calls: Sequence[Sequence[object]]) -> list[object]:
        return [self.f(*arguments) for arguments in calls]

    def __reduce__(self) -> tuple[object, ...]:
        return Batched, (portable(self.f),)


class Writer:
    """Makes orders."""

    def __init__(self) -> None:
        #: By the function's address, and with the function: as long as it is here, no other can have that address.
        self._known: dict[int, tuple[object, str | bytes]] = {}

    def order(self, f: Callable[..., object], arguments: tuple[object, ...], keywords: dict[str, object]) -> Order:
        """Raises `TypeError` when no other interpreter can find `f`."""
        known = self._known.get(id(f))
        return (known[1] if known is not None else self._function(f)), arguments, keywords

    def _function(self, f: Callable[..., object]) -> object:
        written = by_name(f)
        if not isinstance(written, str):
            if not _has_name(f):
                return f
            written = pickle.dumps(f)
        if len(self._known) >= MANY:
            self._known.clear()
        self._known[id(f)] = f, written
        return written


def _has_name(f: object) -> bool:
    """Whether the pickle of `f` is its name and nothing that could change."""
    if isinstance(f, Batched):
        return _has_name(f.f)
    if isinstance(f, FunctionType | type):
        return has_name(f)
    reduce = copyreg.dispatch_table.get(type(f))
    try:
        return isinstance(reduce(f) if reduce is not None else f.__reduce_ex__(5), str)
    except Exception:  # whatever is wrong with it, sending it will say
        return False
