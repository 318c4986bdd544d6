"""`crossbuf.futures.ProcessPoolExecutor`: arrays in and out, deaths, what is left. CPython's own are in test_process_pool_suite."""

import concurrent.futures
import concurrent.futures.process
import gc
import inspect
import multiprocessing
import os
import pickle
import signal
import sys
import time
import weakref
from collections.abc import Iterator
from typing import Any

import puppets
import pytest

import crossbuf as cb

np = pytest.importorskip("numpy")

import process_pool_work as work  # noqa: E402, needs NumPy
from multiprocessing_work import is_mapped  # noqa: E402
from process_pool_work import MANY, Nested  # noqa: E402

from crossbuf.futures import BrokenProcessPool, ProcessPoolExecutor, _errands, _homecoming  # noqa: E402
from crossbuf.futures._packing import pack, unpack  # noqa: E402

pytestmark = [
    pytest.mark.usefixtures("nothing_waits"),
    # CPython before 3.14 counts threads after a fork, when ours runs again.
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
]


@pytest.fixture(params=["spawn", "forkserver", "fork"])
def context(request: pytest.FixtureRequest) -> Any:
    return multiprocessing.get_context(request.param)


@pytest.fixture
def pool(context: Any) -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        yield pool


@pytest.fixture
def spawn() -> Any:
    return multiprocessing.get_context("spawn")


def test_it_is_the_standard_librarys() -> None:
    theirs = concurrent.futures.ProcessPoolExecutor
    assert issubclass(ProcessPoolExecutor, theirs)
    assert BrokenProcessPool is concurrent.futures.process.BrokenProcessPool
    for name in ("__init__", "submit", "map", "shutdown"):
        mine, peer = (inspect.signature(getattr(of, name)).parameters for of in (ProcessPoolExecutor, theirs))
        assert [(p.name, p.kind, p.default) for p in mine.values()] == [(p.name, p.kind, p.default) for p in peer.values()]


@pytest.mark.parametrize(
    "bad",
    [{"max_workers": 0}, {"initializer": 7}, {"max_tasks_per_child": 0}, {"max_tasks_per_child": 1.5}],
    ids=str,
)
def test_bad_arguments(bad: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)) as theirs:
        concurrent.futures.ProcessPoolExecutor(**bad)
    with pytest.raises(theirs.type, match=f"^{theirs.value}$"):
        ProcessPoolExecutor(**bad)


def test_arrays_at_any_depth(pool: ProcessPoolExecutor) -> None:
    array = np.arange(float(MANY))
    nested = Nested(array, {"list": [(array, array + 1)], "view": array[::2], "text": "x"})
    expected = [(True, False, float(a.sum())) for a in (array, array, array + 1, array[::2])]
    assert pool.submit(work.describe, nested).result() == expected
    arrived = pool.submit(work.nest, MANY).result()
    assert work.describe(arrived) == expected
    assert arrived.a is arrived.more["list"][0][0]


def test_what_lies_in_an_arena_is_not_copied(pool: ProcessPoolExecutor) -> None:
    array = cb.share(np.arange(float(MANY))).numpy()
    before = cb.statistics().copied
    view = pool.submit(work.itself, array[::2]).result()
    assert view.ctypes.data == array.ctypes.data
    assert view.strides == (16,)
    assert cb.statistics().copied == before
    # A result of one worker is an argument of another.
    result = pool.submit(work.plus, array, 1).result()
    assert is_mapped(result)
    assert pool.submit(work.total, result).result() == float(array.sum()) + MANY
    assert cb.statistics().copied == before


@pytest.mark.parametrize("length", [0, 1, 100, 5000, MANY])
@pytest.mark.parametrize("dtype", ["f8", "u1", "M8[s]", ">c8", "S3", "U2", "i4,f2"])
def test_all_are_read_only_and_keep_what_they_are(length: int, dtype: str) -> None:
    made = np.zeros((2, length), dtype)
    others = [made, np.asfortranarray(made), made[:, ::-1], made.T, made[0, :1].reshape(())] if length else [made]
    for array in others:
        for one, other in ((array, array), (array, np.zeros(MANY))):
            # Beside the stream; in a message where something else is large.
            packed = pack([one, other])
            beside, apart = packed.split()
            arrived = pickle.loads(pickle.dumps((packed.stream, beside)))
            tx, rx = cb.channel()
            with tx, rx:
                tx.send(apart)
                (again, _) = unpack(*arrived, rx.recv())
            assert not again.flags.writeable
            assert (again.dtype, again.shape, again.tobytes()) == (array.dtype, array.shape, array.tobytes())
            assert again.flags.c_contiguous or not array.flags.c_contiguous


def test_small_ones_and_large_ones_are_read_only(pool: ProcessPoolExecutor) -> None:
    arrays = [np.zeros(n) for n in (0, 1, 200, 20_000, MANY)] + [np.zeros(())]
    assert pool.submit(work.writeable, *arrays).result() == [False] * 6
    for array in arrays:
        assert not pool.submit(work.itself, array).result().flags.writeable
    assert pool.submit(work.writeable, np.array([None, 1])).result() == [True]


def test_other_kinds_of_arrays(pool: ProcessPoolExecutor) -> None:
    masked = np.ma.masked_greater(np.arange(MANY), 7)
    matrix, record = np.ones((400, 400)).view(np.matrix), np.zeros(MANY, "i4,f8").view(np.recarray)
    kinds = [masked, matrix, record, np.array(["a", None], object), np.array(["a", "b"], np.dtypes.StringDType())]
    for array, arrived in zip(kinds, pool.submit(work.itself, kinds).result(), strict=True):
        assert type(arrived) is type(array)
        assert (arrived == array).all()


def test_many_small_ones_go_together(pool: ProcessPoolExecutor) -> None:
    arrays = [np.full(n % 700, float(n)) for n in range(2000)]
    assert all((a == b).all() for a, b in zip(arrays, pool.submit(work.itself, arrays).result(), strict=True))


def test_map_in_chunks(pool: ProcessPoolExecutor) -> None:
    arrays = [np.full(MANY, float(n)) for n in range(7)]
    for number, result in enumerate(pool.map(work.plus, arrays, range(7), chunksize=3)):
        assert result[-1] == 2 * number


def test_arrays_and_channel_ends(pool: ProcessPoolExecutor) -> None:
    assert pool.submit(work.total, cb.share(np.ones(MANY)).numpy()).result() == MANY
    assert pool.submit(work.share, 3).result().tolist()[:2] == [3.0, 3.0]
    tx, inbox = cb.channel()
    outbox, rx = cb.channel()
    with tx, rx:
        echoing = pool.submit(work.echo, inbox, outbox)
        array = cb.share(np.ones(MANY))
        for number in range(50):
            tx.send([number, array])
            assert rx.recv(60)[0] == number
        tx.close()
        assert echoing.result() != os.getpid()
    inbox.close()
    outbox.close()


def test_initializers_get_arrays(context: Any) -> None:
    array = np.ones(MANY)
    with ProcessPoolExecutor(2, context, work.initialize, (array, 7)) as pool:
        is_forked = context.get_start_method() == "fork"
        assert pool.submit(work.initial).result() == (not is_forked, is_forked, MANY, 7)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_results_outlive_their_workers(method: str) -> None:
    """Each worker ends after one call, while its result is on its way, or is an argument of the next call."""
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context, max_tasks_per_child=1) as pool:
        results = [np.zeros(MANY)] * 3
        for _ in range(3):
            results = list(pool.map(work.plus, results, [1, 1, 1]))
        assert [float(result.sum()) for result in results] == [3.0 * MANY] * 3
    assert all(is_mapped(result) and not result.flags.writeable for result in results)
    assert results[0][-1] == 3
    # By now no worker lives.
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        assert pool.submit(work.total, results[0]).result() == 3.0 * MANY


def test_results_outlive_workers_that_are_killed(context: Any) -> None:
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        pid, result = pool.submit(work.die_soon, np.zeros(MANY)).result()
        os.kill(pid, signal.SIGKILL)
    assert float(result.sum()) == MANY


@pytest.mark.parametrize("is_shared", [False, True], ids=["copied", "shared"])
def test_a_killed_worker_breaks_the_pool(context: Any, is_shared: bool) -> None:
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        pool.submit(work.pid).result()
        array = cb.share(np.ones(MANY)) if is_shared else np.ones(MANY)
        futures = [pool.submit(work.sleep, array) for _ in range(6)] + [pool.submit(work.die, array)]
        for pid in list(pool._processes):  # type: ignore[attr-defined]
            os.kill(pid, signal.SIGKILL)
        for future in futures:
            with pytest.raises(BrokenProcessPool):
                future.result(60)
        with pytest.raises(BrokenProcessPool):
            pool.submit(work.total, np.ones(MANY))


def test_a_worker_that_kills_itself_breaks_the_pool(context: Any) -> None:
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        futures = [pool.submit(time.sleep, 0.3), pool.submit(work.die, np.ones(MANY))]
        futures += [pool.submit(work.total, np.ones(MANY)) for _ in range(5)]
        futures.pop(0).result()
        for future in futures:
            with pytest.raises(BrokenProcessPool):
                future.result(60)


def test_an_initializer_that_fails_breaks_the_pool(spawn: Any, capfd: pytest.CaptureFixture[str]) -> None:
    with ProcessPoolExecutor(1, spawn, work.refuse, (np.ones(MANY),)) as pool, pytest.raises(BrokenProcessPool):
        pool.submit(work.total, np.ones(MANY)).result(60)
    assert "RuntimeError: no" in capfd.readouterr().err


@pytest.mark.skipif(sys.version_info < (3, 14), reason="new in 3.14")
@pytest.mark.parametrize("method", ["kill_workers", "terminate_workers"])
def test_workers_that_are_stopped(context: Any, method: str) -> None:
    pool = ProcessPoolExecutor(2, mp_context=context)
    pool.submit(work.pid).result()
    futures = [pool.submit(work.sleep, np.ones(MANY)) for _ in range(6)]
    getattr(pool, method)()
    for future in futures:
        with pytest.raises((BrokenProcessPool, concurrent.futures.CancelledError)):
            future.result(60)


@pytest.mark.parametrize("length", [3, MANY])
def test_exceptions_that_mention_arrays(length: int) -> None:
    """Their workers end at once."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context, max_tasks_per_child=1) as pool:
        for future in [pool.submit(work.fail, np.ones(length)) for _ in range(4)]:
            with pytest.raises(ValueError, match="of the worker") as failed:
                future.result(60)
            _, array, shared = failed.value.args
            assert float(array.sum()) == length
            assert float(shared.numpy().sum()) == 2 * length
            assert "in fail" in str(failed.value.__cause__)
            assert "__reduce_ex__" not in vars(failed.value)
            del failed, array, shared, future


def test_calls_that_fail(pool: ProcessPoolExecutor) -> None:
    with pytest.raises(ValueError, match="of the worker") as failed:
        pool.submit(work.fail, np.ones(3)).result()
    assert "work.fail" in str(failed.value.__cause__) or "in fail" in str(failed.value.__cause__)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pool.submit(work.itself, [np.ones(MANY), work.Unwritable()]).result()
    with pytest.raises(TypeError, match="cannot be pickled"):
        pool.submit(work.unwritable, np.ones(MANY)).result()
    assert pool.submit(work.total, np.ones(MANY)).result() == MANY


@pytest.mark.parametrize("is_shared", [False, True], ids=["copied", "shared"])
def test_cancelled_calls_leave_nothing(spawn: Any, is_shared: bool) -> None:
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        array = cb.share(np.ones(MANY)).numpy() if is_shared else np.ones(MANY)
        futures = [pool.submit(time.sleep, 0.2), *(pool.submit(work.total, array) for _ in range(20))]
        pool.shutdown(wait=True, cancel_futures=True)
        assert sum(future.cancelled() for future in futures) >= 15
        assert all(future.done() for future in futures)


def test_a_full_arena_is_no_reason_to_fail(spawn: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    arena = cb.Arena(1 << 16)
    monkeypatch.setattr(_errands, "channel", lambda: cb.channel(arena=arena))
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        assert pool.submit(work.writeable, np.ones(MANY)).result() == [False]
        # Beside what needs no room.
        again, ones = pool.submit(work.itself, [cb.share(b"abc"), np.ones(MANY)]).result()
        assert (again.tobytes(), float(ones.sum())) == (b"abc", MANY)
    assert arena.statistics().allocations == 0
    # In the worker it is the same.
    sender, receiver = cb.channel(arena=arena)
    with sender, receiver:
        rebuild, arguments = _homecoming.Result(np.ones(MANY), (sender, 0)).__reduce__()
        assert float(rebuild(*pickle.loads(pickle.dumps(arguments))).sum()) == MANY


def test_a_few_arrays_of_this_process_are_fetched_without_asking_it(context: Any) -> None:
    shared = cb.share(np.arange(2.0 * MANY).reshape(MANY, 2))
    few = [shared, shared.numpy()[::-1], shared.numpy().view("M8[s]").T]
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        errand = _errands.Errand(few)
        assert errand.__reduce__()[0] is _errands.fetched
        errand.end()
        foreign = pool.submit(work.plus, np.ones(MANY), 1).result()
        for others in ([foreign], [np.ones(MANY)], [array[:] for array in few * 3]):
            errand = _errands.Errand([*few, *others])
            assert errand.__reduce__()[0] is _errands.received
            errand.end()
        arrived = pool.submit(work.itself, few).result()
        assert [type(array) for array in arrived] == [cb.Array, np.ndarray, np.ndarray]
        for array, again in zip(few, arrived, strict=True):
            assert (again.dtype, again.shape, again.strides) == (array.dtype, array.shape, array.strides)
            assert np.array_equal(again, array)


def test_errands_keep_nothing_when_they_are_over() -> None:
    for content in (cb.share(np.ones(MANY)), np.ones(MANY)):
        errand = _errands.Errand([content] * 2)
        errand.__reduce__()
        assert len(cb.tickets()) == 1
        errand.end()
        assert cb.tickets() == []
        # Pickled by a thread that comes too late.
        late, arguments = errand.__reduce__()
        assert cb.tickets() == []
        assert isinstance(late(*arguments), _errands.Lost)


@pytest.mark.parametrize("is_shared", [False, True], ids=["copied", "shared"])
def test_tickets_that_somebody_drops_fail_their_call_only(spawn: Any, is_shared: bool) -> None:
    (ready, has_begun), (go, told) = cb.channel(), cb.channel()
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        begun = pool.submit(work.hold, ready, told)
        has_begun.recv()
        doomed = pool.submit(work.total, cb.share(np.ones(MANY)).numpy() if is_shared else np.ones(MANY))
        while not cb.tickets():
            time.sleep(0.001)
        cb.drop_tickets()
        go.send(None)
        with pytest.raises(cb.StaleHandle):
            doomed.result(60)
        begun.result()
        assert pool.submit(work.total, np.ones(MANY)).result() == MANY


def test_a_pool_that_nobody_refers_to_any_more(context: Any) -> None:
    pool = ProcessPoolExecutor(2, mp_context=context)
    futures = [pool.submit(work.plus, np.ones(MANY), 1) for _ in range(5)]
    del pool
    gc.collect()
    assert [float(future.result(60).sum()) for future in futures] == [2.0 * MANY] * 5


def test_a_pool_that_is_shut_down_without_waiting(context: Any) -> None:
    pool = ProcessPoolExecutor(2, mp_context=context)
    futures = [pool.submit(work.plus, np.ones(MANY), 1) for _ in range(5)]
    pool.shutdown(wait=False)
    assert [float(future.result(60).sum()) for future in futures] == [2.0 * MANY] * 5


def test_a_pool_that_is_shut_down_without_waiting_within_its_block(context: Any) -> None:
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        futures = [pool.submit(work.plus, np.ones(MANY), 1) for _ in range(5)]
        pool.shutdown(wait=False)
    assert [float(future.result(60).sum()) for future in futures] == [2.0 * MANY] * 5


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_the_exit_waits_for_calls_and_is_silent(script, method: str) -> None:
    done = script(
        f"""
import multiprocessing
import numpy as np
from crossbuf.futures import ProcessPoolExecutor

def work(array):
    return array + 1

if __name__ == "__main__":
    pool = ProcessPoolExecutor(2, mp_context=multiprocessing.get_context({method!r}))
    for _ in range(6):
        pool.submit(work, np.ones(200_000)).add_done_callback(lambda future: print(future.result().sum()))
"""
    )
    assert (done.returncode, done.stderr, done.stdout.split()) == (0, "", ["400000.0"] * 6)


def test_a_future_keeps_no_arguments(spawn: Any) -> None:
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        array = np.arange(float(MANY))
        gone = weakref.ref(array)
        future = pool.submit(len, array)
        assert future.result(puppets.WATCHDOG) == MANY
        del array
        until = time.monotonic() + puppets.WATCHDOG
        while gone() is not None and time.monotonic() < until:
            time.sleep(0.001)  # the pool's own thread has it for another moment
        assert gone() is None
        assert future.done()
