"""What a pool says to arguments that make no sense."""

import operator
from collections.abc import Callable, Iterable
from typing import Literal


def number(name: str, value: object, *, optional: bool = False) -> int:
    """A number of at least one."""
    kinds = " or None" if optional else ""
    try:
        whole = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be an integer{kinds}, not {type(value).__qualname__}") from None
    if whole <= 0:
        raise ValueError(f"{name} must be greater than 0{kinds}, not {whole}")
    return whole


def optional_number(name: str, value: object) -> int | None:
    """As `number`, or None."""
    return None if value is None else number(name, value, optional=True)


def start(initializer: Callable[..., object] | None, initargs: Iterable[object]) -> tuple[Callable[..., object], tuple[object, ...]] | None:
    """The call that begins each worker, if there is one."""
    if initializer is not None and not callable(initializer):
        raise TypeError(f"initializer must be a callable, not {type(initializer).__qualname__}")
    try:
        arguments = tuple(initargs)
    except TypeError:
        raise TypeError(f"initargs must be a tuple of arguments, not {type(initargs).__qualname__}") from None
    return None if initializer is None else (initializer, arguments)


def way_of_numpy(value: object) -> Literal["auto"] | bool:
    """The argument `numpy`."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value == "auto":
        return "auto"
    raise ValueError(f'numpy must be "auto", True or False, not {value!r}')
