"""What interpreters of the tests leave running when they end: pools and workers of their own, which nobody closes."""

import time
from pathlib import Path

import crossbuf as cb
from crossbuf.futures import InterpreterPoolExecutor

#: What would be closed if nobody had it any more.
kept: list[object] = []


def double(x):
    return 2 * x


def write(path, text):
    time.sleep(0.02)
    with Path(path).open("a") as file:
        file.write(text)


def wait(receiver):
    receiver.recv()


def an_idle_pool():
    pool = InterpreterPoolExecutor(2, numpy=False)
    kept.append(pool)
    return pool.submit(double, 2).result()


def a_pool_with_calls(path):
    """They are done all the same."""
    pool = InterpreterPoolExecutor(1, numpy=False)
    kept.append(pool)
    for text in "abc":
        pool.submit(write, path, text)


def a_worker_that_waits():
    sender, receiver = cb.channel()
    meeting, there = cb.channel()
    kept.extend((sender, cb.spawn(_meet_and_wait, meeting, receiver)))
    meeting.close()
    there.recv()


def _meet_and_wait(meeting, receiver):
    meeting.send(None)
    receiver.recv()


def a_call_that_waits():
    sender, receiver = cb.channel()
    pool = InterpreterPoolExecutor(1, numpy=False)
    kept.extend((sender, pool))
    future = pool.submit(wait, receiver)
    while not future.running():
        time.sleep(0.001)


def pools_in_pools(depth):
    """A pool whose worker leaves a pool behind, and so on; the innermost leaves a worker that waits."""
    if depth == 0:
        a_worker_that_waits()
        return 0
    pool = InterpreterPoolExecutor(1, numpy=False)
    kept.append(pool)
    return pool.submit(pools_in_pools, depth - 1).result() + 1


def a_pool_with_numpy():
    import numpy as np

    pool = InterpreterPoolExecutor(1, numpy=True)
    kept.append(pool)
    return float(pool.submit(np.sum, np.ones(3)).result())
