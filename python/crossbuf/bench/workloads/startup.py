"""What a worker costs to begin with: time until it has done nothing and is gone, with NumPy and without, and the memory while it waits."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ... import _core, interpreters, isolation
from ..._progress import Progress
from ...futures import InterpreterPoolExecutor
from ...workers import spawn
from .. import apart, workers
from ..record import Series
from ..run import Run
from ..sampling import Samples, Work, in_turns
from .receivers import pss

NAME = "startup"
MEMORY, WITH_NUMPY = "memory of workers", "with NumPy"
PLAIN, NUMPY, IMPORT = "start, do nothing, end", "start, import NumPy, end", "import numpy alone"
BARE, BARE_APART, SPAWNED, POOLED, PROCESS, CHILD, FORKED = (
    "bare interpreter",
    "bare interpreter, new thread",
    "crossbuf.spawn",
    "crossbuf InterpreterPoolExecutor",
    "python -c",
    "mp.Process, spawn",
    "mp.Process, forkserver with NumPy",
)
_WORKERS = 4


def measure(run: Run) -> None:
    """Appends the series of both workloads."""
    isolated = isolation.obstacle("numpy") is None
    with Progress(NAME, 4) as progress, apart.Starter("spawn") as spawning, apart.Starter("forkserver") as forking:
        # A builtin: the module of any other function would have to be imported.
        plain: dict[str, Work] = {
            BARE: _bare,
            BARE_APART: _bare_apart,
            SPAWNED: lambda: spawn(bool).join(),
            POOLED: lambda: _pooled(bool),
            PROCESS: lambda: subprocess.check_call([sys.executable, "-c", "pass"]),
            CHILD: lambda: spawning.run("pass"),
            FORKED: lambda: forking.run("pass"),
        }
        run.add(NAME, PLAIN, in_turns(plain, run.effort(8, most=40), batches=False))
        progress.advance(1)
        numpy: dict[str, Work] = {
            PROCESS: lambda: subprocess.check_call([sys.executable, "-c", "import numpy"]),
            CHILD: lambda: spawning.run("import numpy"),
            FORKED: lambda: forking.run("import numpy"),
        }
        if isolated:
            numpy |= {SPAWNED: lambda: spawn(workers.seconds_of_import).join(), POOLED: lambda: _pooled(workers.seconds_of_import)}
        run.add(NAME, NUMPY, in_turns(numpy, run.effort(8, most=30), batches=False))
        progress.advance(1)
        _imports(run, isolated)
        progress.advance(1)
        _memory(run, isolated)
        progress.advance(1)


def _bare() -> None:
    """The least that CPython asks for an interpreter with its own GIL: on this thread, without any import."""
    with interpreters.create() as interpreter:
        interpreter.exec("pass")


def _bare_apart() -> None:
    """The same where all workers are. From 3.14 on it takes less than on the main thread, more so the more mappings the process has."""
    thread = threading.Thread(target=_bare)
    thread.start()
    thread.join()


def _pooled(call: Any) -> None:
    with InterpreterPoolExecutor(1) as pool:
        pool.submit(call).result()


def _imports(run: Run, isolated: bool) -> None:
    """By the worker's own clock."""
    samples: dict[str, list[float]] = {PROCESS: [], SPAWNED: []} if isolated else {PROCESS: []}
    command = apart.command(workers.seconds_of_import, "print(result)")
    for _ in run.effort(6, most=30).rounds():
        samples[PROCESS].append(float(subprocess.check_output(command)))
        if isolated:
            samples[SPAWNED].append(spawn(workers.seconds_of_import).join())
    run.add(NAME, IMPORT, {name: Samples(seconds, 1) for name, seconds in samples.items()})


def _memory(run: Run, isolated: bool) -> None:
    """What each of several idle workers adds to the machine's memory, after it has computed a little."""
    series = []
    if isolated:
        before = pss("self")
        with _interpreters():
            series.append(Series(MEMORY, WITH_NUMPY, SPAWNED, [(pss("self") - before) / _WORKERS], "B"))
    with _processes() as processes:
        series.append(Series(MEMORY, WITH_NUMPY, PROCESS, [pss(str(process)) for process in processes], "B"))
    run.record.series.extend(series)


@contextmanager
def _interpreters() -> Iterator[None]:
    go, wait = _core.channel()
    ready, count = _core.channel()
    crew = [spawn(workers.idle, ready, wait) for _ in range(_WORKERS)]
    for _ in crew:
        count.recv()
    try:
        yield
    finally:
        go.close()
        wait.close()
        for worker in crew:
            worker.join()


@contextmanager
def _processes() -> Iterator[list[int]]:
    command = apart.command(workers.compute, "print(flush=True); input()")
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(_WORKERS)]
    try:
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.communicate("\n")
