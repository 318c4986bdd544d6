"""Channels whose ends lie in several processes: order, back-pressure, and what a killed sender has sent."""

import signal
import threading

import puppets
import pytest
from puppets import Puppet, kept

import crossbuf

#: More than the memory between two processes holds, in messages of a few bytes.
MANY = 20_000


@pytest.fixture(params=[None, 3, 0], ids=["no limit", "3 places", "rendezvous"])
def capacity(request):
    return request.param


@pytest.fixture
def host():
    with Puppet() as puppet:
        yield puppet


@pytest.fixture
def other():
    with Puppet() as puppet:
        yield puppet


def lend(host, other, capacity, *ends):
    """Both ends at the host, those that are named at the other one, too."""
    host.ask(puppets.make_channel, "sender", "receiver", capacity)
    for end in ends:
        other.ask(puppets.keep, end, host.ask(puppets.ticket, end))


def send_numbers(sender, thread, count):
    for number in range(count):
        kept[sender].send((thread, number))


def send_from_two_threads(sender, count):
    threads = [threading.Thread(target=send_numbers, args=(sender, thread, count)) for thread in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept[sender].close()


def close(name):
    kept[name].close()


def collect(receiver):
    """How many came from each thread, and whether in order."""
    last = [-1, -1]
    for thread, number in kept[receiver]:
        assert number == last[thread] + 1
        last[thread] = number
    return [number + 1 for number in last]


@pytest.mark.parametrize("here", ["host receives", "host sends"])
def test_messages_of_each_thread_arrive_in_order(host, other, capacity, here):
    count = MANY if capacity is None else 1000
    lend(host, other, capacity, "receiver" if here == "host sends" else "sender")
    sending, receiving = (host, other) if here == "host sends" else (other, host)
    receiving.ask(puppets.drop, "sender")
    sending.tell(send_from_two_threads, "sender", count)
    assert receiving.ask(collect, "receiver") == [count, count]
    sending.answer()


def send_and_die(sender, count):
    for number in range(count):
        kept[sender].send(number)
    signal.raise_signal(signal.SIGKILL)


def drain(receiver):
    return list(kept[receiver])


@pytest.mark.parametrize("count", [1, 2, 50, MANY])
def test_what_a_killed_sender_has_sent_arrives(host, count):
    with Puppet() as victim:
        lend(host, victim, None, "sender")
        host.ask(close, "sender")
        host.tell(drain, "receiver")
        victim.tell(send_and_die, "sender", count)
        assert host.answer() == list(range(count))


def send_until_full(sender):
    """How many messages were accepted before the host's standstill was felt."""
    for number in range(1_000_000):
        try:
            kept[sender].send(number, timeout=0.2)
        except crossbuf.Full:
            return number
    raise AssertionError("nothing holds the sender back")


def test_a_host_that_stands_still_holds_senders_back_and_loses_nothing(host, other):
    lend(host, other, None, "sender")
    other.ask(puppets.send, "sender", "first")
    host.signal(signal.SIGSTOP)
    accepted = other.ask(send_until_full, "sender")
    assert accepted > 0
    host.signal(signal.SIGCONT)
    other.ask(close, "sender")
    host.ask(close, "sender")
    assert host.ask(drain, "receiver") == ["first", *range(accepted)]


def test_the_first_send_after_the_last_receiver_is_refused(host, other):
    lend(host, other, None, "sender")
    other.ask(puppets.send, "sender", 1, 2)
    host.ask(close, "receiver")
    name, text = other.ask(puppets.error_of, "sender", "send", 3)
    assert name == "Broken", text
    assert other.ask(puppets.error_of, "sender", "send", 4)[0] == "Broken"


def test_a_channel_that_never_had_a_receiver_refuses_at_once(host, other):
    lend(host, other, None, "sender")
    host.ask(close, "receiver")
    assert other.ask(puppets.error_of, "sender", "send", 1)[0] == "Broken"
