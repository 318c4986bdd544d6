"""A pool's worker, as seen from inside its interpreter.

```text
setup:    Setup, (initializer, its arguments) or None
orders:   (function, arguments, keywords), until the channel ends
report:   the outcome of the initializer, if there is one, then one for each order
```

After each outcome the worker calls home: the thread goes back to the interpreter it came from, settles the future, and returns.
"""

import contextlib
import sys
from collections.abc import Iterator
from typing import Literal, NamedTuple

from .. import _main, _outcome, isolation
from .._core import Receiver, Sender, _call_home, _hold_openblas, _release_openblas
from ..errors import Ended
from ._orders import Reader


class Setup(NamedTuple):
    """What a worker must know before its first call."""

    main: _main.Source | None
    argv: list[str]
    #: After how many calls it ends.
    limit: int | None
    #: Whether it loads NumPy: "auto" where it can.
    numpy: Literal["auto"] | bool
    #: What a BLAS that it loads is set to; None leaves it.
    blas_threads: int | None


def work(orders: Receiver, report: Sender, setup: Receiver) -> None:
    """Does orders until there are none, or the limit is reached."""
    with orders, report, setup:
        about = Setup(*setup.recv_nowait())
        sys.argv = about.argv
        _main.install(about.main)
        with _limited_blas(about.blas_threads):
            initialized = _outcome.tell(report, None, _initialize, (about, setup), {})
            _call_home()
            if initialized:
                _serve(orders, report, about.limit)


@contextlib.contextmanager
def _limited_blas(threads: int | None) -> Iterator[None]:
    """All workers of the process together hold it, so the last one to end gives it back."""
    if threads is None:
        yield
        return
    _hold_openblas(threads)
    try:
        yield
    finally:
        _release_openblas()


def _initialize(about: Setup, setup: Receiver) -> None:
    if about.numpy:
        isolation.enable_on_demand()
    if about.numpy is True:
        isolation.enable("numpy")
        import numpy as numpy
    initializer = setup.recv_nowait()
    if initializer is not None:
        function, arguments = initializer
        function(*arguments)


def _serve(orders: Receiver, report: Sender, limit: int | None) -> None:
    reader = Reader()
    done = 0
    while limit is None or done < limit:
        try:
            serial, readable, order = orders._take()
        except (Ended, SystemExit):  # the second says that the process ends
            return
        if readable:
            _outcome.tell(report, serial, reader.call, (order,), {})
        else:
            _outcome.tell(report, serial, _refuse, (order,), {})
        # What the caller lets go of must not live on here.
        del order
        _call_home()
        done += 1


def _refuse(error: Exception) -> None:
    """The order could not be read: a class or module that it needs is not here."""
    raise error
