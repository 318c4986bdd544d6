"""Callbacks of a pool's calls: they run on its workers' threads, and keep neither the pool nor the program from going on."""

import concurrent.futures
import threading
from collections.abc import Callable, Iterator

import pool_work as work
import pytest

import crossbuf as cb
from crossbuf.futures import InterpreterPoolExecutor

pytestmark = pytest.mark.usefixtures("nothing_left")

type Result = concurrent.futures.Future[object]


@pytest.fixture(params=[1, 2, 3])
def workers(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture
def pool(workers: int) -> Iterator[InterpreterPoolExecutor]:
    with InterpreterPoolExecutor(workers, numpy=False) as pool:
        yield pool


def outcome_of_callback(pool: InterpreterPoolExecutor, callback: Callable[[Result], object]) -> object:
    """What `callback` returns or raises when it is called back on a worker's thread."""
    told: Result = concurrent.futures.Future()
    threads: list[threading.Thread] = []

    def call_back(future: Result) -> None:
        threads.append(threading.current_thread())
        try:
            told.set_result(callback(future))
        except BaseException as error:
            told.set_exception(error)

    sender, receiver = cb.channel()
    begun = pool.submit(work.wait_for, receiver)
    begun.add_done_callback(call_back)
    sender.send(1)
    try:
        return told.result(60)
    finally:
        assert threads != [threading.current_thread()]


class TestWaitingForAnotherCall:
    def test_another_worker_does_it(self, pool, workers) -> None:
        if workers == 1:
            pytest.skip("there is no other")
        assert outcome_of_callback(pool, lambda _: pool.submit(abs, -2).result()) == 2
        assert outcome_of_callback(pool, lambda _: list(pool.map(abs, [-2, -3]))) == [2, 3]
        assert outcome_of_callback(pool, lambda _: pool.submit(abs, -2).exception()) is None

    @pytest.mark.parametrize("wait", ["result", "exception"])
    def test_where_there_is_no_other_it_is_refused(self, wait) -> None:
        calls: list[Result] = []

        def ask(future: Result) -> object:
            calls.append(pool.submit(abs, -2))
            return getattr(calls[0], wait)()

        with InterpreterPoolExecutor(1, numpy=False) as pool:
            with pytest.raises(RuntimeError, match=r"all workers of the pool \(1\) would wait so for ever"):
                outcome_of_callback(pool, ask)
            assert calls[0].result(60) == 2, "the call itself is done"

    def test_so_it_is_where_all_others_wait(self, pool, workers) -> None:
        """Each worker is in a callback before any of them waits, so the last one to wait would be one too many."""
        together = threading.Barrier(workers)
        refused: list[RuntimeError] = []
        results: list[object] = []
        done = threading.Semaphore(0)

        def ask(future: Result) -> None:
            together.wait(60)
            try:
                results.append(pool.submit(abs, -2).result())
            except RuntimeError as error:
                refused.append(error)
            done.release()

        (sender, receiver), begun = cb.channel(), []
        for _ in range(workers):
            begun.append(pool.submit(work.wait_for, receiver))
            begun[-1].add_done_callback(ask)
        for _ in range(workers):
            sender.send(None)
        for _ in range(workers):
            assert done.acquire(timeout=60)
        assert len(refused) >= 1
        assert results == [2] * (workers - len(refused))

    def test_a_wait_with_an_end_is_not_refused(self) -> None:
        with InterpreterPoolExecutor(1, numpy=False) as pool, pytest.raises(TimeoutError):
            outcome_of_callback(pool, lambda _: pool.submit(abs, -2).result(0.05))

    def test_what_is_done_needs_no_wait(self, pool) -> None:
        done = pool.submit(abs, -2)
        concurrent.futures.wait([done], 60)
        assert outcome_of_callback(pool, lambda future: (done.result(), future.result())) == (2, 1)

    def test_calls_of_other_pools_are_waited_for(self, pool) -> None:
        with InterpreterPoolExecutor(1, numpy=False) as other:
            assert outcome_of_callback(pool, lambda _: other.submit(abs, -2).result()) == 2

    def test_calls_are_done_while_a_callback_runs(self, pool, workers) -> None:
        """It keeps one worker, so the pool starts another if it may."""
        if workers == 1:
            pytest.skip("there is no other")
        go_on = threading.Event()

        def run(future: Result) -> bool:
            return go_on.wait(60)

        caller = threading.Thread(target=outcome_of_callback, args=(pool, run))
        caller.start()
        while not pool._crew.callbacks:
            go_on.wait(0.001)
        assert pool.submit(abs, -2).result(60) == 2
        go_on.set()
        caller.join()


def test_a_callback_of_a_cancelled_call_holds_no_lock() -> None:
    seen: list[bool] = []

    def look(future: Result) -> None:
        other = threading.Thread(target=lambda: seen.append(future.cancelled()))
        other.start()
        other.join(20)
        seen.append(other.is_alive())

    sender, receiver = cb.channel()
    with InterpreterPoolExecutor(1, numpy=False) as pool:
        pool.submit(work.wait_for, receiver)
        future = pool.submit(abs, -1)
        future.add_done_callback(look)
        assert future.cancel()
        assert concurrent.futures.wait([future], 60).done == {future}
        sender.send(1)
    assert seen == [True, False]


class TestShutdown:
    def test_waiting_for_the_end_of_its_pool_is_refused(self, pool) -> None:
        with pytest.raises(RuntimeError, match=r"cannot wait for the end of the pool.*use shutdown\(wait=False\)"):
            outcome_of_callback(pool, lambda _: pool.shutdown())
        with pytest.raises(RuntimeError, match="after shutdown"):
            pool.submit(abs, -1)

    def test_leaving_a_with_block_is_no_different(self, pool) -> None:
        def leave(future: Result) -> None:
            with pool:
                pass

        with pytest.raises(RuntimeError, match="cannot wait for the end of the pool"):
            outcome_of_callback(pool, leave)

    def test_without_waiting(self, pool) -> None:
        outcome_of_callback(pool, lambda _: pool.shutdown(wait=False))

    def test_of_another_pool(self, pool) -> None:
        other = InterpreterPoolExecutor(1, numpy=False)
        other.submit(abs, -1)
        outcome_of_callback(pool, lambda _: other.shutdown())


class TestRaising:
    @pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit])
    def test_it_is_logged_and_the_worker_goes_on(self, pool, workers, kind, caplog) -> None:
        called: dict[Result, list[str]] = {}
        done = threading.Semaphore(0)

        def fail(future: Result) -> None:
            called.setdefault(future, []).append("fails")
            raise kind("no luck")

        def note(future: Result) -> None:
            called[future].append("notes")
            done.release()

        for _ in range(3 * workers):
            sender, receiver = cb.channel()
            future = pool.submit(work.wait_for, receiver)
            future.add_done_callback(fail)
            future.add_done_callback(note)
            sender.send(7)
            assert future.result(60) == 7
        for _ in range(3 * workers):
            assert done.acquire(timeout=60)
        assert list(called.values()) == [["fails", "notes"]] * 3 * workers
        records = [record for record in caplog.records if record.name == "concurrent.futures"]
        assert len(records) == 3 * workers
        assert all(record.levelname == "ERROR" and record.exc_info[0] is kind for record in records)
        assert records[0].getMessage().startswith("exception calling callback for <Future at ")
        assert pool.submit(abs, -1).result(60) == 1

    def test_in_who_cancels_it_is_raised(self) -> None:
        """As in the standard library: it is that thread's own business."""

        def leave(future: Result) -> None:
            raise SystemExit(3)

        with InterpreterPoolExecutor(1, numpy=False) as pool:
            sender, receiver = cb.channel()
            begun = pool.submit(work.wait_for, receiver)
            waits = pool.submit(abs, -1)
            waits.add_done_callback(leave)
            with pytest.raises(SystemExit):
                waits.cancel()
            assert waits.cancelled()
            sender.send(1)
            assert begun.result(60) == 1
