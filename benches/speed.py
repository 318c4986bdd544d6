"""The speed of crossbuf as ratios against peers and the machine's floor, all in one run.

    make bench            # or: python benches/speed.py [--quick] [--json FILE]

Every figure is a median over rounds; rival and crossbuf take turns, so that a drift of the machine hits both. The extension
must be built with the feature ``floors`` (``make bench`` does it); see README.md in this folder for what each line means.
"""

import argparse
import json
import os
import pickle
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pools
import processes
from measure import Table, in_turns, timed

import crossbuf as cb
from crossbuf import _core

MIB = 1 << 20
BIG = 128_000_000


class Bench:
    """Sharing and sending; each workload appends lines."""

    def __init__(self, table: Table) -> None:
        self.rounds = table.rounds
        self.add = table.add

    def copying(self) -> None:
        """share of 128 MB into fresh and recycled memory, and reading it, against NumPy's own copy and read."""
        source = np.arange(BIG // 8, dtype="f8")
        target = np.empty_like(source)
        np.copyto(target, source)
        copies, recycled, fresh, first, warm = [], [], [], [], []
        for _ in range(self.rounds):
            arena = cb.Arena(budget=4 * BIG)
            copies.append(timed(lambda: np.copyto(target, source), 1))
            start = time.perf_counter()
            array = arena.share(source)
            fresh.append((time.perf_counter() - start) * 1e6)
            view = array.numpy()
            first.append(timed(view.sum, 1))
            warm.append(timed(view.sum, 1))
            del array, view
            recycled.append(timed(lambda arena=arena: arena.share(source), 1))
            del arena
        copy = statistics.median(copies)
        self.add("share 128 MB, recycled memory", statistics.median(recycled), "np.copyto, warm", copy, "<= 1.05")
        self.add("share 128 MB, fresh memory", statistics.median(fresh), "np.copyto, warm", copy, "<= 2.5")
        self.add("first read of fresh 128 MB", statistics.median(first), "second read", statistics.median(warm), "<= 1.2")

    def small(self) -> None:
        """share of 800 bytes, Array.numpy(), a block."""
        small = np.arange(100.0)
        array = cb.share(small)
        ours, theirs = in_turns(lambda: cb.share(small), small.copy, 20_000, self.rounds)
        self.add("share 800 bytes", ours, "ndarray.copy", theirs, "<= 0.7 us")
        ours, theirs = in_turns(array.numpy, small.view, 20_000, self.rounds)
        self.add("Array.numpy()", ours, "ndarray.view", theirs, "<= 0.5 us")
        blocks = statistics.median(_core.floor_allocate(100_000, 800) * 10 for _ in range(self.rounds))
        _, theirs = in_turns(lambda: None, lambda: bytearray(800), 20_000, self.rounds)
        self.add("allocate and free a block", blocks, "bytearray(800)", theirs, "<= 0.03 us")

    def messages(self) -> None:
        """An Array and a small tuple through a channel in one interpreter."""
        sender, receiver = cb.channel()
        array = cb.share(np.arange(100.0))

        def ours() -> None:
            sender.send_nowait(array)
            receiver.recv_nowait()

        if sys.version_info >= (3, 14):
            from concurrent import interpreters

            queue = interpreters.create_queue()
            view = memoryview(np.arange(100.0))

            def peer() -> None:
                queue.put_nowait(view)
                queue.get_nowait()

            self.add("send_nowait + recv_nowait of an Array", *self._vs(ours, "stdlib queue, memoryview", peer), "<= 0.5")
        small = array.numpy()
        message = (1, "x", small)

        def tuple_ours() -> None:
            sender.send_nowait(message)
            receiver.recv_nowait()

        self.add(
            'send + recv of (1, "x", ndarray)', *self._vs(tuple_ours, "pickle 5 alone", lambda: pickle.loads(pickle.dumps(message, 5))), ""
        )

    def _vs(self, ours: Callable[[], object], name: str, peer: Callable[[], object]) -> tuple[float, str, float]:
        mine, theirs = in_turns(ours, peer, 5_000, self.rounds)
        return mine, name, theirs

    def round_trips(self) -> None:
        """Between main and an interpreter that owns its GIL: hot, parked, out of sleep; against the bare futex and the stdlib's queue."""
        trips = 100 * self.rounds
        with Partners(trips) as partners:
            timed(partners.ping, 2_000)
            hot = statistics.median(timed(partners.ping, 2_000) for _ in range(self.rounds))
            slept: list[float] = []
            floors: list[float] = []
            for _ in range(trips):
                for work, times in ((partners.ping, slept), (partners.floor_ping, floors)):
                    time.sleep(0.002)
                    times.append(timed(work, 1))
        floor = statistics.median(floors)
        if sys.version_info >= (3, 14):
            self.add("round trip, hot", hot, "stdlib queue", stdlib_round_trip(20), "<= 1.5 us, <= 0.01")
        else:
            self.add("round trip, hot", hot, "bare futex ping-pong", floor, "<= 1.5 us")
        command = [sys.executable, __file__, "--on-one-cpu", str(self.rounds)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        parked, parked_floor = json.loads(done.stdout)
        self.add("round trip, parked", parked, "bare futex ping-pong", parked_floor, "<= 1.3")
        self.add("round trip out of 2 ms of sleep", statistics.median(slept), "bare futex ping-pong", floor, "")


def on_one_cpu(rounds: int) -> tuple[float, float]:
    """Round trips where nobody can spin, as the other side needs the CPU: each is two wake-ups, ours and the bare futex's."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    number = 1_000
    with Partners((rounds + 1) * number) as partners:
        return in_turns(partners.ping, partners.floor_ping, number, rounds)


class Partners:
    """Two interpreters that answer: one through channels, one by the bare futex, so many times."""

    def __init__(self, floor_trips: int) -> None:
        self._there, inbox = cb.channel()
        outbox, self._back = cb.channel()
        self._seen = 0
        self._workers = [cb.spawn(echo, inbox, outbox), cb.spawn(pong, 1 + floor_trips)]
        # Once both have answered, no interpreter is being made any more, which would take the other CPU.
        self.ping()
        self.floor_ping()

    def ping(self) -> None:
        """One round trip through channels."""
        self._there.send(None)
        self._back.recv()

    def floor_ping(self) -> None:
        """One round trip by the bare futex."""
        _core.floor_post(0)
        self._seen = _core.floor_wait(1, self._seen)

    def __enter__(self) -> "Partners":
        return self

    def __exit__(self, *exception: object) -> None:
        self._there.close()
        for worker in self._workers:
            worker.join()


def echo(inbox: cb.Receiver, outbox: cb.Sender) -> None:
    """Sends back what comes."""
    for message in inbox:
        outbox.send(message)


def pong(rounds: int) -> None:
    """The other side of the bare futex ping-pong."""
    seen = 0
    for _ in range(rounds):
        seen = _core.floor_wait(0, seen)
        _core.floor_post(1)


def stdlib_round_trip(number: int) -> float:
    """Microseconds of a round trip through two of concurrent.interpreters' queues."""
    from concurrent import interpreters

    there, back = interpreters.create_queue(), interpreters.create_queue()
    interpreter = interpreters.create()
    thread = interpreter.call_in_thread(_stdlib_echo, there, back, number + 1)
    there.put(None), back.get()
    result = timed(lambda: (there.put(None), back.get()), number)
    thread.join()
    interpreter.close()
    return result


def _stdlib_echo(inbox, outbox, number):  # type: ignore[no-untyped-def]
    for _ in range(number):
        outbox.put(inbox.get())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", metavar="FILE", help="write the lines to FILE, too")
    parser.add_argument("--on-one-cpu", type=int, metavar="ROUNDS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.on_one_cpu:
        print(json.dumps(on_one_cpu(options.on_one_cpu)))
        return
    table = Table(5 if options.quick else 15)
    bench = Bench(table)
    for workload in (bench.copying, bench.small, bench.messages, bench.round_trips):
        workload()
    pools.measure(table)
    processes.measure(table)
    about = (
        f"CPython {platform.python_version()}, NumPy {np.__version__}, crossbuf {cb.__version__}, "
        f"Linux {platform.release()}, {os.cpu_count()} CPUs"
    )
    print(about)
    print(table.text())
    if options.json:
        Path(options.json).write_text(json.dumps({"about": about, "lines": table.records()}, indent=1))


if __name__ == "__main__":
    main()
