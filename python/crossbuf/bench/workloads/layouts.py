"""dtypes and layouts: what each route carries, what it makes of it, and how long a trip takes with about a megabyte."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..._progress import Progress
from .. import serving
from ..routes import ROUTES, Refused, Route, companies
from ..routes.here import Copy
from ..run import Run

NAME = "layouts"
_LENGTH = 1 << 17

LAYOUTS: dict[str, Callable[[], Any]] = {
    "f8, C order": lambda: _numbers().reshape(256, 512),
    "f8, F order": lambda: np.asfortranarray(_numbers().reshape(256, 512)),
    "f8, every other column": lambda: np.arange(2.0 * _LENGTH).reshape(256, 1024)[:, ::2],
    "f8, reversed": lambda: _numbers()[::-1],
    "f8, broadcast": lambda: np.broadcast_to(np.arange(512.0), (256, 512)),
    "f8, 0-d": lambda: np.array(1.5),
    "datetime64[us]": lambda: _numbers().astype("M8[us]"),
    "structured": lambda: np.ones(_LENGTH // 2, [("x", "f8"), ("n", "i8")]),
    "masked": lambda: np.ma.masked_greater(_numbers(), 1000),
    "dict of 1000 small arrays": lambda: {f"layer {number}": np.full(100, float(number)) for number in range(1000)},
}


def _numbers() -> Any:
    return np.arange(float(_LENGTH))


def measure(run: Run) -> None:
    """Appends all series. What does not arrive as it was sent is said in their notes."""
    together = companies(route for route in ROUTES if route is not Copy)
    with Progress(NAME, len(together) * len(LAYOUTS)) as progress:
        for company in together:
            with run.opened(company) as routes:
                for case, make in LAYOUTS.items():
                    array = make()
                    run.trips(NAME, case, array, routes, run.effort(0.15 * len(routes)), arrives=_arrives)
                    progress.advance(1)


def _arrives(route: Route, array: Any, payload: Any) -> str:
    """How what the receiver has differs from what was sent; nothing when it does not."""
    return difference(serving.reply_to("look", array), route.ask("look", payload))


def difference(sent: Any, seen: Any) -> str:
    """Of two looks, in words. Raises `Refused` when the values are not the same: that route carries something else."""
    if isinstance(sent, Mapping):
        return next(filter(None, (difference(look, seen[name]) for name, look in sent.items())), "")
    sent, seen = serving.Look(*sent), serving.Look(*seen)
    changes = [f"{what} {now} instead of {was}" for what, was, now in zip(sent._fields, sent, seen, strict=True) if was != now]
    if any(change.startswith(("digest", "shape", "dtype")) for change in changes):
        raise Refused(f"other data arrives: {', '.join(change for change in changes if not change.startswith('digest')) or 'other values'}")
    return ", ".join(changes)
