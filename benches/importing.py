"""What interpreters do that are to hold NumPy and nothing else: so nothing here imports more."""

import time

import crossbuf as cb


def seconds_of_import() -> float:
    """Of the import alone."""
    start = time.perf_counter()
    import numpy as numpy

    return time.perf_counter() - start


def idle(ready: cb.Sender, wait: cb.Receiver) -> None:
    """Has computed a little, and waits."""
    import numpy as np

    np.linalg.svd(np.random.default_rng(1).random((20, 20)))
    np.fft.fft(np.ones(20))
    ready.send(None)
    for _ in wait:
        pass
