"""A loop that takes results as they come and does other things between, after the first example of PEP 734.

    python examples/results_loop.py

A wait for a result takes as long as it is allowed to and not a moment longer than needed; queues of the standard library look
every 10 ms.
"""

import time

import crossbuf as cb


def work(number: int, results: cb.Sender) -> None:
    time.sleep(0.05 * number)
    results.put((number, number**2))


def main() -> None:
    sender, results = cb.channel()  # instead of interpreters.create_queue()
    workers = [cb.spawn(work, number, sender) for number in range(1, 5)]
    squares: dict[int, int] = {}
    idle = 0
    while len(squares) < len(workers):
        try:
            number, square = results.get(timeout=0.02)
        except cb.Empty:
            idle += 1
            continue
        squares[number] = square
    for worker in workers:
        worker.join()
    print(f"results {squares}, looked up from waiting: {idle > 0}")


if __name__ == "__main__":
    main()
