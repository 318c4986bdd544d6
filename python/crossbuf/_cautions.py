"""Warnings of what CPython does with sub-interpreters that crossbuf cannot mend."""

import os
import warnings

from ._core import _many_closed
from ._native_interpreters import count

#: So many interpreters with NumPy are not closed without a word. Each leaves about 11 MB behind.
_MANY = 50


def watch_forks() -> None:
    """Warns when a process forks while there are other interpreters: the child crashes."""

    def before() -> None:
        if (number := count() - 1) > 0:
            text = (
                f"os.fork with {number} sub-interpreters open: CPython crashes in the child (python/cpython#101437); close them before, "
                'or start processes by subprocess or with multiprocessing\'s "spawn"'
            )
            warnings.warn(text, RuntimeWarning, stacklevel=2)

    os.register_at_fork(before=before)


def another_interpreter() -> None:
    """Warns who asks for another interpreter, once in the process, when many were closed that had loaded NumPy.

    To be called on the thread of the one who asks: threads of pools and workers close interpreters, but can change nothing.
    """
    if (number := _many_closed(_MANY)) is not None:
        text = (
            f"{number} interpreters that had loaded NumPy were closed in this process, and each leaves about 11 MB that CPython does not "
            "give back; keep interpreters and use them again, as crossbuf.futures.InterpreterPoolExecutor does"
        )
        warnings.warn(text, RuntimeWarning, skip_file_prefixes=_ours())


def _ours() -> tuple[str, ...]:
    """What stands between crossbuf and the line that a warning is about."""
    import concurrent.futures

    return tuple(os.path.dirname(file) for file in (__file__, concurrent.futures.__file__ or __file__))  # noqa: PTH120
