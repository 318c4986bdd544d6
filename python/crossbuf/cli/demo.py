"""`crossbuf demo`: real files, counted in several interpreters at once without copying them, and how other ways do.

```text
files ──▶ arena ──▶ main ──tasks──▶ workers ──results──▶ main: same counts as one plain pass?
                     └── the same with pickle 5, and with the standard library's queue ──┘
```

The figures are of one run: read them as orders of magnitude.
"""

import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from .._core import Array, statistics
from .._progress import Progress
from ..demo import ways
from ..demo.counting import Counts, count_plainly
from ..demo.exchange import Outcome, exchange
from ..demo.inputs import Input, choose, load


def run(names: Sequence[str], workers: int | None) -> int:
    """Runs the demo on the files named, prints the table and the proof; 0 when all ways agree."""
    if workers is None:
        workers = max(2, min(len(os.sched_getaffinity(0)), 8))
    elif workers < 2:
        raise ValueError(f"--workers {workers}: sharing takes at least 2")
    what, paths = choose(names)

    inputs: list[Input] = []
    start = time.perf_counter()
    with Progress("reading", len(paths)) as progress:
        for entry in load(paths):
            inputs.append(entry)
            progress.advance(1)
    seconds = time.perf_counter() - start
    moved = sum(entry.array.nbytes for entry in inputs)
    print(f"{what}: {len(inputs):,} files, {moved:,} bytes, read into the arena in {seconds:.2f} s")
    for entry in inputs:
        if entry.array.dtype != "|u1":
            print(f"  {entry.path.name}: {entry.array.dtype} {entry.shape}, counted by the bytes of its elements")

    arrays = [entry.array for entry in inputs]
    copied = statistics().copied
    shared = ways.Shared(workers, arrays[0])
    outcomes = [exchange(shared, arrays)]
    # Measured, not claimed: what the arena has copied in meanwhile.
    outcomes[0] = outcomes[0]._replace(copied=statistics().copied - copied)

    private = [entry.data for entry in inputs]
    outcomes.append(exchange(ways.Pickled(workers), private))
    if sys.version_info >= (3, 14):
        outcomes.append(exchange(ways.Queued(workers), private))

    start = time.perf_counter()
    expected = [count_plainly(data) for data in private]
    plain = time.perf_counter() - start

    _print_table(outcomes, moved, plain, workers)
    wrong = [outcome.title for outcome in outcomes if not _agrees(outcome.rows, expected)]
    _print_verdict(wrong, expected)
    strayed = _print_proof(shared.addresses, outcomes[0].rows, inputs)
    return 1 if wrong or strayed else 0


def _agrees(rows: Iterable[ways.Row], expected: Sequence[Counts]) -> bool:
    return [Counts(*row[2:]) for row in sorted(rows)] == list(expected)


def _print_table(outcomes: Iterable[Outcome], moved: int, plain: float, workers: int) -> None:
    print(f"\n{f'{workers} interpreters':<18}{'bytes moved':>16}{'bytes copied':>16}{'messages':>10}{'time':>12}")
    for outcome in outcomes:
        print(f"{outcome.title:<18}{moved:>16,}{outcome.copied:>16,}{outcome.messages:>10,}{outcome.seconds * 1e3:>9.1f} ms")
    print(f"{'one plain pass':<18}{'':>16}{'':>16}{'':>10}{plain * 1e3:>9.1f} ms")


def _print_verdict(wrong: Sequence[str], expected: Sequence[Counts]) -> None:
    total = sum(counts.bytes for counts in expected)
    lines = sum(counts.lines for counts in expected)
    longest = max(counts.longest for counts in expected)
    verdict = f"NOT the counts of {', '.join(wrong)}" if wrong else "the plain pass agrees"
    print(f"\n{total:,} bytes, {lines:,} lines, longest line {longest:,} bytes: {verdict}")


def _print_proof(addresses: Sequence[int], rows: Iterable[ways.Row], inputs: Sequence[Input]) -> bool:
    """Whether some interpreter saw a file elsewhere than main does; empty files have no bytes to see."""
    first = inputs[0]
    strayed = sum(row[1] != inputs[row[0]].array.address for row in rows if row[2]) + sum(
        address != first.array.address for address in addresses
    )
    mapping = mapping_of(first.array)
    if strayed:
        print(f"{strayed} files were seen at another address: they were copied, which should not be")
    else:
        print(
            f"every interpreter saw every file at main's address for it: {first.path.name} at {first.array.address:#x} "
            f"in main and {len(addresses)} others"
        )
    print(f"the mapping there: {mapping}")
    return strayed != 0 or " r--s " not in mapping


def mapping_of(array: Array) -> str:
    """The line of /proc/self/maps that holds the array; `r--s` there is read-only and shared."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        start, end = (int(edge, 16) for edge in line.split(maxsplit=1)[0].split("-"))
        if start <= array.address < end:
            return " ".join(line.split())
    return f"none holds {array.address:#x}"
