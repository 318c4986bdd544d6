"""Pools of interpreters against the standard library's pools, threads and processes, and what NumPy costs in a further interpreter."""

import multiprocessing
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import importing
import numpy as np
from measure import Table, in_turns, timed

import crossbuf as cb
from crossbuf.futures import InterpreterPoolExecutor

_CALLS = 500_000
_WORKERS = 4
_MB = 1e6


def measure(table: Table) -> None:
    """Appends all rows."""
    _small_calls(table)
    _overhead(table)
    _imports(table)
    _memory(table)


def small_calls(number: int) -> float:
    """Many NumPy calls that are mostly Python: adding 50 elements takes less than calling `add`."""
    a, b, total = np.arange(50.0), np.ones(50), np.empty(50)
    for _ in range(number):
        np.add(a, b, out=total)
    return float(total[0])


def _small_calls(table: Table) -> None:
    spawn = multiprocessing.get_context("spawn")
    kinds: dict[str, Executor] = {
        "one": InterpreterPoolExecutor(1),
        "interpreters": InterpreterPoolExecutor(2),
        "threads": ThreadPoolExecutor(2),
        "processes": ProcessPoolExecutor(2, spawn),
    }
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for pool in kinds.values():
        list(pool.map(small_calls, [1000] * 8))
    for _ in range(table.rounds):
        for kind, pool in kinds.items():
            times[kind].append(timed(lambda pool=pool: list(pool.map(small_calls, [_CALLS] * 2)), 1))
    for pool in kinds.values():
        pool.shutdown()
    # Rounds side by side: what slows one slows the next, too.
    medians = {kind: statistics.median(values) for kind, values in times.items()}
    name = f"2 x {_CALLS:,} small NumPy calls, 2 interpreters"
    for peer, kind, target in (
        ("the same in 1 interpreter", "one", "<= 0.526"),
        ("2 threads of one interpreter", "threads", ""),
        ("2 processes", "processes", "<= 1.05"),
    ):
        table.add(name, medians["interpreters"], peer, medians[kind], target)


def _overhead(table: Table) -> None:
    """One call and its result, with nothing in it and with an 8 MB array."""
    array = cb.share(np.arange(1e6)).numpy()

    def call(pool: Executor, argument: object) -> Callable[[], object]:
        return lambda: pool.submit(id, argument).result()

    with InterpreterPoolExecutor(1) as ours, ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        for warm in (call(ours, 1), call(ours, array), call(processes, 1)):
            timed(warm, 200)
        if sys.version_info >= (3, 14):
            from concurrent.futures import InterpreterPoolExecutor as StandardPool

            with StandardPool(1) as standard:
                row = in_turns(call(ours, 1), call(standard, 1), 1000, table.rounds)
            table.add("submit + result of a no-op", row[0], "stdlib InterpreterPoolExecutor", row[1], "<= 0.6")
        row = in_turns(call(ours, 1), call(processes, 1), 1000, table.rounds)
        table.add("submit + result of a no-op", row[0], "ProcessPoolExecutor", row[1], "")
        row = in_turns(call(ours, array), call(ours, 1), 1000, table.rounds)
        table.add("submit + result with 8 MB in an arena", row[0], "a no-op", row[1], "<= 1.2")
        row = in_turns(call(ours, array), call(processes, array), 20, table.rounds)
        table.add("submit + result with 8 MB in an arena", row[0], "ProcessPoolExecutor, pickled", row[1], "")


_IMPORT = "import time; start = time.perf_counter(); import numpy; print(time.perf_counter() - start)"


def _imports(table: Table) -> None:
    """The import of NumPy, and what a worker needs until it can begin."""
    imports: tuple[list[float], list[float]] = [], []
    starts: tuple[list[float], list[float]] = [], []
    for _ in range(table.rounds):
        imports[0].append(cb.spawn(importing.seconds_of_import).join() * 1e3)
        imports[1].append(float(subprocess.check_output([sys.executable, "-c", _IMPORT])) * 1e3)
        starts[0].append(timed(lambda: cb.spawn(np.zeros, 1).join(), 1) / 1e3)
        starts[1].append(timed(lambda: subprocess.check_call([sys.executable, "-c", "import numpy; numpy.zeros(1)"]), 1) / 1e3)
    mine, theirs = (statistics.median(times) for times in imports)
    table.add("import numpy in a further interpreter", mine, "in a fresh process", theirs, "<= 1.2", "ms")
    mine, theirs = (statistics.median(times) for times in starts)
    table.add("start, import numpy, np.zeros(1), end", mine, "a fresh process", theirs, "", "ms")


def _memory(table: Table) -> None:
    """What each of several workers with NumPy adds to the memory of the machine."""
    before = _pss("self")
    with _idle_interpreters():
        ours = (_pss("self") - before) / _WORKERS
    with _idle_processes() as numbers:
        theirs = sum(map(_pss, numbers)) / _WORKERS
    table.add("memory (PSS) of a worker with NumPy", ours / _MB, "of a process", theirs / _MB, "< 1", "MB")


def _pss(process: int | str) -> float:
    rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


@contextmanager
def _idle_interpreters() -> Iterator[None]:
    go, wait = cb.channel()
    ready, count = cb.channel()
    workers = [cb.spawn(importing.idle, ready, wait) for _ in range(_WORKERS)]
    for _ in workers:
        count.recv()
    yield
    go.close()
    wait.close()
    for worker in workers:
        worker.join()


_IDLE = """
import numpy as np
np.linalg.svd(np.random.default_rng(1).random((20, 20)))
np.fft.fft(np.ones(20))
print(flush=True)
input()
"""


@contextmanager
def _idle_processes() -> Iterator[list[int]]:
    processes = [
        subprocess.Popen([sys.executable, "-c", _IDLE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(_WORKERS)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    yield [process.pid for process in processes]
    for process in processes:
        process.communicate("\n")
