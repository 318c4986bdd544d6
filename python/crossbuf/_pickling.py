"""Messages that are not native: pickled, with every array, buffer and channel end taken out of the stream.

```text
dumps(message) ──▶ stream, [ndarray, Array, Sender, ...]      the objects cross on their own, arrays without a copy
                      │             │
loads(stream, objects) ◀────────────┘                          NEXT_BUFFER in the stream pushes the next of them
```

An object is taken out by pickling a call of `attached` with an out-of-band buffer as its argument; what `loads` is given in that
buffer's place is the object itself. So arrays keep what pickle alone would lose or copy: strides, datetime64, masks, the classes
`recarray` and `matrix`, and that two references lead to the same object.

Arrays of Python objects stay in the stream, as does what classes with a `__reduce__` of their own make of themselves.
"""

import copyreg
import io
import pickle
import reprlib
import sys
from collections.abc import Iterator
from types import FunctionType
from typing import TYPE_CHECKING, Any

from ._core import Array, Draft, Receiver, Sender
from .errors import Error, NotShareable

if TYPE_CHECKING:
    import numpy as np

_SHARED = (Array, Receiver, Sender)
#: Stands in the stream for what is taken out.
_PLACE = pickle.PickleBuffer(bytearray())
#: How many steps of a path are worth telling.
_DEEPEST = 32


def dumps(message: object, /) -> tuple[bytes, list[object]]:
    """The stream and what was taken out of it. Raises `NotShareable`, which names the part that cannot be pickled."""
    stream = io.BytesIO()
    pickler = _Pickler(stream)
    try:
        pickler.dump(message)
    except (Error, MemoryError):
        raise
    except RecursionError as failure:
        raise NotShareable("the message is nested too deeply to be pickled; send a flatter one") from failure
    except Exception as failure:
        path, part, reason = _blame(message, failure)
        raise NotShareable(f"{path} cannot be sent: a {_name(type(part))} cannot be pickled ({reason}); {_way_out(part)}") from reason
    return stream.getvalue(), pickler.taken


def loads(stream: bytes, taken: list[object], /) -> object:
    """The inverse of `dumps`. Raises what unpickling raises."""
    return pickle.loads(stream, buffers=taken)


class _Taken:
    """What was taken out. Apart from the pickler, which could not refer to a method of its own without living on until gc runs."""

    def __init__(self) -> None:
        self.objects: list[object] = []
        #: What the next `_PLACE` stands for.
        self.next: object = None

    def take(self, buffer: pickle.PickleBuffer) -> None:
        self.objects.append(self.next if buffer is _PLACE else buffer.raw())


class _Pickler(pickle.Pickler):
    def __init__(self, stream: io.BytesIO) -> None:
        self._taken = _Taken()
        super().__init__(stream, protocol=5, buffer_callback=self._taken.take)

    @property
    def taken(self) -> list[object]:
        return self._taken.objects

    def _out_of_band(self, obj: object) -> tuple[Any, ...]:
        self._taken.next = obj
        return attached, (_PLACE,)

    def reducer_override(self, obj: Any) -> Any:
        kind = type(obj)
        if kind in _SHARED:
            return self._out_of_band(obj)
        if kind is Draft:
            raise NotShareable("a Draft is still being written and has one owner; freeze() it and send the Array")
        # Where nobody has imported NumPy, nothing is an ndarray.
        numpy = sys.modules.get("numpy")
        ndarray = getattr(numpy, "ndarray", None)
        if ndarray is None or not issubclass(kind, ndarray) or obj.dtype.hasobject:
            return NotImplemented
        if kind is ndarray:
            return self._out_of_band(obj)
        return derived(obj, kind, ndarray)


def derived(array: Any, kind: type, ndarray: type) -> Any:
    """How to rebuild an instance of a class derived from ndarray around its plain elements."""
    if kind in copyreg.dispatch_table:
        return NotImplemented
    ma = sys.modules.get("numpy.ma")
    if ma is not None and kind is ma.MaskedArray and array.baseclass is ndarray:
        mask = ma.getmask(array)
        return masked, (array.data, None if mask is ma.nomask else mask, array._fill_value)
    # A class that tells pickle more than its elements must be asked by pickle.
    if any(getattr(kind, name) is not getattr(ndarray, name) for name in ("__reduce__", "__reduce_ex__", "__setstate__")):
        return NotImplemented
    return viewed, (array.view(ndarray), kind)


def attached(taken: object, /) -> object:
    """What was taken out of the stream, back in its place."""
    return taken


def viewed(array: "np.ndarray[Any, Any]", kind: "type[np.ndarray[Any, Any]]", /) -> "np.ndarray[Any, Any]":
    """An ndarray as an instance of a derived class."""
    return array.view(kind)


def masked(data: "np.ndarray[Any, Any]", mask: "np.ndarray[Any, Any] | None", fill_value: Any, /) -> "np.ma.MaskedArray[Any, Any]":
    """A masked array, as unpickling makes it: it has a mask for each element, even if none is masked."""
    from numpy import ma

    whole = ma.make_mask_none(data.shape, data.dtype) if mask is None else mask
    array = ma.MaskedArray(data, mask=whole, copy=False, keep_mask=False)
    array.fill_value = fill_value
    return array


def _blame(part: object, reason: Exception) -> tuple[str, object, Exception]:
    """The innermost part that cannot be pickled: the path to it, itself, and why."""
    path = "message"
    seen = {id(part)}
    for _ in range(_DEEPEST):
        for step, inner in _parts(part):
            if id(inner) not in seen and (refusal := _refusal(inner)) is not None:
                seen.add(id(inner))
                path, part, reason = path + step, inner, refusal
                break
        else:
            break
    return path, part, reason


def _refusal(part: object) -> Exception | None:
    try:
        _Pickler(io.BytesIO()).dump(part)
    except Exception as refusal:
        return refusal
    return None


def _parts(whole: object) -> Iterator[tuple[str, object]]:
    """What an object is made of, each with the step that leads to it."""
    match whole:
        case dict():
            for key, value in list(whole.items()):
                yield f"[{reprlib.repr(key)}]", value
            for key in list(whole):
                yield f".keys({reprlib.repr(key)})", key
        case list() | tuple():
            for at, item in enumerate(list(whole)):
                yield f"[{at}]", item
        case set() | frozenset():
            for item in list(whole):
                yield f"{{{reprlib.repr(item)}}}", item
    if not isinstance(whole, type):
        # A dataclass may keep its fields in slots.
        names = [*getattr(whole, "__dataclass_fields__", ()), *getattr(whole, "__dict__", ())]
        for name in dict.fromkeys(names):
            if hasattr(whole, name):
                yield f".{name}", getattr(whole, name)


def _way_out(part: object) -> str:
    if isinstance(part, FunctionType | type):
        return "define it at the top level of a module"
    return "send what it is made of, or give its class a __reduce__"


def _name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


# A function in C that takes keywords keeps a tuple of their names, made when it is first called with some. 3.12 frees it with the main
# interpreter, whichever made it: so the main one, where this is imported first, makes it.
if sys.version_info < (3, 13):
    from _thread import _is_main_interpreter  # type: ignore[attr-defined]

    if _is_main_interpreter():
        loads(*dumps(None))
