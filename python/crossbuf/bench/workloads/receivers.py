"""One to eight receivers of the same 16 MiB: the time until all have answered, and the memory while all hold it.

Routes that make memory ready do so once for all; it is part of the time. Routes come in turns.
"""

import gc
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..._progress import Progress
from ..routes import ROUTES, Route, companies
from ..run import Run
from ..sampling import Samples, Troubles, timed

NAME = "receivers"
MEMORY = "memory of receivers"
COUNTS = (1, 2, 4, 8)
_BYTES = 16 << 20
_TURNS = 3


def measure(run: Run) -> None:
    """Appends the series of both workloads."""
    array = np.arange(_BYTES // 8, dtype="f8")
    counts = (1, 4) if run.quick else COUNTS
    routes = list(run.present(route for route in ROUTES if route.place != "here"))
    with Progress(NAME, _TURNS * len(counts) * len(routes)) as progress:
        for count, company in itertools.product(counts, companies(routes)):
            with ExitStack() as kept:
                crews = [_Crew(run, route, count, kept) for route in company]
                for crew in crews * _TURNS:
                    crew.turn(array)
                    progress.advance(1)
            for crew in crews:
                crew.append()


class _Crew:
    """So many receivers of one route, and what was measured of them.

    Processes are started anew for each turn, as those of all routes at once would be hundreds. Interpreters stay for all turns, as each
    that has loaded NumPy leaves memory behind when it ends.
    """

    def __init__(self, run: Run, route: type[Route], count: int, kept: ExitStack) -> None:
        self._run, self._route, self._count, self._kept = run, route, count, kept
        self._receivers: list[Route] = []
        self._seconds: list[float] = []
        self._held: list[float] = []
        self._troubles = Troubles[str]()

    def turn(self, array: Any) -> None:
        """Measures, unless it has failed before."""
        if self._troubles:
            return
        with ExitStack() as started, self._troubles.noted(self._route.name):
            if self._route.place == "process" or not self._receivers:
                self._start(started if self._route.place == "process" else self._kept, array)
            for _ in self._run.effort(0.25, least=3).rounds():
                self._seconds.append(timed(partial(_broadcast, self._receivers, array, "touch", bool)))

    def _start(self, stack: ExitStack, array: Any) -> None:
        self._receivers = []
        for _ in range(self._count):
            self._receivers.append(self._route())
            stack.callback(self._run.close, self._receivers[-1])
        # What they import for their first array is no memory of arrays. Nor would be memory in which an earlier one was.
        _broadcast(self._receivers, array[:1], "hold", bool)
        before = memory()
        self._held.append(_broadcast(self._receivers, array, "hold", memory) - before)

    def append(self) -> None:
        """Appends the series with what ended them early, or the refusal."""
        case, name = f"{self._count} receiver{'s' if self._count > 1 else ''}", self._route.name
        trouble = self._troubles.get(name)
        if self._held:
            self._run.add(MEMORY, case, {name: Samples(self._held, 1, trouble)}, at=self._count, unit="B")
        if trouble and not self._seconds:
            self._run.refuse(NAME, case, name, trouble, self._count)
        else:
            self._run.add(NAME, case, {name: Samples(self._seconds, 1, trouble)}, at=self._count)


def _broadcast[T](receivers: Sequence[Route], array: Any, question: str, meanwhile: Callable[[], T]) -> T:
    """Asks all, and waits for all; then returns what `meanwhile` does before memory is given up."""
    first = receivers[0]
    payload = first.prepare(array)
    payloads = [payload if first.ready else receiver.prepare(array) for receiver in receivers]
    for receiver, one in zip(receivers, payloads, strict=True):
        receiver.send(question, one)
    for receiver in receivers:
        receiver.reply()
    result = meanwhile()
    del payloads
    first.give_up(payload)
    return result


def memory() -> float:
    """The proportional set size, in bytes, of this process and all that descend from it."""
    # Else a collection between two measurements would count as memory given back.
    gc.collect()
    return sum(map(pss, _family(Path("/proc/self").resolve().name)))


def pss(process: str) -> float:
    """Of one process; 0 when it has ended meanwhile."""
    try:
        rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    return int(found[1]) * 1024.0 if found else 0


def _family(process: str) -> Iterator[str]:
    yield process
    children: list[str] = []
    # A process may end meanwhile, and so may a thread.
    with suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            with suppress(OSError):
                children += (task / "children").read_text().split()
    for child in children:
        yield from _family(child)
