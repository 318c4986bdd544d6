"""`InterpreterPoolExecutor`: calls run at once in interpreters that own their GIL, and arrays travel without being copied.

```text
submit ──▶ order ──▶ channel ──▶ worker 0: thread, interpreter, GIL, NumPy
                            └──▶ worker 1
   result ◀── Future ◀── outcome ◀──┘
```

It takes the place of the executor of that name in `concurrent.futures` (3.14), and works on 3.12 and 3.13, too:

```python
with InterpreterPoolExecutor(max_workers=4) as pool:
    u, s, vh = pool.submit(np.linalg.svd, frame).result()
```

- ndarrays among arguments and results, at any depth, go through an arena: one that lies in an arena already costs nothing, any other
  is copied once, when the call is submitted. Both sides see them read-only; `.copy()` gives one to write to.
- Functions travel by name. Those of the main script need the script's `if __name__ == "__main__":` around what must happen
  once; lambdas and nested functions need cloudpickle.
- A call is cancelled or it runs, never both: orders wait in one channel, and whoever takes one out has it.
- Workers start when there are more calls than workers, and each imports NumPy at its first array or when a function needs it. That
  takes as long as in a process of its own, 36 to 500 ms; pass an `initializer` that imports what you need to have it behind you.
- Starting a worker without NumPy takes hardly longer than CPython takes to make its interpreter, 10 to 20 ms. It is closed when the
  pool ends, and CPython keeps about 11 MB of one that had NumPy: keep a pool and use it again.
"""

import itertools
import os
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from concurrent.futures import Future as _Future
from typing import Any, Literal, cast

from .. import _cautions, _main
from .._core import Arena, _is_ending
from .._function import by_name, explain
from .._worker import Order
from ..errors import NotShareable
from . import _arguments
from ._broken import BrokenInterpreterPool as BrokenInterpreterPool
from ._calls import Calls
from ._crew import Crew
from ._lane import Plan
from ._orders import Batched, Writer

_numbers = itertools.count()


class InterpreterPoolExecutor(Executor):
    """A pool of interpreters that own their GIL. Leaving a `with` block waits for its calls.

    `max_workers`: at most so many interpreters; as many as there are CPUs for this process, if not given.
    `thread_name_prefix`: what the names of the workers' threads begin with.
    `initializer(*initargs)` is called in each worker before its first call; if it raises, the pool is broken.
    `numpy`: "auto" loads NumPy in workers where crossbuf can and leaves them Arrays where not; True breaks the pool with the reason
    where it cannot; False never loads it.
    `arena`: where ndarrays are copied to; the process's own, if not given.
    `max_tasks_per_child`: a worker's interpreter is replaced after so many calls. What that gives back of its memory is a part: CPython
    keeps the rest.
    `blas_threads`: how many threads NumPy's BLAS uses for one call, in the whole process as long as there are workers; None leaves it.

    Raises `ValueError` and `TypeError` for arguments that make no sense.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        thread_name_prefix: str = "",
        initializer: Callable[..., object] | None = None,
        initargs: tuple[object, ...] = (),
        *,
        numpy: Literal["auto"] | bool = "auto",
        arena: Arena | None = None,
        max_tasks_per_child: int | None = None,
        blas_threads: int | None = 1,
    ) -> None:
        most = len(os.sched_getaffinity(0)) if max_workers is None else _arguments.number("max_workers", max_workers)
        limit = _arguments.optional_number("max_tasks_per_child", max_tasks_per_child)
        threads = _arguments.optional_number("blas_threads", blas_threads)
        start = _arguments.start(initializer, initargs)
        first: Order | None = None if start is None else (by_name(start[0]), start[1], {})
        plan = Plan(arena, first, limit, _arguments.way_of_numpy(numpy), threads)
        self._crew = Crew(Calls(arena), plan, most, thread_name_prefix or f"InterpreterPoolExecutor-{next(_numbers)}")
        self._writer = Writer()
        self._is_shut = False
        _main.answer_to_both_names()
        # A pool that nobody refers to any more ends when its calls have.
        weakref.finalize(self, self._crew.close).atexit = False

    def submit[**P, T](self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> _Future[T]:
        """The future of `fn(*args, **kwargs)` in some worker.

        Raises `RuntimeError` after `shutdown` and `BrokenInterpreterPool` when the pool is broken. What is wrong with the call
        itself, as a function that no other interpreter can find, is raised by the future.
        """
        crew = self._crew
        self._check_open()
        if _is_ending():
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")
        # The pool may have to start or to replace a worker.
        _cautions.another_interpreter()
        try:
            order = self._writer.order(fn, args, kwargs)
            future = crew.calls.submit(order)
        except Exception as error:
            # While an argument was pickled, another thread may have closed the pool.
            self._check_open()
            if isinstance(error, NotShareable):
                explain(error, fn)
            return cast(_Future[T], crew.calls.refuse(error))
        crew.grow()
        return cast(_Future[T], future)

    def _check_open(self) -> None:
        if (broken := self._crew.broken) is not None:
            raise BrokenInterpreterPool(str(broken)) from broken
        if self._is_shut:
            raise RuntimeError("cannot schedule new futures after shutdown")

    def map[T](
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """The results of `fn` for the items of the iterables, in their order.

        `timeout`: seconds until `TimeoutError`, counted from this call. `chunksize`: calls in one order, which saves time where
        there are many short ones. `buffersize` (CPython 3.14): orders ahead of the results taken, instead of all at once.
        """
        chunksize = _arguments.number("chunksize", chunksize)
        # 3.12 and 3.13 do not know the argument, and say so when it is given.
        more: dict[str, Any] = {} if buffersize is None else {"buffersize": buffersize}
        if chunksize == 1:
            return super().map(fn, *iterables, timeout=timeout, **more)
        batches = itertools.batched(zip(*iterables, strict=False), chunksize)
        return _unbatched(super().map(cast(Callable[..., list[T]], Batched(fn)), batches, timeout=timeout, **more))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """No more calls. Waits for those submitted, if `wait`; cancels those that no worker has begun, if `cancel_futures`."""
        self._is_shut = True
        if cancel_futures:
            self._crew.calls.cancel_all()
        self._crew.close()
        if wait:
            self._crew.join()


def _unbatched[T](batches: Iterator[list[T]]) -> Iterator[T]:
    for batch in batches:
        # A result that was taken is not kept.
        batch.reverse()
        while batch:
            yield batch.pop()
