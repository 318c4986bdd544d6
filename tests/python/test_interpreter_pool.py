"""`crossbuf.futures.InterpreterPoolExecutor`: what the standard library's executors promise, in interpreters of their own."""

import asyncio
import concurrent.futures
import functools
import gc
import operator
import os
import sys
import threading
import time
import weakref
from collections.abc import Iterator

import pool_work as work
import pytest

import crossbuf as cb
from crossbuf.futures import BrokenInterpreterPool, InterpreterPoolExecutor

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture
def pool() -> Iterator[InterpreterPoolExecutor]:
    with InterpreterPoolExecutor(2, numpy=False) as pool:
        yield pool


@pytest.fixture
def single() -> Iterator[InterpreterPoolExecutor]:
    """A pool of one, so that a second call waits for the first."""
    with InterpreterPoolExecutor(1, numpy=False) as pool:
        yield pool


class Gate:
    """A call that is running in the pool until the gate is opened."""

    def __init__(self, pool: InterpreterPoolExecutor) -> None:
        self._sender, receiver = cb.channel()
        self.future = pool.submit(work.wait_for, receiver)
        receiver.close()
        while not self.future.running():
            time.sleep(0.001)

    def open(self, value: object = None) -> object:
        self._sender.send(value)
        return self.future.result(60)


def test_calls_and_results(pool) -> None:
    assert pool.submit(pow, 2, 8).result() == 256
    assert pool.submit(work.capture, 1, self=2, fn=3, function=4).result() == ((1,), {"self": 2, "fn": 3, "function": 4})
    assert pool.submit(operator.methodcaller("upper"), "a").result() == "A"
    assert pool.submit(functools.partial(divmod, 7), 2).result() == (3, 1)
    with pytest.raises(TypeError):
        pool.submit(fn=pow)


def test_workers_are_other_interpreters_with_their_own_gil(pool) -> None:
    (there, a), (back, b) = cb.channel(), cb.channel()
    # Each waits for the other inside a call, so both run at once.
    meetings = [pool.submit(work.meet, there, b), pool.submit(work.meet, back, a)]
    for end in (there, a, back, b):
        end.close()
    interpreters = {meeting.result(60) for meeting in meetings}
    assert len(interpreters) == 2
    assert work.interpreter() not in interpreters


def test_workers_start_when_there_are_calls_for_them() -> None:
    before = threading.active_count()
    with InterpreterPoolExecutor(4, numpy=False) as pool:
        assert threading.active_count() == before
        for _ in range(3):
            pool.submit(work.identity, 1).result()
            while len(pool._crew.calls):
                time.sleep(0.001)
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


def test_threads_are_named() -> None:
    with InterpreterPoolExecutor(1, "special", numpy=False) as pool:
        gate = Gate(pool)
        assert "special_0" in [thread.name for thread in threading.enumerate()]
        gate.open()
    with InterpreterPoolExecutor(1, numpy=False) as pool:
        gate = Gate(pool)
        assert any(t.name.startswith("InterpreterPoolExecutor-") and t.name.endswith("_0") for t in threading.enumerate())
        gate.open()


def test_as_many_workers_as_cpus() -> None:
    cpus = len(os.sched_getaffinity(0))
    with InterpreterPoolExecutor(thread_name_prefix="cpu", numpy=False) as pool:
        pool.map(work.slowly, range(cpus + 5))
        assert sum(thread.name.startswith("cpu_") for thread in threading.enumerate()) == cpus


class TestArguments:
    @pytest.mark.parametrize("number", [0, -1])
    def test_numbers_below_one_are_refused(self, number) -> None:
        with pytest.raises(ValueError, match=f"max_workers must be greater than 0, not {number}"):
            InterpreterPoolExecutor(number)
        for name in ("max_tasks_per_child", "blas_threads"):
            with pytest.raises(ValueError, match=f"{name} must be greater than 0 or None, not {number}"):
                InterpreterPoolExecutor(1, **{name: number})
        with InterpreterPoolExecutor(1) as pool, pytest.raises(ValueError, match=f"chunksize must be greater than 0, not {number}"):
            pool.map(abs, [1], chunksize=number)

    @pytest.mark.parametrize("value", ["3", 1.5, [1]])
    def test_so_is_what_is_no_number(self, value) -> None:
        kind = type(value).__name__
        with pytest.raises(TypeError, match=f"max_workers must be an integer, not {kind}"):
            InterpreterPoolExecutor(value)
        for name in ("max_tasks_per_child", "blas_threads"):
            with pytest.raises(TypeError, match=f"{name} must be an integer or None, not {kind}"):
                InterpreterPoolExecutor(1, **{name: value})
        with InterpreterPoolExecutor(1) as pool, pytest.raises(TypeError, match=f"chunksize must be an integer, not {kind}"):
            pool.map(abs, [1], chunksize=value)

    @pytest.mark.parametrize("initializer", [3, "code"])
    def test_initializers_that_cannot_be_called(self, initializer) -> None:
        with pytest.raises(TypeError, match=f"initializer must be a callable, not {type(initializer).__name__}"):
            InterpreterPoolExecutor(1, initializer=initializer)

    def test_initargs_that_are_no_arguments(self) -> None:
        with pytest.raises(TypeError, match="initargs must be a tuple of arguments, not int"):
            InterpreterPoolExecutor(1, initializer=abs, initargs=3)

    @pytest.mark.parametrize("word", ["always", "", 1, 0, None, b"auto", ["auto"]])
    def test_words_for_numpy(self, word) -> None:
        with pytest.raises(ValueError, match='numpy must be "auto", True or False, not '):
            InterpreterPoolExecutor(1, numpy=word)

    @pytest.mark.parametrize("arena", [3, "arena", cb.Arena])
    def test_what_is_no_arena(self, arena) -> None:
        with pytest.raises(TypeError, match=r"arena=.* is not a crossbuf.Arena"):
            InterpreterPoolExecutor(1, arena=arena)


class TestErrors:
    def test_errors_come_with_the_workers_traceback(self, pool) -> None:
        with pytest.raises(LookupError, match="there") as caught:
            pool.submit(work.fail, "there").result()
        cause = str(caught.value.__cause__)
        assert "pool_work.py" in cause
        assert "crossbuf" not in cause

    @pytest.mark.parametrize(("f", "error"), [(work.leave, SystemExit), (work.interrupt, KeyboardInterrupt)])
    def test_what_ends_programs_elsewhere_is_an_outcome_here(self, pool, f, error) -> None:
        arguments = (3,) if f is work.leave else ()
        assert type(pool.submit(f, *arguments).exception()) is error
        assert pool.submit(pow, 2, 2).result() == 4

    def test_errors_that_cannot_travel_are_told(self, pool) -> None:
        with pytest.raises(cb.WorkerError, match=r"raised .*NeedsTwo: first, which cannot be rebuilt here"):
            pool.submit(work.fail_unreadable).result()
        with pytest.raises(cb.WorkerError, match=r"raised ValueError: holds a lock, .*it cannot be pickled there"):
            pool.submit(work.fail_unsendable).result()

    def test_results_that_cannot_travel(self, pool) -> None:
        with pytest.raises(cb.NotShareable, match="lock") as failed:
            pool.submit(work.lock).result()
        assert failed.value.__notes__ == ["in what the call returned, which is the message"]
        assert pool.submit(pow, 2, 2).result() == 4

    def test_arguments_that_cannot_travel(self, pool) -> None:
        with pytest.raises(cb.NotShareable, match="lock"):
            pool.submit(work.identity, threading.Lock()).result()

    def test_calls_that_cannot_be_read_there(self, pool, tmp_path, monkeypatch) -> None:
        module = type(sys)("only_here")
        exec("class Thing: pass\nclass Error(Exception): pass\ndef f(): pass", module.__dict__)
        monkeypatch.setitem(sys.modules, "only_here", module)
        monkeypatch.setitem(sys.modules, "cloudpickle", None)
        with pytest.raises(ModuleNotFoundError, match="only_here"):
            pool.submit(work.identity, module.Thing()).result()
        with pytest.raises(ModuleNotFoundError, match="only_here"):
            pool.submit(functools.partial(module.f)).result()
        assert pool.submit(pow, 2, 2).result() == 4

    def test_functions_without_a_name(self, pool, monkeypatch) -> None:
        assert pool.submit(lambda x: x + 1, 1).result() == 2, "cloudpickle is installed here"
        monkeypatch.setitem(sys.modules, "cloudpickle", None)
        with pytest.raises(TypeError, match="define it at the top level of a module, or install cloudpickle"):
            pool.submit(lambda x: x + 1, 1).result()

    def test_what_cannot_be_called(self, pool) -> None:
        with pytest.raises(TypeError, match="a callable is needed, not 3"):
            pool.submit(3).result()


class TestCancel:
    def test_a_call_that_waits_is_taken_back(self, single) -> None:
        sent, rx = cb.channel()
        gate = Gate(single)
        second = single.submit(work.put, sent, "ran")
        sent.close()
        assert not second.running()
        assert not second.done()
        assert second.cancel()
        assert second.cancel(), "twice is fine"
        assert second.cancelled()
        assert concurrent.futures.wait([second], 60).done == {second}
        with pytest.raises(concurrent.futures.CancelledError):
            second.result()
        gate.open()
        single.submit(abs, 1).result()
        with pytest.raises(cb.Ended):
            rx.recv()

    def test_a_call_that_runs_is_not(self, single) -> None:
        gate = Gate(single)
        assert gate.future.running()
        assert not gate.future.cancel()
        assert gate.open("done") == "done"
        assert not gate.future.cancel()
        assert not gate.future.running()

    def test_many_cancelled_from_several_threads_run_or_are_cancelled(self, pool) -> None:
        sent, rx = cb.channel()
        futures = [pool.submit(work.put, sent, n) for n in range(300)]
        sent.close()
        cancelled: list[int] = []

        def cancel(numbers: range) -> None:
            cancelled.extend(n for n in numbers if futures[n].cancel())

        threads = [threading.Thread(target=cancel, args=(numbers,)) for numbers in (range(0, 300, 2), range(299, 0, -2))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        concurrent.futures.wait(futures, 60)
        assert sorted([*cancelled, *rx]) == list(range(300))

    def test_waiting_for_the_first_sees_cancelled_ones(self, single) -> None:
        gate = Gate(single)
        second = single.submit(abs, 1)
        threading.Timer(0.05, second.cancel).start()
        assert next(concurrent.futures.as_completed([gate.future, second], 60)) is second
        gate.open()


class TestShutdown:
    def test_no_calls_after_it(self) -> None:
        pool = InterpreterPoolExecutor(1, numpy=False)
        future = pool.submit(abs, -1)
        pool.shutdown()
        assert future.done()
        pool.shutdown()
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            pool.submit(abs, -1)

    def test_without_waiting(self) -> None:
        pool = InterpreterPoolExecutor(1, numpy=False)
        gate = Gate(pool)
        second = pool.submit(abs, -1)
        pool.shutdown(wait=False)
        assert not second.done()
        assert gate.open(3) == 3
        assert second.result() == 1
        pool.shutdown()

    def test_cancelling_what_waits(self) -> None:
        pool = InterpreterPoolExecutor(1, numpy=False)
        gate = Gate(pool)
        others = [pool.submit(abs, -1) for _ in range(50)]
        pool.shutdown(wait=False, cancel_futures=True)
        assert all(future.cancelled() for future in others)
        assert gate.open(3) == 3
        pool.shutdown()

    def test_while_an_argument_is_pickled(self) -> None:
        pool = InterpreterPoolExecutor(1, numpy=False)

        class Closing:
            def __reduce__(self) -> tuple[object, ...]:
                pool.shutdown()
                return int, ()

        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            pool.submit(abs, Closing())

    def test_a_pool_that_nobody_has_ends_when_its_calls_have(self) -> None:
        pool = InterpreterPoolExecutor(2, "dropped", numpy=False)
        results = pool.map(work.slowly, range(10))
        there = weakref.ref(pool)
        del pool
        gc.collect()
        assert there() is None
        assert list(results) == list(range(10))
        for thread in threading.enumerate():
            if thread.name.startswith("dropped"):
                thread.join(60)
                assert not thread.is_alive()


class TestMap:
    def test_results_are_in_order(self, pool) -> None:
        assert list(pool.map(pow, range(10), range(10))) == list(map(pow, range(10), range(10)))
        assert list(pool.map(pow, range(10), range(10), chunksize=3)) == list(map(pow, range(10), range(10)))
        assert list(pool.map(abs, [])) == list(pool.map(abs, [], chunksize=9)) == []

    @pytest.mark.parametrize("chunksize", [1, 4])
    def test_it_submits_at_once(self, pool, chunksize) -> None:
        sent, rx = cb.channel()
        pool.map(work.put, [sent] * 8, range(8), chunksize=chunksize)
        sent.close()
        assert sorted(rx) == list(range(8))

    def test_errors_come_in_their_place(self, pool) -> None:
        results = pool.map(divmod, [1, 1, 1, 1], [2, 3, 0, 5])
        assert [next(results), next(results)] == [(0, 1), (0, 1)]
        with pytest.raises(ZeroDivisionError):
            next(results)

    def test_it_stops_waiting(self, single) -> None:
        tx, rx = cb.channel()
        # Starting the worker is not part of the time.
        single.submit(_wait_if, False, rx).result()
        results = single.map(_wait_if, [False, False, True, False], [rx] * 4, timeout=2)
        assert [next(results), next(results)] == [None, None]
        with pytest.raises(TimeoutError):
            next(results)
        tx.send(None)

    @pytest.mark.skipif(sys.version_info < (3, 14), reason="Executor.map has no buffersize before 3.14")
    def test_buffersize_bounds_how_far_it_reads(self, pool) -> None:
        read: list[int] = []

        def numbers() -> Iterator[int]:
            for n in range(1000):
                read.append(n)
                yield n

        results = pool.map(abs, numbers(), buffersize=3)
        assert [next(results) for _ in range(5)] == list(range(5))
        assert len(read) <= 8
        results = pool.map(abs, numbers(), chunksize=2, buffersize=3)
        assert [next(results) for _ in range(5)] == list(range(5))

    @pytest.mark.skipif(sys.version_info >= (3, 14), reason="Executor.map has it from 3.14 on")
    def test_buffersize_is_refused_before(self, pool) -> None:
        with pytest.raises(TypeError, match="buffersize"):
            pool.map(abs, [1], buffersize=3)

    def test_results_are_not_kept(self, pool) -> None:
        for chunksize in (1, 3):
            for result in pool.map(_make_dummy, range(7), chunksize=chunksize):
                there = weakref.ref(result)
                del result
                gc.collect()
                assert there() is None


def _wait_if(wait, receiver):
    return receiver.recv() if wait else None


class Dummy:
    def method(self):
        return 1


def _make_dummy(_):
    return Dummy()


def test_arguments_are_not_kept(pool) -> None:
    gc.collect()
    gc.disable()
    try:
        thing = Dummy()
        there = weakref.ref(thing)
        future = pool.submit(thing.method)
        del thing
        assert future.result() == 1
        assert there() is None
    finally:
        gc.enable()


class TestInitializer:
    def test_it_runs_in_each_worker_before_its_calls(self) -> None:
        with InterpreterPoolExecutor(2, initializer=work.take, initargs=(1, "two"), numpy=False) as pool:
            assert list(pool.map(_look_slowly, range(4))) == [[1, "two"]] * 4

    def test_one_that_raises_breaks_the_pool(self, caplog) -> None:
        sender, receiver = cb.channel()
        with InterpreterPoolExecutor(2, initializer=work.fail_when_told, initargs=(receiver, "no"), numpy=False) as pool:
            futures = [pool.submit(abs, 1) for _ in range(5)]
            sender.send(None)
            sender.send(None)
            for future in futures:
                with pytest.raises(BrokenInterpreterPool, match="the initializer raised LookupError: no; this pool takes no more calls"):
                    future.result(60)
            with pytest.raises(BrokenInterpreterPool) as caught:
                pool.submit(abs, 1)
        assert isinstance(caught.value, concurrent.futures.BrokenExecutor)
        if sys.version_info >= (3, 14):
            assert isinstance(caught.value, concurrent.futures.interpreter.BrokenInterpreterPool)
        assert "Exception in initializer" in caplog.text
        assert "pool_work.py" in caplog.text

    def test_one_without_a_name_is_refused_at_once(self, monkeypatch) -> None:
        monkeypatch.setitem(sys.modules, "cloudpickle", None)
        with pytest.raises(TypeError, match="install cloudpickle"):
            InterpreterPoolExecutor(1, initializer=lambda: None)

    def test_arguments_that_cannot_be_read_there_break_the_pool(self, monkeypatch) -> None:
        module = type(sys)("only_here")
        exec("class Thing: pass", module.__dict__)
        monkeypatch.setitem(sys.modules, "only_here", module)
        monkeypatch.setitem(sys.modules, "cloudpickle", None)
        pool = InterpreterPoolExecutor(1, initializer=work.take, initargs=(module.Thing(),), numpy=False)
        with pool, pytest.raises(BrokenInterpreterPool, match="only_here"):
            pool.submit(abs, 1).result(60)

    def test_arguments_that_cannot_be_sent_break_the_pool(self) -> None:
        pool = InterpreterPoolExecutor(1, initializer=work.take, initargs=(threading.Lock(),), numpy=False)
        with pool, pytest.raises(BrokenInterpreterPool, match="lock"):
            pool.submit(abs, 1).result(60)


def _look_slowly(_):
    time.sleep(0.02)
    return work.look()


class TestDeath:
    def test_a_dead_worker_breaks_the_pool(self) -> None:
        with InterpreterPoolExecutor(1, numpy=False) as pool:
            gate = Gate(pool)
            lost, waiting = pool.submit(work.die), pool.submit(abs, -1)
            gate.open()
            for future in (lost, waiting):
                with pytest.raises(BrokenInterpreterPool, match=r"the interpreter of worker .* is gone"):
                    future.result(60)
            with pytest.raises(BrokenInterpreterPool):
                pool.submit(abs, -1)

    def test_what_others_have_begun_comes_to_its_end(self) -> None:
        with InterpreterPoolExecutor(2, numpy=False) as pool:
            gate = Gate(pool)
            with pytest.raises(BrokenInterpreterPool):
                pool.submit(work.die).result(60)
            assert gate.open("still here") == "still here"


def test_interpreters_are_replaced_after_some_calls() -> None:
    with InterpreterPoolExecutor(1, max_tasks_per_child=3, initializer=work.take, initargs=("fresh",), numpy=False) as pool:
        assert list(pool.map(_count_calls, range(8))) == [1, 2, 3, 1, 2, 3, 1, 2]


def _count_calls(_):
    work.given.append(None)
    assert work.given[0] == "fresh"
    return len(work.given) - 1


class TestCallbacks:
    def test_they_run_in_this_interpreter(self, pool) -> None:
        seen: list[object] = []
        done = threading.Event()

        def note(future: object) -> None:
            seen.append((future, work.interpreter()))
            done.set()

        future = pool.submit(work.slowly, 1)
        future.add_done_callback(note)
        assert done.wait(60)
        assert seen == [(future, work.interpreter())]

    def test_one_may_submit(self, pool) -> None:
        second: list[object] = []
        done = threading.Event()

        def more(future: concurrent.futures.Future[int]) -> None:
            second.append(pool.submit(work.identity, future.result() + 1))
            done.set()

        pool.submit(work.identity, 1).add_done_callback(more)
        assert done.wait(60)
        assert second[0].result() == 2

    def test_one_that_raises_is_logged(self, pool, caplog) -> None:
        future = pool.submit(work.slowly, 1)
        future.add_done_callback(lambda future: 1 / 0)
        done = threading.Event()
        future.add_done_callback(lambda future: done.set())
        assert future.result() == 1
        assert done.wait(60)
        assert "ZeroDivisionError" in caplog.text


def test_asyncio_waits_for_it(pool) -> None:
    async def both() -> list[int]:
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*(loop.run_in_executor(pool, work.slowly, n) for n in range(4)))

    assert asyncio.run(both()) == [0, 1, 2, 3]


def test_results_with_a_timeout(single) -> None:
    gate = Gate(single)
    with pytest.raises(TimeoutError):
        gate.future.result(0.05)
    with pytest.raises(TimeoutError):
        gate.future.exception(0)
    assert gate.open("at last") == "at last"


def test_many_threads_wait_for_one_result(single) -> None:
    gate = Gate(single)
    seen: list[object] = []
    threads = [threading.Thread(target=lambda: seen.append(gate.future.result(60))) for _ in range(8)]
    for thread in threads:
        thread.start()
    gate.open("all")
    for thread in threads:
        thread.join()
    assert seen == ["all"] * 8


def test_threads_submit_at_once(pool) -> None:
    sums: list[int] = []

    def use(start: int) -> None:
        sums.append(sum(pool.map(work.identity, range(start, start + 200))))

    threads = [threading.Thread(target=use, args=(1000 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sums) == [sum(range(1000 * n, 1000 * n + 200)) for n in range(4)]


def test_a_pool_in_a_worker(pool) -> None:
    assert pool.submit(work.nested_pool, [1, 2]).result(60) == [1, 2]
