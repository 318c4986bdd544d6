"""`crossbuf doctor`: what this machine and this Python offer, found out by trying."""

import mmap
import os
import platform
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .. import __version__, isolation
from .._core import statistics
from ..demo.inputs import numpy_version

_MADV_COLLAPSE = 25  # in the kernel since 6.1; the module mmap does not name it
_HUGE = 2 << 20


class Finding(NamedTuple):
    """One line: whether it is as crossbuf wants it, and what to expect when it is not."""

    well: bool
    needed: bool
    what: str


def examine() -> int:
    """Prints the findings; 1 when crossbuf cannot work here."""
    findings = list(_find())
    for finding in findings:
        print(f"{'ok' if finding.well else 'NO' if finding.needed else '--':<4}{finding.what}")
    return int(any(finding.needed and not finding.well for finding in findings))


def _find() -> Iterator[Finding]:
    yield Finding(True, True, f"crossbuf {__version__}")
    gil = not sysconfig.get_config_var("Py_GIL_DISABLED")
    yield Finding(
        gil, True, f"{platform.python_implementation()} {platform.python_version()}{'' if gil else ', free-threaded: not built for it yet'}"
    )
    numpy = numpy_version()
    yield Finding(numpy is not None, False, f"NumPy {numpy}" if numpy else "no NumPy: Arrays work, ndarrays are not there")
    obstacle = isolation.obstacle("numpy")
    how = "workers load copies of its libraries" if obstacle is None else f"no, {obstacle}"
    yield Finding(obstacle is None, False, f"NumPy in sub-interpreters: {how}")
    yield Finding(
        True, True, f"{platform.system()} {platform.release()} on {platform.machine()}, {len(os.sched_getaffinity(0))} CPUs to run on"
    )
    yield _find_memfd()
    yield _find_huge_pages()
    budget = statistics().budget
    limit = _cgroup_limit()
    yield Finding(
        True,
        True,
        f"memory: {_gib(_physical())} in the machine, cgroup limit {_gib(limit) if limit else 'none'}, default budget {_gib(budget)}",
    )


def _find_memfd() -> Finding:
    try:
        os.close(os.memfd_create("crossbuf-doctor", os.MFD_ALLOW_SEALING))
    except OSError as refusal:
        return Finding(False, True, f"memfd_create is refused ({refusal}): crossbuf has no memory to share")
    return Finding(True, True, "memfd_create with seals")


def _find_huge_pages() -> Finding:
    """Collapses one huge page, as an arena does with fresh memory."""
    # Private memory, because memory of a file must lie at an aligned address too, and mmap does not let one ask for that.
    try:
        with mmap.mmap(-1, 2 * _HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
            memory[:] = bytes(len(memory))
            memory.madvise(_MADV_COLLAPSE)
    except OSError as refusal:
        return Finding(
            False, False, f"MADV_COLLAPSE is refused ({refusal.strerror}): fresh memory comes in 4 KiB pages and costs more to fill first"
        )
    return Finding(True, False, "MADV_COLLAPSE: fresh memory comes in 2 MiB pages")


def _physical() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _cgroup_limit() -> int | None:
    """The smallest memory.max from this process's cgroup (v2) up to the root."""
    try:
        own = next(line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return None
    folder = Path("/sys/fs/cgroup") / own.strip("/")
    limits = []
    for place in (folder, *folder.parents):
        try:
            limits.append(int((place / "memory.max").read_text()))
        except (OSError, ValueError):  # no such file at the root, or "max"
            continue
    return min(limits, default=None)


def _gib(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB"
