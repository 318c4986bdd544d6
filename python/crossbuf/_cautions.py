"""Warnings of what CPython does with sub-interpreters that crossbuf cannot mend."""

import itertools
import os
import warnings
from collections.abc import Callable

#: So many interpreters with NumPy are closed without a word. Each leaves about 11 MB behind.
_FEW = 50

_closed = itertools.count(1)


def watch_forks(count_open: Callable[[], int]) -> None:
    """Warns when a process forks while interpreters are open: the child crashes."""

    def before() -> None:
        if (number := count_open()) > 0:
            text = (
                f"os.fork with {number} sub-interpreters open: CPython crashes in the child (python/cpython#101437); close them before, "
                'or start processes by subprocess or with multiprocessing\'s "spawn"'
            )
            warnings.warn(text, RuntimeWarning, stacklevel=2)

    os.register_at_fork(before=before)


def interpreter_closed() -> None:
    """Warns once when many interpreters were closed that had extension modules of their own."""
    if next(_closed) == _FEW + 1:
        text = (
            f"{_FEW} interpreters that had loaded NumPy were closed, and each leaves about 11 MB that CPython does not give back; "
            "keep interpreters and use them again, as crossbuf.futures.InterpreterPoolExecutor does"
        )
        warnings.warn(text, RuntimeWarning, stacklevel=3)
