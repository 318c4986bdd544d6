"""The threads of a pool: started when there are more calls than workers, gone when the orders end.

A pool breaks when one of its workers cannot go on. Calls that nobody has begun fail at once, and so does the one that was lost;
those that other workers have begun come to their end.
"""

import contextlib
import logging
import threading

from .._core import Sender, channel
from .._outcome import described
from ..errors import Closed, Ended, IsolationError
from ._broken import BrokenInterpreterPool
from ._callbacks import Callbacks
from ._calls import Calls
from ._future import this_thread
from ._lane import InitializerFailed, Lane, Plan


class Crew:
    """Up to `most` lanes."""

    def __init__(self, calls: Calls, plan: Plan, most: int, prefix: str) -> None:
        self.calls = calls
        self.broken: BrokenInterpreterPool | None = None
        self._plan = plan
        self._most = most
        self._prefix = prefix
        self.callbacks = Callbacks(most)
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        #: Lanes that take orders or are about to.
        self._active = 0
        self._started = 0
        # Nothing is sent here: the channel ends when all threads do. A Ctrl-C ends this wait, but may miss a wait for the threads.
        self._running, self._ended = channel()

    def grow(self) -> None:
        """Starts another lane if there are more calls than lanes that could do them."""
        try:
            self._grow()
        except Closed:
            # By another thread, since this call was submitted. Lanes that are left do what they find, but there may be none.
            if self._active == 0:
                self.calls.fail_waiting(self.broken or RuntimeError("cannot schedule new futures after shutdown"))

    def _grow(self) -> None:
        with self._lock:
            if self._active >= min(len(self.calls) + len(self.callbacks), self._most):
                return
            running = self._running.clone()
            self._active += 1
            name = f"{self._prefix}_{self._started}"
            self._started += 1
            thread = threading.Thread(target=self._work, args=(Lane(name, self.calls, self._plan), running), name=name)
            self._threads = [other for other in self._threads if other.is_alive()] + [thread]
            try:
                thread.start()
            except Exception:  # a Ctrl-C comes while it waits for the thread, which runs
                running.close()
                self._active -= 1
                self._threads.pop()
                raise

    def close(self) -> None:
        """No more orders: lanes end when none is left."""
        self.calls.close()
        self._running.close()

    def join(self) -> None:
        """Waits for all lanes to end. To be called after `close`. Raises `RuntimeError` when one of them would wait for itself."""
        if this_thread.crew is self:
            text = "a callback of a pool's call cannot wait for the end of the pool, whose worker it keeps busy; use shutdown(wait=False)"
            raise RuntimeError(text)
        with contextlib.suppress(Ended):
            self._ended._await_thread(None)
        for thread in self._threads:
            thread.join()

    def _work(self, lane: Lane, running: Sender) -> None:
        this_thread.crew = self
        with running:
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
        broken = _broken(lane, failure)
        with self._lock:
            is_first = self.broken is None
            broken = self.broken = self.broken or broken
            self._active -= 1
            last = self._active == 0
        self.close()
        self.calls.fail_waiting(broken)
        lane.fail_lost(broken)
        if last:
            self.calls.fail_all(broken)
        # In the end: what handles it may raise, or use the pool.
        if is_first and isinstance(failure, InitializerFailed) and not isinstance(failure.cause, IsolationError):
            logging.getLogger("concurrent.futures").critical("Exception in initializer:", exc_info=failure.cause)


def _broken(lane: Lane, failure: BaseException) -> BrokenInterpreterPool:
    cause = failure.cause if isinstance(failure, InitializerFailed) else failure
    if isinstance(cause, IsolationError):
        what = str(cause)
    elif isinstance(failure, InitializerFailed):
        what = f"the initializer raised {type(cause).__qualname__}: {described(cause)}"
    else:
        what = f"the interpreter of worker {lane.name} is gone: {described(cause).rpartition('\n')[2]}"
    broken = BrokenInterpreterPool(f"{what}; this pool takes no more calls, make another")
    broken.__cause__ = cause
    return broken
