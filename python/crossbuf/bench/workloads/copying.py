"""Copying into the arena, by size and by layout, against NumPy's own copy into warm memory; first touches stand apart.

`share` allocates the memory, copies and gives it back again in the next round, so that it is warm but the first time.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import _core
from ..._progress import Progress
from ..run import Run
from ..sampling import Samples, in_turns, timed
from .sizes import named

NAME = "copying"
SHARE, COPY = "share", "np.copyto"
FRESH, FIRST_READ, SECOND_READ = "share into fresh memory", "first read of it", "second read"
SIZES = [1 << power for power in range(10, 31, 2)]
TOUCHED = 128 << 20
TOUCHED_CASE = f"{named(TOUCHED)}, touched first"

TRANSPOSED = "32 MiB, transposed"
_SIDE = {"1 MiB": (256, 512), "32 MiB": (2048, 2048)}
LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "F order": np.asfortranarray,
    "transposed": lambda array: array.T,
    "every other column": lambda array: np.repeat(array, 2, axis=1)[:, ::2],
    "every other row": lambda array: np.repeat(array, 2, axis=0)[::2],
    "reversed": lambda array: array[::-1, ::-1],
    "broadcast": lambda array: np.broadcast_to(array[0], array.shape),
    "f4, every other column": lambda array: np.repeat(array.astype("f4"), 2, axis=1)[:, ::2],
    "u1, turned axes": lambda array: array.astype("u1").reshape(-1, 64, 8).transpose(1, 2, 0),
}


def measure(run: Run) -> None:
    """Appends all series."""
    sizes = [size for size in SIZES if not run.quick or size <= 64 << 20]
    with Progress(NAME, len(sizes) + len(cases()) + 1) as progress:
        for size in sizes:
            _copy(run, named(size), np.arange(size // 8, dtype="f8"), size)
            progress.advance(1)
        for case, (shape, make) in cases().items():
            _copy(run, case, make(np.arange(float(shape[0] * shape[1])).reshape(shape)))
            progress.advance(1)
        _touch(run)
        progress.advance(1)


def cases() -> dict[str, tuple[tuple[int, int], Callable[[Any], Any]]]:
    """Each layout in each size, by its name."""
    return {f"{size}, {layout}": (shape, make) for size, shape in _SIDE.items() for layout, make in LAYOUTS.items()}


def _copy(run: Run, case: str, source: Any, at: int | None = None) -> None:
    arena = _core.Arena()
    # The same layout as `share` gives it.
    target = np.empty(source.shape, source.dtype, order="F" if arena.share(source).f_contiguous else "C")
    works = {SHARE: lambda: arena.share(source), COPY: lambda: np.copyto(target, source)}
    run.add(NAME, case, in_turns(works, run.effort(2)), at=at)
    arena.close()


def _touch(run: Run) -> None:
    """Memory that nobody has touched yet: page faults while it is filled, and while it is read the first time."""
    source = np.arange(TOUCHED // 8, dtype="f8")
    target = source.copy()
    samples: dict[str, list[float]] = {name: [] for name in (FRESH, COPY, FIRST_READ, SECOND_READ)}
    for _ in run.effort(4, most=30).rounds():
        samples[COPY].append(timed(lambda: np.copyto(target, source)))
        arena = _core.Arena()
        start = time.perf_counter()
        view = arena.share(source).numpy()
        samples[FRESH].append(time.perf_counter() - start)
        samples[FIRST_READ].append(timed(view.sum))
        samples[SECOND_READ].append(timed(view.sum))
        del view
        arena.close()
    run.add(NAME, TOUCHED_CASE, {name: Samples(seconds, 1) for name, seconds in samples.items()})
