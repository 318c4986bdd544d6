"""What all figures have in common: axes placed by the pixel, axes of values, and labels that keep clear of each other."""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .looks import Look
from .svg import INCH, placeholder
from .units import tick

SMALL, NORMAL = 11, 12
#: What a letter takes at most, of the font's size.
_LETTER = 0.6


class Frame(NamedTuple):
    """The inside of the axes, in pixels from the figure's upper left."""

    left: float
    top: float
    right: float
    bottom: float


def axes(width: float, height: float, frame: Frame) -> tuple[Figure, Axes]:
    """An empty figure without a box."""
    figure = Figure(figsize=(width / INCH, height / INCH), dpi=INCH)
    inside = (frame.left / width, 1 - frame.bottom / height, (frame.right - frame.left) / width, (frame.bottom - frame.top) / height)
    area = figure.add_axes(inside)
    area.spines[:].set_visible(False)
    area.tick_params(which="both", length=0, pad=6, labelsize=SMALL, labelcolor=placeholder("quiet"))
    return figure, area


def line_of(look: Look) -> dict[str, Any]:
    """How matplotlib draws a route's line."""
    dashes: Any = (0, look.dashes) if look.dashes else "-"
    return {"color": placeholder(look.colour), "linestyle": dashes, "linewidth": 2.2 if look.ours else 1.4, "zorder": 4 if look.ours else 3}


def mark_of(look: Look, size: float = 6) -> dict[str, Any]:
    """How matplotlib draws a route's mark."""
    return {
        "color": placeholder(look.colour),
        "linestyle": "",
        "marker": look.mark,
        "markersize": size + look.ours,
        "markeredgecolor": placeholder(look.colour),
        "markerfacecolor": placeholder("paper" if look.hollow else look.colour),
        "markeredgewidth": 1.2,
        "zorder": 6 if look.ours else 5,
    }


def limits(values: Sequence[float], *, log: bool) -> tuple[float, float]:
    """Of an axis, with a little room at both ends."""
    if log:
        low, high = math.log10(min(values)), math.log10(max(values))
        room = max((high - low) * 0.04, 0.05)
        return float(10 ** (low - room)), float(10 ** (high + room))
    low, high = min(0.0, *values), max(0.0, *values)
    span = high - low or 1.0
    return low - span * 0.02, high + span * 0.04


def ticks(low: float, high: float, most: int, *, log: bool) -> list[float]:
    """Round values between the ends, not more than `most`."""
    if log:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for steps in ((1, 2, 5), (1, 3), (1,)):
            found = [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]
            if len(found) <= most:
                break
        return found[:: math.ceil(len(found) / most)] if found else [low]
    step = next(
        step * 10.0**decade for decade in itertools.count(math.floor(math.log10(high - low)) - 2) for step in (1, 2, 5)
        if (high - low) / (step * 10.0**decade) <= most
    )  # fmt: skip
    return [step * at for at in range(math.ceil(low / step), math.floor(high / step) + 1)]


def value_axis(area: Axes, which: str, values: Sequence[float], unit: str, most: int) -> tuple[float, float]:
    """Makes `which` ("x" or "y") an axis of these values, by factors where there is more than one of ten between them; its ends."""
    log = unit != "B" and max(values) > 10 * min(values) > 0
    low, high = limits(values, log=log)
    chosen = ticks(low, high, most, log=log)
    area.set(**{f"{which}scale": "log" if log else "linear", f"{which}lim": (low, high)})
    getattr(area, f"set_{which}ticks")(chosen, [tick(value, unit) for value in chosen])
    getattr(area, f"set_{which}ticks")([], minor=True)
    return low, high


def apart(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """The places nearest to these between `low` and `high`, in the same order, that are `gap` apart."""
    order = sorted(range(len(places)), key=lambda at: places[at])
    groups: list[tuple[float, int]] = []
    # Neighbours that are too close share out the room they need.
    for rank, at in enumerate(order):
        groups.append((places[at] - rank * gap, 1))
        while len(groups) > 1 and groups[-2][0] > groups[-1][0]:
            (mean, number), (before, many) = groups.pop(), groups.pop()
            groups.append(((mean * number + before * many) / (number + many), number + many))
    # Without their gaps the places only have to be in order, and stay so when they are held between the ends.
    most = high - gap * (len(places) - 1)
    flat: Iterable[float] = (max(low, min(mean, most)) for mean, number in groups for _ in range(number))
    moved = dict(zip(order, (place + rank * gap for rank, place in enumerate(flat)), strict=True))
    return [moved[at] for at in range(len(places))]


def length(text: str, size: float = SMALL) -> float:
    """About how many pixels a text is long."""
    return len(text) * size * _LETTER
