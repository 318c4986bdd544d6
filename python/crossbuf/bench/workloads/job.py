"""A real job from end to end, the demo's: every source file of the standard library, counted by two interpreters."""

import sys
from collections.abc import Buffer, Callable, Sequence

from ...demo import inputs, ways
from ...demo.exchange import exchange
from ..run import Run
from ..sampling import Samples

NAME = "job"
CASE = "count the lines of the standard library"
_WORKERS = 2


def measure(run: Run) -> None:
    """Appends all series. The clock runs from the first file to the last result; workers are ready, files are read."""
    files = list(inputs.load(inputs.choose([])[1]))
    arrays: Sequence[Buffer] = [file.array for file in files]
    private: Sequence[Buffer] = [file.data for file in files]
    kinds: dict[str, tuple[Callable[[], ways.Way], Sequence[Buffer]]] = {
        ways.Shared.title: (lambda: ways.Shared(_WORKERS, files[0].array), arrays),
        ways.Pickled.title: (lambda: ways.Pickled(_WORKERS), private),
    }
    if sys.version_info >= (3, 14):
        kinds[ways.Queued.title] = (lambda: ways.Queued(_WORKERS), private)
    samples: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in run.effort(8, most=7, least=3).rounds():
        for name, (make, given) in kinds.items():
            samples[name].append(exchange(make(), given).seconds)
    run.add(NAME, CASE, {name: Samples(seconds, 1) for name, seconds in samples.items()})
