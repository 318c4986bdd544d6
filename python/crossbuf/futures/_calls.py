"""The calls of one pool that have no outcome yet.

```text
submit ──▶ orders ──▶ any worker        futures: number of the order ──▶ Future
              ▲                                       │
   cancel ────┘ takes the order back                  └── settle: outcome ──▶ Future
```

The channel of orders is the one place where it is decided who has a call: a worker that has received it, or whoever has
taken it back.
"""

import threading

from .._core import Arena, channel
from .._outcome import Outcome
from .._worker import Order
from ._future import Future


class Calls:
    """Orders on their way, and the futures that wait for them."""

    def __init__(self, arena: Arena | None) -> None:
        #: `reader` is for the workers; here it only keeps the channel from being broken while there are none.
        self._sender, self.reader = channel(arena=arena)
        self._futures: dict[int, Future[object]] = {}
        self._lock = threading.Lock()

    def submit(self, order: Order) -> Future[object]:
        """Raises what sending raises."""
        future: Future[object] = Future(self)
        # A worker may be done before the number is known here.
        with self._lock:
            future.serial = self._sender._post(order)
            self._futures[future.serial] = future
        return future

    def refuse(self, error: BaseException) -> Future[object]:
        """The future of a call that cannot even be sent."""
        future: Future[object] = Future(self)
        future.set_exception(error)
        return future

    def settle(self, serial: int, outcome: Outcome) -> None:
        """Gives an outcome to whom it belongs."""
        with self._lock:
            future = self._futures.pop(serial, None)
        if future is None:
            return
        if outcome.error is not None:
            future.set_exception(outcome.error)
        else:
            future.set_result(outcome.value)

    def take_back(self, serial: int) -> bool:
        """Whether a call was taken from the orders before any worker began it."""
        if not self._sender._withdraw(serial):
            return False
        with self._lock:
            self._futures.pop(serial, None)
        return True

    def holds(self, serial: int) -> bool:
        """Whether no worker has begun the call."""
        return self._sender._holds(serial)

    def cancel_all(self) -> None:
        """Cancels what no worker has begun."""
        for future in self._unsettled():
            future.cancel()

    def fail_waiting(self, error: BaseException) -> None:
        """Gives the error to those calls that no worker has begun."""
        for future in self._unsettled():
            if future.serial is not None and self._sender._withdraw(future.serial):
                self.settle(future.serial, Outcome(None, error))

    def fail_all(self, error: BaseException) -> None:
        """Gives the error to all calls."""
        for future in self._unsettled():
            if future.serial is not None:
                self.settle(future.serial, Outcome(None, error))

    def close(self) -> None:
        """No more orders: workers end when none is left."""
        self._sender.close()

    def __len__(self) -> int:
        """How many have no outcome yet."""
        return len(self._futures)

    def _unsettled(self) -> list[Future[object]]:
        with self._lock:
            return list(self._futures.values())
