"""Messages a second through one channel or queue, from one to four senders to as many receivers, each in an interpreter or process.

A message is one int, and 1024 may wait. All are ready before the clock runs, from the first one's start to the last one's end.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ... import _core
from ..._progress import Progress
from ...errors import Empty
from ...workers import spawn
from .. import workers
from ..routes.route import PROCESSES as CONTEXT
from ..routes.route import started
from ..routes.stdlib_interpreters import QueueMemoryview, create_queue
from ..run import Run
from ..sampling import Samples, Troubles

NAME = "throughput"
PAIRS = (1, 2, 3, 4)
_CAPACITY = 1024
#: With fewer messages than fit into the queue nobody would ever wait for room, and the first look of a receiver would decide.
_LEAST = 2 * _CAPACITY


class _Kind(NamedTuple):
    """A transport, and where its ends are used."""

    place: str
    #: How many messages a round takes in all.
    messages: int


INTERPRETERS, PROCESSES = "crossbuf, interpreters", "crossbuf, processes"
QUEUE, MP_QUEUE = "stdlib queue, interpreters", "mp.Queue, processes"
_KINDS = {
    INTERPRETERS: _Kind("interpreter", 400_000),
    PROCESSES: _Kind("process", 100_000),
    QUEUE: _Kind("interpreter", _LEAST),
    MP_QUEUE: _Kind("process", 40_000),
}


def measure(run: Run) -> None:
    """Appends all series."""
    kinds = dict(_KINDS)
    if QueueMemoryview.absent():
        del kinds[QUEUE]
    with Progress(NAME, len(PAIRS) * len(kinds)) as progress:
        for pairs in PAIRS:
            rates: dict[str, list[float]] = {name: [] for name in kinds}
            troubles = Troubles[str]()
            for _ in run.effort(3 * len(kinds), most=9, least=3).rounds():
                for name, kind in troubles.spared(kinds):
                    each = max(kind.messages // (8 if run.quick else 1), _LEAST) // pairs
                    with troubles.noted(name):
                        rates[name].append(pairs * each / _seconds(name, kind.place, pairs, each))
            measured = {name: Samples(taken, 1, troubles.get(name)) for name, taken in rates.items()}
            run.add(NAME, f"{pairs} to {pairs}", measured, at=pairs, unit="1/s")
            progress.advance(len(kinds))


def _seconds(name: str, place: str, pairs: int, each: int) -> float:
    """Of one round, with workers made for it. Raises `EOFError` when one of them ends amid it."""
    put, get = _ends(name)
    ready, all_ready = _core.channel()
    go, gone = _core.channel()
    report, reports = _core.channel()
    leave, left = _core.channel()
    arguments = [(operation, end, each, ready, gone, report, left) for operation, end in ((put[1], put[0]), (get[1], get[0]))] * pairs
    crew = [_start(place, call) for call in arguments]
    try:
        for _ in crew:
            _hear(all_ready, crew)
        for _ in crew:
            go.send(None)
        times = [_hear(reports, crew) for _ in crew]
    except EOFError:
        # Those that are left wait for what will not come.
        for process in crew if place == "process" else ():
            process.kill()
        raise
    leave.close()
    for worker in crew:
        worker.join()
    return float(max(end for _, end in times) - min(start for start, _ in times))


def _hear(channel: _core.Receiver, crew: Sequence[Any]) -> Any:
    """What the next one says. All of them live until they are told to leave."""
    while True:
        try:
            return channel.recv(timeout=1)
        except Empty:
            if ended := sum(not worker.is_alive() for worker in crew):
                raise EOFError(f"{ended} of {len(crew)} workers have ended") from None


def _ends(name: str) -> tuple[tuple[Any, str], tuple[Any, str]]:
    """The end that takes messages and the one that gives them, each with the name of its method."""
    if name in (INTERPRETERS, PROCESSES):
        sender, receiver = _core.channel(_CAPACITY)
        return (sender, "send"), (receiver, "recv")
    queue = CONTEXT.Queue(_CAPACITY) if name == MP_QUEUE else create_queue(_CAPACITY)
    return (queue, "put"), (queue, "get")


def _start(place: str, arguments: tuple[Any, ...]) -> Any:
    if place == "interpreter":
        return spawn(workers.operate, *arguments)
    return started(workers.operate, *arguments)
