"""A program: interpreters come, import NumPy, compute and go; prints what grew after the warm-up."""

import gc
import re
import sys
import threading
from pathlib import Path

import crossbuf
from crossbuf import interpreters

WORK = """
from crossbuf import isolation
isolation.enable("numpy")
import numpy as np
a = np.random.default_rng(number).random((50, 50))
sender.send([a, float(np.linalg.det(a)), np.fft.rfft(a[0])])
"""


def cycle(number: int) -> None:
    sender, receiver = crossbuf.channel()
    with interpreters.create() as interpreter:
        interpreter.exec(f"import sys; sys.path[:] = {sys.path!r}")
        interpreter.prepare_main(sender=sender, number=number)
        sender.close()
        interpreter.exec(WORK)
    array, determinant, spectrum = receiver.recv()
    assert array.shape == (50, 50)
    assert spectrum.shape == (26,)
    assert isinstance(determinant, float)


def left() -> dict[str, int]:
    gc.collect()
    own = Path("/proc/self")
    resident = re.search(r"^VmRSS:\s+(\d+) kB$", (own / "status").read_text(), re.MULTILINE)
    assert resident is not None
    return {
        "blocks": crossbuf.statistics().blocks,
        "descriptors": len(list((own / "fd").iterdir())),
        "maps": len((own / "maps").read_text().splitlines()),
        "memory": int(resident[1]) * 1024,
    }


def live(cycles: int) -> None:
    for number in range(5):
        cycle(number)
    before = left()
    for number in range(cycles):
        cycle(number)
    print(*(f"{name}={value - before[name]}" for name, value in left().items()))


if __name__ == "__main__":
    thread = threading.Thread(target=live, args=(int(sys.argv[1]),))
    thread.start()
    thread.join()
