"""What a run of the benchmark leaves: every sample, and where it was taken. `Record` to and from JSON."""

import json
import math
import os
import platform
import statistics
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Self

from .. import __version__

#: Packages whose versions belong to the result.
_PACKAGES = ("numpy", "joblib", "pyarrow", "ray", "iceoryx2")
#: Of the environment, besides crossbuf's own: how many threads BLAS has.
_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
_HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage")

#: How the note begins of what was measured until something went wrong.
EARLY = "it ended early: "


@dataclass(frozen=True)
class Series:
    """What was measured of one route in one case of a workload."""

    workload: str
    case: str
    route: str
    #: One number for each round, each of one operation: its mean over `number` operations where one alone is too short to time.
    samples: list[float] = field(default_factory=list)
    #: "s", "B" or "1/s".
    unit: str = "s"
    number: int = 1
    #: Where the case lies on the plot's axis: bytes, receivers.
    at: float | None = None
    #: Why there are no samples, or what else a reader must know.
    note: str = ""

    @property
    def median(self) -> float:
        """The middle of the samples."""
        return statistics.median(self.samples)

    @property
    def ended_early(self) -> bool:
        """Whether something went wrong amid the samples."""
        return EARLY in self.note

    def quantile(self, share: float) -> float:
        """By nearest rank: the least sample that `share` of all do not exceed."""
        return sorted(self.samples)[max(self._rank(share) - 1, 0)]

    def knows(self, share: float) -> bool:
        """Whether a sample lies beyond that quantile; it is no more than the greatest one otherwise."""
        return self._rank(share) < len(self.samples)

    def _rank(self, share: float) -> int:
        # A hair less, as a product of floats may come out above the whole number that it is.
        return math.ceil(share * len(self.samples) - 1e-9)


@dataclass
class Record:
    """One run."""

    about: dict[str, str]
    series: list[Series] = field(default_factory=list)
    #: Routes that could not run here, and why.
    skipped: dict[str, str] = field(default_factory=dict)

    def of(self, workload: str) -> list[Series]:
        """All series of one workload, in the order in which they were measured."""
        return [series for series in self.series if series.workload == workload]

    def find(self, workload: str, case: str, route: str) -> Series | None:
        """One series; None when it was not measured, or has no samples."""
        same = (series for series in self.of(workload) if (series.case, series.route) == (case, route) and series.samples)
        return next(same, None)

    def workloads(self) -> Iterator[str]:
        """Their names, each once."""
        return iter(dict.fromkeys(series.workload for series in self.series))

    def write(self, path: Path) -> None:
        """As JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """What `write` has written. Raises `ValueError` when it is something else."""
        try:
            read = json.loads(path.read_text())
            return cls(read["about"], [Series(**series) for series in read["series"]], read["skipped"])
        except (KeyError, TypeError, json.JSONDecodeError) as trouble:
            raise ValueError(f"{path} is no record of crossbuf bench: {trouble!r}") from trouble


def about(command: str) -> dict[str, str]:
    """Machine, versions, date and the command line."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    found = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "machine": f"{_processor()}, {len(os.sched_getaffinity(0))} CPUs, {memory >> 30} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "crossbuf": __version__,
        "load": f"{load()} at the start",
    }
    # What may be unknown, or not there.
    for what, value in (
        ("libc", " ".join(platform.libc_ver()).strip()),
        ("huge pages", _huge_pages()),
        ("variables", _variables()),
        ("commit", _commit()),
    ):
        if value:
            found[what] = value
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def load() -> str:
    """How many threads wanted a CPU, on average over the last 1, 5 and 15 minutes."""
    return " ".join(f"{average:.2f}" for average in os.getloadavg())


def _huge_pages() -> str:
    """What the kernel is set to for memory of a process, and for shared memory."""
    chosen = []
    for file, of in (("enabled", ""), ("shmem_enabled", " for shared memory")):
        try:
            text = (_HUGE_PAGES / file).read_text()
        except OSError:
            continue
        chosen += [f"{word.strip('[]')}{of}" for word in text.split() if word.startswith("[")]
    return ", ".join(chosen)


def _variables() -> str:
    chosen = {name: value for name, value in os.environ.items() if name.startswith("CROSSBUF_") or name in _VARIABLES}
    return " ".join(f"{name}={value}" for name, value in sorted(chosen.items()))


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    """Of the checkout that this package is in; an installed one has none."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        # Only a checkout of crossbuf itself will do, not one that happens to hold the environment it is installed in.
        inside = subprocess.run([*command[:3], "ls-files", "--error-unmatch", __file__], capture_output=True, check=False)
        return subprocess.check_output(command, text=True).strip() if inside.returncode == 0 else ""
    except (OSError, subprocess.CalledProcessError):
        return ""
