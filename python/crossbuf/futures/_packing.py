"""What crosses to another process: a stream of multiprocessing's pickler, and what was taken out of it.

Taken out are Arrays, channel ends and ndarrays that are not small, at any depth: they cross in a message of a channel, which copies only
what lies in no arena. All else is written as the standard library's executor writes it. Small ndarrays are, too, but for being read-only on
the other side as the others are: what a function may do with its arguments does not depend on their size.
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
#: Fewer bytes than this are copied through a pipe in less time than a message takes.
SMALL = 32 << 10


def dumps(content: object, *, small: float = SMALL) -> tuple[bytes, list[object]]:
    """The stream, and what was taken out of it. ndarrays of fewer than `small` bytes stay. Raises what pickling raises."""
    stream = io.BytesIO()
    taken = _Taken()
    _Pickler(stream, taken, small).dump(content)
    return stream.getvalue(), taken.objects


def loads(stream: bytes, taken: Sequence[object], /) -> Any:
    """The inverse of `dumps`. Raises what unpickling raises."""
    return pickle.loads(stream, buffers=taken)


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
    def __init__(self, stream: io.BytesIO, taken: _Taken, small: float) -> None:
        super().__init__(stream, 5, True, taken.take)
        self._taken = taken
        self._small = small

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
        if kind is not ndarray:
            return derived(obj, kind, ndarray)
        return _in_band(obj) if obj.nbytes < self._small else self._out_of_band(obj)

    def _out_of_band(self, obj: object) -> tuple[Any, ...]:
        self._taken.next = obj
        return attached, (_PLACE,)


def _in_band(array: Any) -> tuple[Any, ...]:
    """How to rebuild an ndarray on bytes, which nobody can write to."""
    order = "F" if array.flags.fnc else "C"
    return type(array), (array.shape, array.dtype, array.tobytes(order), 0, None, order)
