"""Taking samples: in turns, so that a drift of the machine hits all alike, and as many as the time allows."""

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

type Work = Callable[[], object]

#: A sample takes at least this long, by repeating what is shorter: the clock's own cost and resolution vanish in it.
_LEAST_SECONDS = 0.001
_MOST_TIMES = 1 << 15


@dataclass(frozen=True)
class Effort:
    """How much time a group of works may take, all together."""

    #: Seconds, after which no new round begins.
    seconds: float
    #: Rounds at most, and at least, however long they take.
    most: int = 200
    least: int = 5

    def rounds(self) -> Iterator[int]:
        """Counts rounds while there is time."""
        end = time.perf_counter() + self.seconds
        for number in range(self.most):
            if number >= self.least and time.perf_counter() > end:
                return
            yield number


class Samples(NamedTuple):
    """Of one operation, a mean over `number` operations each: seconds, unless the record names another unit."""

    values: list[float]
    number: int
    #: What ended the work before its time.
    trouble: Exception | None = None


def timed(work: Work, number: int = 1) -> float:
    """Seconds of one call, over a batch of `number`."""
    times = itertools.repeat(None, number)
    start = time.perf_counter()
    for _ in times:
        work()
    return (time.perf_counter() - start) / number


def in_turns[K](works: Mapping[K, Work], effort: Effort, *, batches: bool = True) -> dict[K, Samples]:
    """Samples of all, a batch of each in every round. A call of each warms up; `batches` off makes each call a sample."""
    numbers, troubles = dict.fromkeys(works, 1), Troubles[K]()
    for name, work in troubles.spared(works):
        with troubles.noted(name):
            timed(work)
            numbers[name] = _number(work) if batches else 1
    seconds: dict[K, list[float]] = {name: [] for name in works}
    for _ in effort.rounds():
        for name, work in troubles.spared(works):
            with troubles.noted(name):
                seconds[name].append(timed(work, numbers[name]))
    return {name: Samples(seconds[name], numbers[name], troubles.get(name)) for name in works}


def _number(work: Work) -> int:
    """How many make a batch. Twice in a row they must take long enough, as an interruption makes any number look so once."""
    number = 1
    while number < _MOST_TIMES and any(timed(work, number) * number < _LEAST_SECONDS for _ in range(2)):
        number *= 2
    return number


class Troubles[K](dict[K, Exception]):
    """What works have raised, by their names. Such a work has no further turn: it must not end the others."""

    @contextlib.contextmanager
    def noted(self, name: K) -> Iterator[None]:
        """Keeps what the block raises, without its traceback, which leads to receivers and arrays."""
        try:
            yield
        except Exception as trouble:
            self[name] = trouble.with_traceback(None)

    def spared[T](self, works: Mapping[K, T]) -> Iterator[tuple[K, T]]:
        """Those that have raised nothing."""
        return ((name, work) for name, work in works.items() if name not in self)


@contextlib.contextmanager
def on_one_cpu() -> Iterator[None]:
    """This thread, and all threads and processes that it starts meanwhile, share one CPU: nobody can spin until the other answers."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
