"""The standard library's executors as routes: a call with the array as its argument."""

import sys
from concurrent import futures
from typing import Any

from .. import serving
from .route import PROCESSES, Route, end_with_parent


class _Pool(Route):
    """A pool with one worker."""

    def __init__(self) -> None:
        self._pool = self._start()
        self._pool.submit(serving.reply_to, "touch", b" ").result()

    def _start(self) -> futures.Executor:
        raise NotImplementedError

    def send(self, question: str, payload: Any) -> None:
        self._future = self._pool.submit(serving.reply_to, question, payload)

    def answer(self) -> Any:
        return self._future.result()

    def close(self) -> None:
        self._pool.shutdown()


class InterpreterPool(_Pool):
    name = "stdlib InterpreterPoolExecutor"
    place = "interpreter"
    how = "submit(f, array).result(); NumPy does not import in its workers"

    @classmethod
    def absent(cls) -> str:
        return "" if sys.version_info >= (3, 14) else "it begins with CPython 3.14"

    if sys.version_info >= (3, 14):

        def _start(self) -> futures.Executor:
            return futures.InterpreterPoolExecutor(1)


class ProcessPool(_Pool):
    name = "stdlib ProcessPoolExecutor"
    place = "process"
    how = "submit(f, array).result(): the array is pickled in band"

    def _start(self) -> futures.Executor:
        return futures.ProcessPoolExecutor(1, PROCESSES, initializer=end_with_parent)
