"""Map and reduce over one big buffer, after the second example of PEP 734: interpreters take chunks of it by their bounds.

    python examples/map_reduce.py

The buffer is an Array, where the PEP has a memoryview; so workers see it on CPython 3.12, too, and cannot write to it.
"""

import math
import sys
import threading
from array import array

import crossbuf as cb
from crossbuf import interpreters

CHUNK = 100_000
WORKERS = 4

WORK = """
import math
for start, end in tasks:
    results.put((start, math.fsum(data[start:end])))
"""


def worker(**shared: object) -> None:
    with interpreters.create() as interpreter:
        interpreter.exec(f"import sys; sys.path[:] = {sys.path!r}")
        interpreter.prepare_main(**shared)
        interpreter.exec(WORK)


def main() -> None:
    numbers = array("d", (1 / n for n in range(1, 1_000_001)))
    data = cb.share(numbers)  # instead of memoryview(numbers)
    tasks, to_do = cb.channel()
    done, results = cb.channel()
    threads = [threading.Thread(target=worker, kwargs={"data": data, "tasks": to_do, "results": done}) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    starts = range(0, len(numbers), CHUNK)
    for start in starts:
        tasks.put((start, start + CHUNK))
    sums = dict(results.get() for _ in starts)
    # No more tasks: each worker's loop ends.
    tasks.close()
    for thread in threads:
        thread.join()
    print(f"{len(sums)} chunks, the {len(numbers):,}th harmonic number is {math.fsum(sums.values()):.9f}")


if __name__ == "__main__":
    main()
