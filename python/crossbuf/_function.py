"""How a function travels to another interpreter: by name where it has one, by value through cloudpickle where not."""

from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType

from . import _by_value
from .errors import NotShareable

_NAMED = (FunctionType, BuiltinFunctionType, type)


def portable[F: Callable[..., object]](f: F, /) -> F:
    """`f`. Raises `TypeError` when it cannot be called, or when no other interpreter could find it and there is no cloudpickle.

    Callables that are not plain functions (partials, methods, instances) are left to the channel, which knows their parts.
    """
    if not callable(f):
        raise TypeError(f"a callable is needed, not {f!r}")
    if isinstance(f, FunctionType) and not _by_value.has_name(f) and not _by_value.is_installed():
        if _by_value.in_importable_module(f):
            why = "there is nothing of that name in its module"
        elif f.__module__ == "__main__":
            why = "the main program is no file that could be run again"
        else:
            why = f"its module {f.__module__!r} cannot be imported"
        raise TypeError(
            f"{f.__module__}.{f.__qualname__} cannot be found by another interpreter: {why}; "
            "define it at the top level of a module, or install cloudpickle"
        )
    return f


def explain(error: NotShareable, f: Callable[..., object], /) -> None:
    """Adds to what was raised for the message of a call what its parts are."""
    error.add_note(f"in the call of {f!r}: message[1] are its arguments, message[2] its keywords")


def by_name(f: Callable[..., object], /) -> object:
    """The name of `f`, as `package.module:Class.method`, or `f` itself if it has none, to be pickled. Raises as `portable`.

    With its name a call is a message without pickle, which takes workers half of their start to import.
    """
    # Those are the classes of which pickle, too, writes a name and asks nobody.
    return f"{f.__module__}:{f.__qualname__}" if type(portable(f)) in _NAMED and _by_value.has_name(f) else f
