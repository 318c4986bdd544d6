"""What a process sends with a worker, with its arrays beside it.

```text
pickled   stream, ticket ──▶ the message's Receiver        waits in this process, with what was taken out
unpickled stream, what the message had in it
over      nothing waits any more, whoever has died meanwhile
```
Why a channel, and no ticket for each array? One round trip brings them all, and a message owns what it mentions: the array of another
process, too, which may end before a worker asks for it.
"""

import math
import threading
from typing import Any

from .._core import _forget, _redeem, channel
from ..errors import Error
from ._packing import dumps, loads

type _Ticket = tuple[str, bytes]


class Errand:
    """Something that is pickled for a worker, perhaps for several, until it is over."""

    def __init__(self, content: object) -> None:
        self.content = content
        self._lock = threading.Lock()
        self._tickets: list[_Ticket] = []
        self._is_over = False

    def __reduce__(self) -> tuple[Any, ...]:
        stream, taken = dumps(self.content)
        if not taken:
            return loads, (stream, ())
        try:
            ticket = self._leave(taken)
        except (Error, MemoryError):
            # The arena is full, or has no such elements: what the standard library can do is still done.
            stream, taken = dumps(self.content, small=math.inf)
            ticket = self._leave(taken)
        return fetched, (stream, ticket)

    def _leave(self, taken: list[object]) -> _Ticket | None:
        if not taken:
            return None
        sender, receiver = channel()
        with sender, receiver:
            sender.send_nowait(taken)
            ticket: _Ticket
            _, (ticket,) = receiver.__reduce__()  # type: ignore[misc]
        with self._lock:
            if self._is_over:
                _forget(ticket)
            else:
                self._tickets.append(ticket)
        return ticket

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


def fetched(stream: bytes, ticket: _Ticket | None) -> Any:
    """The content of an errand, or `Lost`: an error here would end the worker, instead of the call."""
    if ticket is None:
        return loads(stream, ())
    try:
        with _redeem(ticket) as receiver:
            taken = receiver.recv()
    except Error as error:
        return Lost(error)
    return loads(stream, taken)
