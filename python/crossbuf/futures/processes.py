"""`ProcessPoolExecutor`: the standard library's, with ndarrays that are not pickled.

```text
submit ──▶ call queue: stream, ticket ──▶ worker ──▶ result queue: stream, key ──▶ Future
             arrays wait in a channel ──▶        ──▶ arrays in a message
```

```python
with ProcessPoolExecutor(max_workers=4) as pool:
    u, s, vh = pool.submit(np.linalg.svd, frame).result()
```

- It is `concurrent.futures.ProcessPoolExecutor` by inheritance: its arguments, start methods, errors and `BrokenProcessPool`.
- ndarrays among arguments and results, at any depth in tuples, lists, dicts, dataclasses and whatever else is pickled, go through an
  arena: one that lies in an arena already costs nothing, any other is copied once. Small ones are copied through the pipe as ever,
  which takes less time.
- Both sides see them read-only, whatever their size; `.copy()` gives one to write to. Arrays of Python objects are pickled.
- Arguments are pickled, and copied, shortly before a worker is free, as in the standard library: do not change them meanwhile.
- Results stay readable when their worker has ended or was killed.
"""

import concurrent.futures
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool as BrokenProcessPool
from multiprocessing.context import BaseContext
from typing import Any

from .._core import Sender
from ._errands import Errand, Lost
from ._homecoming import Home, Result, send_home
from ._plain import is_plain


class ProcessPoolExecutor(concurrent.futures.ProcessPoolExecutor):
    """A pool of processes. All is as in the standard library, but for ndarrays, which arrive read-only and without being pickled."""

    def __init__(
        self,
        max_workers: int | None = None,
        mp_context: BaseContext | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        *,
        max_tasks_per_child: int | None = None,
    ) -> None:
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        home = Home()
        welcome = Errand((home.way(), initializer, initargs))
        super().__init__(max_workers, mp_context, _begin, (welcome,), max_tasks_per_child=max_tasks_per_child)
        self._home = home
        self._welcome = welcome
        self._is_watched = False

    def submit[**P, T](self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """The future of `fn(*args, **kwargs)` in some worker.

        Raises `RuntimeError` after `shutdown` and `BrokenProcessPool` when the pool is broken.
        """
        future: Future[Any]
        if is_plain((fn, args, kwargs)):
            future = super().submit(_call, fn, *args, **kwargs)
        else:
            errand = Errand((fn, args, kwargs))
            future = super().submit(_call_of, errand)
            # Whatever becomes of the call, what its worker has not fetched is of no use any more.
            future.add_done_callback(lambda _: errand.end())
        self._watch()
        return future

    def _watch(self) -> None:
        """Cleans up behind the pool, which ends with its thread: some time after `shutdown(wait=False)`, or after nobody refers to it."""
        manager = self._executor_manager_thread
        if manager is not None and not self._is_watched:
            self._is_watched = True
            weakref.finalize(manager, _clean_up, self._home, self._welcome).atexit = False

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """No more calls. Waits for those submitted, if `wait`; cancels those that are not about to be begun, if `cancel_futures`."""
        # There is none any more after `shutdown(wait=False)`, though calls may still run.
        is_over = self._executor_manager_thread is not None or not self._is_watched
        super().shutdown(wait, cancel_futures=cancel_futures)
        if wait and is_over:
            _clean_up(self._home, self._welcome)


def _clean_up(home: Home, welcome: Errand) -> None:
    home.close()
    welcome.end()


#: In a worker, how results go to the process that it works for.
_way: tuple[Sender, int]


def _begin(welcome: Any) -> None:
    """A worker's first call. A process that was forked has the errand itself."""
    global _way
    content: Any = welcome.content if isinstance(welcome, Errand) else welcome
    if isinstance(content, Lost):
        raise content.error
    _way, initializer, initargs = content
    if initializer is not None:
        initializer(*initargs)


def _call_of(call: Any) -> Any:
    if isinstance(call, Lost):
        raise call.error
    function, arguments, keywords = call
    return _call(function, *arguments, **keywords)


def _call(function: Callable[..., object], /, *arguments: Any, **keywords: Any) -> Any:
    try:
        value = function(*arguments, **keywords)
    except BaseException as error:
        send_home(error, _way)
        raise
    return value if is_plain(value) else Result(value, _way)
