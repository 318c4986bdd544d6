"""The three kinds of figure: curves over an axis of cases, dots in a row for each case, and bars of ratios."""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..targets import Ratio
from .canvas import NORMAL, SMALL, Frame, apart, axes, length, line_of, mark_of, ticks, value_axis
from .looks import Look, is_floor
from .svg import INCH, placeholder
from .units import SENSES, readable, significant

_LINE = 15
#: A line has more points than these only where they are not cases.
_MARKS = 11


class Curve(NamedTuple):
    """One route's values over the places of the cases."""

    route: str
    places: list[float]
    values: list[float]


class Dots(NamedTuple):
    """One case's values."""

    case: str
    values: list[tuple[str, float]]


def curves(
    lines: Sequence[Curve], cases: Mapping[float, str], unit: str, looks: Mapping[str, Look], width: float, *, labelled: bool
) -> Figure:
    """Values over cases. `labelled` names each line at its end; without, a legend has to."""
    gutter = 40 + max(length(line.route) for line in lines) if labelled else 26
    height = max(440, 90 + _LINE * len(lines)) if labelled else 360
    frame = Frame(58, 34, width - gutter, height - 34)
    figure, area = axes(width, height, frame)
    low, high = value_axis(area, "y", [value for line in lines for value in line.values], unit, 10)
    area.set_title(SENSES[unit], loc="left", fontsize=SMALL, color=placeholder("quiet"), pad=12)
    first, last = min(cases), max(cases)
    room = (last - first) * 0.02
    area.set_xlim(first - room, last + room)
    step = math.ceil(len(cases) * (max(map(length, cases.values())) + 8) / (frame.right - frame.left))
    shown = sorted(cases, reverse=True)[::step]
    area.set_xticks(shown, [cases[place] for place in shown])
    area.grid(color=placeholder("grid"), linewidth=1)
    area.set_axisbelow(True)
    for line in lines:
        look = looks[line.route]
        area.plot(line.places, line.values, clip_on=False, **line_of(look))
        every = math.ceil(len(line.places) / _MARKS)
        marked = slice((len(line.places) - 1) % every, None, every)
        area.plot(line.places[marked], line.values[marked], clip_on=False, **mark_of(look))
    if labelled:
        log = area.get_yscale() == "log"
        ends = [_share(line.values[-1], low, high, log=log) * (frame.bottom - frame.top) for line in lines]
        _label(figure, lines, looks, frame, height, ends, [_share(line.places[-1], *area.get_xlim(), log=False) for line in lines])
    return figure


def _label(
    figure: Figure,
    lines: Sequence[Curve],
    looks: Mapping[str, Look],
    frame: Frame,
    height: float,
    ends: Sequence[float],
    at: Sequence[float],
) -> None:
    """Names the lines right of the axes, each with a thread from its last point."""
    width = figure.get_figwidth() * INCH

    def thread(xs: Sequence[float], ys: Sequence[float], **how: Any) -> None:
        figure.add_artist(Line2D([x / width for x in xs], [1 - y / height for y in ys], **how))

    # Below the axes are the names of the cases.
    places = apart(ends, _LINE, 0, frame.bottom - 14)
    for line, end, place, share in zip(lines, ends, places, at, strict=True):
        look, y, to = looks[line.route], frame.bottom - end, frame.bottom - place
        start = frame.left + share * (frame.right - frame.left)
        colour = placeholder(look.colour)
        thread([start, frame.right + 4, frame.right + 18], [y, y, to], color=colour, linewidth=0.8, alpha=0.6)
        thread([frame.right + 23], [to], **mark_of(look, 5))
        name = figure.text((frame.right + 31) / width, 1 - (to + SMALL * 0.36) / height, line.route, fontsize=SMALL, color=colour)
        name.set_fontweight("bold" if look.ours else "normal")


def _share(value: float, low: float, high: float, *, log: bool) -> float:
    """How far up an axis a value lies."""
    return math.log(value / low) / math.log(high / low) if log else (value - low) / (high - low)


def dots(rows: Sequence[Dots], unit: str, looks: Mapping[str, Look], width: float, *, labelled: bool) -> Figure:
    """Values of each case below its name. `labelled` gives each a line and its name; else only those that collide have lines."""
    left, right = 14.0, width - 22
    # The rows' heights need the axis, which is where they do not matter yet.
    figure, area = axes(width, 100, Frame(left, 30, right, 70))
    low, high = value_axis(area, "x", [value for row in rows for _, value in row.values], unit, int((right - left) / 62))
    log = area.get_xscale() == "log"
    placed = []
    above, pitch = (34, 16) if labelled else (28, 11)
    for row in rows:
        pixels = {route: _share(value, low, high, log=log) * (right - left) for route, value in row.values}
        placed.append({route: lane for lane, route in enumerate(pixels)} if labelled else _lanes(pixels))
    heights = [above + pitch * (1 + max(lanes.values())) for lanes in placed]
    total = sum(heights)
    height = total + 60
    figure.set_size_inches(width / INCH, height / INCH)
    area.set_position((left / width, 30 / height, (right - left) / width, total / height))
    area.set(ylim=(total, 0), yticks=[])
    area.set_title(SENSES[unit], loc="left", fontsize=SMALL, color=placeholder("quiet"), pad=12)
    top = 0.0
    for row, lanes, tall in zip(rows, placed, heights, strict=True):
        _caption(area, top, [(row.case, "ink")])
        _rule(area, area.get_xticks(), top + 21, top + tall - 4)
        for route, value in row.values:
            look, y = looks[route], top + above + pitch * lanes[route]
            area.plot([value], [y], clip_on=False, **mark_of(look))
            if labelled:
                after = _share(value, low, high, log=log) < 0.5
                _beside(area, (value, y), f"{route}: {readable(value, unit)}", after=after, bold=look.ours, colour=look.colour)
        top += tall
    return figure


def _beside(area: Axes, place: tuple[float, float], text: str, *, after: bool, bold: bool, colour: str) -> None:
    """A text before or after a place."""
    area.annotate(
        text,
        place,
        (9 if after else -9, 0),
        textcoords="offset points",
        va="center",
        ha="left" if after else "right",
        fontsize=SMALL,
        fontweight="bold" if bold else "normal",
        color=placeholder(colour),
    )


def _caption(area: Axes, top: float, lines: Sequence[tuple[str, str]]) -> None:
    """Lines of text, with their colours, under a rule."""
    area.axhline(top, color=placeholder("grid"), linewidth=1)
    for at, (line, colour) in enumerate(lines):
        size = NORMAL if colour == "ink" else SMALL
        area.text(0, top + 17 + _LINE * at, line, fontsize=size, color=placeholder(colour), transform=area.get_yaxis_transform())


def _rule(area: Axes, places: Iterable[float], top: float, bottom: float) -> None:
    """The grid, where there is no text that it would cross."""
    area.vlines(list(places), top, bottom, color=placeholder("grid"), linewidth=1, zorder=1)


def _lanes(places: Mapping[str, float]) -> dict[str, int]:
    """The first lane for each in which nothing stands too close before it."""
    lanes: dict[str, int] = {}
    ends: list[float] = []
    for route in sorted(places, key=lambda route: places[route]):
        lane = next((at for at, end in enumerate(ends) if places[route] - end >= 10), len(ends))
        ends[lane : lane + 1] = [places[route]]
        lanes[route] = lane
    return lanes


def bars(ratios: Sequence[Ratio], width: float) -> Figure:
    """How far each ratio is from 1, by factors: to the left what is measured takes less."""
    left, right = 14.0, width - 14
    letters = int((right - left) / length("x"))
    captions = [
        [(line, "ink") for line in textwrap.wrap(ratio.target.what, letters)]
        + [(line, "quiet") for line in textwrap.wrap(_versus(ratio), letters)]
        for ratio in ratios
    ]
    heights = [40 + _LINE * len(lines) for lines in captions]
    total = sum(heights)
    figure, area = axes(width, total + 58, Frame(left, 30, right, 30 + total))
    shown = [number for ratio in ratios for number in (ratio.ratio, ratio.target.bound or 1, 1)]
    # The numbers stand outside of the bars' ends.
    room = (max(shown) / min(shown)) ** (72 / (right - left - 120)) * 1.02
    low, high = min(shown) / room, max(shown) * room
    area.set(xscale="log", xlim=(low, high), ylim=(total, 0), yticks=[])
    marked = ticks(low, high, int((right - left) / 80), log=True)
    area.set_xticks(marked, [f"{number:.10f}".rstrip("0").rstrip(".") for number in marked])
    area.set_xticks([], minor=True)
    area.set_title("\N{LEFTWARDS ARROW} takes less", loc="left", fontsize=SMALL, color=placeholder("quiet"), pad=12)
    top = 0.0
    for ratio, lines, tall in zip(ratios, captions, heights, strict=True):
        _caption(area, top, lines)
        middle = top + tall - 19
        _rule(area, marked, middle - 12, middle + 12)
        colour = "quiet" if ratio.early else "bad" if not ratio.met else "floor" if is_floor(ratio.target.ours) else "ours-2"
        area.barh(middle, ratio.ratio - 1, left=1, height=14, color=placeholder(colour))
        area.vlines([1], middle - 12, middle + 12, color=placeholder("quiet"), linewidth=1)
        if ratio.target.bound is not None:
            area.vlines([ratio.target.bound], middle - 10, middle + 10, color=placeholder("ink"), linewidth=2.4)
        # Beyond the bound, where that lies at the bar's end.
        less = ratio.ratio < 1
        end = (min if less else max)(ratio.ratio, ratio.target.bound or 1)
        _beside(area, (end, middle), significant(ratio.ratio), after=not less, bold=True, colour=colour)
        top += tall
    return figure


def _versus(ratio: Ratio) -> str:
    bound = "" if ratio.target.bound is None else f"; bound {ratio.target.bound:g}"
    result = f", {ratio.result}" if ratio.result else ""
    return f"{readable(ratio.ours, ratio.unit)} against {readable(ratio.theirs, ratio.unit)} of {ratio.target.theirs}{bound}{result}"
