"""One to eight receivers of the same 16 MiB: the time until all have answered, and the memory while all hold it.

Routes that make memory ready do so once for all; it is part of the time. Each route is measured by itself, as eight of its receivers run.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..._progress import Progress
from ..record import Series
from ..routes import ROUTES, Route
from ..run import Run
from ..sampling import timed

NAME = "receivers"
MEMORY = "memory of receivers"
COUNTS = (1, 2, 4, 8)
_BYTES = 16 << 20


def measure(run: Run) -> None:
    """Appends the series of both workloads."""
    array = np.arange(_BYTES // 8, dtype="f8")
    routes = [route for route in ROUTES if route.place != "here" and not route.absent()]
    with Progress(NAME, len(routes)) as progress:
        for route in routes:
            try:
                _measure(run, route, array)
            except Exception as refusal:
                run.refuse(NAME, _case(1), route.name, refusal, 1)
            progress.advance(1)


def _case(count: int) -> str:
    return f"{count} receiver{'s' if count > 1 else ''}"


def _measure(run: Run, route: type[Route], array: Any) -> None:
    for count in COUNTS[:3] if run.quick else COUNTS:
        with ExitStack() as stack:
            receivers = [stack.enter_context(route()) for _ in range(count)]
            # What they import for their first array is no memory of arrays.
            _broadcast(receivers, array[:1], "hold", bool)
            before = memory()
            held = _broadcast(receivers, array, "hold", memory) - before
            run.record.series.append(Series(MEMORY, _case(count), route.name, [held], "B", at=count))
            seconds = [timed(partial(_broadcast, receivers, array, "touch", bool)) for _ in run.effort(0.5).rounds()]
            run.record.series.append(Series(NAME, _case(count), route.name, seconds, at=count))


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
    try:
        children = [child for task in Path(f"/proc/{process}/task").iterdir() for child in (task / "children").read_text().split()]
    except OSError:
        return
    for child in children:
        yield from _family(child)
