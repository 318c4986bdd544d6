"""Results on their way back, with their arrays in a message to the process that asked for them.

```text
worker   arrays ── message (key, arrays) ──▶ channel of the process that asked
         stream, key ── result queue ──────▶ arrays of that key ──▶ result
```
The message is there before the stream is. So a worker may end, or be killed, once it has sent a result: whoever hosts a channel has mapped
what lies in its messages, and it stays readable.
"""

import itertools
import os
import threading
import time
import weakref
from typing import Any

from .._core import Sender, channel
from ..errors import Error
from ._packing import Beside, pack, unpack

type _Key = tuple[int, int]

#: By number, those of this interpreter.
_homes: "weakref.WeakValueDictionary[int, Home]" = weakref.WeakValueDictionary()
_numbers = itertools.count()
#: Seconds for a message that was sent before the stream.
_PATIENCE = 10.0


class Home:
    """Where the results of one pool arrive."""

    def __init__(self) -> None:
        self._sender, self._receiver = channel()
        self._lock = threading.Lock()
        #: What came before anybody asked for it.
        self._early: dict[_Key, list[object]] = {}
        self.number = next(_numbers)
        _homes[self.number] = self

    def way(self) -> "tuple[Sender, int]":
        """What a worker needs to send results here."""
        return self._sender, self.number

    def take(self, key: _Key) -> list[object]:
        """The arrays of one result."""
        until = time.monotonic() + _PATIENCE
        with self._lock:
            while key not in self._early:
                # At exit, results are still read.
                other, objects = self._receiver._await_thread(max(0.0, until - time.monotonic()))
                self._early[other] = objects
            return self._early.pop(key)

    def close(self) -> None:
        """Drops what nobody will ask for: its worker was killed before the stream was sent."""
        self._sender.close()
        self._receiver.close()
        self._early.clear()


class Result:
    """What a call in this worker returned."""

    def __init__(self, value: object, way: tuple[Sender, int]) -> None:
        self._value = value
        self._way = way

    def __reduce__(self) -> tuple[Any, ...]:
        packed = pack(self._value)
        try:
            return self._sent(packed.stream, *packed.split())
        except (Error, MemoryError):
            # The arena is full, or has no such elements: what the standard library can do is still done.
            return self._sent(packed.stream, *packed.split_without_arena())

    def _sent(self, stream: bytes, beside: Beside, apart: list[object]) -> tuple[Any, ...]:
        if not apart:
            return unpack, (stream, beside)
        sender, number = self._way
        key = os.getpid(), next(_numbers)
        sender.send((key, apart))
        return came, (number, key, stream, beside)


def send_home(error: BaseException, way: tuple[Sender, int]) -> None:
    """Has what an exception mentions travel as a result does. It would else be pickled as tickets, which might not be redeemed in time."""
    try:
        _, apart = pack(error).split()
        if apart:
            error.__reduce_ex__ = _Reduced(error, way)  # type: ignore[method-assign]
    except Exception:  # whatever is wrong with it, pickling will say
        return


class _Reduced:
    """Stands in for the method of one exception, once."""

    def __init__(self, error: BaseException, way: tuple[Sender, int]) -> None:
        self._error = error
        self._way = way

    def __call__(self, protocol: Any) -> tuple[Any, ...]:
        del self._error.__reduce_ex__
        return Result(self._error, self._way).__reduce__()


def came(number: int, key: _Key, stream: bytes, beside: dict[int, object]) -> Any:
    """A result, where it was asked for."""
    return unpack(stream, beside, _homes[number].take(key))
