"""Arrays and channels between processes, against what multiprocessing offers."""

import json
import multiprocessing
import os
import pickle
import statistics
import subprocess
import sys
from collections.abc import Callable
from concurrent import futures
from multiprocessing import shared_memory

import numpy as np
from measure import Table, in_turns

import crossbuf as cb
from crossbuf import _core
from crossbuf.futures import ProcessPoolExecutor

MIB = 1 << 20
_CONTEXT = multiprocessing.get_context("spawn")


def measure(table: Table) -> None:
    """All rows."""
    handing_over(table)
    redeeming(table)
    parked(table)
    queues(table)
    pools(table)


class Partners:
    """Two processes that answer whatever comes: one through channels, one through a Pipe."""

    def __init__(self) -> None:
        self.there, inbox = cb.channel()
        outbox, self.back = cb.channel()
        self.pipe, other = _CONTEXT.Pipe()
        self._processes = [_CONTEXT.Process(target=echo, args=(inbox, outbox)), _CONTEXT.Process(target=pipe_echo, args=(other,))]
        for process in self._processes:
            process.start()
        inbox.close()
        outbox.close()
        self.hand(None), self.tell(None)

    def hand(self, message: object) -> None:
        """A round trip through channels."""
        self.there.send(message)
        self.back.recv()

    def tell(self, message: object) -> None:
        """A round trip through the Pipe."""
        self.pipe.send(message)
        self.pipe.recv()

    def __enter__(self) -> "Partners":
        return self

    def __exit__(self, *exception: object) -> None:
        self.there.close()
        self.pipe.send(...)
        for process in self._processes:
            process.join()


def echo(inbox: cb.Receiver, outbox: cb.Sender) -> None:
    """Answers through a channel."""
    for _ in inbox:
        outbox.send(1)


def pipe_echo(pipe) -> None:  # type: ignore[no-untyped-def]
    """Answers through a Pipe."""
    while pipe.recv() is not ...:
        pipe.send(1)


def handing_over(table: Table) -> None:
    """An array that is there already: its name travels either way."""
    large, small = cb.share(np.ones(32 * MIB)), cb.share(np.ones(1024))
    memory = shared_memory.SharedMemory(create=True, size=256 * MIB)
    with Partners() as partners:
        ours, pipe = in_turns(lambda: partners.hand(large), lambda: partners.tell(memory.name), 500, table.rounds)
        table.add("hand 256 MiB to a process, get an answer", ours, "Pipe, name of a SharedMemory", pipe, "<= 0.6")
        ours, theirs = in_turns(lambda: partners.hand(large), lambda: partners.hand(small), 500, table.rounds)
        table.add("hand 256 MiB to a process, get an answer", ours, "the same with 8 KiB", theirs, "about 1")
    memory.close()
    memory.unlink()


def redeeming(table: Table) -> None:
    """An array of another process by its pickle, up to its first element."""
    pipe, other = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=owner, args=(other, 1 + 100 * (1 + table.rounds)))
    process.start()
    name, tickets = pipe.recv()
    ready = iter(tickets)

    def redeem() -> None:
        pickle.loads(next(ready)).numpy()[0]

    def attach() -> None:
        memory = shared_memory.SharedMemory(name)
        np.ndarray(8 * MIB, buffer=memory.buf)[0]
        memory.close()

    redeem()
    ours, theirs = in_turns(redeem, attach, 100, table.rounds)
    table.add("unpickle an Array of 64 MiB of another process", ours, "attach to a SharedMemory by name", theirs, "")
    pipe.send(None)
    process.join()


def owner(pipe, count: int) -> None:  # type: ignore[no-untyped-def]
    """Has an array of 64 MiB, in both ways, until it is told to end."""
    array = cb.share(np.ones(8 * MIB))
    memory = shared_memory.SharedMemory(create=True, size=64 * MIB)
    pipe.send((memory.name, [pickle.dumps(array) for _ in range(count)]))
    pipe.recv()
    memory.close()
    memory.unlink()


def parked(table: Table) -> None:
    """The same where nobody can spin."""
    done = subprocess.run([sys.executable, __file__, "--on-one-cpu", str(table.rounds)], check=True, stdout=subprocess.PIPE, text=True)
    ours, pipe, floor = json.loads(done.stdout)
    allowed = 3 * floor + (pipe - floor)
    table.add("round trip between processes, parked", ours, "3 packets' + Pipe's Python", allowed, "<= 1")
    table.add("round trip between processes, parked", ours, "Pipe", pipe, "")
    table.add("round trip between processes, parked", ours, "bare packets, in Rust", floor, "")


def on_one_cpu(rounds: int) -> tuple[float, float, float]:
    """A round trip through channels, through a Pipe, and of bare packets."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    floor = statistics.median(_core.floor_packets(1000) * 1e3 for _ in range(rounds))
    with Partners() as partners:
        ours, pipe = in_turns(lambda: partners.hand(None), lambda: partners.tell(None), 500, rounds)
    return ours, pipe, floor


def queues(table: Table) -> None:
    """16 MiB through multiprocessing's own queue: as an Array, and as an ndarray that lies in no arena."""
    data = np.ones(2 * MIB)
    array = cb.share(data)
    there, back = _CONTEXT.Queue(), _CONTEXT.Queue()
    process = _CONTEXT.Process(target=queue_echo, args=(there, back))
    process.start()

    def trip(message: object) -> Callable[[], None]:
        return lambda: (there.put(message), back.get())[1]

    ours, theirs = in_turns(trip(array), trip(data), 10, table.rounds)
    table.add("16 MiB through mp.Queue, as an Array", ours, "as an ndarray", theirs, "<= 0.01")
    there.put(None)
    process.join()


def queue_echo(inbox, outbox) -> None:  # type: ignore[no-untyped-def]
    """Answers through a queue."""
    while inbox.get() is not None:
        outbox.put(1)


def pools(table: Table) -> None:
    """8 MB into a call, and out of one."""
    data = np.ones(1_000_000)
    shared = cb.share(data).numpy()
    with (
        ProcessPoolExecutor(1, mp_context=_CONTEXT) as ours,
        futures.ProcessPoolExecutor(1, mp_context=_CONTEXT) as theirs,
    ):
        rows = [
            ("process pool: 8 MB in, in an arena", lambda pool: pool.submit(len, shared if pool is ours else data).result()),
            ("process pool: 8 MB in", lambda pool: pool.submit(len, data).result()),
            ("process pool: 8 MB out", lambda pool: pool.submit(np.ones, 1_000_000).result()),
        ]
        for name, call in rows:
            mine, peer = in_turns(lambda call=call: call(ours), lambda call=call: call(theirs), 20, table.rounds)
            table.add(name, mine, "ProcessPoolExecutor, pickled", peer, "")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--on-one-cpu"]:
        print(json.dumps(on_one_cpu(int(sys.argv[2]))))
    else:
        _table = Table(int(sys.argv[1]) if sys.argv[1:] else 15)
        measure(_table)
        print(_table.text())
