"""Copies into and out of an arena: every order of elements, and who may run meanwhile."""

import numpy as np
import pytest

import crossbuf

LONG = 64 << 10

#: Shares or gathers arrays while another thread waits for the GIL, which nobody takes away: it comes as far as it is let go.
SCRIPT = """
import sys, threading, time
import numpy as np
import crossbuf

turns = 0


def take_turns():
    global turns
    while True:
        turns += 1
        time.sleep(0)


def copies(size):
    ndarray = np.zeros((2, size // 2), "u1")
    strided = crossbuf.share(ndarray.T.copy())
    return {
        "share": lambda: crossbuf.share(ndarray),
        "share strided": lambda: crossbuf.share(ndarray[:, ::-1]),
        "tobytes": crossbuf.share(ndarray).tobytes,
        "tobytes strided": strided.T.tobytes,
    }


long, short = copies(LONG), copies(LONG - 2)
sys.setswitchinterval(1000)
threading.Thread(target=take_turns, daemon=True).start()
for name in long:
    before = turns
    for _ in range(1_000):
        short[name]()
    assert turns == before, f"{name} lets go for less than it costs"
    for _ in range(1_000_000):
        long[name]()
        if turns > before:
            break
    assert turns > before, f"{name} lets nobody run"
print("done")
"""


def test_other_threads_run_during_long_copies_only(script) -> None:
    ran = script(SCRIPT.replace("LONG", str(LONG)))
    assert ran.stdout == "done\n", ran.stderr


@pytest.mark.parametrize("dtype", ["u1", "<u2", "<f4", "<f8", "<c16", "S3", "S12", "<f8,<f8,<f8"])
@pytest.mark.parametrize("side", [5, 70, 700])
def test_elements_come_in_their_order(dtype: str, side: int) -> None:
    count = side * side * np.dtype(dtype).itemsize
    source = (np.arange(count, dtype="u4") * 2654435761 >> 16).astype("u1").view(dtype).reshape(side, side)
    views = [source.T, source[:, ::-1], source[::-1, ::2], source[1:].T, source[:, 1:].T[::-1], source[:, ::3].T, source[:, :3].T]
    views += [np.broadcast_to(source[:1], (side, side)), np.broadcast_to(source[:, :1], (side, side)), source[:1, :1].repeat(9)[:8]]
    for view in views:
        shared = crossbuf.share(view)
        assert shared.tobytes() == view.tobytes()
        assert np.asarray(shared).tobytes() == view.tobytes()
        assert shared.T.tobytes() == view.T.tobytes()
