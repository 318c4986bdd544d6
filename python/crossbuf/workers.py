"""One function in an interpreter of its own: `spawn(f, *args) -> Worker`.

```text
caller's interpreter        a new thread of the caller's             the new interpreter, its own GIL
spawn ── orders ─────────┐
                         ├─ create, hand over both channel ends ──▶  f(*args)
                         │                                              │
join ◀── outcome ────────┴─ close it, keep the outcome, end  ◀─ report ─┘
```

```python
worker = crossbuf.spawn(count_lines, receiver, sender)
total = worker.join()          # what count_lines returned, or raises what it raised
```

Everything travels through crossbuf channels: Arrays and channel ends among the arguments are shared, not copied. `f` travels by
name. When it, or an argument, is from the main script, the worker runs that script again under the name `__mp_main__`, as
multiprocessing does: keep `if __name__ == "__main__":` around what must happen once. Lambdas, nested functions and functions of a
prompt have no name to travel by and need cloudpickle.

The worker imports NumPy, SciPy and pandas where `crossbuf.isolation` can load them, and finds ndarrays in its messages then; where it
cannot, they are Arrays.

The thread is no daemon. At exit Python waits for workers, and crossbuf wakes those that wait in `recv` or `send`.
"""

import contextlib
import itertools
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self, cast

from . import _cautions, _main, _outcome, interpreters
from ._core import Receiver, Sender, channel
from ._function import by_name, explain
from ._outcome import Outcome, described
from .errors import Empty, Ended, NotShareable, WorkerError

_numbers = itertools.count(1)


def spawn[T](f: Callable[..., T], /, *args: object, name: str | None = None) -> "Worker[T]":
    """Calls `f(*args)` in a new interpreter with its own GIL, on a thread of its own, and returns at once.

    Raises here what is wrong with the order: `TypeError` when another interpreter cannot find `f`, and what `Sender.send` raises when
    an argument cannot cross. What goes wrong later is raised by `Worker.join`.
    """
    _cautions.another_interpreter()
    sender, orders = channel()
    with sender:
        sender.send((_main.source(), list(sys.argv)))
        try:
            sender.send((by_name(f), args))
        except NotShareable as error:
            explain(error, f)
            raise
    _main.answer_to_both_names()
    return Worker(orders, name or f"crossbuf-worker-{next(_numbers)}")


class Worker[T]:
    """A function that runs in an interpreter of its own. `spawn` makes them."""

    def __init__(self, orders: Receiver, name: str) -> None:
        self._run = _Run(name)
        # Nothing is sent here: the channel ends when the worker does. Joining the thread itself instead may miss a Ctrl-C that comes
        # just before it falls asleep, and on 3.12 takes a thread whose join was interrupted for one that has ended.
        running, self._running = channel()
        self._thread = threading.Thread(target=self._run, args=(orders, running), name=name)
        self._thread.start()

    @property
    def name(self) -> str:
        """The name of its thread."""
        return self._thread.name

    @property
    def interpreter_id(self) -> int | None:
        """The number of its interpreter; None until that exists. It stays when the interpreter is closed."""
        return self._run.interpreter_id

    def is_alive(self) -> bool:
        """Whether the function runs, or is about to."""
        return self._thread.is_alive()

    def join(self, timeout: float | None = None) -> T:
        """Waits for the function and returns what it returned. The outcome stays, so it may be called again.

        Raises what the function raised, with the worker's traceback as its cause; `WorkerError` when that cannot be rebuilt here
        or the worker could not start; `TimeoutError` when it still runs after `timeout` seconds.
        """
        try:
            self._wait(timeout)
        except Empty:
            text = f"worker {self.name!r} still runs after {timeout} s; join it again, or close the channel it waits on"
            raise TimeoutError(text) from None
        return cast(T, self._run.outcome())

    def _wait(self, timeout: float | None) -> None:
        """Until it has ended. Raises `Empty` when it has not in time."""
        with contextlib.suppress(Ended):
            self._running._await_thread(timeout)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        """Joins. When the block itself raised, the worker is waited for and the block's error is the one you see.

        A worker that waits for messages goes on for ever while their Sender is open: `with spawn(f, receiver), sender:` closes it first.
        """
        if error is None:
            self.join()
        else:
            self._wait(None)

    def __repr__(self) -> str:
        where = "no interpreter yet" if self.interpreter_id is None else f"interpreter {self.interpreter_id}"
        return f"<crossbuf Worker {self.name!r}, {where}, {'running' if self.is_alive() else 'ended'}>"


class _Run:
    """What the worker's thread does, and what came of it. It does not know its Worker, which may be dropped meanwhile."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.interpreter_id: int | None = None
        self._outcome = Outcome(None, None)
        #: Whether somebody has seen the outcome: an error that nobody joins for is printed, not lost.
        self._seen = False

    def __call__(self, orders: Receiver, running: Sender) -> None:
        with running:
            try:
                self._outcome = self._work(orders)
            except BaseException as failure:  # join raises it where somebody sees it
                error = WorkerError(f"worker {self.name!r} could not run: {described(failure)}")
                error.__cause__ = failure
                self._outcome = Outcome(None, error)

    def _work(self, orders: Receiver) -> Outcome:
        report, reports = channel()
        with orders, report, interpreters._create() as interpreter:
            self.interpreter_id = interpreter.id
            interpreter._work("work", (orders, report))
        reports.recv_nowait()  # the tag: there is one call only
        return _outcome.read(reports, f"worker {self.name!r}")

    def outcome(self) -> object:
        self._seen = True
        return self._outcome.get()

    def __del__(self) -> None:
        error = self._outcome.error
        # SystemExit is how a worker that waits is told that the process ends.
        if error is not None and not self._seen and not isinstance(error, SystemExit) and sys.stderr is not None:
            import traceback

            print(f"crossbuf: worker {self.name!r} failed, and nobody has called join to see it:", file=sys.stderr)
            traceback.print_exception(error)
