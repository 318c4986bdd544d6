"""A condition whose waiters wait in a channel of crossbuf instead of a lock.

`threading.Condition` makes each waiter a lock to sleep on. Here it is a channel: its receiver looks for a moment before it sleeps,
without the GIL, and so saves the two thread switches that cost more than a short call in another interpreter.
"""

import os
import threading
import time

from .._core import channel
from ..errors import Empty


class Bell:
    """What one waiter waits for."""

    def __init__(self) -> None:
        self._sender, self._receiver = channel()
        #: The number of the wait. A ring for an earlier one may come late.
        self._wait = 0

    def begin(self) -> None:
        """Makes it ready for another wait."""
        self._wait += 1

    def release(self) -> None:
        """Rings it; the name is what `Condition.notify` calls.

        When a worker does so on its way through this interpreter, it rings once the worker has left: who wakes needs the GIL.
        """
        self._sender._post_later(self._wait)

    def wait(self, timeout: float | None) -> bool:
        """Whether it was rung within `timeout` seconds; also while the interpreter ends, as the pool's threads are joined then."""
        # As locks do, it takes a negative number for none.
        timeout = timeout if timeout is None else max(timeout, 0)
        until = None if timeout is None else time.monotonic() + timeout
        try:
            while self._receiver._await_thread(timeout) != self._wait:
                if until is not None:
                    timeout = max(until - time.monotonic(), 0)
        except Empty:
            return False
        return True


class _Spare(threading.local):
    """Bells of this thread that nobody waits for. More than one is there only after a signal handler has waited inside a wait."""

    def __init__(self) -> None:
        self.bells: list[Bell] = []


_spare = _Spare()
# Their channels are the parent's.
os.register_at_fork(after_in_child=lambda: _spare.bells.clear())


class BellCondition(threading.Condition):
    """As `threading.Condition`."""

    def wait(self, timeout: float | None = None) -> bool:
        """As there. The same calls of the base class see to the lock and to the list of waiters."""
        bells = _spare.bells
        bell = bells.pop() if bells else Bell()
        bell.begin()
        waiters = self._waiters  # type: ignore[attr-defined]
        waiters.append(bell)
        saved = self._release_save()  # type: ignore[attr-defined]
        try:
            return bell.wait(timeout)
        finally:
            self._acquire_restore(saved)  # type: ignore[attr-defined]
            if bell in waiters:
                waiters.remove(bell)
            bells.append(bell)
