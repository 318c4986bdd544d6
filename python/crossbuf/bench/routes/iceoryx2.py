"""iceoryx2's publish and subscribe, by its Python binding: loaned memory, filled, sent, looked at and given back.

A second service carries the answers; an event service beside each wakes its receiver, which sleeps in the kernel meanwhile.
"""

import ctypes
import multiprocessing
import os
import pickle
from collections.abc import Callable
from typing import Any, Literal

from .. import serving
from .route import PROCESSES, Served, missing, plain

#: Bytes ahead of the array's: the length of a pickle, and the pickle of question, dtype, shape and order.
_HEAD = 512
_LARGEST = 1 << 30
_SMALL = 1 << 16


class _Line:
    """One direction: a service for data and one for waking."""

    def __init__(self, node: Any, name: str) -> None:
        import iceoryx2 as iox2

        self._second = iox2.Duration.from_secs(1)
        self._static = iox2.AllocationStrategy.Static
        self._discard = iox2.BackpressureStrategy.DiscardData
        # The smallest limits: the publisher reserves room for the worst case of them.
        self._data = (
            node.service_builder(iox2.ServiceName.new(name))
            .publish_subscribe(iox2.Slice[ctypes.c_uint8])
            .payload_alignment(iox2.Alignment.new(64))
            .max_publishers(1)
            .max_subscribers(1)
            .subscriber_max_buffer_size(1)
            .subscriber_max_borrowed_samples(2)
            .history_size(0)
            .enable_safe_overflow(False)
            .open_or_create()
        )
        self._event = node.service_builder(iox2.ServiceName.new(name)).event().max_notifiers(1).max_listeners(1).open_or_create()

    def sends(self, largest: int) -> None:
        # Static: sparse room for a few samples of the largest size; the growing strategies refuse to grow by much.
        builder = self._data.publisher_builder().initial_max_slice_len(largest).max_loaned_samples(2)
        # Who is asked has always taken the message before; one who has not is dead, and must not be waited for.
        self._publisher = builder.allocation_strategy(self._static).backpressure_strategy(self._discard).create()
        self._notifier = self._event.notifier_builder().create()

    def receives(self) -> None:
        self._subscriber = self._data.subscriber_builder().create()
        self._listener = self._event.listener_builder().create()

    def loan(self, length: int) -> Any:
        return self._publisher.loan_slice_uninit(length)

    def send(self, loaned: Any, head: object) -> None:
        pickled = pickle.dumps(head)
        if len(pickled) > _HEAD - 8:
            raise ValueError(f"a head of {len(pickled)} bytes, but there is room for {_HEAD - 8}")
        pickled = len(pickled).to_bytes(8, "little") + pickled
        ctypes.memmove(loaned.payload_ptr, pickled, len(pickled))
        loaned.assume_init().send()
        self._notifier.notify()

    def receive(self, is_alive: Callable[[], bool]) -> tuple[Any, Any, Any]:
        """The sample, its memory, and what its head says. Raises `EOFError` when the other side is dead."""
        while (sample := self._subscriber.receive()) is None:
            if not self._listener.timed_wait(self._second) and not is_alive():
                raise EOFError("the other process has ended")
        payload = sample.payload()
        memory = _bytes_at(payload.as_ptr(), payload.len())
        size = int.from_bytes(memory[:8], "little")
        return sample, memory, pickle.loads(bytes(memory[8 : 8 + size]))


def _bytes_at(address: int, length: int) -> Any:
    return (ctypes.c_uint8 * length).from_address(address)


def _node() -> Any:
    import iceoryx2 as iox2

    iox2.set_log_level(iox2.LogLevel.Error)
    return iox2.NodeBuilder.new().signal_handling_mode(iox2.SignalHandlingMode.Disabled).create(iox2.ServiceType.Ipc)


def receiver(name: str) -> None:
    """What the process does."""
    import numpy as np

    node = _node()
    there, back = _Line(node, name + "/there"), _Line(node, name + "/back")
    there.receives()
    back.sends(_SMALL)
    parent = multiprocessing.parent_process()
    assert parent is not None
    samples: list[Any] = []

    def receive() -> Any:
        sample, memory, head = there.receive(parent.is_alive)
        if not isinstance(head, tuple):
            sample.delete()
            return head
        samples.append(sample)
        question, *described = head
        return question, (memory, *described)

    def opened(payload: Any) -> Any:
        memory, dtype, shape, order = payload
        return np.ndarray(shape, dtype, memory, _HEAD, order=order)

    def answer(reply: object) -> None:
        back.send(back.loan(_SMALL), reply)

    answer(serving.PING)
    serving.serve(receive, answer, opened, lambda: samples.pop(0).delete())


class Iceoryx2(Served):
    name = "iceoryx2, copied in"
    messages = "iceoryx2"
    place = "process"
    how = "loan, np.copyto into it, send; a Listener beside the Subscriber sleeps until a Notifier wakes it"

    @classmethod
    def absent(cls) -> str:
        return missing("iceoryx2")

    def __init__(self) -> None:
        name = f"crossbuf-bench/{os.getpid()}/{id(self)}"
        node = _node()
        self._there, self._back = _Line(node, name + "/there"), _Line(node, name + "/back")
        self._there.sends(_HEAD + _LARGEST)
        self._back.receives()
        self._process = PROCESSES.Process(target=receiver, args=(name,), daemon=True)
        self._process.start()
        self.take()

    def prepare(self, array: Any) -> Any:
        return plain(array)

    def send(self, question: str, payload: Any) -> None:
        import numpy as np

        order: Literal["C", "F"] = "F" if payload.flags.fnc else "C"
        loaned = self._there.loan(_HEAD + payload.nbytes)
        memory = _bytes_at(loaned.payload_ptr, _HEAD + payload.nbytes)
        np.copyto(np.ndarray(payload.shape, payload.dtype, memory, _HEAD, order=order), payload)
        self._there.send(loaned, (question, payload.dtype, payload.shape, order))

    def post(self, message: object) -> None:
        self._there.send(self._there.loan(_HEAD), message)

    def take(self) -> Any:
        sample, _, reply = self._back.receive(self._process.is_alive)
        sample.delete()
        return reply

    def close(self) -> None:
        self.tell_end()
        self._process.join()
        del self._there, self._back
