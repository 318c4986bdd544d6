"""What becomes of arrays when whoever owns, forwards or leases them ends."""

import contextlib
import ctypes
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import puppets
import pytest
from puppets import Job, Puppet, kept

import crossbuf

ELEMENTS = 100_000


def share(name: str) -> None:
    kept[name] = crossbuf.share(np.arange(ELEMENTS))


@pytest.fixture
def owner() -> Iterator[Puppet]:
    """It has `array`, and its server runs."""
    with Puppet() as puppet:
        puppet.ask(share, "array")
        yield puppet


@pytest.fixture
def reader() -> Iterator[Puppet]:
    with Puppet() as puppet:
        yield puppet


def hand_over(name: str, giver: Puppet, taker: Puppet) -> None:
    taker.ask(puppets.keep, name, giver.ask(puppets.ticket, name))


def read_on(job: Job, array: crossbuf.Array) -> int:
    """How often it was read, each time right."""
    times = 0
    while not job.stop.is_set():
        assert int(array.numpy().sum()) == ELEMENTS * (ELEMENTS - 1) // 2
        times += 1
    return times


def elements_read(name: str) -> int:
    """How many it has, all of them right."""
    elements = kept[name].numpy()
    return int((elements == np.arange(ELEMENTS)).sum())


@pytest.mark.parametrize("end", ["kill", "end"])
def test_readers_go_on_when_the_owner_ends(end: str, owner: Puppet) -> None:
    readers = [Puppet() for _ in range(3)]
    try:
        for reader in readers:
            hand_over("array", owner, reader)
            reader.ask(puppets.start, "reading", read_on, "array")
        handle = owner.ask(puppets.call, "array", "handle")
        getattr(owner, end)()
        assert all(reader.ask(elements_read, "array") == ELEMENTS for reader in readers), "after it"
        for reader in readers:
            assert reader.ask(puppets.stop, "reading") > 0
            kind, text = reader.ask(error_of_opening, handle)
            assert kind == "StaleHandle"
            assert str(owner.pid) in text, text
    finally:
        for reader in readers:
            reader.__exit__()


def error_of_opening(handle: object) -> tuple[str, str]:
    try:
        crossbuf.open(handle)
    except Exception as error:
        return type(error).__name__, str(error)
    return "nothing", "it opened"


def test_who_never_met_the_owner_is_told_its_pid_too(owner: Puppet, reader: Puppet) -> None:
    handle, ticket = owner.ask(puppets.call, "array", "handle"), owner.ask(puppets.ticket, "array")
    owner.kill()
    kind, text = reader.ask(error_of_opening, handle)
    assert (kind, str(owner.pid) in text) == ("StaleHandle", True), text
    with pytest.raises(AssertionError, match=rf"StaleHandle: .*pid {owner.pid}, has ended"):
        reader.ask(puppets.keep, "array", ticket)


@pytest.mark.parametrize("moment", ["before it is redeemed", "after it was redeemed"])
def test_a_chain_survives_the_death_of_its_middle(moment: str, owner: Puppet, reader: Puppet) -> None:
    with Puppet() as middle:
        hand_over("array", owner, middle)
        ticket = middle.ask(puppets.ticket, "array")
        if moment == "before it is redeemed":
            middle.kill()
            reader.ask(puppets.keep, "array", ticket)
        else:
            reader.ask(puppets.keep, "array", ticket)
            middle.kill()
    assert reader.ask(elements_read, "array") == ELEMENTS
    owner.ask(puppets.drop, "array")
    assert owner.ask(puppets.left)["blocks"] == 1, "the reader has it"
    reader.ask(puppets.drop, "array")
    assert owner.ask(puppets.returns_to, {"blocks": 0})["blocks"] == 0


def test_a_chain_of_five_survives_all_but_its_ends(owner: Puppet, reader: Puppet) -> None:
    between = [Puppet() for _ in range(4)]
    try:
        for giver, taker in zip([owner, *between], [*between, reader], strict=True):
            hand_over("array", giver, taker)
        for puppet in between:
            puppet.kill()
        assert reader.ask(elements_read, "array") == ELEMENTS
        owner.kill()
        assert reader.ask(elements_read, "array") == ELEMENTS
    finally:
        for puppet in between:
            puppet.__exit__()


@pytest.mark.parametrize("end", ["release", "end", "kill"])
def test_a_lease_ends_with_whoever_has_it(end: str, owner: Puppet, reader: Puppet) -> None:
    hand_over("array", owner, reader)
    owner.ask(puppets.drop, "array")
    assert owner.ask(puppets.left)["blocks"] == 1
    if end == "release":
        reader.ask(puppets.call, "array", "release")
    else:
        getattr(reader, end)()
    assert owner.ask(puppets.returns_to, {"blocks": 0})["blocks"] == 0


#: `clone`: of x86-64, else of arm64.
CLONE = 56 if os.uname().machine == "x86_64" else 220


def start_a_sleeper() -> int:
    """A child with all descriptors of this process, by the bare system call: no handler runs that would close any."""
    libc = ctypes.PyDLL(None)
    child = libc.syscall(ctypes.c_long(CLONE), ctypes.c_long(signal.SIGCHLD), *[ctypes.c_long(0)] * 4)
    while child == 0:
        libc.pause()
    return int(child)


def sockets_in(pid: int) -> set[str]:
    return {link for link in map(str, (path.readlink() for path in Path(f"/proc/{pid}/fd").iterdir())) if link.startswith("socket:")}


def test_a_grandchild_with_the_socket_does_not_keep_a_lease(owner: Puppet, reader: Puppet) -> None:
    hand_over("array", owner, reader)
    owner.ask(puppets.drop, "array")
    grandchild = reader.ask(start_a_sleeper)
    try:
        assert len(sockets_in(grandchild) & sockets_in(reader.pid)) >= 2, "the conversation's, and where it is dialled"
        reader.kill()
        assert owner.ask(puppets.returns_to, {"blocks": 0})["blocks"] == 0
        assert sockets_in(grandchild), "it has them still"
    finally:
        os.kill(grandchild, signal.SIGKILL)


def fork_to_read_later(name: str, directory: Path) -> int:
    """A child that reads once it may, and writes down what it saw."""
    child = os.fork()
    if child == 0:
        try:
            puppets.until((directory / "go").exists, "it may")
            (directory / "seen").write_text(str(elements_read(name)))
        finally:
            os._exit(0)
    return child


def test_a_forked_child_reads_on_when_all_others_are_dead(owner: Puppet, reader: Puppet, tmp_path: Path) -> None:
    """What a reader had leased its child has inherited; the memory is there as long as one of them has it."""
    hand_over("array", owner, reader)
    reader.ask(fork_to_read_later, "array", tmp_path)
    reader.kill()
    owner.kill()
    (tmp_path / "go").touch()
    puppets.until(lambda: (tmp_path / "seen").exists() and (tmp_path / "seen").read_text(), "the child reads")
    assert (tmp_path / "seen").read_text() == str(ELEMENTS)


def hang_up() -> None:
    """Ends all conversations of this process, which lives on."""
    for descriptor in list(Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(descriptor.name))) as end:
            if end.family == socket.AF_UNIX and end.type == socket.SOCK_SEQPACKET:
                end.shutdown(socket.SHUT_RDWR)


def replace(name: str) -> None:
    """Gives the array up, and fills memory that may have been its own."""
    del kept[name]
    kept["others"] = [crossbuf.share(np.full(ELEMENTS, -1)) for _ in range(50)]


def test_what_is_read_stays_as_it_is_when_only_the_conversation_is_over(owner: Puppet, reader: Puppet) -> None:
    hand_over("array", owner, reader)
    reader.ask(hang_up)
    puppets.until(lambda: not owner.ask(crossbuf.processes), "the end of the conversation")
    owner.ask(replace, "array")
    assert reader.ask(elements_read, "array") == ELEMENTS
    before = owner.ask(puppets.left)
    reader.kill()
    puppets.until(lambda: owner.ask(puppets.left)["blocks"] < before["blocks"], "the end of the lease")


def publish(name: str) -> None:
    kept["service"] = crossbuf.publish(name)
    kept["service"].share("array", kept["array"])


def fetch(name: str) -> int:
    connection = crossbuf.connect(name)
    return int(connection.array("array").numpy().sum())


def test_a_service_shares_what_is_somebody_else_s(owner: Puppet, reader: Puppet) -> None:
    hand_over("array", owner, reader)
    name = f"test_process_owners {os.getpid()}"
    reader.ask(publish, name)
    with Puppet() as client:
        assert client.ask(fetch, name) == ELEMENTS * (ELEMENTS - 1) // 2
    reader.ask(puppets.drop, "service")
