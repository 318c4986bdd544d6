"""What workers do whose own cost is measured: so nothing here imports more than they need."""

import time

from .._core import Receiver, Sender


def seconds_of_import() -> float:
    """Of NumPy, and of nothing else."""
    start = time.perf_counter()
    import numpy as numpy

    return time.perf_counter() - start


def idle(ready: Sender, wait: Receiver) -> None:
    """Has computed a little, and waits."""
    import numpy as np

    np.linalg.svd(np.random.default_rng(1).random((20, 20)))
    np.fft.fft(np.ones(20))
    ready.send(None)
    for _ in wait:
        pass
