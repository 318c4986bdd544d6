"""Memory that each of several idle workers adds to the machine's, after it has computed a little.

Each kind is measured in a process of its own: new workers use memory again that ended ones left, and so would seem to take less.
"""

import gc
import inspect
import multiprocessing
import subprocess
import sys
from collections.abc import Callable

from ... import _core
from ...workers import spawn
from .. import apart, workers
from .receivers import pss

_WORKERS = 4


def measured(kind: Callable[[], float]) -> float:
    """What one of the functions below returns in a new process, in which the main interpreter has computed, too, as it mostly has."""
    code = f"from {__name__} import {kind.__name__} as kind, workers; workers.compute(); print(kind())"
    return float(apart.run([sys.executable, "-c", code]))


def interpreters() -> float:
    """What this process grows by for each."""
    gc.collect()
    before = pss("self")
    go, wait = _core.channel()
    ready, count = _core.channel()
    crew = [spawn(workers.idle, ready, wait) for _ in range(_WORKERS)]
    # Else one that fails would be waited for.
    ready.close()
    for _ in crew:
        count.recv()
    grown = pss("self") - before
    go.close()
    wait.close()
    for worker in crew:
        worker.join()
    return grown / _WORKERS


def processes() -> float:
    """The mean of processes that share nothing but files."""
    command = apart.command(workers.compute, "print(flush=True); input()")
    crew = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(_WORKERS)]
    for process in crew:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise EOFError("a process has ended before it was idle")
    held = sum(pss(str(process.pid)) for process in crew)
    for process in crew:
        process.communicate("\n")
    return held / _WORKERS


def forked() -> float:
    """Of processes that a forkserver with NumPy has forked: theirs and the server's, by their number."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["numpy"])
    # By its source, so that nothing of crossbuf is imported there.
    code = f"import os\n{inspect.getsource(workers.compute)}\ncompute()\npipe.send(os.getppid())\npipe.poll(None)"
    pipes = [context.Pipe() for _ in range(_WORKERS)]
    crew = [context.Process(target=exec, args=(code, {"pipe": pipe}), daemon=True) for _, pipe in pipes]
    for process in crew:
        process.start()
    for _, theirs in pipes:
        theirs.close()
    servers = {ours.recv() for ours, _ in pipes}
    held = sum(pss(str(process)) for process in (*servers, *(process.pid for process in crew)))
    for ours, _ in pipes:
        ours.send(None)
    for process in crew:
        process.join()
    return held / _WORKERS
