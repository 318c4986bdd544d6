"""What a process sends with a worker, with its arrays beside it.

```text
pickled   stream, tickets ──▶ a few arrays of this process         each waits by itself, and is fetched without asking anybody
          stream, ticket ───▶ the Receiver of a message with all   waits in this process, with what was taken out
unpickled stream, what was fetched
over      nothing waits any more, whoever has died meanwhile
```
Why a channel for all else? One round trip brings any number, copied into the arena where they have to be. And a message owns what it
mentions: the array of another process, too, which may end before a worker asks for it.
"""

import threading
from typing import Any

from .._core import Array, Receiver, _forget, _own_tickets, _redeem, channel
from .._forking import viewed
from ..errors import Ended, Error
from ._packing import Beside, pack, unpack

type _Ticket = tuple[str, bytes]

#: So many tickets take no more than a message.
_FEW = 8


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
        if tickets := _tickets_of_each(apart):
            self._keep(tickets)
            return fetched, (stream, beside, tickets, [isinstance(one, Array) for one in apart])
        sender, receiver = channel()
        with sender, receiver:
            sender.send_nowait(apart)
            ticket = _ticket(receiver)
        self._keep([ticket])
        return received, (stream, beside, ticket)

    def _keep(self, tickets: list[_Ticket]) -> None:
        """Has them end with the errand."""
        with self._lock:
            if self._is_over:
                _forget_all(tickets)
            else:
                self._tickets += tickets

    def end(self) -> None:
        """Drops what no worker has fetched."""
        with self._lock:
            self._is_over = True
            _forget_all(self._tickets)
            self._tickets.clear()
        # Its future keeps the errand for as long as somebody keeps the future.
        self.content = Lost(Ended("the call is over"))


class Lost:
    """Stands for content that is no more, or that came too late for its arrays."""

    def __init__(self, error: Error) -> None:
        self.error = error


def _tickets_of_each(apart: list[object]) -> list[_Ticket] | None:
    """None where a message is the way."""
    try:
        return _own_tickets(tuple(apart)) if len(apart) <= _FEW else None
    except Error:
        # Of a dtype that is too long for a ticket.
        return None


def _ticket(receiver: Receiver) -> _Ticket:
    reduced: Any = receiver.__reduce__()
    return reduced[1][0]  # type: ignore[no-any-return]


def _forget_all(tickets: list[_Ticket]) -> None:
    for ticket in tickets:
        _forget(ticket)


def fetched(stream: bytes, beside: dict[int, object], tickets: list[_Ticket], are_arrays: list[bool]) -> Any:
    """The content of an errand, or `Lost`: an error here would end the worker, instead of the call."""
    try:
        arrays = [_redeem(ticket) for ticket in tickets]
    except Error as error:
        return Lost(error)
    return unpack(stream, beside, [array if is_array else viewed(array) for array, is_array in zip(arrays, are_arrays, strict=True)])


def received(stream: bytes, beside: dict[int, object], ticket: _Ticket) -> Any:
    """The same, of an errand whose arrays are in a message."""
    try:
        with _redeem(ticket) as receiver:
            apart = receiver.recv()
    except Error as error:
        return Lost(error)
    return unpack(stream, beside, apart)
