"""What workers of process pools do in tests: functions that they find by name."""

import os
import signal
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from multiprocessing_work import is_mapped

import crossbuf as cb

#: So many elements are megabytes, which go through an arena.
MANY = 200_000


@dataclass
class Nested:
    """Arrays inside other things."""

    a: Any
    more: Any


def itself(value: Any) -> Any:
    return value


def plus(array: Any, number: float) -> Any:
    return array + number


def describe(nested: Nested) -> list[tuple[bool, bool, float]]:
    """Of each array: whether it is in an arena and may be written to, its sum."""
    arrays = [nested.a, *nested.more["list"][0], *nested.more.values()]
    return [(is_mapped(a), a.flags.writeable, float(a.sum())) for a in arrays if isinstance(a, np.ndarray)]


def nest(length: int) -> Nested:
    array = np.arange(float(length))
    return Nested(array, {"list": [(array, array + 1)], "view": array[::2], "text": "x"})


def writeable(*arrays: Any) -> list[bool]:
    return [array.flags.writeable for array in arrays]


def die(array: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def sleep(array: Any) -> None:
    time.sleep(100)


def die_soon(array: Any) -> tuple[int, Any]:
    return os.getpid(), array + 1


class Unwritable:
    def __reduce__(self) -> Any:
        raise TypeError("cannot be pickled")


def unwritable(array: Any) -> Any:
    return [array, Unwritable()]


def fail(array: Any) -> None:
    raise ValueError("of the worker", array, cb.share(array + 1))


INITIAL: Any = None


def initialize(array: Any, number: int) -> None:
    global INITIAL
    INITIAL = (array, number)


def initial() -> Any:
    array, number = INITIAL
    return is_mapped(array), array.flags.writeable, float(array.sum()), number


def refuse(array: Any) -> None:
    raise RuntimeError("no")


def share(number: int) -> cb.Array:
    return cb.share(np.full(MANY, float(number)))


def total(array: Any) -> float:
    return float(array.sum())


def echo(rx: cb.Receiver, tx: cb.Sender) -> int:
    with rx, tx:
        for message in rx:
            tx.send(message)
    return os.getpid()


def hold(ready: cb.Sender, go: cb.Receiver) -> None:
    """Says that it has begun, and returns when it is told to."""
    ready.send(None)
    go.recv()


def pid(*_: Any) -> int:
    return os.getpid()
