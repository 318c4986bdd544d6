"""A call in a pool and its result, one at a time: a no-op, 8 MB in, 8 MB out. And many small NumPy calls, in two workers at once."""

import sys
from collections.abc import Callable, Mapping
from concurrent import futures
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np

from ... import _core
from ..._progress import Progress
from ...futures import InterpreterPoolExecutor, ProcessPoolExecutor
from ..routes.route import PROCESSES, end_with_parent
from ..run import Run
from ..sampling import Troubles, Work, in_turns

NAME = "executors"
NO_OP, SHARED, IN, OUT = "no-op", "8 MB in, shared", "8 MB in", "8 MB out"
SMALL, SMALL_ONE = "2 x small NumPy calls", "1 x small NumPy calls"
INTERPRETERS, OUR_PROCESSES = "crossbuf InterpreterPoolExecutor", "crossbuf ProcessPoolExecutor"
STANDARD, PROCESS_POOL, THREADS = "stdlib InterpreterPoolExecutor", "stdlib ProcessPoolExecutor", "ThreadPoolExecutor"
_ELEMENTS = 1_000_000
_CALLS = 200_000


def _pools(workers: int) -> dict[str, Callable[[], futures.Executor]]:
    pools: dict[str, Callable[[], futures.Executor]] = {
        INTERPRETERS: lambda: InterpreterPoolExecutor(workers),
        OUR_PROCESSES: lambda: ProcessPoolExecutor(workers, PROCESSES, end_with_parent),
        PROCESS_POOL: lambda: futures.ProcessPoolExecutor(workers, PROCESSES, end_with_parent),
        THREADS: lambda: futures.ThreadPoolExecutor(workers),
    }
    if sys.version_info >= (3, 14):
        pools[STANDARD] = lambda: futures.InterpreterPoolExecutor(workers)
    return pools


def measure(run: Run) -> None:
    """Appends all series. What a pool refuses is said in their notes."""
    data = np.arange(float(_ELEMENTS))
    shared = _core.share(data).numpy()
    # Without NumPy a worker has Arrays, whose length is as good.
    calls: dict[str, Callable[[futures.Executor], object]] = {
        NO_OP: lambda pool: pool.submit(id, 1).result(),
        SHARED: lambda pool: pool.submit(len, shared).result(),
        IN: lambda pool: pool.submit(len, data).result(),
        OUT: lambda pool: pool.submit(ones, _ELEMENTS).result(),
    }
    with Progress(NAME, len(calls) + 2) as progress:
        _each(run, 1, calls, progress)
        many: dict[str, Callable[[futures.Executor], object]] = {
            SMALL_ONE: lambda pool: list(pool.map(small_calls, [_CALLS])),
            SMALL: lambda pool: list(pool.map(small_calls, [_CALLS] * 2)),
        }
        _each(run, 2, many, progress)


def _each(run: Run, workers: int, calls: Mapping[str, Callable[[futures.Executor], object]], progress: Progress) -> None:
    with ExitStack() as stack:
        pools = {name: stack.enter_context(make()) for name, make in _pools(workers).items()}
        # All cases in turns, too, as one is compared with another.
        works: dict[tuple[str, str], Work] = {}
        refusals = Troubles[tuple[str, str]]()
        for case, call in calls.items():
            for name, pool in pools.items():
                with refusals.noted((case, name)):
                    # Until every worker has begun, and imported what it needs.
                    for _ in range(2 * workers):
                        call(pool)
                    works[case, name] = partial(call, pool)
        measured = in_turns(works, run.effort(4 * len(calls)))
        for case in calls:
            for name in pools:
                if refusal := refusals.get((case, name)):
                    run.refuse(NAME, case, name, refusal)
            run.add(NAME, case, {name: samples for (of, name), samples in measured.items() if of == case})
            progress.advance(1)


def ones(length: int) -> Any:
    """An array from a worker; imported there, as not all workers have NumPy."""
    import numpy as np

    return np.ones(length)


def small_calls(number: int) -> float:
    """Many NumPy calls that are mostly Python: adding 50 elements takes less than calling `add`."""
    import numpy as np

    a, b, total = np.arange(50.0), np.ones(50), np.empty(50)
    for _ in range(number):
        np.add(a, b, out=total)
    return float(total[0])
