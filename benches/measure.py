"""What the benchmarks share: medians taken in turns, and the table of ratios."""

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass
class Line:
    """One row of the table."""

    name: str
    ours: float
    peer: str
    theirs: float
    target: str
    unit: str = "us"

    @property
    def ratio(self) -> float:
        """Ours over the peer's: below 1 is faster, or less."""
        return self.ours / self.theirs


class Table:
    """All rows."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.lines: list[Line] = []

    def add(self, name: str, ours: float, peer: str, theirs: float, target: str, unit: str = "us") -> None:
        self.lines.append(Line(name, ours, peer, theirs, target, unit))

    def text(self) -> str:
        head = f"{'':46}{'crossbuf':>12}  {'':34}{'peer':>12}{'ratio':>8}  target"
        rows = [
            f"{line.name:46}{line.ours:>9.2f} {line.unit}  {line.peer:34}{line.theirs:>9.2f} {line.unit}{line.ratio:>8.3f}  {line.target}"
            for line in self.lines
        ]
        return "\n".join([head, *rows])

    def records(self) -> list[dict[str, object]]:
        return [asdict(line) | {"ratio": line.ratio} for line in self.lines]


def timed(work: Callable[[], object], number: int) -> float:
    """Microseconds of one call, over a batch of ``number``."""
    start = time.perf_counter()
    for _ in range(number):
        work()
    return (time.perf_counter() - start) / number * 1e6


def in_turns(ours: Callable[[], object], peer: Callable[[], object], number: int, rounds: int) -> tuple[float, float]:
    """Medians of both, measured in turns after one round to warm up."""
    timed(ours, number), timed(peer, number)
    pairs = [(timed(ours, number), timed(peer, number)) for _ in range(rounds)]
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)
