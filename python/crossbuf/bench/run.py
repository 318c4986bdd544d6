"""One run of the benchmark: what all workloads share."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from .record import EARLY, Record, Series
from .routes import Refused, Route
from .sampling import Effort, Samples, in_turns


class Run:
    """Where workloads put what they measure, and how much time they may take."""

    def __init__(self, record: Record, *, quick: bool) -> None:
        self.record = record
        self.quick = quick

    def effort(self, seconds: float, *, most: int = 200, least: int = 5) -> Effort:
        """As much as asked for; a quick run takes an eighth of the time, and three rounds at least."""
        return Effort(seconds / 8, max(most // 4, 3), 3) if self.quick else Effort(seconds, most, least)

    def add(
        self,
        workload: str,
        case: str,
        measured: Mapping[str, Samples],
        *,
        at: float | None = None,
        unit: str = "s",
        notes: Mapping[str, str] | None = None,
    ) -> None:
        """Appends what was measured of each route."""
        for route, (values, number, trouble) in measured.items():
            note = "; ".join(filter(None, ((notes or {}).get(route), f"{EARLY}{told(trouble)}" if trouble else "")))
            self.record.series.append(Series(workload, case, route, values, unit, number=number, at=at, note=note))

    def refuse(self, workload: str, case: str, route: str, why: BaseException, at: float | None = None) -> None:
        """Appends that a route cannot do it."""
        self.record.series.append(Series(workload, case, route, note=told(why), at=at))

    @contextlib.contextmanager
    def opened(self, routes: Iterable[type[Route]]) -> Iterator[dict[str, Route]]:
        """The routes that can run here, by their names, with their receivers running; why the others cannot goes into the record."""
        with contextlib.ExitStack() as receivers:
            running: dict[str, Route] = {}
            for route in self.present(routes):
                try:
                    running[route.name] = route()
                except Exception as trouble:  # a rival that does not start here must not end the run
                    self.record.skipped[route.name] = f"it does not start: {told(trouble)}"
                else:
                    receivers.callback(self.close, running[route.name])
            yield running

    def present(self, routes: Iterable[type[Route]]) -> Iterator[type[Route]]:
        """Those that can run here; why the others cannot goes into the record."""
        for route in routes:
            if why := route.absent():
                self.record.skipped[route.name] = why
            else:
                yield route

    def close(self, route: Route) -> None:
        """Ends a route's receiver; that it does not end goes into the record."""
        try:
            route.close()
        except Exception as trouble:  # neither must one that does not end
            self.record.skipped[route.name] = f"it does not end: {told(trouble)}"

    def trips(
        self,
        workload: str,
        case: str,
        array: Any,
        routes: Mapping[str, Route],
        effort: Effort,
        at: float | None = None,
        arrives: Callable[[Route, Any, Any], str] = lambda *_: "",
    ) -> None:
        """Times trips of an array by each route, in turns. `arrives` looks at the first one, and says what is to be noted."""
        with contextlib.ExitStack() as prepared:
            works, notes = {}, {}
            for name, route in routes.items():
                try:
                    payload = route.prepare(array)
                    prepared.callback(route.give_up, payload)
                    route.ask("touch", payload)
                    notes[name] = arrives(route, array, payload)
                except Exception as refusal:
                    notes[name] = told(refusal)
                    continue
                works[name] = lambda route=route, payload=payload: route.ask("touch", payload)
            measured = in_turns(works, effort)
            # Also those without samples in their place, as the first case says how the table is ordered.
            self.add(workload, case, {name: measured.get(name, Samples([], 1)) for name in routes}, at=at, notes=notes)


def told(trouble: BaseException) -> str:
    """In one line."""
    lines = str(trouble).split("\n")
    # NumPy's ImportError begins with empty lines, and ends with what it was.
    text = lines[0] or next(filter(None, reversed(lines)), "")
    kind = type(trouble).__name__
    return text if isinstance(trouble, Refused) else f"{kind}: {text}" if text else kind
