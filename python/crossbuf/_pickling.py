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

from . import _by_value
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
    try:
        try:
            return _write(message, by_value=False)
        except (Error, MemoryError, RecursionError):
            raise
        except Exception:
            if not _by_value.is_installed():
                raise
        # The whole message again, as it is now: most have nothing in them that has no name.
        return _write(message, by_value=True)
    except (Error, MemoryError):
        raise
    except RecursionError as failure:
        raise NotShareable("the message is nested too deeply to be pickled; send a flatter one") from failure
    except Exception as failure:
        path, part, reason = _blame(message, failure)
        raise NotShareable(f"{path} cannot be sent: a {_name(type(part))} cannot be pickled ({reason}); {_way_out(part)}") from reason


def _write(message: object, *, by_value: bool) -> tuple[bytes, list[object]]:
    """With functions and classes that have no name for others by value, or raising what pickle raises."""
    stream = io.BytesIO()
    taken = _Taken()
    if by_value:
        _by_value.pickler(stream, taken.take, taken.reduce).dump(message)
    else:
        _Pickler(stream, taken).dump(message)
    return stream.getvalue(), taken.objects


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

    def _out_of_band(self, obj: object) -> tuple[Any, ...]:
        self.next = obj
        return attached, (_PLACE,)

    def reduce(self, obj: Any) -> Any:
        """What a pickler is to make of an object; NotImplemented leaves it to pickle."""
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


class _Pickler(pickle.Pickler):
    """Writes functions and classes by name."""

    def __init__(self, stream: io.BytesIO, taken: _Taken) -> None:
        self._taken = taken
        super().__init__(stream, protocol=5, buffer_callback=taken.take)

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, FunctionType | type) and not _by_value.in_importable_module(obj) and _by_value.is_installed():
            raise pickle.PicklingError(f"{obj.__qualname__} is in no module that others can import")
        return self._taken.reduce(obj)


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
        _write(part, by_value=_by_value.is_installed())
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
        return "define it at the top level of a module, or install cloudpickle"
    return "send what it is made of, or give its class a __reduce__"


def _name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


# A function in C that takes keywords keeps a tuple of their names, made when it is first called with some. 3.12 frees it with the main
# interpreter, whichever made it: so the main one, where this is imported first, makes it.
if sys.version_info < (3, 13):
    from _thread import _is_main_interpreter  # type: ignore[attr-defined]

    if _is_main_interpreter():
        loads(*dumps(None))
