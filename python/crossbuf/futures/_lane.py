"""One worker of a pool, as seen from outside: a thread, and the interpreter that it runs.

```text
thread  ── create interpreter ── work ──────┬────────────── close ── another, or end
                                            │ call home
                                            └─ read the outcome, settle the future
```
"""

import contextlib
import sys
from collections.abc import Iterator
from typing import Literal

from .. import _main, _outcome, interpreters
from .._core import Arena, _hold_openblas, _release_openblas, channel
from .._outcome import Outcome, described
from .._worker import Order
from ..errors import Empty, Ended
from ._calls import Calls


class InitializerFailed(Exception):
    """A worker's initializer raised, or it could not be prepared."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(described(cause))
        self.cause = cause


class Plan:
    """What all workers of a pool have in common."""

    def __init__(
        self,
        arena: Arena | None,
        initializer: Order | None,
        limit: int | None,
        numpy: Literal["auto"] | bool,
        blas_threads: int | None,
    ) -> None:
        self.arena = arena
        self.initializer = initializer
        self.setup = _main.source(), list(sys.argv), limit, numpy
        self.blas_threads = blas_threads


class Lane:
    """Runs one interpreter after another."""

    def __init__(self, name: str, calls: Calls, plan: Plan) -> None:
        self.name = name
        self._calls = calls
        self._plan = plan
        _, self._reports = channel()
        #: What the initializer raised.
        self._failure: BaseException | None = None

    def run(self) -> None:
        """One interpreter, until it has reached its limit or there are no orders. Raises what breaks the pool."""
        report, self._reports = channel(arena=self._plan.arena)
        setup, setups = channel(arena=self._plan.arena)
        orders = self._calls.reader.clone()
        with report, setup, setups, orders, _limited_blas(self._plan.blas_threads), interpreters._create() as interpreter:
            setup.send(self._plan.setup)
            setup.send(self._plan.initializer)
            interpreter._work("serve", (orders, report, setups), self._settle)
        if self._failure is not None:
            raise InitializerFailed(self._failure)

    def fail_lost(self, error: BaseException) -> None:
        """Gives the error to the call that the interpreter had begun when it was lost."""
        with contextlib.suppress(Empty, Ended):
            self._calls.settle(self._reports.recv_nowait(), Outcome(None, error))

    def _settle(self) -> None:
        """Called by the worker, on this thread, when it has reported."""
        serial = self._reports.recv_nowait()
        try:
            outcome = _outcome.read(self._reports, f"a worker ({self.name})")
        except Exception as error:  # whatever it is, somebody waits for it
            outcome = Outcome(None, error)
        if serial is not None:
            self._calls.settle(serial, outcome)
        elif outcome.error is not None:
            self._failure = outcome.error


@contextlib.contextmanager
def _limited_blas(threads: int | None) -> Iterator[None]:
    """What a BLAS that workers load is set to; None leaves it. All of them together hold it, so the last one to end gives it back."""
    if threads is None:
        yield
        return
    _hold_openblas(threads)
    try:
        yield
    finally:
        _release_openblas()
