"""iceoryx2's publish and subscribe, by its Python binding: loaned memory, which NumPy fills in place, sent, looked at and given back.

A second service carries the answers; an event service beside each wakes its receiver, which sleeps in the kernel meanwhile. An array that
is published once, for all receivers, has a service of its own, and a question about it is a small message.
"""

import ctypes
import itertools
import multiprocessing
import os
import pickle
from collections.abc import Callable
from typing import Any, ClassVar, Literal

from .. import serving
from .route import Served, dtype_of, missing, plain, started

#: Bytes ahead of the array's: the length of a pickle, and the pickle of question, dtype, shape and order.
_HEAD = 512
_LARGEST = 1 << 30
_SMALL = 1 << 16
#: Receivers of what is published once.
_MOST_RECEIVERS = 8


class _Samples:
    """A service with one publisher."""

    def __init__(self, node: Any, name: str, subscribers: int = 1) -> None:
        import iceoryx2 as iox2

        self._static = iox2.AllocationStrategy.Static
        self._discard = iox2.BackpressureStrategy.DiscardData
        # The smallest limits: the publisher reserves room for the worst case of them.
        self._data = (
            node.service_builder(iox2.ServiceName.new(name))
            .publish_subscribe(iox2.Slice[ctypes.c_uint8])
            .payload_alignment(iox2.Alignment.new(64))
            .max_publishers(1)
            .max_subscribers(subscribers)
            .subscriber_max_buffer_size(1)
            .subscriber_max_borrowed_samples(2)
            .history_size(0)
            # Of several subscribers, those that are not asked leave samples untaken: the next one replaces them.
            .enable_safe_overflow(subscribers > 1)
            .open_or_create()
        )

    def sends(self, largest: int) -> None:
        # Static: sparse room for a few samples of the largest size; the growing strategies refuse to grow by much.
        builder = self._data.publisher_builder().initial_max_slice_len(largest).max_loaned_samples(2)
        # Who is asked has always taken the message before; one who has not is dead, and must not be waited for.
        self._publisher = builder.allocation_strategy(self._static).backpressure_strategy(self._discard).create()

    def receives(self) -> None:
        self._subscriber = self._data.subscriber_builder().create()

    def loan(self, length: int) -> Any:
        return self._publisher.loan_slice_uninit(length)

    def filled(self, array: Any) -> tuple[Any, tuple[Any, ...]]:
        """A loan with the array in it, and how the array is described."""
        import numpy as np

        order: Literal["C", "F"] = "F" if array.flags.fnc else "C"
        loaned = self.loan(_HEAD + array.nbytes)
        memory = _bytes_at(loaned.payload_ptr, _HEAD + array.nbytes)
        np.copyto(np.ndarray(array.shape, array.dtype, memory, _HEAD, order=order), array)
        return loaned, (dtype_of(array), array.shape, order)

    def send(self, loaned: Any, head: object) -> None:
        pickled = pickle.dumps(head)
        if len(pickled) > _HEAD - 8:
            raise ValueError(f"a head of {len(pickled)} bytes, but there is room for {_HEAD - 8}")
        pickled = len(pickled).to_bytes(8, "little") + pickled
        ctypes.memmove(loaned.payload_ptr, pickled, len(pickled))
        loaned.assume_init().send()

    def take(self) -> tuple[Any, Any, Any] | None:
        """The next sample, its memory, and what its head says; None when there is none."""
        if (sample := self._subscriber.receive()) is None:
            return None
        payload = sample.payload()
        memory = _bytes_at(payload.as_ptr(), payload.len())
        size = int.from_bytes(memory[:8], "little")
        return sample, memory, pickle.loads(bytes(memory[8 : 8 + size]))


class _Line(_Samples):
    """One direction to or from one process: a service for data, and one for waking."""

    def __init__(self, node: Any, name: str) -> None:
        import iceoryx2 as iox2

        super().__init__(node, name)
        self._second = iox2.Duration.from_secs(1)
        self._event = node.service_builder(iox2.ServiceName.new(name)).event().max_notifiers(1).max_listeners(1).open_or_create()

    def sends(self, largest: int) -> None:
        super().sends(largest)
        self._notifier = self._event.notifier_builder().create()

    def receives(self) -> None:
        super().receives()
        self._listener = self._event.listener_builder().create()

    def send(self, loaned: Any, head: object) -> None:
        super().send(loaned, head)
        self._notifier.notify()

    def receive(self, is_alive: Callable[[], bool]) -> tuple[Any, Any, Any]:
        """As `take`, of what comes next. Raises `EOFError` when the other side is dead."""
        while (taken := self.take()) is None:
            if not self._listener.timed_wait(self._second) and not is_alive():
                raise EOFError("the other process has ended")
        return taken


def _bytes_at(address: int, length: int) -> Any:
    return (ctypes.c_uint8 * length).from_address(address)


def _node() -> Any:
    import iceoryx2 as iox2

    iox2.set_log_level(iox2.LogLevel.Error)
    return iox2.NodeBuilder.new().signal_handling_mode(iox2.SignalHandlingMode.Disabled).create(iox2.ServiceType.Ipc)


def _array(memory: Any, described: tuple[Any, ...]) -> Any:
    import numpy as np

    dtype, shape, order = described
    return np.ndarray(shape, dtype, memory, _HEAD, order=order)


class _ReceiverEnds:
    """What a receiver has of its lines to the process that started it."""

    def __init__(self, name: str) -> None:
        self.node = _node()
        self._there, self._back = _Line(self.node, name + "/there"), _Line(self.node, name + "/back")
        self._there.receives()
        self._back.sends(_SMALL)
        parent = multiprocessing.parent_process()
        assert parent is not None
        self._is_alive = parent.is_alive

    def receive(self) -> tuple[Any, Any, Any]:
        return self._there.receive(self._is_alive)

    def answer(self, reply: object) -> None:
        self._back.send(self._back.loan(_SMALL), reply)


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
        self._process = started(self.receiver, name)
        self.take()

    @staticmethod
    def receiver(name: str) -> None:
        """What the process does."""
        ends = _ReceiverEnds(name)
        samples: list[Any] = []

        def receive() -> Any:
            sample, memory, head = ends.receive()
            if not isinstance(head, tuple):
                sample.delete()
                return head
            samples.append(sample)
            question, described = head
            return question, (memory, described)

        ends.answer(serving.PING)
        serving.serve(receive, ends.answer, lambda payload: _array(*payload), lambda: samples.pop(0).delete())

    def prepare(self, array: Any) -> Any:
        return plain(array)

    def send(self, question: str, payload: Any) -> None:
        loaned, described = self._there.filled(payload)
        self._there.send(loaned, (question, described))

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


class Iceoryx2Published(Iceoryx2):
    name = "iceoryx2, published before"
    messages = ""
    ready = True
    how = "loan, np.copyto into it, and send, once for all receivers, which keep the sample; a trip is a message that names it"

    #: Those that are open: they have one publisher in common.
    _open: ClassVar[list["Iceoryx2Published"]] = []
    _numbers: ClassVar = itertools.count()
    _published: _Samples

    def __init__(self) -> None:
        if self._open:
            self._published = self._open[0]._published
        else:
            self._published = _Samples(_node(), _published_by(os.getpid()), _MOST_RECEIVERS)
            self._published.sends(_HEAD + _LARGEST)
        super().__init__()
        self._open.append(self)

    @staticmethod
    def receiver(name: str) -> None:
        ends = _ReceiverEnds(name)
        published = _Samples(ends.node, _published_by(os.getppid()), _MOST_RECEIVERS)
        published.receives()
        kept: tuple[Any, Any, Any] | None = None

        def receive() -> Any:
            sample, _, message = ends.receive()
            sample.delete()
            return message

        def opened(payload: Any) -> Any:
            nonlocal kept
            number, described = payload
            if kept is None or kept[2] != number:
                if kept is not None:
                    kept[0].delete()
                kept = published.take()
                if kept is None or kept[2] != number:
                    raise LookupError(f"sample {number} did not arrive")
            return _array(kept[1], described)

        ends.answer(serving.PING)
        serving.serve(receive, ends.answer, opened)

    def prepare(self, array: Any) -> Any:
        loaned, described = self._published.filled(plain(array))
        number = next(self._numbers)
        self._published.send(loaned, number)
        return number, described

    def send(self, question: str, payload: Any) -> None:
        self.post((question, payload))

    def close(self) -> None:
        super().close()
        self._open.remove(self)
        del self._published


def _published_by(process: int) -> str:
    return f"crossbuf-bench/{process}/published"
