"""Round trips of a message without content, each timed by itself: hot, where nobody can spin, and after a rest.

They come in bursts, of each route in turns, as the other routes' receivers fall asleep meanwhile.
"""

import contextlib
import time
from collections.abc import Callable, Mapping

from ... import _core
from ..._progress import Progress
from ..routes import ROUTES, Route, companies
from ..routes.bare import CalledFutex, OsPipes, PipeOfBytes
from ..run import Run
from ..sampling import Samples, Troubles, on_one_cpu, timed

NAME = "latency"
HOT, PARKED, RESTED = "hot", "parked on one CPU", "after 2 ms of rest"
FUTEX, PACKETS, CALLED_FUTEX = "bare futex, in Rust", "bare packets, in Rust", CalledFutex.messages
_BURST = 200
_BURST_SECONDS = 0.05
_WARM = 20


def measure(run: Run) -> None:
    """Appends all series."""
    cases: list[tuple[str, contextlib.AbstractContextManager[None], float]] = [
        (HOT, contextlib.nullcontext(), 0),
        (PARKED, on_one_cpu(), 0),
        (RESTED, contextlib.nullcontext(), 0.002),
    ]
    together = companies([*(route for route in ROUTES if route.messages), PipeOfBytes, OsPipes, CalledFutex])
    with Progress(NAME, len(together) * len(cases)) as progress:
        for case, place, rest in cases:
            with place:
                for company in together:
                    with run.opened(company) as routes:
                        _bursts(run, case, routes, rest)
                    progress.advance(1)


def _bursts(run: Run, case: str, routes: Mapping[str, Route], rest: float) -> None:
    works: dict[str, Callable[[], list[float]]] = {
        route.messages: lambda route=route: _burst(route, rest)  # type: ignore[misc]
        for route in routes.values()
    }
    if CalledFutex.name in routes and not rest:
        works |= {FUTEX: lambda: _core._floor_futex(_BURST), PACKETS: lambda: _core._floor_packets(_BURST)}
    samples: dict[str, list[float]] = {name: [] for name in works}
    troubles = Troubles[str]()
    for _ in run.effort(2 * len(works), most=100).rounds():
        for name, work in troubles.spared(works):
            with troubles.noted(name):
                samples[name] += work()
    run.add(NAME, case, {name: Samples(taken, 1, troubles.get(name)) for name, taken in samples.items()})


def _burst(route: Route, rest: float) -> list[float]:
    end = time.perf_counter() + _BURST_SECONDS
    for _ in range(0 if rest else _WARM):
        route.ping()
        if time.perf_counter() > end:
            break
    trips: list[float] = []
    while len(trips) < _BURST and (not trips or time.perf_counter() < end):
        if rest:
            time.sleep(rest)
        trips.append(timed(route.ping))
    return trips
