"""Map and reduce over one big buffer, after the second example of PEP 734: interpreters take chunks of it by their bounds.

    python examples/map_reduce.py

A program for CPython 3.14 but for the line that makes the buffer: an Array, where the PEP has a memoryview. Workers cannot write to it,
and it needs nobody to stay for it.
"""

import math
import threading
from array import array
from concurrent import interpreters

import crossbuf

CHUNK = 100_000
WORKERS = 4

WORK = """
import math
while (bounds := tasks.get()) is not None:
    start, end = bounds
    results.put((start, math.fsum(data[start:end])))
"""


def main() -> None:
    numbers = array("d", (1 / n for n in range(1, 1_000_001)))
    # instead of: data = memoryview(numbers)
    data = crossbuf.share(numbers)
    tasks, results = interpreters.create_queue(), interpreters.create_queue()
    workers = [interpreters.create() for _ in range(WORKERS)]
    for worker in workers:
        worker.prepare_main(data=data, tasks=tasks, results=results)
    threads = [threading.Thread(target=worker.exec, args=(WORK,)) for worker in workers]
    for thread in threads:
        thread.start()
    starts = range(0, len(numbers), CHUNK)
    for start in starts:
        tasks.put((start, start + CHUNK))
    sums = dict(results.get() for _ in starts)
    for _ in workers:
        tasks.put(None)
    for thread in threads:
        thread.join()
    print(f"{len(sums)} chunks, the {len(numbers):,}th harmonic number is {math.fsum(sums.values()):.9f}")


if __name__ == "__main__":
    main()
