"""The future of a call that waits in a channel until a worker takes it."""

import concurrent.futures
from collections.abc import Callable

from .._core import Sender, _hurry
from ._bells import BellCondition


class Future[T](concurrent.futures.Future[T]):
    """As `concurrent.futures.Future`. Whether its call has begun is asked of the channel, so a call is cancelled or it runs, never both."""

    def __init__(self, orders: Sender, forget: Callable[[int], object]) -> None:
        super().__init__()
        self._condition: BellCondition = BellCondition()
        self._orders = orders
        self._forget = forget
        #: The number of the call among the orders, once it is there.
        self.serial: int | None = None

    def cancel(self) -> bool:
        """Whether the call was taken back before any worker began it."""
        with self._condition:
            if self.done():
                return self.cancelled()
            if self.serial is None or not self._orders._withdraw(self.serial):
                return False
            self._forget(self.serial)
            super().cancel()
        # Nobody else will tell those who wait for several futures.
        self.set_running_or_notify_cancel()
        return True

    def _invoke_callbacks(self) -> None:
        # They may take as long as they like, and who waits for the result must not wait for them.
        if self._done_callbacks:  # type: ignore[attr-defined]
            _hurry()
        super()._invoke_callbacks()  # type: ignore[misc]

    def running(self) -> bool:
        """Whether a worker has the call."""
        with self._condition:
            return not self.done() and self.serial is not None and not self._orders._holds(self.serial)
