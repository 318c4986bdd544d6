"""The standard library's routes to an interpreter: the queues of `concurrent.interpreters`, which begin with CPython 3.14."""

import pickle
import sys
from typing import Any

from ...workers import spawn
from .. import serving
from .route import Route, plain

_BEGINS = "concurrent.interpreters begins with CPython 3.14"

if sys.version_info >= (3, 14):
    from concurrent.interpreters import create_queue as create_queue
else:

    def create_queue(maxsize: int = 0) -> Any:
        """Is not there yet."""
        raise NotImplementedError(_BEGINS)


class _Queue(Route):
    place = "interpreter"

    @classmethod
    def absent(cls) -> str:
        return "" if sys.version_info >= (3, 14) else _BEGINS

    def __init__(self) -> None:
        self._there, self._back = create_queue(), create_queue()
        # crossbuf starts the interpreter, so that NumPy is there; all messages go through the queues.
        self._receiver = spawn(type(self).receiver, self._there, self._back)
        self.ping()

    @staticmethod
    def receiver(inbox: Any, outbox: Any) -> None:
        """What the interpreter does."""
        serving.serve(inbox.get, outbox.put)
        inbox.get()  # what an interpreter has put is lost when it ends before somebody got it

    def answer(self) -> Any:
        return self._back.get()

    def ping(self) -> None:
        self._there.put(serving.PING)
        self._back.get()

    def close(self) -> None:
        self._there.put(serving.END)
        self._there.put(serving.END)
        self._receiver.join()


class QueueMemoryview(_Queue):
    name = "stdlib queue, memoryview"
    messages = "stdlib queue"
    how = "Queue.put((question, memoryview(array))) and np.asarray there: the only way without a copy, and the receiver may write"

    @staticmethod
    def receiver(inbox: Any, outbox: Any) -> None:
        import numpy as np

        serving.serve(inbox.get, outbox.put, np.asarray)
        inbox.get()

    def send(self, question: str, payload: Any) -> None:
        self._there.put((question, memoryview(payload)))


class QueueBytes(_Queue):
    name = "stdlib queue, bytes"
    how = "Queue.put of array.tobytes(), its dtype and its shape, np.ndarray over the bytes there"

    @staticmethod
    def receiver(inbox: Any, outbox: Any) -> None:
        import numpy as np

        serving.serve(inbox.get, outbox.put, lambda payload: np.ndarray(payload[2], payload[1], buffer=payload[0]))
        inbox.get()

    def send(self, question: str, payload: Any) -> None:
        plain(payload)
        self._there.put((question, (payload.tobytes(), payload.dtype.str, payload.shape)))


class QueuePickled(_Queue):
    name = "stdlib queue, pickle 5"
    how = "Queue.put of pickle.dumps(array, 5), pickle.loads there, in an interpreter that has NumPy through crossbuf.isolation"

    @staticmethod
    def receiver(inbox: Any, outbox: Any) -> None:
        serving.serve(inbox.get, outbox.put, pickle.loads)
        inbox.get()

    def send(self, question: str, payload: Any) -> None:
        self._there.put((question, pickle.dumps(payload, 5)))
