"""Numbers as one reads them: three significant digits, and a unit that keeps them short."""

import math

_SCALES = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")),
    "B": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")),
    "1/s": ((1e6, "M/s"), (1e3, "k/s"), (1.0, "/s")),
}
#: What a unit measures, and which end of it is the good one.
SENSES = {"s": "time: less is better", "B": "memory: less is better", "1/s": "rate: more is better"}
MEDIANS = {"s": "median times", "B": "median memory", "1/s": "median rates"}


def readable(value: float, unit: str) -> str:
    """8.82 ms"""
    scale, name = _scale(value, unit)
    return f"{significant(value / scale) if scale != 1 or unit != 'B' else round(value)} {name}"


def tick(value: float, unit: str) -> str:
    """The same for an axis, whose values are round."""
    scale, name = _scale(value, unit)
    return f"{value / scale:g} {name}" if value else "0"


def significant(value: float) -> str:
    """Three significant digits, without an exponent."""
    rounded = abs(float(f"{value:.3g}"))
    return f"{value:.{max(2 - math.floor(math.log10(rounded)), 0)}f}" if rounded else "0"


def _scale(value: float, unit: str) -> tuple[float, str]:
    # What rounds up to the next unit is written in that one.
    rounded = abs(float(f"{value:.3g}"))
    scales = _SCALES[unit]
    # A hair below each scale, as 1000 * 1e-9 is not quite 1e-6.
    return next((scale for scale in scales if rounded >= scale[0] * (1 - 1e-9)), scales[-1])
