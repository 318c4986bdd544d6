"""kill -9 at random moments under traffic: the others go on or are told, each message comes once, and nothing is left."""

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import deaths
import puppets
import pytest
from puppets import Puppet

#: Of each kind of death: all together more than 200.
ROUNDS = 42
CAPACITY = 8
MIB = 1 << 20


@pytest.fixture
def dice() -> random.Random:
    seed = int(os.environ.get("CROSSBUF_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"CROSSBUF_SEED={seed} chooses the same moments again")
    return random.Random(seed)


def a_moment(dice: random.Random) -> None:
    """Anything from before the victim's first packet to the midst of its work."""
    time.sleep(dice.random() ** 2 * 0.06)


def once(noted: list[int]) -> set[int]:
    twice = [number for number, count in Counter(noted).items() if count > 1]
    assert not twice, f"received more than once: {twice[:10]}"
    return set(noted)


def goes_on(path: Path) -> None:
    """Waits until more is noted there."""
    before = path.stat().st_size if path.exists() else 0
    puppets.until(lambda: path.exists() and path.stat().st_size > before, f"whoever writes {path.name} goes on")


def make_and_take(sender: Puppet, receiver: Puppet) -> None:
    """One message, so that all is there that stays."""
    sender.ask(deaths.make_one, "sender")
    receiver.ask(deaths.take_one, "receiver")


class Books:
    """What each survivor held before the deaths, and has to come back to."""

    def __init__(self, *survivors: Puppet) -> None:
        self._before = [(survivor, survivor.ask(puppets.left)) for survivor in survivors]

    def balance(self, **granted: int) -> None:
        """`granted`: so many more may stay of what is named."""
        for survivor, before in self._before:
            allowed = {name: value + granted.get(name, 0) for name, value in before.items()}
            now = survivor.ask(puppets.returns_to, allowed)
            assert all(now[name] <= allowed[name] for name in now), f"process {survivor.pid} had {before} and keeps {now}"


def test_receivers_die(dice, tmp_path):
    """The message that a victim had in hand may be lost with it, no other."""
    with Puppet() as host, Puppet() as survivor:
        host.ask(puppets.make_channel, "sender", "receiver", CAPACITY)
        survivor.ask(puppets.keep, "receiver", host.ask(puppets.ticket, "receiver"))
        make_and_take(host, survivor)
        books = Books(host, survivor)
        received_by(dice, tmp_path, maker=host, host=host, survivor=survivor)
        books.balance()


def test_receivers_of_a_third_process_s_arrays_die(dice, tmp_path):
    """As above, and what the host has forwarded to victims is not kept by its owner."""
    with Puppet() as owner, Puppet() as host, Puppet() as survivor:
        host.ask(puppets.make_channel, "sender", "receiver", CAPACITY)
        owner.ask(puppets.keep, "sender", host.ask(puppets.ticket, "sender"))
        survivor.ask(puppets.keep, "receiver", host.ask(puppets.ticket, "receiver"))
        make_and_take(owner, survivor)
        books = Books(owner, host, survivor)
        received_by(dice, tmp_path, maker=owner, host=host, survivor=survivor)
        books.balance()


def received_by(dice: random.Random, path: Path, *, maker: Puppet, host: Puppet, survivor: Puppet) -> None:
    survivor.ask(puppets.start, "taking", deaths.take, "receiver", str(path / "survivor"))
    maker.ask(puppets.start, "making", deaths.make, "sender", str(path / "sent"))
    tickets = []
    for number in range(ROUNDS):
        tickets.append(host.ask(puppets.ticket, "receiver"))
        with Puppet() as victim:
            noted = path / f"victim{number}"
            victim.tell(deaths.take_for_ever, str(noted), tickets[-1])
            if number % 3 == 0:
                goes_on(noted)  # on a busy machine most of the others do not live to take one
            a_moment(dice)
            victim.kill()
        goes_on(path / "survivor")
    sent, error = maker.ask(puppets.stop, "making")
    assert error == ""
    host.ask(puppets.take_back, *tickets)
    for process in {maker, host}:
        process.ask(puppets.call, "sender", "close")
    assert survivor.ask(puppets.finish, "taking")[1] == "Ended"
    victims = [deaths.entries(path / f"victim{number}") for number in range(ROUNDS)]
    received = once(sum(victims, deaths.entries(path / "survivor")))
    assert received <= set(range(sent))
    assert sent - len(received) <= ROUNDS, "each victim may take one message along"


def test_senders_die(dice, tmp_path):
    """What a victim has sent arrives, and of what it was sending either all or nothing."""
    with Puppet() as host, Puppet() as survivor:
        host.ask(puppets.make_channel, "sender", "receiver", CAPACITY)
        survivor.ask(puppets.keep, "receiver", host.ask(puppets.ticket, "receiver"))
        make_and_take(host, survivor)
        books = Books(host, survivor)
        survivor.ask(puppets.start, "taking", deaths.take, "receiver", str(tmp_path / "received"))
        tickets = []
        for number in range(ROUNDS):
            tickets.append(host.ask(puppets.ticket, "sender"))
            with Puppet() as victim:
                noted = tmp_path / f"victim{number}"
                victim.tell(deaths.make_for_ever, str(noted), tickets[-1], number << 32)
                if number % 3 == 0:  # some live for longer than they need to begin, however busy the machine is
                    puppets.until(lambda noted=noted: len(deaths.entries(noted)) > 3, "it has sent some")
                a_moment(dice)
                victim.kill()
        host.ask(puppets.take_back, *tickets)
        host.ask(puppets.call, "sender", "close")
        assert survivor.ask(puppets.finish, "taking")[1] == "Ended"
        received = deaths.entries(tmp_path / "received")
        once(received)
        for number in range(ROUNDS):
            arrived = [message & 0xFFFF_FFFF for message in received if message >> 32 == number]
            sent = len(deaths.entries(tmp_path / f"victim{number}"))
            assert arrived == list(range(len(arrived))), "in order, without gaps"
            assert sent <= len(arrived) <= sent + 1, f"victim {number} was told of {sent} that were sent, {len(arrived)} arrived"
        assert len(received) > ROUNDS, "the victims hardly lived"
        books.balance()


def test_hosts_die(dice, tmp_path):
    """Both sides are told `Broken`; what had come until then came once and in order."""
    with Puppet() as sender, Puppet() as receiver:
        books = None
        for number in range(ROUNDS):
            made, taken = tmp_path / f"made{number}", tmp_path / f"taken{number}"
            with Puppet() as host:
                host.ask(puppets.make_channel, "sender", "receiver", CAPACITY)
                for process, end in ((sender, "sender"), (receiver, "receiver")):
                    process.ask(puppets.keep, end, host.ask(puppets.ticket, end))
                host.ask(puppets.drop, "sender", "receiver")
                # The two know each other from the first round on, and the sender has an arena.
                make_and_take(sender, receiver)
                sender.ask(puppets.start, "making", deaths.make, "sender", str(made))
                receiver.ask(puppets.start, "taking", deaths.take, "receiver", str(taken))
                a_moment(dice)
                host.kill()
            sent, why_not_sent = sender.ask(puppets.finish, "making")
            received, why_not_received = receiver.ask(puppets.finish, "taking")
            assert (why_not_sent, why_not_received) == ("Broken", "Broken")
            assert deaths.entries(taken) == list(range(received))
            # The sender is told of each only after it lies in the queue: one more may have arrived, and a queue of them be lost.
            assert received - 1 <= sent <= received + 1 + CAPACITY
            for process, end, arguments in ((sender, "sender", ["send", 1]), (receiver, "receiver", ["recv"])):
                name, text = process.ask(puppets.error_of, end, *arguments)
                assert name == "Broken"
                assert str(host.pid) in text
                process.ask(puppets.drop, end)
            books = books or Books(sender, receiver)
        books.balance()


def test_middle_men_die(dice, tmp_path):
    """An owner's arrays go through a victim to somebody who never heard of the owner: what a victim had in hand is lost, nothing else."""
    with Puppet() as owner, Puppet() as host, Puppet() as last:
        for process in (owner, host):
            process.ask(puppets.make_channel, "sender", "receiver", CAPACITY)
        last.ask(puppets.keep, "receiver", host.ask(puppets.ticket, "receiver"))
        books = None
        last.ask(puppets.start, "taking", deaths.take, "receiver", str(tmp_path / "received"))
        owner.ask(puppets.start, "making", deaths.make, "sender", str(tmp_path / "sent"))
        tickets: list[tuple[Puppet, bytes]] = []

        def forward(victim: Puppet) -> None:
            for process, end in ((owner, "receiver"), (host, "sender")):
                tickets.append((process, process.ask(puppets.ticket, end)))
            victim.tell(deaths.forward_for_ever, tickets[-2][1], tickets[-1][1])

        for number in range(ROUNDS):
            with Puppet() as victim:
                forward(victim)
                if number % 3 == 0:  # as above
                    goes_on(tmp_path / "received")
                a_moment(dice)
                victim.kill()
        with Puppet() as victim:
            forward(victim)
            goes_on(tmp_path / "received")
            sent, error = owner.ask(puppets.stop, "making")
            assert error == ""
            for process, ticket in tickets:
                process.ask(puppets.take_back, ticket)
            owner.ask(puppets.call, "sender", "close")
            victim.answer()
            books = Books(owner, host, last)
            victim.kill()
        host.ask(puppets.call, "sender", "close")
        assert last.ask(puppets.finish, "taking")[1] == "Ended"
        received = once(deaths.entries(tmp_path / "received"))
        assert received <= set(range(sent))
        assert sent - len(received) <= ROUNDS
        books.balance()
        for process in (owner, host, last):
            assert process.ask(puppets.returns_to, {"blocks": 0})["blocks"] == 0


def test_owners_die(dice, tmp_path):
    """What a victim has sent stays readable, wherever its messages have got to; the memory goes with the last reader."""
    with Puppet() as host, Puppet() as survivor:
        host.ask(puppets.make_channel, "sender", "receiver", CAPACITY)
        survivor.ask(puppets.keep, "receiver", host.ask(puppets.ticket, "receiver"))
        make_and_take(host, survivor)
        books = Books(host, survivor)
        for number in range(ROUNDS):
            ticket = host.ask(puppets.ticket, "sender")
            with Puppet() as victim:
                victim.tell(deaths.make_for_ever, str(tmp_path / f"sent{number}"), ticket, 0)
                a_moment(dice)
                victim.kill()
            host.ask(puppets.take_back, ticket)
            # Nobody has received so far: what is in the queue outlives its maker.
            taken = survivor.ask(deaths.take_what_is_there, "receiver")
            sent = len(deaths.entries(tmp_path / f"sent{number}"))
            assert taken == list(range(len(taken)))
            assert sent <= len(taken) <= min(sent + 1, CAPACITY)
        books.balance()


def test_memory_of_survivors_stays_flat(dice, tmp_path):
    """After some deaths, more of them cost nothing."""
    with Puppet() as host:
        host.ask(puppets.make_channel, "sender", "receiver", CAPACITY)
        host.ask(puppets.start, "making", deaths.make, "sender", str(tmp_path / "sent"))

        def die(times: int) -> dict[str, int]:
            for number in range(times):
                with Puppet() as victim:
                    victim.ask(puppets.keep, "receiver", host.ask(puppets.ticket, "receiver"))
                    victim.tell(puppets.start, "taking", deaths.take, "receiver", str(tmp_path / f"victim{number}"))
                    a_moment(dice)
                    victim.kill()
            return host.ask(puppets.memory)

        before = die(ROUNDS // 2)
        after = die(ROUNDS // 2)
        assert after["anon"] - before["anon"] < 4 * MIB
        assert after["shmem"] - before["shmem"] < 4 * MIB


def test_nothing_is_left_of_those_who_all_died():
    """No name, no socket, no process, no memory."""
    with Puppet() as owner, Puppet() as reader, Puppet() as further:
        owner.ask(puppets.make_channel, "sender", "receiver")
        reader.ask(puppets.keep, "receiver", owner.ask(puppets.ticket, "receiver"))
        owner.ask(deaths.make_large, "sender", 16 * MIB)
        reader.ask(puppets.receive_and_keep, "receiver", "array")
        further.ask(puppets.keep, "array", reader.ask(puppets.ticket, "array"))
        pids = {puppet.pid for puppet in (owner, reader, further)}
        assert len(puppets.sockets_of(pids)) >= len(pids)
        arenas = set[str]().union(*(puppets.files_of(pid, "memfd:crossbuf") for pid in pids))
        assert puppets.holders_of(arenas) == pids
        assert [puppets.files_of(pid, "/dev/shm/") for pid in pids] == [set()] * len(pids)
        owner.kill()
        assert further.ask(puppets.call, "array", "tobytes")[:10] == bytes(10)
        assert puppets.holders_of(arenas) == pids - {owner.pid}
        for puppet in (reader, further):
            puppet.signal(signal.SIGKILL)
        reader.kill()
        further.kill()
    assert puppets.sockets_of(pids) == []
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert puppets.holders_of(arenas) == set()
