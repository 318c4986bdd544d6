"""The standard library's routes to a process: multiprocessing's Pipe, Queue and SharedMemory."""

import pickle
import sys
from multiprocessing import shared_memory
from typing import Any

from .. import serving
from .route import PROCESSES, Piped, Served, dtype_of, plain, started

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
        self._process = started(self.receiver, self._there, back)
        back.close()
        self.ping()

    @staticmethod
    def receiver(inbox: Any, outbox: Any) -> None:
        """What the process does."""
        serving.serve(inbox.get, outbox.send)

    def close(self) -> None:
        self.tell_end()
        self._process.join()
        if self._process.exitcode:
            # The queue's thread may be stuck with what nobody reads any more, as this process has the reader's end, too.
            self._there.cancel_join_thread()
        self._there.close()
        self._there.join_thread()
        self._back.close()


class _Attached:
    """A receiver's block: it stays attached until another one's name comes, so that only the first trip maps."""

    def __init__(self) -> None:
        self._memory: shared_memory.SharedMemory | None = None

    def opened(self, payload: Any) -> Any:
        import numpy as np

        name, dtype, shape = payload
        if self._memory is None or self._memory.name != name:
            self.close()
            self._memory = shared_memory.SharedMemory(name, **_NOT_OURS)
        return np.ndarray(shape, dtype, buffer=self._memory.buf)

    def close(self) -> None:
        if self._memory is not None:
            self._memory.close()
            self._memory = None


def _block(size: int) -> shared_memory.SharedMemory:
    return shared_memory.SharedMemory(create=True, size=max(size, 1))


def _copied_in(array: Any, memory: shared_memory.SharedMemory) -> tuple[Any, ...]:
    """What the receiver needs to know of the array."""
    import numpy as np

    np.copyto(np.ndarray(array.shape, array.dtype, buffer=memory.buf), array)
    return memory.name, dtype_of(array), array.shape


def _removed(memory: shared_memory.SharedMemory) -> None:
    memory.close()
    memory.unlink()


class _SharedMemory(Piped):
    """Describes an array that lies in a block through a Pipe."""

    @staticmethod
    def receiver(pipe: Any) -> None:
        serving.serve(pipe.recv, pipe.send, _Attached().opened)


class NewSharedMemory(_SharedMemory):
    name = "SharedMemory, new block each"
    how = "SharedMemory(create=True), np.copyto, the name, dtype and shape through a Pipe; attached, closed and unlinked"

    @staticmethod
    def receiver(pipe: Any) -> None:
        attached = _Attached()
        serving.serve(pipe.recv, pipe.send, attached.opened, attached.close)

    def prepare(self, array: Any) -> Any:
        return plain(array)

    def send(self, question: str, payload: Any) -> None:
        self._memory = _block(payload.nbytes)
        try:
            super().send(question, _copied_in(payload, self._memory))
        except BaseException:
            _removed(self._memory)
            raise

    def answer(self) -> Any:
        try:
            return super().answer()
        finally:
            _removed(self._memory)


class KeptSharedMemory(_SharedMemory):
    name = "SharedMemory, kept block"
    how = "np.copyto into a block that is kept, and replaced by a larger one when it must; the receiver stays attached"

    def __init__(self) -> None:
        super().__init__()
        self._memory = _block(0)

    def prepare(self, array: Any) -> Any:
        return plain(array)

    def send(self, question: str, payload: Any) -> None:
        if payload.nbytes > self._memory.size:
            smaller, self._memory = self._memory, _block(payload.nbytes)
            _removed(smaller)
        super().send(question, _copied_in(payload, self._memory))

    def close(self) -> None:
        super().close()
        _removed(self._memory)


class ReadySharedMemory(_SharedMemory):
    name = "SharedMemory, ready block"
    ready = True
    how = "the name, dtype and shape through a Pipe; the receiver stays attached, so that only the first trip maps"

    def prepare(self, array: Any) -> Any:
        self._memory = _block(plain(array).nbytes)
        return _copied_in(array, self._memory)

    def give_up(self, payload: Any) -> None:
        _removed(self._memory)
