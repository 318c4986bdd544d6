"""The standard library's routes to a process: multiprocessing's Pipe, Queue and SharedMemory."""

import pickle
import sys
from multiprocessing import shared_memory
from typing import Any

from .. import serving
from .route import PROCESSES, Piped, Served, dtype_of, plain

#: SharedMemory of which this process is not the owner is no business of its resource tracker; before 3.13 that could not be said.
_NOT_OURS: dict[str, Any] = {"track": False} if sys.version_info >= (3, 13) else {}


class Pipe(Piped):
    name = "mp.Pipe"
    messages = "mp.Pipe"
    how = "Connection.send of the ndarray: pickled in band"


class PipeOutOfBand(Piped):
    name = "mp.Pipe, out of band"
    how = "pickle 5 with buffer_callback, each buffer by send_bytes, and recv_bytes_into fresh memory of its size"

    @staticmethod
    def receiver(pipe: Any) -> None:
        def opened(payload: Any) -> Any:
            pickled, sizes = payload
            buffers = [bytearray(size) for size in sizes]
            for buffer in buffers:
                if buffer:
                    pipe.recv_bytes_into(buffer)
            return pickle.loads(pickled, buffers=buffers)

        serving.serve(pipe.recv, pipe.send, opened)

    def send(self, question: str, payload: Any) -> None:
        buffers: list[pickle.PickleBuffer] = []
        pickled = pickle.dumps(payload, 5, buffer_callback=buffers.append)
        raws = [buffer.raw() for buffer in buffers]
        super().send(question, (pickled, [raw.nbytes for raw in raws]))
        for raw in raws:
            if raw.nbytes:
                self._pipe.send_bytes(raw)


class Queue(Served):
    name = "mp.Queue"
    messages = "mp.Queue"
    place = "process"
    how = "Queue.put of the ndarray: pickled in band by the queue's thread"

    def __init__(self) -> None:
        self._there = PROCESSES.Queue()
        # Answers are small, and a Pipe tells when the receiver is gone.
        self._back, back = PROCESSES.Pipe(duplex=False)
        self.post, self.take = self._there.put, self._back.recv
        self._process = PROCESSES.Process(target=self.receiver, args=(self._there, back), daemon=True)
        self._process.start()
        back.close()
        self.ping()

    @staticmethod
    def receiver(inbox: Any, outbox: Any) -> None:
        """What the process does."""
        serving.serve(inbox.get, outbox.send)

    def close(self) -> None:
        self.tell_end()
        self._process.join()
        self._there.close()
        self._there.join_thread()
        self._back.close()


def _attached(payload: Any) -> tuple[shared_memory.SharedMemory, Any]:
    import numpy as np

    name, dtype, shape = payload
    memory = shared_memory.SharedMemory(name, **_NOT_OURS)
    return memory, np.ndarray(shape, dtype, buffer=memory.buf)


def _filled(array: Any) -> tuple[shared_memory.SharedMemory, tuple[Any, ...]]:
    import numpy as np

    memory = shared_memory.SharedMemory(create=True, size=max(array.nbytes, 1))
    np.copyto(np.ndarray(array.shape, array.dtype, buffer=memory.buf), array)
    return memory, (memory.name, dtype_of(array), array.shape)


class NewSharedMemory(Piped):
    name = "SharedMemory, new block each"
    how = "SharedMemory(create=True), np.copyto, the name, dtype and shape through a Pipe; attached, closed and unlinked"

    @staticmethod
    def receiver(pipe: Any) -> None:
        attached: list[shared_memory.SharedMemory] = []

        def opened(payload: Any) -> Any:
            memory, array = _attached(payload)
            attached.append(memory)
            return array

        serving.serve(pipe.recv, pipe.send, opened, lambda: attached.pop().close())

    def prepare(self, array: Any) -> Any:
        return plain(array)

    def send(self, question: str, payload: Any) -> None:
        self._memory, name = _filled(payload)
        super().send(question, name)

    def answer(self) -> Any:
        reply = super().answer()
        self._memory.close()
        self._memory.unlink()
        return reply


class ReadySharedMemory(Piped):
    name = "SharedMemory, ready block"
    ready = True
    how = "the name, dtype and shape through a Pipe; the receiver stays attached, so that only the first trip maps"

    @staticmethod
    def receiver(pipe: Any) -> None:
        attached: dict[str, tuple[shared_memory.SharedMemory, Any]] = {}

        def opened(payload: Any) -> Any:
            name = payload[0]
            if name not in attached:
                for memory, _ in attached.values():
                    memory.close()
                attached.clear()
                attached[name] = _attached(payload)
            return attached[name][1]

        serving.serve(pipe.recv, pipe.send, opened)

    def prepare(self, array: Any) -> Any:
        self._memory, name = _filled(plain(array))
        return name

    def give_up(self, payload: Any) -> None:
        self._memory.close()
        self._memory.unlink()
