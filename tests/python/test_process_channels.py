"""Channels whose ends lie in several processes: order, back-pressure, and what a killed sender has sent."""

import os
import re
import signal
import threading
import time
from pathlib import Path

import puppets
import pytest
from puppets import Puppet, kept

import crossbuf

#: More than the memory between two processes holds, in messages of a few bytes.
MANY = 20_000


@pytest.fixture(params=[None, 3, 0], ids=["no limit", "3 places", "rendezvous"])
def capacity(request):
    return request.param


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


@pytest.mark.parametrize("count", [1, 2, 50, MANY])
def test_what_a_killed_sender_has_sent_arrives(host, count):
    with Puppet() as victim:
        lend(host, victim, None, "sender")
        host.ask(close, "sender")
        host.tell(puppets.take_all, "receiver")
        victim.tell(send_and_die, "sender", count)
        assert host.answer() == list(range(count))


def send_many_and_die(sender, count):
    """All that the channel takes at once, and some on credit."""
    kept[sender].send_nowait(0)
    for number in range(1, count):
        kept[sender].send(number)
    signal.raise_signal(signal.SIGKILL)


@pytest.mark.parametrize("count", [1, 2, 100])
def test_what_a_killed_sender_has_sent_on_credit_arrives(host, count):
    with Puppet() as victim:
        lend(host, victim, 100, "sender")
        host.ask(close, "sender")
        victim.tell(send_many_and_die, "sender", count)
        assert host.ask(puppets.take_all, "receiver") == list(range(count))


def queued(sender):
    return kept[sender].qsize()


def test_a_full_channel_is_full_for_all(host, other):
    """What one of them was granted ahead and does not use, the others get, also while it stands still or when it is killed."""
    with Puppet() as third:
        lend(host, other, 100, "sender")
        third.ask(puppets.keep, "sender", host.ask(puppets.ticket, "sender"))
        for puppet in (other, third):
            puppet.ask(puppets.send, "sender", "first")
        other.signal(signal.SIGSTOP)
        assert third.ask(puppets.fill, "sender") == 98
        other.signal(signal.SIGCONT)
        assert other.ask(puppets.fill, "sender") == 0
        assert host.ask(queued, "sender") == 100
        assert host.ask(puppets.call, "receiver", "recv") == "first"
        assert [puppet.ask(puppets.fill, "sender") for puppet in (other, third)] == [1, 0]
        for _ in range(50):
            host.ask(puppets.call, "receiver", "recv")
        third.ask(puppets.send, "sender", "last")
        third.kill()
        assert host.ask(puppets.fill, "sender") == 49


@pytest.mark.parametrize("capacity", [None, 1000], ids=["no limit", "1000 places"])
def test_what_was_sent_is_there(host, other, capacity):
    """Whoever has learned in another way that a message was sent finds it without waiting."""
    with Puppet() as third:
        lend(host, other, capacity, "sender")
        third.ask(puppets.keep, "receiver", host.ask(puppets.ticket, "receiver"))
        for _ in range(100):
            other.ask(send_numbers, "sender", 0, 3)
            assert host.ask(queued, "sender") == 3
            assert host.ask(puppets.take_all_nowait, "receiver") == [(0, number) for number in range(3)]
            other.ask(send_numbers, "sender", 0, 3)
            assert host.ask(puppets.take_all_nowait, "receiver") == [(0, number) for number in range(3)]
            other.ask(send_numbers, "sender", 0, 3)
            assert len(third.ask(puppets.take_all_nowait, "receiver")) == 3


def send_until_full(sender, further):
    """How many messages were accepted before the host's standstill was felt. Each of `further` attempts is refused then."""
    for number in range(1_000_000):
        try:
            kept[sender].send(number, timeout=0.2)
        except crossbuf.Full:
            break
    for _ in range(further):
        with pytest.raises(crossbuf.Full):
            kept[sender].send(("refused", crossbuf.share(b"an array")), timeout=0.01)
    return number


def test_a_host_that_stands_still_holds_senders_back_and_loses_nothing(host, other):
    lend(host, other, None, "sender")
    other.ask(puppets.send, "sender", "first")
    host.signal(signal.SIGSTOP)
    accepted = other.ask(send_until_full, "sender", 3)
    assert 0 < accepted < 1_000_000
    host.signal(signal.SIGCONT)
    other.ask(puppets.send, "sender", "last")
    other.ask(close, "sender")
    host.ask(close, "sender")
    assert host.ask(puppets.take_all, "receiver") == ["first", *range(accepted), "last"]
    assert other.ask(puppets.returns_to, {"blocks": 0})["blocks"] == 0, "what was refused is given back"


def send_twice(sender):
    """On the main thread, which looks for signals now and then: each look interrupts the call that sends."""
    kept[sender].send(1)
    kept[sender].send(2)


@pytest.mark.parametrize("capacity", [None, 1], ids=["no limit", "1 place"])
def test_a_host_that_stood_still_gets_each_message_once(host, other, capacity):
    lend(host, other, capacity, "sender")
    other.ask(puppets.send, "sender", 0)
    assert host.ask(puppets.call, "receiver", "recv") == 0
    host.signal(signal.SIGSTOP)
    other.tell(send_twice, "sender")
    time.sleep(1)
    host.signal(signal.SIGCONT)
    host.ask(close, "sender")
    host.tell(puppets.take_all, "receiver")
    other.answer()
    other.ask(close, "sender")
    assert host.answer() == [1, 2]


def test_a_message_of_which_nothing_is_known_is_no_full_channel(host, other):
    """The host has read the request, and then stood still: it may send it yet."""
    lend(host, other, 1, "sender")
    other.ask(puppets.send, "sender", 0)
    other.ask(puppets.start, "sending", send_within_seconds, "sender")
    puppets.until(lambda: host.ask(waiting_senders, "sender") == 1, "the second message waits for room")
    host.signal(signal.SIGSTOP)
    name, text = other.ask(puppets.finish, "sending")
    assert (name, f"pid {host.pid}" in text) == ("ChannelError", True), text
    host.signal(signal.SIGCONT)


def send_within_seconds(job, sender):
    """What it raises."""
    with pytest.raises(crossbuf.ChannelError) as raised:
        sender.send(1, timeout=5)
    return raised.type.__name__, str(raised.value)


def waiting_senders(sender):
    return kept[sender].statistics().waiting_senders


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


#: The system call by which a thread sleeps on several words; its number is the same everywhere.
FUTEX_WAITV = 449


def calls_while_it_waits(receiver, sender):
    """The number of the system call in which a thread sleeps that waits for a message."""
    thread = threading.Thread(target=kept[receiver].recv)
    thread.start()
    puppets.until(lambda: kept[receiver].statistics().waiting_receivers == 1, "it waits")
    syscall = Path(f"/proc/self/task/{thread.native_id}/syscall")
    calls = ["running"]

    def sleeps():
        calls.append(syscall.read_text().split()[0])
        return calls[-1].isdecimal() and calls[-1] == calls[-2]

    puppets.until(sleeps, "it sleeps")
    kept[sender].send(None)
    thread.join()
    return int(calls[-1])


def test_only_who_expects_messages_from_afar_attends_to_other_processes(host, other):
    """Who waits for its own process would be woken for nothing, and takes longer to sleep and to wake."""
    lend(host, other, None, "sender")
    host.ask(puppets.make_channel, "near sender", "near receiver", None)
    assert host.ask(calls_while_it_waits, "near receiver", "near sender") != FUTEX_WAITV
    kernel = tuple(int(part) for part in re.findall(r"\d+", os.uname().release)[:2])
    assert (host.ask(calls_while_it_waits, "receiver", "sender") == FUTEX_WAITV) == (kernel >= (5, 16))


def wait_on_a_thread(name, method, *arguments):
    """Until the thread waits, whose result is kept for `waited`."""
    results = []
    thread = threading.Thread(target=lambda: results.append(getattr(kept[name], method)(*arguments)))
    thread.start()
    kept["waiter"] = thread, results
    statistics = kept[name].statistics
    puppets.until(lambda: statistics().waiting_senders + statistics().waiting_receivers == 1, "it waits")
    time.sleep(0.05)  # and sleeps, after a look


def waited():
    """Whether the thread still waits, and what it got."""
    thread, results = kept["waiter"]
    thread.join(puppets.WATCHDOG / 2)
    return thread.is_alive(), results


def test_who_sleeps_already_when_an_end_is_given_away_hears_of_it(host, other):
    host.ask(puppets.make_channel, "sender", "receiver", 1)
    host.ask(wait_on_a_thread, "receiver", "recv")
    other.ask(puppets.keep, "sender", host.ask(puppets.ticket, "sender"))
    other.ask(puppets.send, "sender", "first")
    assert host.ask(waited) == (False, ["first"])


def test_who_sleeps_already_when_a_receiver_is_given_away_hears_of_room(host, other):
    host.ask(puppets.make_channel, "sender", "receiver", 1)
    host.ask(puppets.send, "sender", "first")
    host.ask(wait_on_a_thread, "sender", "send", "second")
    other.ask(puppets.keep, "receiver", host.ask(puppets.ticket, "receiver"))
    assert other.ask(puppets.call, "receiver", "recv") == "first"
    assert host.ask(waited) == (False, [None])
    assert other.ask(puppets.call, "receiver", "recv") == "second"
