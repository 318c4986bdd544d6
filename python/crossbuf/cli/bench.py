"""`crossbuf bench`: all that is measured, or the workloads asked for."""

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..demo.inputs import numpy_version

if TYPE_CHECKING:
    from ..bench.record import Record


def run(command: str, only: Sequence[str], json: str | None, html: str | None, *, quick: bool) -> int:
    """Measures; prints the table of each workload as soon as it is there, and writes the files asked for, also when it is interrupted.

    Returns 1 when a workload has ended early: the others go on. Raises `ValueError` for what cannot be done, before anything is measured.
    """
    if numpy_version() is None:
        raise ValueError("it measures how ndarrays travel, and there is no NumPy: pip install numpy")
    from ..bench.record import Record, about, load
    from ..bench.report import needs, table
    from ..bench.workloads import WORKLOADS

    if unknown := [name for name in only if name not in WORKLOADS]:
        raise ValueError(f"--only {unknown[0]}: no such workload; there are {', '.join(WORKLOADS)}")
    if html is not None:
        needs.require()
    files = [Path(file) for file in (json, html) if file is not None]
    for file in files:
        _require_writable(file)
    if len({file.resolve() for file in files}) < len(files):
        raise ValueError(f"--json and --html are the same file, {json}")
    record = Record(about(command))
    with _ended_by_sigterm():
        try:
            well = _measure(record, list(dict.fromkeys(only or WORKLOADS)), quick=quick)
        finally:
            record.about["load"] += f", {load()} at the end"
            # Minutes of work must not be lost with an interrupt. What an earlier run has left is replaced only by something.
            if record.series or record.skipped:
                _write(record, json, html)
    print(*filter(None, (table.ratios(record), table.skipped(record))), sep="\n\n")
    return 0 if well else 1


def _measure(record: "Record", names: Sequence[str], *, quick: bool) -> bool:
    """Whether all workloads came to their ends."""
    from ..bench.record import EARLY
    from ..bench.report import table
    from ..bench.run import Run, told
    from ..bench.workloads import WORKLOADS

    well = True
    printed: set[str] = set()
    for name in names:
        try:
            WORKLOADS[name].measure(Run(record, quick=quick))
        except Exception as trouble:
            well = False
            record.skipped[f"workload {name}"] = f"{EARLY}{told(trouble)}"
            print(f"crossbuf bench: workload {name}: {EARLY}{told(trouble)}", file=sys.stderr)
        # Some measure memory besides, under a name of its own.
        for part in record.workloads():
            if part not in printed:
                print(table.workload(record, part), end="\n\n", flush=True)
                printed.add(part)
    return well


def _write(record: "Record", json: str | None, html: str | None) -> None:
    if json is not None:
        record.write(Path(json))
    if html is not None:
        from ..bench.report import page
        from ..bench.workloads import WORKLOADS

        page.write(record, Path(html), {name: str(WORKLOADS[name].__doc__) for name in WORKLOADS})


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, so that receivers end and files are removed."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _require_writable(file: Path) -> None:
    """Raises `ValueError`. What is in the file stays, and one that was not there is not there afterwards."""
    new = not file.exists(follow_symlinks=False)
    try:
        file.open("a").close()
    except OSError as trouble:
        raise ValueError(f"cannot write {file}: {trouble.strerror}") from trouble
    if new:
        file.unlink()
