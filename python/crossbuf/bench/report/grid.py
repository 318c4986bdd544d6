"""The tables of a record, before anyone has said how they are written."""

from collections.abc import Sequence
from typing import NamedTuple

from ..record import Record, Series
from ..targets import ratios
from .units import SENSES, readable, significant

#: Workloads whose samples are single trips, of which the late ones matter.
SINGLE_TRIPS = ("latency",)
QUANTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}


class Cell(NamedTuple):
    """One value."""

    text: str = ""
    #: The number of its note; 0 for none.
    note: int = 0


class Row(NamedTuple):
    """One line, with what stands at its head."""

    name: str
    cells: list[Cell]


class Grid(NamedTuple):
    """A table."""

    title: str
    #: What the heads of the rows are.
    corner: str
    columns: list[str]
    rows: list[Row]
    #: Counted from 1, as the cells name them.
    notes: list[str]
    #: The columns of words, not of numbers.
    words: tuple[int, ...] = ()


def of(record: Record, workload: str) -> list[Grid]:
    """One grid of medians, or one of quantiles for each case."""
    series = record.of(workload)
    if workload in SINGLE_TRIPS:
        return [_of_quantiles(case, [one for one in series if one.case == case]) for case in dict.fromkeys(one.case for one in series)]
    return [_of_medians(series)]


def of_ratios(record: Record) -> Grid:
    """What crossbuf means to reach, and whether it does."""
    rows = []
    for ratio in ratios(record):
        bound = ratio.target.bound
        cells = (
            readable(ratio.ours, ratio.unit),
            readable(ratio.theirs, ratio.unit),
            ratio.target.theirs,
            significant(ratio.ratio),
            "" if bound is None else f"{bound:g}",
            ratio.result,
        )
        rows.append(Row(ratio.target.what, [Cell(text) for text in cells]))
    # Not "crossbuf": some rows are of floors, as `what` says.
    title, columns = "ratios: below 1 what is measured takes less", ["measured", "against", "of", "ratio", "bound", "result"]
    return Grid(title, "what", columns, rows, [], words=(2, 5))


def _of_medians(series: Sequence[Series]) -> Grid:
    notes: dict[str, int] = {}
    cells = {(one.route, one.case): _median(one, notes) for one in series}
    routes, cases = list(dict.fromkeys(one.route for one in series)), list(dict.fromkeys(one.case for one in series))
    title = "medians; " + ", ".join(dict.fromkeys(SENSES[one.unit] for one in series))
    # The longer side goes down, where there is room.
    if len(cases) > len(routes):
        return Grid(
            title, "case", routes, [Row(case, [cells.get((route, case), Cell()) for route in routes]) for case in cases], list(notes)
        )
    return Grid(title, "route", cases, [Row(route, [cells.get((route, case), Cell()) for case in cases]) for route in routes], list(notes))


def _median(series: Series, notes: dict[str, int]) -> Cell:
    return Cell(readable(series.median, series.unit) if series.samples else "no", _note(series, notes))


def _note(series: Series, notes: dict[str, int]) -> int:
    return notes.setdefault(series.note, len(notes) + 1) if series.note else 0


def _of_quantiles(case: str, series: Sequence[Series]) -> Grid:
    notes: dict[str, int] = {}
    rows = []
    for one in series:
        if not one.samples:
            rows.append(Row(one.route, [_median(one, notes)]))
            continue
        cells = [Cell(readable(one.quantile(share), one.unit) if one.knows(share) else "") for share in QUANTILES.values()]
        rows.append(Row(one.route, [*cells, Cell(f"{len(one.samples):,}", _note(one, notes))]))
    return Grid(case, "route", [*QUANTILES, "trips"], rows, list(notes))
