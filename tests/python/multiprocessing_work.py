"""What processes of the tests do: functions that multiprocessing finds by name."""

import os
from pathlib import Path
from typing import Any

import numpy as np

import crossbuf as cb

#: Pickles of what would be megabytes have fewer bytes.
SMALL = 2000


def is_mapped(array: Any) -> bool:
    """Whether the first element lies in memory that was mapped from some process's arena, read-only."""
    address = array.address if isinstance(array, cb.Array) else array.ctypes.data
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, rights, *_ = line.split()
        start, end = (int(text, 16) for text in span.split("-"))
        if start <= address < end:
            return "crossbuf" in line and rights.startswith("r--")
    return False


def seen(array: Any) -> tuple[str, bool, float]:
    """Its class, whether it is mapped and not to be written to, the sum of its elements."""
    ndarray = array if isinstance(array, np.ndarray) else array.numpy()
    return type(array).__name__, is_mapped(array) and not ndarray.flags.writeable, float(ndarray.sum())


def answer(inbox: Any, outbox: Any) -> None:
    """Says of each array that comes what is seen of it, until None comes."""
    get, put = getattr(inbox, "get", None) or inbox.recv, getattr(outbox, "put", None) or outbox.send
    while (array := get()) is not None:
        put(seen(array))
        del array


def give(outbox: Any, enough: Any, length: int) -> None:
    """Sends an ndarray and an Array of its own, and lives until they have arrived."""
    array = cb.share(np.arange(float(length)))
    outbox.put([array, array.numpy()[::2]])
    enough.wait()


def sums(rx: cb.Receiver, tx: cb.Sender) -> None:
    """The sum of each array that comes."""
    with rx, tx:
        for array in rx:
            tx.send((os.getpid(), float(array.sum())))
