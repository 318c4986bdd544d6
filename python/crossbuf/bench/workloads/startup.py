"""What a worker costs to begin with: time until it has done nothing and is gone, with NumPy and without, and the memory while it waits."""

import sys
import threading
from typing import Any

from ... import interpreters, isolation
from ..._progress import Progress
from ...futures import InterpreterPoolExecutor
from ...workers import spawn
from .. import apart, workers
from ..run import Run
from ..sampling import Samples, Troubles, Work, in_turns
from . import memory

NAME = "startup"
MEMORY, WITH_NUMPY = "memory of workers", "with NumPy"
PLAIN, NUMPY, IMPORT = "start, do nothing, end", "start, import NumPy, end", "import numpy alone"
BARE, BARE_ON_MAIN, SPAWNED, POOLED, PROCESS, CHILD, FORKED = (
    "bare interpreter",
    "bare interpreter, main thread",
    "crossbuf.spawn",
    "crossbuf InterpreterPoolExecutor",
    "python -c",
    "mp.Process, spawn",
    "mp forkserver with NumPy",
)


def measure(run: Run) -> None:
    """Appends the series of both workloads."""
    isolated = isolation.obstacle("numpy") is None
    with Progress(NAME, 4) as progress, apart.Starter("spawn") as spawning, apart.Starter("forkserver") as forking:
        # A builtin: the module of any other function would have to be imported. Who comes after a process finds caches colder: the two that
        # are compared stand side by side, and neither is first.
        plain: dict[str, Work] = {
            SPAWNED: lambda: spawn(bool).join(),
            POOLED: lambda: _pooled(bool),
            BARE: _bare_apart,
            BARE_ON_MAIN: _bare,
            PROCESS: lambda: apart.run([sys.executable, "-c", "pass"]),
            CHILD: lambda: spawning.run("pass"),
            FORKED: lambda: forking.run("pass"),
        }
        run.add(NAME, PLAIN, in_turns(plain, run.effort(8, most=40), batches=False))
        progress.advance(1)
        numpy: dict[str, Work] = {
            PROCESS: lambda: apart.run([sys.executable, "-c", "import numpy"]),
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
    """The least that CPython asks for an interpreter with its own GIL: without any import."""
    with interpreters.create() as interpreter:
        interpreter.exec("pass")


def _bare_apart() -> None:
    """The same on a thread of its own, as all workers are. On the main one, from 3.14 on, its time grows with the process's mappings."""
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
        samples[PROCESS].append(float(apart.run(command)))
        if isolated:
            samples[SPAWNED].append(spawn(workers.seconds_of_import).join())
    run.add(NAME, IMPORT, {name: Samples(seconds, 1) for name, seconds in samples.items()})


def _memory(run: Run, isolated: bool) -> None:
    kinds = {SPAWNED: memory.interpreters} if isolated else {}
    kinds |= {PROCESS: memory.processes, FORKED: memory.forked}
    samples: dict[str, list[float]] = {name: [] for name in kinds}
    troubles = Troubles[str]()
    for _ in run.effort(8, most=5, least=3).rounds():
        for name, kind in troubles.spared(kinds):
            with troubles.noted(name):
                samples[name].append(memory.measured(kind))
    run.add(MEMORY, WITH_NUMPY, {name: Samples(held, 1, troubles.get(name)) for name, held in samples.items()}, unit="B")
