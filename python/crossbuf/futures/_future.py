"""The future of a call that waits in a channel until a worker takes it."""

import concurrent.futures
import contextlib
import logging
import threading
from concurrent.futures._base import CANCELLED
from typing import TYPE_CHECKING

from .._core import _hurry, _is_ending
from ._bells import BellCondition

if TYPE_CHECKING:
    from ._calls import Calls
    from ._crew import Crew


class _Thread(threading.local):
    """What the thread of a worker knows."""

    #: All workers of its pool; None on other threads.
    crew: "Crew | None" = None


this_thread = _Thread()


class Future[T](concurrent.futures.Future[T]):
    """As `concurrent.futures.Future`. Whether its call has begun is asked of the channel, so a call is cancelled or it runs, never both."""

    def __init__(self, calls: "Calls") -> None:
        super().__init__()
        self._condition: BellCondition = BellCondition()
        self._calls = calls
        #: The number of the call among the orders, once it is there.
        self.serial: int | None = None

    def cancel(self) -> bool:
        """Whether the call was taken back before any worker began it."""
        with self._condition:
            if self.done():
                return self.cancelled()
            if self.serial is None or not self._calls.take_back(self.serial):
                return False
            self._state = CANCELLED
            self._condition.notify_all()
        # A callback may wait for those who wait for this.
        _hurry()
        # Nobody else will tell those who wait for several futures.
        self.set_running_or_notify_cancel()
        self._invoke_callbacks()
        return True

    def running(self) -> bool:
        """Whether a worker has the call."""
        with self._condition:
            return not self.done() and self.serial is not None and not self._calls.holds(self.serial)

    def result(self, timeout: float | None = None) -> T:
        """As there. Raises `RuntimeError` instead of waiting for ever in a callback, when all workers of the pool would."""
        try:
            with self._wait(timeout):
                return super().result(timeout)
        finally:
            # The traceback of what it raises leads here, and the future to that.
            self = None  # type: ignore[assignment]

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """As `result`."""
        with self._wait(timeout):
            return super().exception(timeout)

    def _wait(self, timeout: float | None) -> contextlib.AbstractContextManager[None]:
        crew = this_thread.crew
        if timeout is None and crew is not None and crew.calls is self._calls and not self.done():
            return crew.callbacks.waiting(self, crew.grow)
        return contextlib.nullcontext()

    def _invoke_callbacks(self) -> None:
        if not self._done_callbacks:  # type: ignore[attr-defined]
            return
        # They may take as long as they like, and who waits for the result must not wait for them.
        _hurry()
        crew = this_thread.crew
        with crew.callbacks.running() if crew is not None else contextlib.nullcontext():
            for callback in self._done_callbacks:  # type: ignore[attr-defined]
                try:
                    callback(self)
                except BaseException as error:
                    # What ends threads concerns the one that cancels a call, but no worker's.
                    if not isinstance(error, Exception) and self.cancelled():
                        raise
                    # So waits are called off when the process ends.
                    if isinstance(error, SystemExit) and _is_ending():
                        continue
                    logging.getLogger("concurrent.futures").exception("exception calling callback for %r", self)
