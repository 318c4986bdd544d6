"""A loop that takes results as they come and does other things between, after the first example of PEP 734.

    python examples/results_loop.py

A program for CPython 3.14 and its queues but for the line that makes a channel instead; code that catches QueueEmpty stays as it is.
A wait for a result takes as long as it is allowed to and not a moment longer than needed; queues look every 10 ms.
"""

import time
from concurrent import interpreters

import crossbuf


def work(number, results):
    time.sleep(0.05 * number)
    results.put((number, number**2))


def main() -> None:
    # instead of: done, results = [interpreters.create_queue()] * 2
    done, results = crossbuf.channel()
    workers = [interpreters.create().call_in_thread(work, number, done) for number in range(1, 5)]
    squares: dict[int, int] = {}
    idle = 0
    while len(squares) < len(workers):
        try:
            number, square = results.get(timeout=0.02)
        except interpreters.QueueEmpty:
            idle += 1
            continue
        squares[number] = square
    for worker in workers:
        worker.join()
    print(f"results {dict(sorted(squares.items()))}, looked up from waiting: {idle > 0}")


if __name__ == "__main__":
    main()
