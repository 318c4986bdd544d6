"""The threads of a pool: started when there are more calls than workers, gone when the orders end.

A pool breaks when one of its workers cannot go on. Calls that nobody has begun fail at once, and so does the one that was lost;
those that other workers have begun come to their end.
"""

import contextlib
import logging
import threading

from .._core import channel
from ..errors import Ended, IsolationError
from ._broken import BrokenInterpreterPool
from ._calls import Calls
from ._lane import InitializerFailed, Lane, Plan


class Crew:
    """Up to `most` lanes."""

    def __init__(self, calls: Calls, plan: Plan, most: int, prefix: str) -> None:
        self.calls = calls
        self.broken: BrokenInterpreterPool | None = None
        self._plan = plan
        self._most = most
        self._prefix = prefix
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        #: Lanes that take orders or are about to.
        self._active = 0
        self._started = 0
        # Nothing is sent here: the channel ends when all threads do. A Ctrl-C ends this wait, but may miss a wait for the threads.
        self._running, self._ended = channel()

    def grow(self) -> None:
        """Starts another lane if there are more calls than lanes."""
        with self._lock:
            if self._active >= min(len(self.calls), self._most):
                return
            self._active += 1
            name = f"{self._prefix}_{self._started}"
            self._started += 1
            thread = threading.Thread(target=self._work, args=(Lane(name, self.calls, self._plan), self._running.clone()), name=name)
            self._threads = [other for other in self._threads if other.is_alive()] + [thread]
            try:
                thread.start()
            except BaseException:
                self._active -= 1
                self._threads.pop()
                raise

    def close(self) -> None:
        """No more orders: lanes end when none is left."""
        self.calls.close()
        self._running.close()

    def join(self) -> None:
        """Waits for all lanes to end. To be called after `close`."""
        with contextlib.suppress(Ended):
            self._ended._await_thread(None)
        for thread in self._threads:
            thread.join()

    def _work(self, lane: Lane, running: object) -> None:
        with running:  # type: ignore[attr-defined]
            try:
                while True:
                    lane.run()
                    if self._leave():
                        return
            except BaseException as failure:
                self._break(lane, failure)

    def _leave(self) -> bool:
        """Whether a lane may end; if not, there are orders for it."""
        with self._lock:
            if self.calls.reader.qsize() > 0:
                return False
            self._active -= 1
            last = self._active == 0
        if last and self.broken is not None:
            self.calls.fail_all(self.broken)
        return True

    def _break(self, lane: Lane, failure: BaseException) -> None:
        with self._lock:
            if self.broken is None:
                self.broken = _broken(lane, failure)
            self._active -= 1
            last = self._active == 0
        self.close()
        self.calls.fail_waiting(self.broken)
        lane.fail_lost(self.broken)
        if last:
            self.calls.fail_all(self.broken)


def _broken(lane: Lane, failure: BaseException) -> BrokenInterpreterPool:
    cause = failure.cause if isinstance(failure, InitializerFailed) else failure
    if isinstance(cause, IsolationError):
        what = str(cause)
    elif isinstance(failure, InitializerFailed):
        logging.getLogger("concurrent.futures").critical("Exception in initializer:", exc_info=cause)
        what = f"the initializer raised {type(cause).__qualname__}: {cause}"
    else:
        what = f"the interpreter of worker {lane.name} is gone: {str(cause).rpartition('\n')[2]}"
    broken = BrokenInterpreterPool(f"{what}; this pool takes no more calls, make another")
    broken.__cause__ = cause
    return broken
