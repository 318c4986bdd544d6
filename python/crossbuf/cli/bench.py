"""`crossbuf bench`: all that is measured, or the workloads asked for."""

from collections.abc import Sequence
from pathlib import Path

from ..demo.inputs import numpy_version


def run(command: str, only: Sequence[str], json: str | None, html: str | None, *, quick: bool) -> int:
    """Measures; prints the table of each workload as soon as it is there, and writes the files asked for.

    Raises `ValueError` for what cannot be done, before anything is measured.
    """
    if numpy_version() is None:
        raise ValueError("it measures how ndarrays travel, and there is no NumPy: pip install numpy")
    from ..bench.record import Record, about
    from ..bench.report import needs, table
    from ..bench.run import Run
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
    printed: set[str] = set()
    for name in dict.fromkeys(only or WORKLOADS):
        WORKLOADS[name].measure(Run(record, quick=quick))
        # Some measure memory besides, under a name of its own.
        for part in record.workloads():
            if part not in printed:
                print(table.workload(record, part), end="\n\n", flush=True)
                printed.add(part)
    print(*filter(None, (table.ratios(record), table.skipped(record))), sep="\n\n")
    if json is not None:
        record.write(Path(json))
    if html is not None:
        from ..bench.report import page

        page.write(record, Path(html), {name: str(WORKLOADS[name].__doc__) for name in WORKLOADS})
    return 0


def _require_writable(file: Path) -> None:
    """Raises `ValueError`. What is in the file stays, and one that was not there is not there afterwards."""
    new = not file.exists(follow_symlinks=False)
    try:
        file.open("a").close()
    except OSError as trouble:
        raise ValueError(f"cannot write {file}: {trouble.strerror}") from trouble
    if new:
        file.unlink()
