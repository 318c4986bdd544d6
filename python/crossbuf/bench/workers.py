"""What workers do whose own cost is measured: so nothing here imports more than they need."""

import itertools
import time
from typing import Any

from .. import _core
from .._core import Receiver, Sender
from . import serving


def seconds_of_import() -> float:
    """Of NumPy, and of nothing else. As `compute`, it is also run by its source, and imports what it needs."""
    import time

    start = time.perf_counter()
    import numpy as numpy

    return time.perf_counter() - start


def compute() -> None:
    """A little of what needs NumPy's larger parts."""
    import numpy as np

    np.linalg.svd(np.random.default_rng(1).random((20, 20)))
    np.fft.fft(np.ones(20))


def idle(ready: Sender, wait: Receiver) -> None:
    """Has computed, and waits."""
    compute()
    ready.send(None)
    for _ in wait:
        pass


def serve(inbox: Receiver, outbox: Sender) -> None:
    """Answers what comes through one channel through another."""
    serving.serve(inbox.recv, outbox.send)


def answer_by_futex(seen: int) -> None:
    """The other side of a ping-pong; a word that was raised by more than one is its end."""
    while (now := _core._floor_wait(0, seen)) == seen + 1:
        seen = now
        _core._floor_post(1, 1)


def operate(operation: str, end: Any, each: int, ready: Any, go: Any, report: Any, leave: Any) -> None:
    """So many operations at one end of a transport, timed."""
    call, arguments = getattr(end, operation), (1,) if operation in ("send", "put") else ()
    times = itertools.repeat(None, each)
    ready.send(None)
    go.recv()
    start = time.perf_counter()
    for _ in times:
        call(*arguments)
    report.send((start, time.perf_counter()))
    # What an interpreter has put in a queue of the standard library is lost when it ends before somebody got it.
    for _ in leave:
        pass
