"""The demo's job done once, by one of the ways."""

import time
from collections.abc import Buffer, Sequence
from typing import NamedTuple

from .._progress import Progress
from . import ways


class Outcome(NamedTuple):
    """What came of it."""

    title: str
    copied: int
    messages: int
    seconds: float
    rows: list[ways.Row]


def exchange(way: ways.Way, files: Sequence[Buffer]) -> Outcome:
    """All files to the workers, all counts back. The clock runs from the first file to the last row."""
    rows: list[ways.Row] = []
    with Progress(way.title, len(files)) as progress:
        start = time.perf_counter()
        for index, file in enumerate(files):
            way.put(index, file)
        for row in way.rows():
            rows.append(row)
            progress.advance(1)
        seconds = time.perf_counter() - start
    moved = sum(memoryview(file).nbytes for file in files)
    return Outcome(way.title, way.copies * moved, way.messages, seconds, rows)
