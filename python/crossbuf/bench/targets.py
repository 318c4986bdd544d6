"""What crossbuf means to reach, as ratios between two series of one record."""

from collections.abc import Iterator
from typing import NamedTuple

from ..demo import ways
from .record import Record
from .routes.bare import PipeOfBytes
from .routes.here import Copy, PickleInBand
from .routes.multiprocess import KeptSharedMemory, Pipe, ReadySharedMemory
from .routes.ours import InterpreterCopied, InterpreterShared, ProcessCopied, ProcessShared
from .routes.stdlib_interpreters import QueueMemoryview, QueueWoken
from .workloads import copying, executors, job, latency, messages, sizes, startup, throughput
from .workloads.sizes import named


class Target(NamedTuple):
    """One ratio: a workload's case by one route, over another case or route."""

    what: str
    workload: str
    case: str
    ours: str
    theirs: str
    #: The ratio should not be above this; None for those that are only shown.
    bound: float | None
    #: The other side's case where it is not the same.
    other_case: str = ""
    #: Which quantile of ours is compared with the other side's median.
    quantile: float = 0.5
    #: Whether it belongs into a short table.
    headline: bool = True


class Ratio(NamedTuple):
    """A target with what was measured."""

    target: Target
    ours: float
    theirs: float
    unit: str
    #: Whether something went wrong with one side, so that the ratio says little.
    early: bool = False

    @property
    def ratio(self) -> float:
        """Below 1 crossbuf takes less: of rates, the other way round."""
        return self.theirs / self.ours if self.unit == "1/s" else self.ours / self.theirs

    @property
    def met(self) -> bool:
        """Whether the bound is kept; true where there is none."""
        return self.target.bound is None or self.ratio <= self.target.bound

    @property
    def result(self) -> str:
        """What is said of it; empty where there is no bound."""
        if self.early:
            return "ended early"
        return "" if self.target.bound is None else "met" if self.met else "not met"


def _copying() -> Iterator[Target]:
    for size in copying.SIZES:
        bound = 1.1 if size < 16 << 20 else 1.0
        headline = size in (1 << 10, 1 << 20, 64 << 20, 1 << 30)
        yield Target(f"copy in {named(size)}", copying.NAME, named(size), copying.SHARE, copying.COPY, bound, headline=headline)
    for case in copying.cases():
        yield Target(f"copy in {case}", copying.NAME, case, copying.SHARE, copying.COPY, 1.1, headline=case == copying.TRANSPOSED)
    touched = copying.TOUCHED_CASE
    yield Target("copy 128 MiB into fresh memory", copying.NAME, touched, copying.FRESH, copying.COPY, 2.5)
    yield Target("first read of fresh 128 MiB", copying.NAME, touched, copying.FIRST_READ, copying.SECOND_READ, 1.2)


def _messages() -> Iterator[Target]:
    ours, pickle = messages.OURS, messages.PICKLE
    yield Target("allocate and free 800 B", messages.NAME, messages.BLOCKS, ours, messages.BYTEARRAY, None)
    yield Target("the same against np.empty", messages.NAME, messages.BLOCKS, ours, messages.NDARRAY, None)
    yield Target("share 800 B", messages.NAME, messages.SHARE, ours, messages.COPY, None)
    yield Target("Array.numpy()", messages.NAME, messages.VIEW, ours, messages.NDARRAY_VIEW, None)
    yield Target("send and receive an Array", messages.NAME, messages.ARRAY, ours, messages.QUEUE, 0.5)
    yield Target('send and receive (1, "x", ndarray)', messages.NAME, messages.TUPLE, ours, pickle, 0.5)
    yield Target("send and receive a dict of 1000 ndarrays", messages.NAME, messages.DICT, ours, pickle, 0.3)
    yield Target("the same dict, shared before", messages.NAME, messages.DICT_SHARED, ours, pickle, 0.3)


def _trips() -> Iterator[Target]:
    for ours, theirs, bound in (
        (InterpreterShared, QueueMemoryview, 0.01),
        (InterpreterShared, QueueWoken, 1.0),
        (ProcessShared, ReadySharedMemory, 0.6),
        (InterpreterCopied, Copy, 1.1),
        (ProcessCopied, KeptSharedMemory, None),
        (ProcessCopied, PickleInBand, None),
    ):
        yield Target(f"64 MiB, {ours.name.removeprefix('crossbuf ')}", sizes.NAME, "64 MiB", ours.name, theirs.name, bound)
    ours = ProcessShared
    yield Target("64 MiB, process, against 16 KiB", sizes.NAME, "64 MiB", ours.name, ours.name, None, "16 KiB")


def _waiting() -> Iterator[Target]:
    interpreter, process = InterpreterShared.messages, ProcessShared.messages
    hot, parked, rested = latency.HOT, latency.PARKED, latency.RESTED
    yield Target("interpreter, round trip hot", latency.NAME, hot, interpreter, QueueMemoryview.messages, 0.01)
    yield Target("the same, queue woken", latency.NAME, hot, interpreter, QueueWoken.messages, 1.0)
    yield Target("interpreter, round trip parked", latency.NAME, parked, interpreter, latency.CALLED_FUTEX, 1.3)
    yield Target("interpreter, after a rest", latency.NAME, rested, interpreter, latency.CALLED_FUTEX, None)
    # A Pipe that carries any object, as our channels do; and one that carries bytes only.
    for pipe, bound in ((Pipe.messages, 1.0), (PipeOfBytes.messages, None)):
        yield Target("process, round trip hot", latency.NAME, hot, process, pipe, bound)
        yield Target("process, round trip parked", latency.NAME, parked, process, pipe, bound)
    # The tail of the machine belongs beside ours: no message is quicker than the wake-up that it needs.
    for whose, route, bound in (
        ("interpreter", interpreter, 5),
        ("that futex", latency.CALLED_FUTEX, None),
        ("process", process, 5),
        ("bare packets", latency.PACKETS, None),
    ):
        yield Target(f"{whose}, p99.9 parked over median", latency.NAME, parked, route, route, bound, quantile=0.999)
    for place, ours, theirs in (
        ("interpreters", throughput.INTERPRETERS, throughput.QUEUE),
        ("processes", throughput.PROCESSES, throughput.MP_QUEUE),
    ):
        yield Target(f"{place}, a message 1 to 1", throughput.NAME, "1 to 1", ours, theirs, 1.0)
        yield Target(f"{place}, a message 4 to 4", throughput.NAME, "4 to 4", ours, ours, 1.0, "1 to 1")


def _workers() -> Iterator[Target]:
    name, ours, processes = executors.NAME, executors.INTERPRETERS, executors.OUR_PROCESSES
    yield Target("call of an interpreter, no-op", name, executors.NO_OP, ours, executors.STANDARD, 0.6)
    yield Target("call of an interpreter, 8 MB shared", name, executors.SHARED, ours, ours, 1.2, executors.NO_OP)
    for case in (executors.NO_OP, executors.SHARED, executors.IN, executors.OUT):
        yield Target(f"call of a process, {case}", name, case, processes, executors.PROCESS_POOL, None)
    yield Target("two workers, small NumPy calls in each", name, executors.SMALL, ours, ours, 1.053, executors.SMALL_ONE)
    yield Target("small NumPy calls in two workers", name, executors.SMALL, ours, executors.PROCESS_POOL, 1.05)
    yield Target("start, use and end a pool's worker", startup.NAME, startup.PLAIN, startup.POOLED, startup.BARE, 1.1)
    yield Target("start, import NumPy, end", startup.NAME, startup.NUMPY, startup.SPAWNED, startup.PROCESS, None)
    yield Target("the same, forkserver with NumPy", startup.NAME, startup.NUMPY, startup.SPAWNED, startup.FORKED, None)
    yield Target("import numpy in a worker", startup.NAME, startup.IMPORT, startup.SPAWNED, startup.PROCESS, 1.2)
    yield Target("memory of a worker with NumPy", startup.MEMORY, startup.WITH_NUMPY, startup.SPAWNED, startup.PROCESS, 1.0)
    yield Target("the same, forkserver with NumPy", startup.MEMORY, startup.WITH_NUMPY, startup.SPAWNED, startup.FORKED, None)
    yield Target("the demo's job", job.NAME, job.CASE, ways.Shared.title, ways.Pickled.title, None)


TARGETS: tuple[Target, ...] = (*_copying(), *_messages(), *_trips(), *_waiting(), *_workers())


def ratios(record: Record) -> Iterator[Ratio]:
    """All targets of which both sides were measured, with samples enough for the quantile, and are above zero.

    Memory that is a difference of two measurements may come out as nothing, or as less.
    """
    for target in TARGETS:
        ours = record.find(target.workload, target.case, target.ours)
        theirs = record.find(target.workload, target.other_case or target.case, target.theirs)
        if ours and theirs and (target.quantile == 0.5 or ours.knows(target.quantile)):
            value = ours.median if target.quantile == 0.5 else ours.quantile(target.quantile)
            if min(value, theirs.median) <= 0:
                continue
            yield Ratio(target, value, theirs.median, ours.unit, ours.ended_early or theirs.ended_early)
