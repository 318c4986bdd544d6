"""What CPython's own tests ask of executors, asked of ours in words of our own: installations may leave the package `test` out."""

import concurrent.futures
import itertools
import logging
import sys
import threading
import time
from collections.abc import Iterator

import pool_work as work
import pytest

import crossbuf as cb
from crossbuf.futures import BrokenInterpreterPool, InterpreterPoolExecutor

pytestmark = pytest.mark.usefixtures("nothing_left")
from_314 = pytest.mark.skipif(sys.version_info < (3, 14), reason="Executor.map has no buffersize before 3.14")


@pytest.fixture
def pool() -> Iterator[InterpreterPoolExecutor]:
    with InterpreterPoolExecutor(2, numpy=False) as pool:
        yield pool


@pytest.fixture
def held() -> Iterator[tuple[InterpreterPoolExecutor, concurrent.futures.Future[object], cb.Sender]]:
    """A pool of one whose worker is busy until something is sent."""
    sender, receiver = cb.channel()
    with InterpreterPoolExecutor(1, numpy=False) as pool:
        future = pool.submit(work.wait_for, receiver)
        receiver.close()
        while not future.running():
            time.sleep(0.001)
        yield pool, future, sender
        if not future.done():
            sender.send(None)


class TestTimeouts:
    """The builtin TimeoutError, each time, also for a time that is over already."""

    @pytest.mark.parametrize("timeout", [0, 0.01, -1, -0.5, float("-inf")])
    def test_of_a_future(self, held, timeout) -> None:
        _, future, sender = held
        for wait in (future.result, future.exception):
            with pytest.raises(TimeoutError) as caught:
                wait(timeout)
            assert type(caught.value) is TimeoutError is concurrent.futures.TimeoutError
        sender.send("at last")
        assert future.result(60) == "at last"
        assert future.result(timeout) == "at last", "what is there needs no time"

    def test_of_map(self, held) -> None:
        pool, _, sender = held
        for timeout in (0, 0.01, -1):
            with pytest.raises(TimeoutError) as caught:
                list(pool.map(abs, [1, 2], timeout=timeout))
            assert type(caught.value) is TimeoutError
        sender.send(None)
        assert list(pool.map(abs, [-1, 2], timeout=60)) == [1, 2]

    def test_of_map_when_the_time_is_over_before_the_first_result_is_asked_for(self, held) -> None:
        pool, _, _ = held
        for chunksize in (1, 2):
            results = pool.map(abs, [1, 2], timeout=0.01, chunksize=chunksize)
            time.sleep(0.02)
            with pytest.raises(TimeoutError):
                next(results)

    def test_calls_that_nobody_waits_for_any_more_are_cancelled(self, held) -> None:
        pool, _, sender = held
        sent, rx = cb.channel()
        with pytest.raises(TimeoutError):
            list(pool.map(work.put, [sent] * 5, range(5), timeout=0.01))
        sender.send(None)
        pool.submit(abs, 1).result(60)
        sent.close()
        assert list(rx) == []

    def test_of_wait_and_as_completed(self, held) -> None:
        pool, future, _ = held
        second = pool.submit(abs, 1)
        assert concurrent.futures.wait([future, second], 0.01).not_done == {future, second}
        with pytest.raises(TimeoutError):
            list(concurrent.futures.as_completed([future, second], 0.01))


class TestMap:
    @from_314
    @pytest.mark.parametrize(("buffersize", "error"), [(0, ValueError), (-1, ValueError), ("3", TypeError), (1.5, TypeError)])
    def test_buffersizes_that_make_no_sense(self, pool, buffersize, error) -> None:
        with pytest.raises(error, match="buffersize"):
            pool.map(abs, [1], buffersize=buffersize)

    @from_314
    @pytest.mark.parametrize("buffersize", [1, 3])
    def test_with_a_buffersize_it_takes_endless_iterators(self, pool, buffersize) -> None:
        results = pool.map(pow, itertools.count(), itertools.repeat(2), buffersize=buffersize)
        assert [next(results) for _ in range(10)] == [n**2 for n in range(10)]

    @from_314
    @pytest.mark.parametrize("chunksize", [1, 2])
    def test_it_reads_as_far_ahead_as_it_may(self, pool, chunksize) -> None:
        numbers = iter(range(100))
        results = pool.map(abs, numbers, buffersize=4, chunksize=chunksize)
        assert next(numbers) == 4 * chunksize, "four orders before the first result is taken"
        assert next(results) == 0
        assert next(numbers) == 5 * chunksize + 1

    def test_without_it_reads_all_at_once(self, pool) -> None:
        numbers = iter(range(100))
        results = pool.map(abs, numbers)
        assert next(numbers, None) is None
        assert list(results) == list(range(100))

    def test_what_reading_raises_is_raised_at_once(self, pool) -> None:
        with pytest.raises(ZeroDivisionError):
            pool.map(abs, (1 // n for n in (1, 0)))

    def test_the_shortest_iterable_counts(self, pool) -> None:
        assert list(pool.map(pow, [2, 3, 4], [2, 2])) == [4, 9]
        assert list(pool.map(pow, [2, 3, 4], [2, 2], chunksize=2)) == [4, 9]

    def test_one_that_is_dropped_cancels_what_waits(self, held) -> None:
        pool, _, sender = held
        sent, rx = cb.channel()
        results = pool.map(work.put, [sent] * 5, range(5))
        threading.Timer(0.05, sender.send, (None,)).start()
        next(results)
        results.close()
        sent.close()
        pool.submit(abs, 1).result(60)
        assert len(list(rx)) < 5 or not pool._crew.calls

    def test_after_shutdown(self) -> None:
        pool = InterpreterPoolExecutor(1, numpy=False)
        pool.shutdown()
        with pytest.raises(RuntimeError, match="after shutdown"):
            pool.map(abs, [1])


class TestFutures:
    def test_they_are_of_the_standard_library(self, pool) -> None:
        future = pool.submit(abs, -1)
        assert isinstance(future, concurrent.futures.Future)
        assert concurrent.futures.wait([future], 60) == ({future}, set())
        assert next(concurrent.futures.as_completed([future])) is future
        assert "state=finished returned int" in repr(future)

    def test_the_first_that_fails_or_ends(self, held) -> None:
        pool, future, sender = held
        failing = pool.submit(work.fail, "no")
        sender.send(1)
        done = concurrent.futures.wait([failing, pool.submit(abs, 1)], 60, concurrent.futures.FIRST_EXCEPTION).done
        assert failing in done
        assert type(failing.exception()) is LookupError
        assert concurrent.futures.wait([future, failing], 60, concurrent.futures.FIRST_COMPLETED).done

    def test_a_callback_is_called_once_also_late(self, pool) -> None:
        seen: list[object] = []
        future = pool.submit(abs, -1)
        concurrent.futures.wait([future], 60)
        future.add_done_callback(seen.append)
        assert seen == [future]

    def test_a_cancelled_one_calls_back(self, held) -> None:
        pool, _, _ = held
        seen: list[bool] = []
        second = pool.submit(abs, -1)
        second.add_done_callback(lambda future: seen.append(future.cancelled()))
        assert second.cancel()
        assert seen == [True]


class TestShutdown:
    @pytest.mark.parametrize("cancel", [False, True])
    @pytest.mark.parametrize("wait", [False, True])
    def test_what_has_begun_ends_and_what_waits_is_done_or_cancelled(self, held, wait, cancel) -> None:
        pool, begun, sender = held
        others = [pool.submit(abs, -n) for n in range(5)]
        if cancel:  # so it begins before the shutdown and ends within it
            others[-1].add_done_callback(lambda _: sender.send("done"))
        else:
            threading.Timer(0.05, sender.send, ("done",)).start()
        pool.shutdown(wait=wait, cancel_futures=cancel)
        assert not wait or all(future.done() for future in (begun, *others))
        assert begun.result(60) == "done"
        if cancel:
            assert all(future.cancelled() for future in others)
        else:
            assert [future.result(60) for future in others] == list(range(5))

    def test_leaving_a_with_block_that_raises_waits_too(self) -> None:
        futures: list[concurrent.futures.Future[int]] = []

        def use() -> None:
            with InterpreterPoolExecutor(1, numpy=False) as pool:
                futures.append(pool.submit(work.slowly, 1))
                raise KeyError

        with pytest.raises(KeyError):
            use()
        assert futures[0].result(0) == 1

    def test_of_a_pool_that_was_never_used(self) -> None:
        before = threading.active_count()
        for options in ({}, {"wait": False}, {"cancel_futures": True}):
            InterpreterPoolExecutor(3, numpy=False).shutdown(**options)
        assert threading.active_count() == before

    def test_all_threads_are_gone_after_it(self) -> None:
        pool = InterpreterPoolExecutor(3, "gone", numpy=False)
        list(pool.map(work.slowly, range(9)))
        pool.shutdown()
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("gone")]


def test_a_failing_initializer_is_logged_with_its_traceback(caplog) -> None:
    with (
        caplog.at_level(logging.CRITICAL, "concurrent.futures"),
        InterpreterPoolExecutor(1, initializer=work.fail, initargs=("no",), numpy=False) as pool,
        pytest.raises(concurrent.futures.BrokenExecutor) as caught,
    ):
        pool.submit(abs, 1).result(60)
    assert type(caught.value) is BrokenInterpreterPool
    (record,) = [record for record in caplog.records if record.getMessage() == "Exception in initializer:"]
    assert record.levelname == "CRITICAL"
    assert record.exc_info[0] is LookupError


@pytest.mark.parametrize("limit", [1, 2])
def test_workers_are_replaced_and_keep_their_thread(limit) -> None:
    with InterpreterPoolExecutor(1, "one", max_tasks_per_child=limit, numpy=False) as pool:
        interpreters = list(pool.map(_interpreter, range(2 * limit)))
        assert [thread.name for thread in threading.enumerate() if thread.name.startswith("one")] == ["one_0"]
    assert len(set(interpreters)) == 2


def _interpreter(_):
    from crossbuf._core import _interpreter_id

    return _interpreter_id()


def test_a_worker_that_dies_while_others_wait_for_it(held) -> None:
    pool, _, sender = held
    futures = [pool.submit(work.die), *(pool.submit(abs, n) for n in range(5))]
    sender.send(None)
    done, _ = concurrent.futures.wait(futures, 60)
    assert {type(future.exception()) for future in done} == {BrokenInterpreterPool}
    with pytest.raises(BrokenInterpreterPool):
        list(pool.map(abs, [1]))
