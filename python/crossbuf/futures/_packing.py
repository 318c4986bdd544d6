"""What crosses to another process: a stream of multiprocessing's pickler, and what was taken out of it.

```text
pack(content)   stream    taken out: ndarrays, Arrays, channel ends, at any depth
                  │         ├── beside the stream: ndarrays, while they are few bytes
                  │         └── apart, in a message of a channel, which copies only what lies in no arena
unpack  ◀─────────┴─────────┘
```
All else is written as the standard library's executor writes it. ndarrays beside the stream are read-only on the other side, as the others
are: what a function may do with its arguments does not depend on their size.
"""

import io
import pickle
import sys
from collections.abc import Sequence
from multiprocessing.reduction import ForkingPickler
from typing import Any

from .._core import Array, Receiver, Sender
from .._pickling import attached, derived

_SHARED = (Array, Receiver, Sender)
#: Stands in the stream for what is taken out.
_PLACE = pickle.PickleBuffer(bytearray())
#: A block of its own is not worth it for an ndarray of fewer bytes,
_SMALL = 1 << 10
#: nor a message for fewer bytes in all: a pipe carries them in the time of the two round trips that a message takes.
_FEW = 128 << 10

type Beside = dict[int, "Copied"]


class Packed:
    """The stream and what was taken out."""

    def __init__(self, stream: bytes, taken: list[object]) -> None:
        self.stream = stream
        self._taken = taken

    def split(self) -> tuple[Beside, list[object]]:
        """What goes beside the stream, by its place among all that was taken out, and what goes apart."""
        if not self._taken:
            return {}, []
        is_large = [isinstance(one, _SHARED) or one.nbytes >= _SMALL for one in self._taken]  # type: ignore[attr-defined]
        apart = [one for one, large in zip(self._taken, is_large, strict=True) if large]
        if not any(isinstance(one, _SHARED) for one in apart) and sum(one.nbytes for one in apart) < _FEW:  # type: ignore[attr-defined]
            return {at: Copied(one) for at, one in enumerate(self._taken)}, []
        return {at: Copied(one) for at, one in enumerate(self._taken) if not is_large[at]}, apart

    def split_without_arena(self) -> tuple[Beside, list[object]]:
        """The same with all ndarrays beside the stream."""
        beside = {at: Copied(one) for at, one in enumerate(self._taken) if not isinstance(one, _SHARED)}
        return beside, [one for one in self._taken if isinstance(one, _SHARED)]


def pack(content: object) -> Packed:
    """Raises what pickling raises."""
    stream = io.BytesIO()
    taken = _Taken()
    _Pickler(stream, taken).dump(content)
    return Packed(stream.getvalue(), taken.objects)


def unpack(stream: bytes, beside: dict[int, object], apart: Sequence[object] = ()) -> Any:
    """The content again. Raises what unpickling raises."""
    rest = iter(apart)
    taken = [beside[at] if at in beside else next(rest) for at in range(len(beside) + len(apart))]
    return pickle.loads(stream, buffers=taken)


class Copied:
    """An ndarray whose pickle becomes one on bytes, which nobody can write to."""

    __slots__ = ("array",)

    def __init__(self, array: Any) -> None:
        self.array = array

    def __reduce__(self) -> tuple[Any, ...]:
        array = self.array
        order = "F" if array.flags.fnc else "C"
        return type(array), (array.shape, array.dtype, array.tobytes(order), 0, None, order)


class _Taken:
    """What was taken out. Apart from the pickler, which could not refer to a method of its own without living on until gc runs."""

    def __init__(self) -> None:
        self.objects: list[object] = []
        #: What the next `_PLACE` stands for.
        self.next: object = None

    def take(self, buffer: pickle.PickleBuffer) -> bool:
        """Whether the buffer stays in the stream: those of others do."""
        if buffer is not _PLACE:
            return True
        self.objects.append(self.next)
        return False


class _Pickler(ForkingPickler):
    def __init__(self, stream: io.BytesIO, taken: _Taken) -> None:
        super().__init__(stream, 5, True, taken.take)
        self._taken = taken

    def reducer_override(self, obj: Any) -> Any:
        kind = type(obj)
        if kind in _SHARED:
            return self._out_of_band(obj)
        # Where nobody has imported NumPy, nothing is an ndarray.
        numpy = sys.modules.get("numpy")
        ndarray = getattr(numpy, "ndarray", None)
        # Somebody else may have registered a way of theirs.
        if ndarray is None or not issubclass(kind, ndarray) or obj.dtype.hasobject or kind in self.dispatch_table:
            return NotImplemented
        return self._out_of_band(obj) if kind is ndarray else derived(obj, kind, ndarray)

    def _out_of_band(self, obj: object) -> tuple[Any, ...]:
        self._taken.next = obj
        return attached, (_PLACE,)
