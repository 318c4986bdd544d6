"""What a process sends with a worker, with its arrays beside it.

```text
pickled   stream, ticket ──▶ the message's Receiver        waits in this process, with what was taken out
unpickled stream, what the message had in it
over      nothing waits any more, whoever has died meanwhile
```
Why a channel, and no ticket for each array? One round trip brings them all, and a message owns what it mentions: the array of another
process, too, which may end before a worker asks for it.
"""

import threading
from typing import Any

from .._core import Receiver, _forget, _redeem, channel
from ..errors import Error
from ._packing import Beside, pack, unpack

type _Ticket = tuple[str, bytes]


class Errand:
    """Something that is pickled for a worker, perhaps for several, until it is over."""

    def __init__(self, content: object) -> None:
        self.content = content
        self._lock = threading.Lock()
        self._tickets: list[_Ticket] = []
        self._is_over = False

    def __reduce__(self) -> tuple[Any, ...]:
        packed = pack(self.content)
        try:
            return self._left(packed.stream, *packed.split())
        except (Error, MemoryError):
            # The arena is full, or has no such elements: what the standard library can do is still done.
            return self._left(packed.stream, *packed.split_without_arena())

    def _left(self, stream: bytes, beside: Beside, apart: list[object]) -> tuple[Any, ...]:
        if not apart:
            return unpack, (stream, beside)
        sender, receiver = channel()
        with sender, receiver:
            sender.send_nowait(apart)
            ticket = _ticket(receiver)
        with self._lock:
            if self._is_over:
                _forget(ticket)
            else:
                self._tickets.append(ticket)
        return fetched, (stream, beside, ticket)

    def end(self) -> None:
        """Drops what no worker has fetched."""
        with self._lock:
            self._is_over = True
            for ticket in self._tickets:
                _forget(ticket)
            self._tickets.clear()


class Lost:
    """Stands for content that came too late for its arrays."""

    def __init__(self, error: Error) -> None:
        self.error = error


def _ticket(receiver: Receiver) -> _Ticket:
    reduced: Any = receiver.__reduce__()
    return reduced[1][0]  # type: ignore[no-any-return]


def fetched(stream: bytes, beside: dict[int, object], ticket: _Ticket) -> Any:
    """The content of an errand, or `Lost`: an error here would end the worker, instead of the call."""
    try:
        with _redeem(ticket) as receiver:
            apart = receiver.recv()
    except Error as error:
        return Lost(error)
    return unpack(stream, beside, apart)
