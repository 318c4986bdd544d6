"""Senders and Receivers: order, capacity, waiting, closing."""

import copy
import gc
import math
import pickle
import queue
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

import crossbuf as cb

Elsewhere = Callable[..., None]


@pytest.mark.parametrize("capacity", [None, 1, 2, 1000])
def test_messages_arrive_in_order(capacity: int | None) -> None:
    sender, receiver = cb.channel(capacity)
    count = capacity or 10
    for n in range(count):
        sender.send_nowait(n)
    assert sender.qsize() == receiver.qsize() == count
    assert [receiver.recv_nowait() for _ in range(count)] == list(range(count))


def test_full_and_empty_are_those_of_queue() -> None:
    sender, receiver = cb.channel(1)
    sender.send(1)
    for refused in (lambda: sender.send_nowait(2), lambda: sender.send(2, timeout=0), lambda: sender.send(2, 0.01)):
        with pytest.raises(queue.Full) as full:
            refused()
        assert isinstance(full.value, cb.Full)
    assert receiver.recv() == 1
    for absent in (receiver.recv_nowait, lambda: receiver.recv(timeout=0), lambda: receiver.recv(0.01)):
        with pytest.raises(queue.Empty) as empty:
            absent()
        assert isinstance(empty.value, cb.Empty)


def test_a_full_channel_refuses_before_it_copies() -> None:
    sender, receiver = cb.channel(1)
    sender.send(None)
    before = cb.statistics().copied
    with pytest.raises(cb.Full, match="its one place is taken"):
        sender.send_nowait(np.zeros(1000))
    assert cb.statistics().copied == before
    assert receiver.recv() is None


def test_a_rendezvous_needs_both_sides() -> None:
    sender, receiver = cb.channel(capacity=0)
    with pytest.raises(cb.Full):
        sender.send_nowait("nobody waits")
    with pytest.raises(cb.Full):
        sender.send("nobody comes", timeout=0.01)
    assert receiver.qsize() == 0
    thread = threading.Thread(target=sender.send, args=("here",))
    thread.start()
    assert receiver.recv() == "here"
    thread.join()


def test_it_can_be_used_as_a_queue() -> None:
    sender, receiver = cb.channel(1)
    sender.put("a")
    with pytest.raises(queue.Full):
        sender.put_nowait("b")
    with pytest.raises(queue.Full):
        sender.put("b", False)
    with pytest.raises(queue.Full):
        sender.put("b", block=True, timeout=0.01)
    assert receiver.get(timeout=1) == "a"
    for absent in (receiver.get_nowait, lambda: receiver.get(False), lambda: receiver.get(True, 0.01)):
        with pytest.raises(queue.Empty):
            absent()


@pytest.mark.parametrize("timeout", [math.inf, 1e300, 2**63, 1e19])
def test_timeouts_beyond_the_clock_are_endless(timeout: float) -> None:
    sender, receiver = cb.channel()
    threading.Timer(0.05, sender.send, (1,)).start()
    assert receiver.recv(timeout=timeout) == 1


@pytest.mark.parametrize("timeout", [math.nan, -1, -math.inf, -1e-300, 10**400])
def test_impossible_timeouts_are_value_errors(timeout: float) -> None:
    sender, receiver = cb.channel()
    for wait in (receiver.recv, receiver.get, lambda timeout: sender.send(1, timeout)):
        with pytest.raises(ValueError, match="timeout="):
            wait(timeout=timeout)
    assert sender.qsize() == 0


@pytest.mark.parametrize("timeout", [True, "1", [], b""])
def test_what_is_no_time_is_a_type_error(timeout: object) -> None:
    sender, receiver = cb.channel()
    with pytest.raises(TypeError, match="timeout="):
        receiver.recv(timeout)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="timeout="):
        sender.send(1, timeout)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("capacity", "error"), [(True, TypeError), (1.0, TypeError), ("1", TypeError), (-1, ValueError), (2**64, ValueError)]
)
def test_capacity_is_checked(capacity: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="capacity="):
        cb.channel(capacity)  # type: ignore[arg-type]


def test_arguments_are_checked() -> None:
    sender, receiver = cb.channel()
    for call in (
        sender.send,
        lambda: sender.send(1, 2, 3),
        lambda: sender.send(1, wait=2),
        lambda: receiver.recv(1, 2),
        lambda: receiver.recv(t=1),
    ):
        with pytest.raises(TypeError):
            call()  # type: ignore[call-arg]
    for kind in (cb.Sender, cb.Receiver):
        with pytest.raises(TypeError):
            kind()


def test_iterating_ends_with_the_last_sender() -> None:
    sender, receiver = cb.channel()
    with sender, sender.clone() as other:
        sender.send(1)
        other.send(2)
    assert list(receiver) == [1, 2]
    assert list(receiver) == []
    with pytest.raises(EOFError) as ended:
        receiver.recv()
    assert isinstance(ended.value, cb.Ended)
    with pytest.raises(cb.Ended):
        receiver.recv_nowait()


def test_what_one_closes_oneself_is_closed() -> None:
    sender, receiver = cb.channel()
    receiver.close()
    receiver.close()
    assert receiver.closed
    for use in (receiver.recv, receiver.recv_nowait, receiver.clone, lambda: next(receiver), lambda: iter(receiver), receiver.__enter__):
        with pytest.raises(cb.Closed):
            use()
    sender.close()
    for use in (lambda: sender.send(1), lambda: sender.send_nowait(object), sender.clone, sender.__enter__):
        with pytest.raises(cb.Closed):
            use()


def test_without_receivers_the_channel_is_broken() -> None:
    sender, receiver = cb.channel()
    array = cb.share(b"content")
    receiver.close()
    with pytest.raises(cb.Broken):
        sender.send(array)
    assert array.tobytes() == b"content"


@pytest.mark.parametrize("capacity", [0, 1])
def test_closing_wakes_those_who_wait(capacity: int) -> None:
    outcomes: queue.Queue[BaseException] = queue.Queue()

    def catch(call: Callable[[], object]) -> threading.Thread:
        def run() -> None:
            try:
                call()
            except BaseException as error:
                outcomes.put(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    sender, receiver = cb.channel(capacity)
    waiting = catch(receiver.recv)
    until(lambda: sender.statistics().waiting_receivers == 1)
    receiver.close()
    waiting.join()
    assert type(outcomes.get()) is cb.Closed

    sender, receiver = cb.channel(capacity)
    waiting = catch(receiver.recv)
    until(lambda: sender.statistics().waiting_receivers == 1)
    sender.close()
    waiting.join()
    assert type(outcomes.get()) is cb.Ended

    sender, receiver = cb.channel(capacity)
    for _ in range(capacity):
        sender.send(None)
    waiting = catch(lambda: sender.send("more"))
    until(lambda: receiver.statistics().waiting_senders == 1)
    receiver.close()
    waiting.join()
    assert type(outcomes.get()) is cb.Broken


def test_statistics_count() -> None:
    sender, receiver = cb.channel(5)
    for n in range(3):
        sender.send(n)
    receiver.recv()
    clone = sender.clone()
    assert sender.statistics() == receiver.statistics()
    assert sender.statistics()._asdict() == {
        "capacity": 5,
        "queued": 2,
        "senders": 2,
        "receivers": 1,
        "waiting_senders": 0,
        "waiting_receivers": 0,
        "sent": 3,
        "received": 1,
    }
    assert cb.channel()[0].statistics().capacity is None
    assert sender.capacity == 5
    clone.close()


def test_repr_tells_the_state() -> None:
    sender, receiver = cb.channel(2)
    assert repr(sender) == "<crossbuf.Sender capacity=2 queued=0 senders=1 receivers=1>"
    receiver.close()
    assert repr(receiver) == "<closed crossbuf.Receiver capacity=2 queued=0 senders=1 receivers=0>"


def test_ends_can_be_referred_to_weakly_and_go_at_once() -> None:
    sender, receiver = cb.channel()
    reference = weakref.ref(sender)
    del sender
    assert reference() is None
    assert list(receiver) == []


def test_an_end_in_a_message_is_another_end() -> None:
    requests, server = cb.channel()
    reply, answers = cb.channel()
    requests.send({"question": 6, "reply": reply})
    reply.close()
    request = server.recv()
    request["reply"].send(request["question"] * 7)
    assert answers.recv() == 42
    del request
    assert list(answers) == []


def test_copies_and_pickles_are_other_ends() -> None:
    sender, receiver = cb.channel()
    for another in (copy.copy(sender), pickle.loads(pickle.dumps(sender))):
        assert another is not sender
        another.send("hello")
        assert receiver.recv() == "hello"
        another.close()
    assert not sender.closed


def test_many_to_many_each_message_once() -> None:
    sender, receiver = cb.channel(8)
    count, got = 500, Counter[tuple[int, int]]()
    lock = threading.Lock()

    def send(who: int, end: cb.Sender) -> None:
        with end:
            for n in range(count):
                end.send((who, n))

    def receive(end: cb.Receiver) -> None:
        mine = list(end)
        for who in range(4):
            numbers = [n for sent_by, n in mine if sent_by == who]
            assert numbers == sorted(numbers)
        with lock:
            got.update(mine)

    threads = [threading.Thread(target=send, args=(who, sender.clone())) for who in range(4)]
    threads += [threading.Thread(target=receive, args=(receiver.clone(),)) for _ in range(4)]
    sender.close()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == Counter({(who, n): 1 for who in range(4) for n in range(count)})


def test_undelivered_messages_give_back_their_memory(nothing_left: None) -> None:
    sender, receiver = cb.channel()
    for _ in range(10):
        sender.send([cb.share(bytes(1000)), {"more": cb.share(b"x")}])
    assert sender.qsize() == 10
    receiver.close()
    assert sender.qsize() == 0
    gc.collect()


def test_an_interpreter_closes_its_ends_as_it_goes(elsewhere: Elsewhere) -> None:
    sender, receiver = cb.channel()
    elsewhere("sender.send(1); kept = [sender.clone(), receiver.clone()]; kept.append(kept)", sender=sender, receiver=receiver)
    statistics = receiver.statistics()
    assert (statistics.senders, statistics.receivers) == (1, 1)
    sender.close()
    assert list(receiver) == [1]


@pytest.mark.skipif(sys.version_info < (3, 13), reason="ctypes does not load in an interpreter of its own")
def test_ends_are_closed_even_where_objects_leak(elsewhere: Elsewhere) -> None:
    sender, receiver = cb.channel()
    elsewhere(
        """
import ctypes
for end in (sender, receiver, sender.clone()):
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(end))
""",
        sender=sender,
        receiver=receiver,
    )
    statistics = receiver.statistics()
    assert (statistics.senders, statistics.receivers) == (1, 1)


def test_data_outlives_the_interpreter_that_made_it(elsewhere: Elsewhere, nothing_left: None) -> None:
    sender, receiver = cb.channel()
    elsewhere("import crossbuf; sender.send(crossbuf.share(bytes(range(256)))); sender.send({'n': [1]})", sender=sender)
    assert receiver.recv().tobytes() == bytes(range(256))
    assert receiver.recv() == {"n": [1]}


def until(condition: Callable[[], bool]) -> None:
    """Waits for another thread to get somewhere."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.001)
