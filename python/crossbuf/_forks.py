"""Channel ends in processes that multiprocessing forks.

A forked child has copies of all ends of its parent, whether it wants them or not; until it has said which, the parent takes each channel
for open on all sides. With multiprocessing it is known at once: the ends among the process's arguments and attributes are meant. Other
ends still work when they are first used, as long as their channel lives.
"""

import os
import sys

from ._core import Receiver, Sender, _pause, _resume, _settle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class _AfterFork:
    """What multiprocessing calls in its children. It knows its callers by weak references."""

    def __init__(self) -> None:
        self._registered = False

    def register(self) -> None:
        """Before each fork: multiprocessing may have been imported since the last one."""
        util = sys.modules.get("multiprocessing.util")
        if util is not None and not self._registered:
            self._registered = True
            util.register_after_fork(self, _AfterFork.run)

    def run(self) -> None:
        from multiprocessing.process import current_process

        for end in _ends_in(vars(current_process())):
            _ = end.closed  # to be asked is to be used
        _settle()


_after_fork = _AfterFork()


def watch() -> None:
    """Sees to forks from now on. Sub-interpreters cannot fork."""
    os.register_at_fork(before=_after_fork.register)
    # CPython warns of forks beside other threads. The one that serves other processes is none of the program's.
    os.register_at_fork(before=_pause, after_in_parent=_resume)


def _ends_in(whole: object, depth: int = 8) -> "Iterator[Receiver | Sender]":
    match whole:
        case Receiver() | Sender():
            yield whole
        case dict() if depth > 0:
            for value in list(whole.values()):
                yield from _ends_in(value, depth - 1)
        case list() | tuple() | set() | frozenset() if depth > 0:
            for item in list(whole):
                yield from _ends_in(item, depth - 1)
