"""The standard library's routes to an interpreter: the queues of `concurrent.interpreters`, which begin with CPython 3.14."""

import os
import pickle
import queue
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, Self

from ...workers import spawn
from .. import serving
from .route import Served, plain

_BEGINS = "concurrent.interpreters begins with CPython 3.14"

if sys.version_info >= (3, 14):
    from concurrent.interpreters import create_queue as create_queue
else:

    def create_queue(maxsize: int = 0) -> Any:
        """Is not there yet."""
        raise NotImplementedError(_BEGINS)


def receiver(inbox: Any, outbox: Any, opened: Callable[[Any], Any]) -> None:
    """What the interpreter does."""
    serving.serve(inbox.get, outbox.put, opened)
    inbox.get()  # what an interpreter has put is lost when it ends before somebody got it


class _Queue(Served):
    place = "interpreter"
    # Who waits for it looks a hundred times a second.
    apart = "stdlib queue"
    #: Has the answers.
    _back: Any

    @classmethod
    def absent(cls) -> str:
        return "" if sys.version_info >= (3, 14) else _BEGINS

    def __init__(self) -> None:
        there, self._back = create_queue(), create_queue()
        self.post = there.put
        # crossbuf starts the interpreter, so that NumPy is there; all messages go through the queues.
        self._receiver = spawn(receiver, there, self._back, self.opened)
        self.ping()

    @staticmethod
    def opened(payload: Any) -> Any:
        """What the receiver makes of what arrives."""
        raise NotImplementedError

    def take(self) -> Any:
        # A queue does not tell when nobody is left to put something into it.
        while True:
            try:
                return self._back.get(timeout=1)
            except queue.Empty:
                if not self._receiver.is_alive():
                    raise EOFError("the receiver has ended") from None

    def close(self) -> None:
        self.tell_end()
        self.tell_end()
        self._receiver.join()


class QueueMemoryview(_Queue):
    name = "stdlib queue, memoryview"
    messages = "stdlib queue"
    how = "Queue.put((question, memoryview(array))) and np.asarray there: the only way without a copy, and the receiver may write"

    @staticmethod
    def opened(payload: Any) -> Any:
        import numpy as np

        return np.asarray(payload)

    def send(self, question: str, payload: Any) -> None:
        self.post((question, memoryview(payload)))


class _Woken(NamedTuple):
    """A queue with a pipe beside it, which wakes who waits; without it he would look a hundred times a second."""

    queue: Any
    reader: int
    writer: int

    @classmethod
    def made(cls) -> Self:
        return cls(create_queue(), *os.pipe())

    def put(self, message: object) -> None:
        self.queue.put(message)
        os.write(self.writer, b"\0")

    def get(self) -> Any:
        if not os.read(self.reader, 1):
            raise EOFError("the receiver has ended")
        return self.queue.get_nowait()


def woken_receiver(inbox: _Woken, outbox: _Woken, opened: Callable[[Any], Any]) -> None:
    """As `receiver`. Its end is told by the pipe's."""
    try:
        receiver(inbox, outbox, opened)
    finally:
        os.close(outbox.writer)


class QueueWoken(QueueMemoryview):
    name = messages = "stdlib queue, woken by a pipe"
    apart = ""
    how = "as with a memoryview, and a byte through an os.pipe, on which the receiver sleeps before it calls get_nowait"

    def __init__(self) -> None:
        self._there, self._back = _Woken.made(), _Woken.made()
        self.post = self._there.put
        self._receiver = spawn(woken_receiver, self._there, self._back, self.opened)
        self.ping()

    def take(self) -> Any:
        return self._back.get()

    def close(self) -> None:
        super().close()
        for descriptor in (self._there.reader, self._there.writer, self._back.reader):
            os.close(descriptor)


class QueueBytes(_Queue):
    name = "stdlib queue, bytes"
    how = "Queue.put of array.tobytes(), its dtype and its shape, np.ndarray over the bytes there"

    @staticmethod
    def opened(payload: Any) -> Any:
        import numpy as np

        data, dtype, shape = payload
        return np.ndarray(shape, dtype, data)

    def send(self, question: str, payload: Any) -> None:
        plain(payload)
        self.post((question, (payload.tobytes(), payload.dtype.str, payload.shape)))


class QueuePickled(_Queue):
    name = "stdlib queue, pickle 5"
    how = "Queue.put of pickle.dumps(array, 5), pickle.loads there, in an interpreter that has NumPy through crossbuf.isolation"

    @staticmethod
    def opened(payload: Any) -> Any:
        return pickle.loads(payload)

    def send(self, question: str, payload: Any) -> None:
        self.post((question, pickle.dumps(payload, 5)))
