"""Which figures a record makes. Each is drawn twice: wide, and narrow for a phone, where one could not read text that shrinks with it."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from ..record import Record, Series
from ..targets import ratios
from . import figures, looks
from .grid import SINGLE_TRIPS
from .looks import Look
from .svg import alone, drawn
from .units import MEDIANS, significant

WIDE, NARROW = 880, 328
#: Where quantiles are drawn: by how many samples are slower, each tenth part as far from the one before. The least of all has no name.
_QUANTILES = {0.0: "", 0.30103: "50%", 1.0: "90%", 2.0: "99%", 3.0: "99.9%"}
#: With fewer cases there is no axis to draw a line over.
_LEAST_PLACES = 3
#: So many dots can each have a line and their name beside them.
_FEW = 30


@dataclass(frozen=True)
class Plot:
    """One figure, as two `<svg>` for a page."""

    title: str
    wide: str
    narrow: str
    #: The routes for a legend.
    routes: list[str]
    #: Whether the wide one names them itself.
    labelled: bool


def of(record: Record, workload: str) -> list[Plot]:
    """The figures of one workload."""
    how = looks.of(record)
    measured = [one for one in record.of(workload) if one.samples]
    if workload in SINGLE_TRIPS:
        cases = dict.fromkeys(one.case for one in measured)
        return [_quantiles(workload, case, [one for one in measured if one.case == case], how) for case in cases]
    return [_plot(workload, part, how) for part in _parts(measured)]


def of_ratios(record: Record) -> Plot | None:
    """Bars of what crossbuf means to reach; None when nothing of it was measured."""
    found = list(ratios(record))
    if not found:
        return None
    title = "Ratios: below 1 what is measured takes less"
    about = "; ".join(f"{ratio.target.what}: {significant(ratio.ratio)}" for ratio in found)
    wide, narrow = (drawn(figures.bars(found, width), f"ratios-{width}", title, about) for width in (WIDE, NARROW))
    return Plot(title, wide, narrow, [], labelled=True)


def sizes_alone(record: Record) -> str:
    """The wide figure of the sizes as a file of its own. Raises `ValueError` when they were not measured."""
    if not (found := of(record, "sizes")):
        raise ValueError("the record has no sizes")
    return alone(found[0].wide)


def _parts(series: Sequence[Series]) -> Iterator[list[Series]]:
    """What one axis can have: the same unit, and either all with a place or all without."""
    parts: dict[tuple[str, bool], list[Series]] = {}
    for one in series:
        parts.setdefault((one.unit, one.at is not None), []).append(one)
    yield from parts.values()


def _plot(workload: str, part: Sequence[Series], how: Mapping[str, Look]) -> Plot:
    places = {one.at: one.case for one in part if one.at is not None}
    name = f"{workload}-{part[0].unit}-{len(places)}"
    title = f"{workload.capitalize()}: {MEDIANS[part[0].unit]}"
    routes = list(dict.fromkeys(one.route for one in part))
    if len(places) < _LEAST_PLACES:
        rows = [
            figures.Dots(case, [(one.route, one.median) for one in part if one.case == case])
            for case in dict.fromkeys(one.case for one in part)
        ]
        few = len(part) <= _FEW

        def draw(width: float) -> Figure:
            return figures.dots(rows, part[0].unit, how, width, labelled=few and width == WIDE)

        return _both(name, f"{title}, case by case", draw, routes, labelled=few)
    # What grows by factors is drawn by factors.
    scale: Callable[[float], float] = math.log2 if max(places) >= 8 * min(places) else float
    lines = []
    for route in routes:
        own = sorted((one.at, one.median) for one in part if one.route == route and one.at is not None)
        lines.append(figures.Curve(route, [scale(at) for at, _ in own], [median for _, median in own]))
    axis = {scale(at): case for at, case in places.items()}
    return _curves(name, title, lines, axis, part[0].unit, how)


def _quantiles(workload: str, case: str, series: Sequence[Series], how: Mapping[str, Look]) -> Plot:
    lines = []
    for one in series:
        # As far as there are samples beyond, in steps that make a curve.
        far = min(math.log10(len(one.samples)), max(_QUANTILES))
        places = [step / 10 for step in range(math.floor(far * 10 + 1e-9) + 1)]
        lines.append(figures.Curve(one.route, places, [one.quantile(1 - 10**-place) for place in places]))
    return _curves(f"{workload}-{case}", f"{workload.capitalize()}, {case}: how many trips are faster", lines, _QUANTILES, "s", how)


def anchor(text: str) -> str:
    """A text as part of a name in HTML."""
    return "".join(letter if letter.isalnum() else "-" for letter in text)


def _curves(name: str, title: str, lines: Sequence[figures.Curve], axis: Mapping[float, str], unit: str, how: Mapping[str, Look]) -> Plot:
    def draw(width: float) -> Figure:
        return figures.curves(lines, axis, unit, how, width, labelled=width == WIDE)

    return _both(name, title, draw, [line.route for line in lines], labelled=True)


def _both(name: str, title: str, draw: Callable[[float], Figure], routes: list[str], *, labelled: bool) -> Plot:
    about = f"Of {'; '.join(routes)}. The table below has the values."
    wide, narrow = (drawn(draw(width), f"{anchor(name)}-{width}", title, about) for width in (WIDE, NARROW))
    return Plot(title, wide, narrow, routes, labelled)
