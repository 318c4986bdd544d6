"""Sizes: one float64 array of 64 B to 1 GiB, by every route, to a receiver that looks at both ends of it and answers."""

import os
from typing import Any

import numpy as np

from ..._progress import Progress
from .. import serving
from ..routes import Refused, Route, companies
from ..run import Run

NAME = "sizes"
SIZES = [64 * 16**step for step in range(7)]
#: Each byte is in memory so many times at most: once for each route that keeps it ready, and what is on its way.
_COPIES = 16


def measure(run: Run) -> None:
    """Appends all series."""
    room = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // _COPIES
    sizes = [size for size in SIZES if size <= (min(64 << 20, room) if run.quick else room)]
    if left_out := [named(size) for size in SIZES if room < size]:
        run.record.about["left out"] = f"{', '.join(left_out)}: {_COPIES} copies do not fit into {named(room * _COPIES)} of free memory"
    together = companies()
    with Progress(NAME, len(together) * len(sizes)) as progress:
        for company in together:
            with run.opened(company) as routes:
                for size in sizes:
                    array = np.arange(size // 8, dtype="f8")
                    run.trips(NAME, named(size), array, routes, run.effort(0.4 * len(routes)), size, _arrives)
                    progress.advance(1)


def _arrives(route: Route, array: Any, payload: Any) -> str:
    sent, seen = serving.reply_to("ends", array), tuple(route.ask("ends", payload))
    if sent != seen:
        raise Refused(f"other data arrives: {seen} instead of {sent}")
    return ""


def named(size: int) -> str:
    """A size in the unit that makes it short."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size} {unit}"
        size //= 1024
    return f"{size} GiB"
