"""What crossbuf means to reach, as ratios between two series of one record."""

from collections.abc import Iterator
from typing import NamedTuple

from .record import Record, Series


class Target(NamedTuple):
    """One ratio: a workload's case by one route, over another case or route."""

    what: str
    workload: str
    case: str
    ours: str
    theirs: str
    #: The ratio should not be above this; None for those that are only shown.
    bound: float | None
    #: The other side's case and workload where they are not the same.
    other_case: str = ""
    other_workload: str = ""
    #: Which quantile of either side is compared.
    quantile: float = 0.5
    other_quantile: float = 0.5


class Ratio(NamedTuple):
    """A target with what was measured."""

    target: Target
    ours: float
    theirs: float
    unit: str

    @property
    def ratio(self) -> float:
        """Below 1 crossbuf takes less."""
        return self.ours / self.theirs

    @property
    def met(self) -> bool:
        """Whether the bound is kept; true where there is none."""
        return self.target.bound is None or self.ratio <= self.target.bound


TARGETS: tuple[Target, ...] = (
    Target("64 MiB already shared, to a process and back", "sizes", "64 MiB", "crossbuf process, shared", "SharedMemory, ready block", 0.6),
    Target("64 MiB copied in, to an interpreter and back", "sizes", "64 MiB", "crossbuf interpreter, copied in", "np.copyto", 1.1),
)


def ratios(record: Record) -> Iterator[Ratio]:
    """All targets of which both sides were measured."""
    for target in TARGETS:
        ours = record.find(target.workload, target.case, target.ours)
        theirs = record.find(target.other_workload or target.workload, target.other_case or target.case, target.theirs)
        if ours and theirs:
            yield Ratio(target, _value(ours, target.quantile), _value(theirs, target.other_quantile), ours.unit)


def _value(series: Series, share: float) -> float:
    return series.median if share == 0.5 else series.quantile(share)
