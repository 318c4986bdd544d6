"""The calls of one pool that have no outcome yet.

```text
submit ──▶ orders ──▶ any worker        futures: number of the order ──▶ Future
              ▲                                       │
   cancel ────┘ takes the order back                  └── settle: outcome ──▶ Future
```

The channel of orders is the one place where it is decided who has a call: a worker that has received it, or whoever has
taken it back.

A worker may be done with a call before its number is known here. No lock is held meanwhile, as sending runs code of the arguments,
which may use the pool: each side notes what it has, and then looks for what the other one had. Single operations on dicts are atomic.
"""

from concurrent.futures import InvalidStateError

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
        #: Of calls whose numbers were not known yet.
        self._early: dict[int, Outcome] = {}

    def submit(self, order: Order) -> Future[object]:
        """Raises what sending raises."""
        future: Future[object] = Future(self)
        future.serial = serial = self._sender._post(order)
        self._futures[serial] = future
        if (outcome := self._early.pop(serial, None)) is not None and self._futures.pop(serial, None) is not None:
            _give(future, outcome)
        return future

    def refuse(self, error: BaseException) -> Future[object]:
        """The future of a call that cannot even be sent."""
        future: Future[object] = Future(self)
        future.set_exception(error)
        return future

    def settle(self, serial: int, outcome: Outcome) -> None:
        """Gives an outcome to whom it belongs."""
        future = self._futures.pop(serial, None)
        if future is None:
            self._early[serial] = outcome
            future = self._futures.pop(serial, None)
            if future is None:
                return
            self._early.pop(serial, None)
        _give(future, outcome)

    def take_back(self, serial: int) -> bool:
        """Whether a call was taken from the orders before any worker began it."""
        if not self._sender._withdraw(serial):
            return False
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
        return list(self._futures.values())


def _give(future: Future[object], outcome: Outcome) -> None:
    try:
        if outcome.error is not None:
            future.set_exception(outcome.error)
        else:
            future.set_result(outcome.value)
    except InvalidStateError:  # it was cancelled just now
        pass
