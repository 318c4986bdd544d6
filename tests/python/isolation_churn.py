"""A program: threads start interpreters, compute in them and close them, all at once, while the main interpreter computes, too."""

import sys
import threading

import isolation_work as work

import crossbuf as cb


def churn(cycles: int, wrong: list[str]) -> None:
    for seed in range(cycles):
        if cb.spawn(work.numbers, seed % 4).join() != EXPECTED[seed % 4]:
            wrong.append(f"interpreter, seed {seed}")


if __name__ == "__main__":
    EXPECTED = [work.numbers(seed) for seed in range(4)]
    wrong: list[str] = []
    threads = [threading.Thread(target=churn, args=(int(sys.argv[1]), wrong)) for _ in range(4)]
    for thread in threads:
        thread.start()
    rounds = 0
    while any(thread.is_alive() for thread in threads):
        if work.numbers(rounds % 4) != EXPECTED[rounds % 4]:
            wrong.append(f"main, round {rounds}")
        rounds += 1
    print(wrong, rounds > 0)
