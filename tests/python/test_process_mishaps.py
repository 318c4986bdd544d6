"""What may go wrong between processes costs what it is about and nothing else: the conversation goes on."""

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import puppets
import pytest
from puppets import Puppet, kept

import crossbuf


@pytest.fixture
def host():
    """It has the channels `sender`, `receiver` and `out`, `in`."""
    with Puppet() as puppet:
        puppet.ask(puppets.make_channel, "sender", "receiver")
        puppet.ask(puppets.make_channel, "out", "in")
        yield puppet


@pytest.fixture
def other(host):
    """It has `sender` and `in` of the host's."""
    with Puppet() as puppet:
        for end in ("sender", "in"):
            puppet.ask(puppets.keep, end, host.ask(puppets.ticket, end))
        yield puppet
        # Whatever the test did, they still talk.
        puppet.ask(puppets.send, "sender", "still here")
        puppets.until(lambda: host.ask(puppets.call, "receiver", "recv") == "still here", "the last message")


@pytest.fixture
def third():
    """It has `array`."""
    with Puppet() as puppet:
        puppet.ask(share, "array")
        yield puppet


def share(name):
    kept[name] = crossbuf.share(np.arange(1000))


def send_kept(sender, name):
    kept[sender].send(kept[name])


def test_what_was_forwarded_to_one_who_dies_is_not_kept(host, third):
    """The victim is told to ask the owner, and never does."""
    host.ask(puppets.keep, "array", third.ask(puppets.ticket, "array"))
    third.ask(puppets.drop, "array")
    with Puppet() as victim:
        victim.ask(puppets.keep, "receiver", host.ask(puppets.ticket, "receiver"))
        victim.tell(puppets.call, "receiver", "recv")
        puppets.until(lambda: host.ask(waiting, "receiver") == 1, "the victim waits")
        victim.signal(signal.SIGSTOP)
        host.ask(send_kept, "sender", "array")
        victim.kill()
    host.ask(puppets.receive_and_keep, "receiver", "array")
    assert third.ask(puppets.left)["blocks"] == 1
    host.ask(puppets.drop, "array")
    assert third.ask(puppets.returns_to, {"blocks": 0})["blocks"] == 0


def waiting(receiver):
    return kept[receiver].statistics().waiting_receivers


def test_an_end_that_was_closed_arrives_closed(other, host):
    other.ask(puppets.keep, "second", host.ask(puppets.ticket, "sender"))
    other.ask(puppets.call, "second", "close")
    other.ask(send_kept, "sender", "second")
    host.ask(puppets.receive_and_keep, "receiver", "second")
    assert host.ask(puppets.error_of, "second", "send", 1)[0] == "Closed"
    host.ask(send_kept, "out", "second")
    other.ask(puppets.receive_and_keep, "in", "second")
    assert other.ask(puppets.error_of, "second", "send", 1)[0] == "Closed"


def close_while_others_use_it(rounds):
    """How many uses ended as they should: with Closed."""
    ended = []

    def use(sender, array):
        try:
            while True:
                sender.clone().send(array)
        except crossbuf.Closed:
            ended.append(1)

    array = crossbuf.share(bytes(1000))
    for _ in range(rounds):
        sender = kept["sender"].clone()
        threads = [threading.Thread(target=use, args=(sender, array)) for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(0.0005)
        sender.close()
        for thread in threads:
            thread.join()
    kept["sender"].send("that was all")
    return len(ended)


def receive_all():
    for message in kept["receiver"]:
        if message == "that was all":
            return


def test_closing_while_another_thread_is_about_to_use_it(host, other):
    host.tell(receive_all)
    assert other.ask(close_while_others_use_it, 500) == 1000
    host.answer()


def share_in_an_arena_of_its_own(name):
    kept["arena"] = crossbuf.Arena(1 << 22)
    kept[name] = kept["arena"].share(np.arange(1000))


def close_arena():
    kept["arena"].close()


def test_an_array_comes_home_to_an_arena_that_was_closed(host, other):
    host.ask(share_in_an_arena_of_its_own, "array")
    host.ask(send_kept, "out", "array")
    other.ask(puppets.receive_and_keep, "in", "array")
    host.ask(close_arena)
    other.ask(send_kept, "sender", "array")
    host.ask(puppets.receive_and_keep, "receiver", "back")
    assert host.ask(puppets.call, "back", "tolist") == list(range(1000))


def test_a_message_that_was_withdrawn_does_not_come(host, other, third):
    """The host has to ask the owner of the message's array, who does not answer now, and the sender gives up."""
    other.ask(puppets.keep, "array", third.ask(puppets.ticket, "array"))
    third.signal(signal.SIGSTOP)
    puppets.until(lambda: puppets.has_stopped(third.pid), "the owner stops")
    assert other.ask(error_of_sending, "sender", "array", 0.1) == "Full"
    third.signal(signal.SIGCONT)
    other.ask(send_kept, "sender", "array")
    host.ask(puppets.receive_and_keep, "receiver", "array")
    assert host.ask(puppets.call, "receiver", "qsize") == 0


def error_of_sending(sender, name, timeout):
    try:
        kept[sender].send(kept[name], timeout=timeout)
    except Exception as error:
        return type(error).__name__
    return ""


def fork_a_sleeper():
    """A child that has copies of all descriptors of this process, and does nothing."""
    child = os.fork()
    if child == 0:
        signal.pause()
    kept["sleepers"] = [*kept.get("sleepers", []), child]


def wake_sleepers():
    for child in kept.pop("sleepers"):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def work_of_a_second():
    """How long this process computes while it has nothing to do."""
    before = time.process_time()
    time.sleep(1)
    return time.process_time() - before


def test_the_server_rests_though_a_child_has_the_descriptors_of_the_dead(host):
    with Puppet() as victim:
        victim.ask(puppets.keep, "sender", host.ask(puppets.ticket, "sender"))
        host.ask(fork_a_sleeper)
        victim.kill()
    assert host.ask(work_of_a_second) < 0.2
    host.ask(wake_sleepers)


def fork_two():
    """The second child inherits the pipe by which this process sees the end of the first."""
    go, gone = os.pipe()
    first = os.fork()
    if first == 0:
        os.close(gone)
        os.read(go, 1)
        os._exit(0)
    fork_a_sleeper()
    os.close(gone)
    os.kill(first, signal.SIGKILL)
    os.waitpid(first, 0)
    os.close(go)


def test_the_server_rests_though_a_child_has_the_pipe_of_another(host):
    host.ask(share, "array")
    host.ask(fork_two)
    assert host.ask(work_of_a_second) < 0.2
    host.ask(wake_sleepers)
    host.ask(puppets.drop, "array")
    assert host.ask(puppets.returns_to, {"blocks": 0})["blocks"] == 0


def test_memory_of_the_dead_goes_with_its_last_array(host, other):
    host.ask(share, "array")
    host.ask(send_kept, "out", "array")
    other.ask(puppets.receive_and_keep, "in", "array")
    before = other.ask(puppets.left)
    for _ in range(5):
        with Puppet() as victim:
            victim.ask(puppets.keep, "sender", host.ask(puppets.ticket, "sender"))
            victim.ask(share, "array")
            for _ in range(3):
                victim.ask(send_kept, "sender", "array")
            victim.kill()
        for name in ("one", "two", "three"):
            host.ask(puppets.receive_and_keep, "receiver", name)
            host.ask(send_kept, "out", name)
            other.ask(puppets.receive_and_keep, "in", name)
        assert other.ask(puppets.call, "one", "tolist") == list(range(1000))
    for process in (host, other):
        process.ask(puppets.drop, "one", "two", "three")
    assert other.ask(puppets.returns_to, before) == before


def make_arenas(count, nbytes):
    """One after another; each is gone before the next one comes."""
    for _ in range(count):
        arena = crossbuf.Arena(2 * nbytes)
        kept["out"].send(arena.share(bytes(nbytes)))
        kept["receiver"].recv()
        del arena


def hand_back(count):
    for _ in range(count):
        with kept["in"].recv() as array:
            assert array[-1] == 0
        kept["sender"].send(None)


def test_arenas_that_are_gone_leave_nothing_with_receivers(host, other):
    host.tell(make_arenas, 50, 1 << 20)
    other.ask(hand_back, 50)
    host.answer()
    assert other.ask(puppets.left)["descriptors"] < 30
    assert other.ask(arenas_mapped) <= 2, "its own, and the last one until the next is shown"
    assert other.ask(puppets.memory)["shmem"] < 1 << 20, "though not its memory"


def arenas_mapped():
    lines = Path("/proc/self/maps").read_text().splitlines()
    return len({line.split()[4] for line in lines if "memfd:crossbuf " in line})
