"""How a function travels to another interpreter: by name where it has one, by value through cloudpickle where not."""

import pickle
from collections.abc import Callable
from types import FunctionType

from . import _main


def portable(f: Callable[..., object], /) -> object:
    """Something whose pickle becomes `f` in another interpreter: `f` itself, or its value.

    Raises `TypeError` when there is no way. Callables that are not plain functions (partials, methods, instances) are left to
    the channel, which shares the arrays inside them.
    """
    if not callable(f):
        raise TypeError(f"spawn needs a callable, not {type(f).__qualname__}")
    if not isinstance(f, FunctionType):
        return f
    trouble = _why_nameless(f)
    if trouble is None:
        return f
    try:
        import cloudpickle
    except ImportError:
        raise TypeError(
            f"{f.__module__}.{f.__qualname__} cannot be found by another interpreter: {trouble}; "
            "define it at the top level of a module, or install cloudpickle"
        ) from None
    return _ByValue(cloudpickle.dumps(f))


def _why_nameless(f: FunctionType) -> str | None:
    if f.__module__ == "__main__" and _main.source() is None:
        return "the main program is no file that could be run again"
    try:
        pickle.dumps(f)
    except Exception as refusal:
        return str(refusal)
    return None


class _ByValue:
    """A function as cloudpickle writes it. What cloudpickle writes, pickle reads, so it arrives as the function."""

    def __init__(self, pickled: bytes) -> None:
        self._pickled = pickled

    def __reduce__(self) -> tuple[Callable[[bytes], object], tuple[bytes]]:
        return pickle.loads, (self._pickled,)
