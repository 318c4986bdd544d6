"""Processes that have little: few descriptors, a small /dev/shm, memory that must not be there twice."""

import os
import pickle
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import puppets
import pytest
from puppets import Puppet, kept

import crossbuf

MIB = 1 << 20
PROCESSES = 8


def allow_descriptors(number: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def use_up_descriptors() -> None:
    allow_descriptors(max(map(int, os.listdir("/proc/self/fd"))) + 4)  # noqa: PTH208
    kept["used up"] = []
    try:
        while True:
            kept["used up"].append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass


def close_descriptors() -> None:
    for descriptor in kept.pop("used up"):
        os.close(descriptor)


def work_of_a_second() -> float:
    """How long this process computes while it has nothing to do."""
    before = time.process_time()
    time.sleep(1)
    return time.process_time() - before


def test_who_dials_waits_until_there_is_a_descriptor() -> None:
    """Meanwhile the server rests, and those whom it knows are served."""
    with Puppet() as host, Puppet() as known, Puppet() as stranger:
        host.ask(puppets.make_channel, "sender", "receiver")
        known.ask(puppets.keep, "sender", host.ask(puppets.ticket, "sender"))
        ticket = host.ask(puppets.ticket, "sender")
        host.ask(use_up_descriptors)
        stranger.tell(puppets.keep, "sender", ticket)
        assert host.ask(work_of_a_second) < 0.2
        known.ask(puppets.send, "sender", 1)
        assert host.ask(puppets.call, "receiver", "recv") == 1
        host.ask(close_descriptors)
        stranger.answer()
        stranger.ask(puppets.send, "sender", 2)
        assert host.ask(puppets.call, "receiver", "recv") == 2


def make_arrays(count: int) -> bytes:
    """Tickets of that many."""
    kept["arrays"] = [crossbuf.share(np.arange(number, number + 10)) for number in range(count)]
    return pickle.dumps(kept["arrays"])


def keep_arrays(tickets: bytes) -> int:
    """The sum of their first elements."""
    kept["arrays"] = pickle.loads(tickets)
    return sum(int(array.numpy()[0]) for array in kept["arrays"])


def test_ten_thousand_arrays_with_64_descriptors() -> None:
    count = 10_000
    with Puppet() as owner:
        owner.ask(allow_descriptors, 64)
        readers = [Puppet() for _ in range(PROCESSES)]
        try:
            for reader in readers:
                reader.ask(allow_descriptors, 64)
            tickets = [owner.ask(make_arrays, count)]
            tickets += [owner.ask(puppets.ticket, "arrays") for _ in readers[1:]]
            for reader, ticket in zip(readers, tickets, strict=True):
                reader.tell(keep_arrays, ticket)
            assert [reader.answer() for reader in readers] == [count * (count - 1) // 2] * PROCESSES
            for process in (owner, *readers):
                assert process.ask(puppets.left)["descriptors"] < 64
            assert owner.ask(puppets.left)["blocks"] == count
            for reader in readers:
                reader.ask(puppets.drop, "arrays")
            owner.ask(puppets.drop, "arrays")
            assert owner.ask(puppets.returns_to, {"blocks": 0})["blocks"] == 0
        finally:
            for reader in readers:
                reader.__exit__()


SMALL = """
import multiprocessing as mp, os, shutil, sys
import numpy as np
import crossbuf as cb

MIB = 1 << 20

def total(array):
    return int(array.numpy()[::4096].sum())

if __name__ == "__main__":
    assert shutil.disk_usage("/dev/shm").total == 64 * MIB
    array = cb.share(np.ones(256 * MIB, "u1"))
    with mp.get_context("spawn").Pool(2) as pool:
        print(*pool.map(total, [array] * 4))
    assert not [name for name in os.listdir("/dev/shm") if not name.startswith("sem.mp-")]  # the pool's own
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small /dev/shm for a test")
def test_a_small_dev_shm(tmp_path: Path) -> None:
    """Nothing lies there, so 256 MiB are shared beside 64 MiB of it, as containers have."""
    script = tmp_path / "small.py"
    script.write_text(SMALL)
    command = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        'mount -t tmpfs -o size=64m tmpfs /dev/shm && exec "$@"',
        "sh",
        sys.executable,
        str(script),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if "unshare failed" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mounts here: {done.stderr.strip()}")
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [str(256 * MIB // 4096)] * 4, "")


def make_large(name: str, nbytes: int) -> None:
    draft = crossbuf.empty(nbytes, "u1")
    draft.numpy()[:] = 3
    kept[name] = draft.freeze()


def read_all(name: str) -> int:
    return int(kept[name].numpy().max())


def share_of_memory() -> int:
    """Bytes of arenas that count as this process's: those that several have mapped are divided among them."""
    found, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            inside = "memfd:crossbuf " in line
        elif inside and line.startswith("Pss:"):
            found += int(line.split()[1]) * 1024
    return found


def test_eight_readers_of_one_gibibyte_have_it_once() -> None:
    nbytes = 1 << 30
    free = puppets.system_memory("MemAvailable")
    if free < 3 * nbytes:
        pytest.skip(f"an array of 1 GiB needs more than the {free // MIB} MiB that are free")
    with Puppet() as owner:
        readers = [Puppet() for _ in range(PROCESSES)]
        try:
            owner.ask(make_large, "array", nbytes)
            for reader in readers:
                reader.ask(puppets.keep, "array", owner.ask(puppets.ticket, "array"))
                reader.tell(read_all, "array")
            assert [reader.answer() for reader in readers] == [3] * PROCESSES
            shares = [process.ask(share_of_memory) for process in (owner, *readers)]
            assert min(shares) > nbytes // (PROCESSES + 2) // 2, "each has it mapped"
            assert sum(shares) <= 1.02 * nbytes
        finally:
            for reader in readers:
                reader.__exit__()
