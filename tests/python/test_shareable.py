"""The standard library's own ways: its queues, `prepare_main`, `call`, pickle and copy."""

import copy
import gc
import pickle
import sys
from collections.abc import Callable
from typing import Any

import pytest

import crossbuf as cb

Elsewhere = Callable[..., None]


def shared() -> cb.Array:
    return cb.share(memoryview(bytes(range(12))).cast("B", (3, 4)))


def test_prepare_main_carries_them_natively(elsewhere: Elsewhere, nothing_left: None) -> None:
    array = shared()
    sender, receiver = cb.channel()
    elsewhere("sender.send((array.address, array.shape, receiver.capacity))", array=array, sender=sender, receiver=receiver)
    assert receiver.recv() == (array.address, (3, 4), None)


def queues() -> Any:
    if sys.version_info < (3, 14):
        pytest.skip("the queues of concurrent.interpreters")
    from concurrent import interpreters

    return interpreters.create_queue()


def test_queues_carry_them_natively(nothing_left: None) -> None:
    queue = queues()
    array = shared()
    sender, receiver = cb.channel()
    for thing in (array, sender, receiver):
        queue.put(thing)
        got = queue.get()
        assert type(got) is type(thing)
        assert got is not thing
    queue.put((1, array, (sender,)))
    _, got, (other,) = queue.get()
    assert got.address == array.address
    other.send("through both")
    assert receiver.recv() == "through both"


def test_queues_carry_them_between_interpreters(elsewhere: Elsewhere) -> None:
    queue, array = queues(), shared()
    sender, receiver = cb.channel()
    queue.put(array)
    queue.put(sender)
    elsewhere("array, sender = queue.get(), queue.get(); sender.send((array[1], array.address))", queue=queue)
    row, address = receiver.recv()
    assert (row.tolist(), address) == ([4, 5, 6, 7], array.address)


def test_what_nobody_takes_from_a_queue_is_given_back(nothing_left: None) -> None:
    queue = queues()
    sender, receiver = cb.channel()
    for _ in range(400):
        queue.put(shared())
        queue.put(sender)
    assert receiver.statistics().senders == 401
    del queue
    gc.collect()
    assert receiver.statistics().senders == 1


def test_more_than_all_pending_calls_leak_nothing(elsewhere: Elsewhere, nothing_left: None) -> None:
    queue, array = queues(), shared()
    for _ in range(1000):
        queue.put(array)
    # The owner is blocked while they are received: CPython would drop what exceeds 300 pending calls.
    elsewhere("for _ in range(1000): queue.get()", queue=queue)
    gc.collect()


def test_interpreter_call_takes_and_returns_them() -> None:
    if sys.version_info < (3, 14):
        pytest.skip("Interpreter.call")
    from concurrent import interpreters

    interpreter = interpreters.create()
    try:
        interpreter.exec(f"import sys; sys.path[:] = {sys.path!r}; import crossbuf")
        array = shared()
        got = interpreter.call(copy.copy, array)
        assert got.address == array.address
        listed = interpreter.call(list, (array, 1))
        assert listed[0].address == array.address
    finally:
        interpreter.close()


def test_an_interpreter_pool_takes_them() -> None:
    if sys.version_info < (3, 14):
        pytest.skip("InterpreterPoolExecutor")
    from concurrent.futures import InterpreterPoolExecutor
    from operator import pos

    array = shared()
    with InterpreterPoolExecutor(1) as pool:
        got = pool.submit(pos, array).result()
    assert got.address == array.address


def test_channels_of_3_12_carry_them() -> None:
    if sys.version_info >= (3, 13):
        pytest.skip("_xxinterpchannels as it is in 3.12")
    channels = pytest.importorskip("_xxinterpchannels")
    array = shared()
    channel = channels.create()
    channels.send(channel, array)
    assert channels.recv(channel).address == array.address
    channels.send(channel, array)
    channels.destroy(channel)


def test_a_released_array_cannot_be_shared(elsewhere: Elsewhere) -> None:
    array = shared()
    array.release()
    with pytest.raises((ValueError, TypeError)):
        elsewhere("pass", array=array)


def test_pickles_are_tickets_for_one(nothing_left: None) -> None:
    array = shared()
    pickled = pickle.dumps({"array": array, "twice": array})
    assert len(pickled) < 300
    address = array.address
    del array
    got = pickle.loads(pickled)
    assert got["array"].address == address
    assert got["array"] is got["twice"]
    assert pickle.loads(pickled)["array"].address == address  # redeemed before, but the block lives
    del got
    with pytest.raises(cb.StaleHandle, match="redeemed before"):
        pickle.loads(pickled)


@pytest.mark.parametrize(
    "ticket", [None, (), ("crossbuf-ticket:1", "1-2"), ("crossbuf-ticket:2", "x", 1), ("crossbuf-ticket:1", "x", -1), [1, 2, 3]]
)
def test_forged_tickets_are_refused(ticket: Any) -> None:
    function, _ = shared().__reduce__()
    with pytest.raises(cb.HandleError, match="ticket"):
        function(ticket)


def test_tickets_work_in_other_interpreters(elsewhere: Elsewhere) -> None:
    array = shared()
    sender, receiver = cb.channel()
    elsewhere("import pickle; array, sender = pickle.loads(pickled); sender.send(array.address)", pickled=pickle.dumps((array, sender)))
    assert receiver.recv() == array.address


def test_copies_of_an_array_are_the_array() -> None:
    array = shared()
    assert copy.copy(array) is array
    assert copy.deepcopy({"x": [array]})["x"][0] is array
