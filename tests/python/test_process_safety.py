"""What a receiver cannot do to memory that is not its own, and what another user cannot do at all.

Not promised: a process of the same user may trace the owner and write its memory, as it may with any memory there is.
"""

import contextlib
import ctypes
import errno
import mmap
import os
import pickle
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import puppets
import pytest
from puppets import Puppet, kept

import crossbuf

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.mmap.restype = ctypes.c_void_p
LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
LIBC.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
LIBC.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
LIBC.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

PAGE = mmap.PAGESIZE
MADV_REMOVE = 9
FALLOC_FL_PUNCH_HOLE_KEEP_SIZE = 3


def failed(result: int | None, bad: int | None = -1) -> str:
    """The name of the error of a C function that has failed."""
    return errno.errorcode[ctypes.get_errno()] if result == bad else "nothing: it worked"


def error_of(call: Callable[[], object]) -> str:
    try:
        call()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "nothing: it worked"


def share(name: str) -> None:
    kept[name] = crossbuf.share(np.full(4 * PAGE, 7, "u1"))


def arena_descriptors(pid: int | str = "self") -> list[int]:
    """Those of arenas; the memory for packets is for both sides to write."""
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # by which the folder was read
            if str(link.readlink()) == "/memfd:crossbuf (deleted)":
                found.append(int(link.name))
    return found


def mapping_of(name: str) -> str:
    """Where the array's memory is mapped, as /proc writes it."""
    address = kept[name].numpy().ctypes.data
    for line in Path("/proc/self/maps").read_text().splitlines():
        start, end = (int(text, 16) for text in line.split()[0].split("-"))
        if start <= address < end:
            return line
    raise AssertionError("it is mapped nowhere")


def attempts(name: str, owner: int) -> dict[str, str]:
    """Everything that could make the array writable, and how it fails."""
    descriptor = next(number for number in arena_descriptors() if os.fstat(number).st_size)
    line = mapping_of(name)
    assert line.split()[1] == "r--s"
    start = int(line.split("-")[0], 16)
    both = mmap.PROT_READ | mmap.PROT_WRITE
    theirs = arena_descriptors(owner)
    assert theirs, "the owner keeps it open"
    opened = {f"open {what}": error_of(lambda path=path: os.open(path, os.O_RDWR)) for what, path in paths(line, descriptor, owner, theirs)}
    return opened | {
        "mmap": failed(LIBC.mmap(None, PAGE, both, mmap.MAP_SHARED, descriptor, 0), ctypes.c_void_p(-1).value),
        "mmap writing": failed(LIBC.mmap(None, PAGE, mmap.PROT_WRITE, mmap.MAP_SHARED, descriptor, 0), ctypes.c_void_p(-1).value),
        "mprotect": failed(LIBC.mprotect(start, PAGE, both)),
        "madvise": failed(LIBC.madvise(start, PAGE, MADV_REMOVE)),
        "write": error_of(lambda: os.write(descriptor, b"x")),
        "pwrite": error_of(lambda: os.pwrite(descriptor, b"x", 0)),
        "ftruncate": error_of(lambda: os.ftruncate(descriptor, 0)),
        "punch": failed(LIBC.fallocate(descriptor, FALLOC_FL_PUNCH_HOLE_KEEP_SIZE, 0, PAGE)),
        "flags": error_of(lambda: os.set_blocking(descriptor, False) or os.write(descriptor, b"x")),
        "numpy": refusal_of_numpy(name),
    }


def paths(line: str, descriptor: int, owner: int, theirs: list[int]) -> Iterator[tuple[str, str]]:
    yield "descriptor", f"/proc/self/fd/{descriptor}"
    yield "mapping", f"/proc/self/map_files/{line.split()[0]}"
    for number in theirs:
        yield f"owner's {number}", f"/proc/{owner}/fd/{number}"


def drop_capabilities() -> None:
    """Root's: with them it may open anything, whatever the permissions of a file say."""
    version_3, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert LIBC.capset(version_3, none) == 0


def refusal_of_numpy(name: str) -> str:
    try:
        kept[name].numpy().flags.writeable = True
    except ValueError as error:
        return type(error).__name__
    return "nothing: it worked"


def test_a_receiver_cannot_make_its_mapping_writable() -> None:
    with Puppet() as owner, Puppet() as reader:
        owner.ask(share, "array")
        reader.ask(puppets.keep, "array", owner.ask(puppets.ticket, "array"))
        for process in (owner, reader):
            process.ask(drop_capabilities)
        seen = reader.ask(attempts, "array", owner.pid)
        assert len(seen) >= 13
        assert {what: how for what, how in seen.items() if how not in REFUSALS} == {}
        assert owner.ask(puppets.call, "array", "tobytes") == bytes([7]) * 4 * PAGE
        assert reader.ask(puppets.call, "array", "tobytes") == bytes([7]) * 4 * PAGE


REFUSALS = {"EACCES", "EPERM", "EBADF", "EINVAL", "ValueError"}

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user for a test")
NOBODY = 65534


def become(user: int) -> None:
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def refused(function: str, argument: object) -> tuple[str, str]:
    """The class and text of the error."""
    call = {"open": crossbuf.open, "connect": crossbuf.connect, "redeem": pickle.loads}[function]
    try:
        call(argument)
    except Exception as error:
        return type(error).__name__, str(error)
    return "nothing", "it worked"


def publish(name: str) -> None:
    kept["service"] = crossbuf.publish(name)
    kept["service"].share("array", kept["array"])


def packets_of(name: str) -> bytes:
    """What whoever listens at that abstract name says before it hangs up."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dialled:
        dialled.settimeout(puppets.WATCHDOG)
        dialled.connect(f"\0{name}")
        return b"".join(iter(lambda: dialled.recv(1 << 16), b""))


def listen_at(name: str) -> None:
    kept["listener"] = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    kept["listener"].bind(f"\0{name}")
    kept["listener"].listen()


@pytest.fixture
def owner() -> Iterator[Puppet]:
    with Puppet() as puppet:
        puppet.ask(share, "array")
        yield puppet


@pytest.fixture
def stranger() -> Iterator[Puppet]:
    with Puppet() as puppet:
        puppet.ask(become, NOBODY)
        yield puppet


@only_root
def test_another_user_gets_nothing(owner: Puppet, stranger: Puppet) -> None:
    for function, argument in (("open", owner.ask(puppets.call, "array", "handle")), ("redeem", owner.ask(puppets.ticket, "array"))):
        kind, text = stranger.ask(refused, function, argument)
        assert kind == "PermissionError"
        assert re.search(rf"pid {owner.pid} belongs to user 0, this one to user {NOBODY}; only processes of one user", text)
    assert owner.ask(puppets.call, "array", "tobytes")[:1] == b"\7"


@only_root
def test_another_user_does_not_find_a_service(owner: Puppet, stranger: Puppet) -> None:
    owner.ask(publish, "private")
    kind, text = stranger.ask(refused, "connect", "private")
    assert (kind, "no program of this user" in text) == ("ServiceError", True)
    said = stranger.ask(packets_of, "crossbuf/0/private")
    assert b"only the same user is served" in said
    assert crossbuf.connect("private").array("array")[0] == 7


@only_root
def test_another_user_who_dials_is_told_why_not(owner: Puppet, stranger: Puppet) -> None:
    owner.ask(puppets.ticket, "array")
    (name,) = set(puppets.sockets_of({owner.pid}))
    said = stranger.ask(packets_of, f"crossbuf-{name}")
    assert f"this process belongs to user 0, and you are user {NOBODY}: only the same user is served".encode() in said


@only_root
def test_nobody_is_taken_in_by_another_user_s_service(stranger: Puppet) -> None:
    stranger.ask(listen_at, "crossbuf/0/taken over")
    with pytest.raises(PermissionError, match=f"pid {stranger.pid} belongs to user {NOBODY}, this one to user 0"):
        crossbuf.connect("taken over")
