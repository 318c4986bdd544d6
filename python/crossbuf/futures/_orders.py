"""What a call looks like on its way to a worker.

```text
order = (function, arguments, keywords)        function: the pickle of one that travels by name, or whatever else can be called
```

A message that has only native parts is written in a microsecond, one with anything else goes through pickle. So functions that
travel by name do so as bytes, which both sides remember.
"""

import copyreg
import pickle
from collections.abc import Callable, Sequence
from types import FunctionType

from .._by_value import has_name
from .._function import portable

type Order = tuple[object, tuple[object, ...], dict[str, object]]

#: More functions than this are not remembered.
_MANY = 256


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
        self._known: dict[int, tuple[object, bytes]] = {}

    def order(self, f: Callable[..., object], arguments: tuple[object, ...], keywords: dict[str, object]) -> Order:
        """Raises `TypeError` when no other interpreter can find `f`."""
        known = self._known.get(id(f))
        return (known[1] if known is not None else self._function(f)), arguments, keywords

    def _function(self, f: Callable[..., object]) -> object:
        if not _has_name(portable(f)):
            return f
        if len(self._known) >= _MANY:
            self._known.clear()
        self._known[id(f)] = f, (stream := pickle.dumps(f))
        return stream


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


class Reader:
    """Reads orders."""

    def __init__(self) -> None:
        self._known: dict[bytes, Callable[..., object]] = {}

    def call(self, order: Order) -> object:
        """Does what the order says."""
        function, arguments, keywords = order
        return self._function(function)(*arguments, **keywords)

    def _function(self, function: object) -> Callable[..., object]:
        if not isinstance(function, bytes):
            return function  # type: ignore[return-value]
        known = self._known.get(function)
        if known is None:
            if len(self._known) >= _MANY:
                self._known.clear()
            known = self._known[function] = pickle.loads(function)
        return known
