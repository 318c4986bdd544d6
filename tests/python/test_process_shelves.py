"""What lies ready in a process that receives many messages in a row: nobody else misses it, whatever becomes of that process."""

import contextlib
import itertools
import os
import signal
import time

import numpy as np
import puppets
import pytest
from puppets import Puppet, kept

import crossbuf

MANY = 2000


@pytest.fixture
def eager():
    with Puppet() as puppet:
        yield puppet


def lend(host, receivers, capacity=None):
    host.ask(puppets.make_channel, "sender", "receiver", capacity)
    for receiver in receivers:
        receiver.ask(puppets.keep, "receiver", host.ask(puppets.ticket, "receiver"))


def send_numbers(first, count):
    for number in range(first, first + count):
        kept["sender"].send(number)


def send_arrays(count):
    for number in range(count):
        kept["sender"].send((number, np.full(100, number)))


def take(count):
    """So many in a row, as fast as can be, so that more lie ready in the end."""
    receiver = kept["receiver"]
    return [receiver.recv() for _ in range(count)]


def numbers_of_arrays(messages):
    for number, array in messages:
        assert (np.asarray(array) == number).all()
    return [number for number, _ in messages]


def take_arrays(count):
    return numbers_of_arrays(take(count))


def take_all_arrays():
    return numbers_of_arrays(puppets.take_all("receiver"))


def send_and_take(rounds, each):
    for number in range(rounds):
        send_arrays(each)
        assert take_arrays(each) == list(range(each)), number


def send_in_fits(count):
    for number in range(count):
        kept["sender"].send(number)
        if number % 7 == 0:
            time.sleep(number % 4 * 1e-5)


def take_impatiently(count):
    received, receiver, attempts = [], kept["receiver"], itertools.count()
    while len(received) < count:
        with contextlib.suppress(crossbuf.Empty):
            received.append(receiver.recv(timeout=next(attempts) % 60 * 1e-6))
    return received


def look_on(total):
    while kept["sender"].statistics().received < total:
        pass


def figures():
    seen = kept["sender"].statistics()
    return seen.queued, seen.sent, seen.received


@pytest.mark.parametrize("taken", [1, 2, 3, 10, 100])
def test_what_is_taken_is_counted(host, eager, taken):
    lend(host, [eager])
    host.ask(send_numbers, 0, MANY)
    assert eager.ask(take, taken) == list(range(taken))
    assert host.ask(figures) == (MANY - taken, MANY, taken)


@pytest.mark.parametrize("fate", [signal.SIGSTOP, signal.SIGKILL], ids=["stands still", "killed"])
def test_others_receive_what_lies_ready_for_one_who_is_stopped(host, other, fate):
    eager = Puppet()
    with eager if fate == signal.SIGSTOP else Puppet():
        lend(host, [eager, other])
        host.ask(send_numbers, 0, MANY)
        mine = eager.ask(take, 100)
        eager.kill() if fate == signal.SIGKILL else eager.signal(fate)
        theirs = other.ask(puppets.take_all_nowait, "receiver")
        here = host.ask(puppets.take_all_nowait, "receiver")
        assert sorted(mine + theirs + here) == list(range(MANY))
        assert host.ask(figures) == (0, MANY, MANY)
        if fate == signal.SIGSTOP:
            eager.signal(signal.SIGCONT)
            assert eager.ask(puppets.take_all_nowait, "receiver") == []
            host.ask(send_numbers, MANY, 3)
            assert eager.ask(take, 3) == [MANY, MANY + 1, MANY + 2]


def test_one_who_waits_gets_what_lies_ready_elsewhere(host, eager, other):
    lend(host, [eager, other])
    host.ask(send_numbers, 0, MANY)
    mine = eager.ask(take, 50)
    host.ask(puppets.drop, "sender", "receiver")
    theirs = other.ask(puppets.take_all, "receiver")
    assert sorted(mine + theirs) == list(range(MANY))
    assert eager.ask(puppets.take_all, "receiver") == []


def test_arrays_that_lay_ready_are_let_go_of(host, eager, other):
    """Also by one that stands still: nobody asks it."""
    lend(host, [eager, other])
    host.ask(send_arrays, MANY)
    mine = eager.ask(take_arrays, 50)
    puppets.until(lambda: host.ask(puppets.left)["blocks"] <= MANY - 50, "what was received is let go of")
    eager.signal(signal.SIGSTOP)
    host.ask(puppets.call, "sender", "close")
    theirs = other.ask(take_all_arrays)
    assert sorted(mine + theirs) == list(range(MANY))
    assert host.ask(puppets.returns_to, {"blocks": 0})["blocks"] == 0
    eager.signal(signal.SIGCONT)


def test_a_closed_end_leaves_what_lay_ready_to_others(host, eager, other):
    lend(host, [eager, other])
    host.ask(send_numbers, 0, MANY)
    mine = eager.ask(take, 50)
    eager.ask(puppets.call, "receiver", "close")
    host.ask(puppets.drop, "sender")
    assert mine + other.ask(puppets.take_all, "receiver") == list(range(MANY))


@pytest.mark.parametrize("taken", [1, 5, 50])
def test_what_lies_ready_counts_as_in_the_channel(host, eager, taken):
    lend(host, [eager], 64)
    assert host.ask(puppets.fill, "sender") == 64
    eager.ask(take, taken)
    assert host.ask(puppets.fill, "sender") == taken
    assert len(eager.ask(puppets.take_all_nowait, "receiver")) == 64


def test_a_sender_that_waits_goes_on_when_the_receiver_stops_in_the_middle(host, eager):
    """Nobody says that what lay ready was taken, and the receiver does not come back."""
    lend(host, [eager], 64)
    host.ask(puppets.fill, "sender")
    host.tell(send_numbers, 64, 40)
    eager.ask(take, 40)
    host.answer()


def fork_and_take():
    """What a child gets of what lies ready for this process: the name of the error, by way of a pipe."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, puppets.error_of("receiver", "recv_nowait")[0].encode() or b"a message")
        os._exit(0)
    os.wait()
    os.close(writing)
    with os.fdopen(reading) as pipe:
        return pipe.read()


def test_a_forked_child_takes_nothing_of_its_parent_s(host, eager):
    lend(host, [eager])
    host.ask(send_numbers, 0, MANY)
    mine = eager.ask(take, 50)
    assert eager.ask(fork_and_take) == "Closed"
    host.ask(puppets.drop, "sender", "receiver")
    assert mine + eager.ask(puppets.take_all, "receiver") == list(range(MANY))


def take_until_error():
    taken = []
    try:
        while True:
            taken.append(kept["receiver"].recv())
    except crossbuf.Error as error:
        return taken, type(error).__name__


def test_of_a_host_that_died_at_most_what_lay_ready_is_received(eager):
    with Puppet() as host:
        lend(host, [eager])
        host.ask(send_numbers, 0, MANY)
        mine = eager.ask(take, 100)
        host.kill()
        more, error = eager.ask(take_until_error)
    assert (mine + more, error) == (list(range(100 + len(more))), "Broken")
    assert len(more) <= 32


def test_what_lay_ready_for_one_who_ends_is_there_for_others(host, other):
    with Puppet() as eager:
        lend(host, [eager, other])
        host.ask(send_numbers, 0, MANY)
        mine = eager.ask(take, 100)
        eager.end()
    host.ask(puppets.drop, "sender", "receiver")
    assert sorted(mine + other.ask(puppets.take_all, "receiver")) == list(range(MANY))


def test_ends_without_a_shelf_of_their_own_receive_all_the_same(host, eager):
    """There are eight."""
    for number in range(20):
        host.ask(puppets.make_channel, "sender", f"receiver{number}")
        eager.ask(puppets.keep, "receiver", host.ask(puppets.ticket, f"receiver{number}"))
        host.ask(send_numbers, 0, 100)
        assert eager.ask(take, 60) == list(range(60))
        eager.ask(rename, "receiver", f"still{number}")


def rename(name, other):
    kept[other] = kept.pop(name)


def test_one_s_own_arrays_come_back_while_the_host_looks_on(host, eager):
    rounds, each = 200, 50
    lend(host, [eager])
    eager.ask(puppets.keep, "sender", host.ask(puppets.ticket, "sender"))
    host.tell(look_on, rounds * each)
    eager.ask(send_and_take, rounds, each)
    host.answer()


def test_messages_come_in_order_though_some_waits_are_given_up(host, eager):
    lend(host, [eager])
    host.tell(send_in_fits, MANY)
    assert eager.ask(take_impatiently, MANY) == list(range(MANY))
    host.answer()
