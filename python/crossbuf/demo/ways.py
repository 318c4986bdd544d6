"""Three ways to bring the same files to interpreters and their counts back.

```text
main                                        each worker
put(index, file) ── tasks ───────────────▶  count(file)
rows()           ◀── results ─────────────  up to 64 rows of index, address, bytes, lines, longest
```

A way is ready when it is made: its workers run and have answered.
"""

import pickle
import queue
import sys
from collections.abc import Buffer, Callable, Iterable, Iterator
from contextlib import suppress
from typing import Protocol, cast

from .._core import Array, Receiver, Sender, channel, empty
from ..errors import Broken
from ..workers import Worker, spawn
from .counting import count

#: What a worker says of one file: index, address (0 when it is of no interest), bytes, lines, longest line.
type Row = tuple[int, int, int, int, int]

_ROWS_A_MESSAGE = 64


class Way(Protocol):
    """One way, seen from the main interpreter."""

    #: Its name in the table.
    title: str
    #: How often each byte of a file is copied on its way, at least.
    copies: int
    #: Messages sent by either side, greetings aside.
    messages: int

    def put(self, index: int, file: Buffer) -> None:
        """Hands one file to whichever worker is free."""

    def rows(self) -> Iterator[Row]:
        """Says that no more files come, and yields what the workers found. Raises what a worker raised."""


class Shared:
    """Arrays through crossbuf's channels: a task names memory, and a result is an Array as well."""

    title = "crossbuf"
    copies = 0

    def __init__(self, workers: int, probe: Array) -> None:
        self.messages = 0
        self._tasks, tasks = channel()
        results, self._results = channel()
        with tasks, results:
            self._workers = [spawn(_serve_shared, tasks, results, probe) for _ in range(workers)]
        #: Where each worker's interpreter sees `probe`.
        self.addresses = [cast(int, _taken(self._results.recv, self._workers)) for _ in self._workers]

    def put(self, index: int, file: Buffer) -> None:
        self.messages += 1
        self._tasks.send((index, file))

    def rows(self) -> Iterator[Row]:
        self._tasks.close()
        for rows in self._results:
            self.messages += 1
            yield from map(tuple, rows.tolist())
        _join(self._workers)


class Pickled:
    """The same channels, with each message pickled by protocol 5, as between processes."""

    title = "pickle 5"
    copies = 2  # dumps and loads; those of the transport are not counted

    def __init__(self, workers: int) -> None:
        self.messages = 0
        self._tasks, tasks = channel()
        results, self._results = channel()
        with tasks, results:
            self._workers = [spawn(_serve_pickled, tasks, results) for _ in range(workers)]
        for _ in self._workers:
            _taken(self._results.recv, self._workers)

    def put(self, index: int, file: Buffer) -> None:
        self.messages += 1
        self._tasks.send(pickle.dumps((index, file), protocol=5))

    def rows(self) -> Iterator[Row]:
        self._tasks.close()
        for rows in self._results:
            self.messages += 1
            yield from pickle.loads(rows)
        _join(self._workers)


if sys.version_info >= (3, 14):
    from concurrent.interpreters import Queue, create_queue

    class Queued:
        """Memoryviews through the standard library's queue. They are not copied, but workers could write to what they show."""

        title = "stdlib queue"
        copies = 0

        def __init__(self, workers: int) -> None:
            self.messages = 0
            self._tasks, self._results, self._leave = create_queue(), create_queue(), create_queue()
            self._workers = [spawn(_serve_queued, self._tasks, self._results, self._leave) for _ in range(workers)]
            for _ in self._workers:
                self._get()

        def put(self, index: int, file: Buffer) -> None:
            self.messages += 1
            self._tasks.put((index, memoryview(file)))

        def rows(self) -> Iterator[Row]:
            for _ in self._workers:
                self._tasks.put(None)
            for _ in self._workers:
                while (rows := self._get()) is not None:
                    self.messages += 1
                    yield from rows
            for _ in self._workers:
                self._leave.put(None)
            _join(self._workers)

        def _get(self) -> tuple[Row, ...] | None:
            return cast("tuple[Row, ...] | None", _taken(self._results.get, self._workers))

    def _serve_queued(tasks: Queue, results: Queue, leave: Queue) -> None:
        results.put(None)
        for rows in _counted(cast("Iterator[tuple[int, Buffer]]", iter(tasks.get, None))):
            results.put(tuple(rows))
        results.put(None)
        leave.get()  # what an interpreter has put is lost when it ends before somebody got it


def _serve_shared(tasks: Receiver, results: Sender, probe: Array) -> None:
    with suppress(Broken):  # the demo was interrupted
        results.send(probe.address)
        for rows in _counted(tasks):
            draft = empty((len(rows), len(rows[0])), "i8")
            with memoryview(draft) as cells:
                for line, row in enumerate(rows):
                    for column, value in enumerate(row):
                        cells[line, column] = value
            results.send(draft.freeze())


def _serve_pickled(tasks: Receiver, results: Sender) -> None:
    with suppress(Broken):  # the demo was interrupted
        results.send(None)
        for rows in _counted(map(pickle.loads, tasks)):
            results.send(pickle.dumps(rows, protocol=5))


def _taken(take: Callable[..., object], workers: Iterable[Worker[None]]) -> object:
    """What comes next. While nothing comes, raises what a dead worker has raised: a queue cannot tell that its senders are gone, and a
    channel is kept open by the other workers."""
    while True:
        try:
            return take(timeout=1)
        except queue.Empty:
            _join([worker for worker in workers if not worker.is_alive()])


def _counted(tasks: Iterable[tuple[int, Buffer]]) -> Iterator[list[Row]]:
    rows: list[Row] = []
    for index, file in tasks:
        rows.append((index, getattr(file, "address", 0), *count(file)))
        if len(rows) == _ROWS_A_MESSAGE:
            yield rows
            rows = []
    if rows:
        yield rows


def _join(workers: Iterable[Worker[None]]) -> None:
    for worker in workers:
        worker.join()
