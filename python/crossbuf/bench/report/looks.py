"""Which route is drawn how, and the colours, light and dark.

crossbuf's routes are blue: filled marks lead to an interpreter, hollow ones to a process, the same mark in the same way. Floors, which
carry nothing to anybody, are grey and dotted. All others have muted hues, and differ by mark and dashes too, for those who do not see
the hue.
"""

import re
from collections.abc import Iterable
from itertools import count
from typing import NamedTuple

from ..record import Record
from ..routes import ROUTES
from ..targets import TARGETS

#: Each colour on light and on dark paper. All but `grid` and the papers are legible as text on `paper` and on `raised`.
COLOURS: dict[str, tuple[str, str]] = {
    "paper": ("#ffffff", "#14181d"),
    "raised": ("#f4f6f8", "#1d232a"),
    "ink": ("#1b2128", "#e4e8ec"),
    "quiet": ("#57606a", "#a3adb8"),
    "grid": ("#dfe3e8", "#323a44"),
    "ours-1": ("#0a4ea3", "#6fb1ff"),
    "ours-2": ("#2566c8", "#9cc9ff"),
    "ours-3": ("#00669c", "#54c0f0"),
    "floor": ("#666d75", "#98a2ad"),
    "rival-1": ("#8a5a1f", "#dcae74"),
    "rival-2": ("#a04545", "#eb9d98"),
    "rival-3": ("#626a1e", "#bcc46f"),
    "rival-4": ("#7d4a8d", "#cfa2dd"),
    "rival-5": ("#3f703f", "#98ca98"),
    "rival-6": ("#94466b", "#e29cc0"),
    "good": ("#1f6e3c", "#7fce97"),
    "bad": ("#b02a2a", "#ff9a93"),
}

_OURS = ("ours-1", "ours-2", "ours-3")
_RIVALS = tuple(name for name in COLOURS if name.startswith("rival"))
_OUR_MARKS = ("o", "s", "^", "D", "p", "h")
_RIVAL_MARKS = ("X", "v", "P", "<", "d", ">", "*")
_DASHES: tuple[tuple[float, ...], ...] = ((), (5, 2), (3, 1.5, 1, 1.5), (2, 1))


class Look(NamedTuple):
    """How one route is drawn."""

    colour: str
    mark: str
    hollow: bool
    #: Lengths of dash, gap, dash, ...; empty for a line without gaps.
    dashes: tuple[float, ...]
    #: crossbuf's own stand out.
    ours: bool


def of(record: Record) -> dict[str, Look]:
    """The look of every route of a record, the same in all its plots."""
    looks = {}
    floors, rivals = count(), count()
    ways: dict[str, int] = {}
    # Routes come first in the order of the tables, so that their looks do not depend on what else was measured.
    for route in dict.fromkeys([*(route.name for route in ROUTES), *(series.route for series in record.series)]):
        if is_ours(route):
            way, processes = re.subn("process(es)?", "", route.lower())
            at = ways.setdefault(re.sub("interpreters?", "", way), len(ways))
            looks[route] = Look(_cycled(_OURS, at), _cycled(_OUR_MARKS, at), processes > 0, (), True)
        elif is_floor(route):
            looks[route] = Look("floor", _cycled(_RIVAL_MARKS, next(floors)), True, (1, 1.5), False)
        else:
            at = next(rivals)
            looks[route] = Look(_cycled(_RIVALS, at), _cycled(_RIVAL_MARKS, at), False, _cycled(_DASHES, at), False)
    return looks


def is_ours(route: str) -> bool:
    """Whether it is crossbuf that is measured. Targets show the tails of floors beside ours."""
    return not is_floor(route) and (route.startswith(("crossbuf", "share")) or any(route == target.ours for target in TARGETS))


def is_floor(route: str) -> bool:
    """Whether it says what the machine takes at least, without any transport."""
    return route.startswith("bare ") or any(known.name == route and known.place == "here" for known in ROUTES)


def variables() -> str:
    """The colours as CSS, for whatever is named `:root`."""
    light, dark = ([f"--{name}:{pair[at]}" for name, pair in COLOURS.items()] for at in (0, 1))
    return f":root{{{_css(light)}}}@media(prefers-color-scheme:dark){{:root{{{_css(dark)}}}}}"


def _css(declarations: Iterable[str]) -> str:
    return ";".join(declarations)


def _cycled[T](kinds: tuple[T, ...], at: int) -> T:
    return kinds[at % len(kinds)]
