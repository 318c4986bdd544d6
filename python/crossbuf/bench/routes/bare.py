"""Routes that carry nothing: what a round trip costs from Python when nobody asks for anything, as floors of those that carry arrays."""

import contextlib
import os
from typing import Any

from ... import _core
from ...workers import spawn
from .. import workers
from .route import PROCESSES, Refused, Route, started

_MOST = (1 << 32) - 1


class _Bare(Route):
    def send(self, question: str, payload: object) -> None:
        raise Refused("it carries nothing")

    def answer(self) -> object:
        raise Refused("it carries nothing")


class CalledFutex(_Bare):
    """The floor as an interpreter can reach it: the same two system calls, made from Python."""

    name = messages = "bare futex, called from Python"
    place = "interpreter"
    how = "a word to sleep on for each side"

    def __init__(self) -> None:
        # No word was ever raised so far: waiting for another value returns the one that it has.
        self._seen = _core._floor_wait(1, _MOST)
        self._receiver = spawn(workers.answer_by_futex, _core._floor_wait(0, _MOST))
        self.ping()

    def ping(self) -> None:
        _core._floor_post(0, 1)
        self._seen = _core._floor_wait(1, self._seen)

    def close(self) -> None:
        # Two at once are the end.
        _core._floor_post(0, 2)
        self._receiver.join()


class _Pipes(_Bare):
    """Two pipes to a process, which sends back what it gets."""

    place = "process"

    def __init__(self) -> None:
        # One way each: a Pipe for both is a socket pair, which is slower.
        inbox, self._there = PROCESSES.Pipe(duplex=False)
        self._back, outbox = PROCESSES.Pipe(duplex=False)
        self._process = started(self.receiver, inbox, outbox)
        inbox.close()
        outbox.close()
        self.ping()

    @staticmethod
    def receiver(inbox: Any, outbox: Any) -> None:
        """What the process does, until nobody is there."""
        raise NotImplementedError

    def close(self) -> None:
        self._there.close()
        self._process.join()
        self._back.close()


class PipeOfBytes(_Pipes):
    """multiprocessing's own messages, without pickle."""

    name = messages = "mp.Pipe, bytes"
    how = "Connection.send_bytes and recv_bytes of one byte, by a Pipe for each direction"

    @staticmethod
    def receiver(inbox: Any, outbox: Any) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                outbox.send_bytes(inbox.recv_bytes())

    def ping(self) -> None:
        self._there.send_bytes(b"\0")
        self._back.recv_bytes()


class OsPipes(_Pipes):
    """The floor as a process can reach it from Python without an extension."""

    name = messages = "bare os.pipe, called from Python"
    how = "os.write and os.read of one byte"

    @staticmethod
    def receiver(inbox: Any, outbox: Any) -> None:
        with contextlib.suppress(OSError):
            while byte := os.read(inbox.fileno(), 1):
                os.write(outbox.fileno(), byte)

    def ping(self) -> None:
        os.write(self._there.fileno(), b"\0")
        if not os.read(self._back.fileno(), 1):
            raise EOFError("the other process has ended")
