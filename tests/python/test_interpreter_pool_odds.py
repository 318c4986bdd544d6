"""The pool and odd code of others: exceptions that are none, arguments that use the pool while they are pickled, no threads to be had."""

import concurrent.futures
import gc
import os
import sys
import threading
import time
import weakref
from collections.abc import Iterator

import pool_work as work
import pytest

import crossbuf as cb
from crossbuf._outcome import Outcome
from crossbuf.futures import BrokenInterpreterPool, InterpreterPoolExecutor
from crossbuf.futures._calls import Calls

#: Seconds after which something hangs.
WATCHDOG = 60


@pytest.fixture
def single() -> Iterator[InterpreterPoolExecutor]:
    with InterpreterPoolExecutor(1, numpy=False) as pool:
        yield pool


class Lazy:
    """Something whose pickle is made by calling a function then."""

    def __init__(self, make):
        self.make = make

    def __reduce__(self):
        return int, (self.make(),)


def test_an_exception_that_takes_no_attributes_comes_with_its_traceback(single) -> None:
    error = single.submit(work.raise_frozen).exception(WATCHDOG)
    assert isinstance(error, work.Frozen)
    assert "in raise_frozen" in str(error.__cause__)


def test_what_makes_no_exception_here_is_told(single) -> None:
    with pytest.raises(cb.WorkerError, match=r"raised pool_work.NoException: told, which cannot be rebuilt here: its pickle makes a dict"):
        single.submit(work.raise_no_exception).result(WATCHDOG)


def test_what_cannot_be_read_and_not_be_told_is_named(single) -> None:
    with pytest.raises(cb.WorkerError, match="cannot be rebuilt here: Untold"):
        single.submit(work.unreadable).result(WATCHDOG)


@pytest.mark.parametrize("initializer", [work.raise_frozen, work.raise_no_exception, work.raise_exception_without_text])
def test_such_exceptions_of_an_initializer_break_the_pool(initializer) -> None:
    with InterpreterPoolExecutor(1, initializer=initializer, numpy=False) as pool:
        future = pool.submit(work.interpreter)
        with pytest.raises(BrokenInterpreterPool):
            future.result(WATCHDOG)


def test_an_argument_may_wait_for_another_call_while_it_is_pickled(single) -> None:
    sender, receiver = cb.channel()
    slow = single.submit(work.wait_for, receiver)

    def wait():
        sender.send(7)
        return slow.result(WATCHDOG)

    assert single.submit(work.identity, Lazy(wait)).result(WATCHDOG) == 7


def test_an_argument_may_use_the_pool_while_it_is_pickled(single) -> None:
    sender, receiver = cb.channel()
    running = single.submit(work.wait_for, receiver)
    queued = single.submit(work.interpreter)

    def use():
        single.submit(work.put, sender, None)
        return queued.cancel()

    cancelled = single.submit(work.identity, Lazy(use))
    sender.send("go on")
    assert running.result(WATCHDOG) == "go on"
    assert cancelled.result(WATCHDOG) == 1
    assert queued.cancelled()


def test_a_pool_may_be_shut_down_while_an_argument_is_pickled() -> None:
    pool = InterpreterPoolExecutor(1, numpy=False)
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(work.identity, Lazy(lambda: pool.shutdown(cancel_futures=True)))


class EarlyBird:
    """Sends calls, each of which is settled before its number is known, or while it is noted."""

    def __init__(self, calls, after):
        self.calls = calls
        self.after = after

    def _post(self, order):
        outcome = Outcome(order, None)
        if self.after == 0:
            self.calls.settle(1, outcome)
        else:
            threading.Thread(target=self.calls.settle, args=(1, outcome)).start()
            time.sleep(self.after)
        return 1


@pytest.mark.parametrize("after", [0, 1e-5, 1e-4, 1e-3])
def test_a_call_that_is_done_before_it_is_noted_has_its_result(after) -> None:
    calls = Calls(None)
    calls._sender = EarlyBird(calls, after)
    for number in range(50):
        assert calls.submit(number).result(WATCHDOG) == number
    assert (len(calls), calls._early) == (0, {})


def test_a_callback_that_cancels_may_wait_for_those_who_wait_for_that(single) -> None:
    sender, receiver = cb.channel()
    first = single.submit(work.wait_for, receiver)
    second = single.submit(work.interpreter)
    seen, woken = threading.Event(), []

    def wait():
        try:
            second.result(WATCHDOG)
        except concurrent.futures.CancelledError:
            seen.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    while not second._condition._waiters:
        time.sleep(0.001)
    done = threading.Event()

    def cancel(_):
        second.cancel()
        woken.append(seen.wait(10))
        done.set()

    first.add_done_callback(cancel)
    sender.send(None)
    assert done.wait(WATCHDOG)
    waiting.join()
    assert woken == [True]


def test_a_thread_that_cannot_be_started_is_an_error_and_nothing_waits_for_it(monkeypatch) -> None:
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    def call():
        with monkeypatch.context() as patched, InterpreterPoolExecutor(1, numpy=False) as pool:
            patched.setattr(threading.Thread, "start", refuse)
            # Its traceback is there while the pool waits for its threads.
            pool.submit(work.interpreter)

    with pytest.raises(RuntimeError, match="start new thread"):
        call()


def test_an_error_is_not_kept_by_the_future_that_it_came_from(single) -> None:
    def call():
        try:
            single.submit(work.raise_frozen).result(WATCHDOG)
        except work.Frozen as error:
            return weakref.ref(error)

    def is_gone(error):
        until = time.monotonic() + 10
        while error() is not None and time.monotonic() < until:
            time.sleep(0.001)  # the worker's thread has the future for another moment
        return error() is None

    gc.collect()
    gc.disable()
    try:
        assert is_gone(call())
    finally:
        gc.enable()


def test_a_path_that_is_no_text_is_passed_over(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, tmp_path])
    assert cb.spawn(max, 1, 2).join() == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")
def test_children_of_one_parent_wait_each_for_their_own() -> None:
    with InterpreterPoolExecutor(1, numpy=False) as pool:
        pool.submit(work.sleep, 0.1).result(WATCHDOG)  # it waits, and has a bell to spare from now on
    children = []
    for _ in range(2):
        if (child := os.fork()) == 0:
            code = 1
            try:
                with InterpreterPoolExecutor(1, numpy=False) as pool:
                    for _ in range(100):
                        pool.submit(work.sleep, 0.001).result(WATCHDOG)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
