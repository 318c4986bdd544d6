"""Callbacks run on the threads of the pool's workers, which take no calls meanwhile.

One that waits for another call of its pool leaves it to the other workers. When each of them waits so, the calls would wait for
callbacks and the callbacks for calls: whoever comes last is refused.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ._future import Future


class Callbacks:
    """Which workers of one pool are in callbacks now. Its methods are called on their threads."""

    def __init__(self, most: int) -> None:
        #: How many workers the pool may have.
        self._most = most
        self._lock = threading.Lock()
        #: By the worker's thread, the call that it waits for, or None.
        self._inside: dict[int, Future[Any] | None] = {}

    def __len__(self) -> int:
        """How many workers are in callbacks."""
        return len(self._inside)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """While this thread's worker runs callbacks."""
        here = threading.get_ident()
        outermost = here not in self._inside
        self._inside.setdefault(here, None)
        try:
            yield
        finally:
            if outermost:
                del self._inside[here]

    @contextlib.contextmanager
    def waiting(self, future: Future[Any], grow: Callable[[], None]) -> Iterator[None]:
        """While this thread's worker waits for a call of its own pool. Raises `RuntimeError` when it would do so for ever.

        `grow` starts another worker if there are more calls than workers for them.
        """
        here = threading.get_ident()
        with self.running():
            before = self._inside[here]
            with self._lock:
                # Who waits for what is done by now is about to go on.
                stuck = sum(other is not None and not other.done() for other in list(self._inside.values()))
                if stuck + 1 >= self._most:
                    raise RuntimeError(
                        f"a callback waits for a call of its own pool, and all workers of the pool ({self._most}) would wait so for ever; "
                        "give that call a callback instead, or the pool another worker"
                    )
                self._inside[here] = future
            try:
                grow()
                yield
            finally:
                self._inside[here] = before
