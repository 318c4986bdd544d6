"""Arrays, ndarrays of an arena and channel ends through what multiprocessing, concurrent.futures and joblib have."""

import concurrent.futures
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from multiprocessing.reduction import ForkingPickler
from typing import Any

import puppets
import pytest

import crossbuf as cb

np = pytest.importorskip("numpy")

from multiprocessing_work import SMALL, answer, give, is_mapped, seen, sums  # noqa: E402, needs NumPy

pytestmark = [
    pytest.mark.usefixtures("nothing_waits"),
    # CPython before 3.14 counts threads after a fork, when ours runs again.
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
]

LENGTH = 100_000
SUM = float(LENGTH * (LENGTH - 1) // 2)


@pytest.fixture(params=["spawn", "forkserver", "fork"])
def context(request: pytest.FixtureRequest) -> Any:
    return multiprocessing.get_context(request.param)


@pytest.fixture
def both() -> Iterator[list[Any]]:
    """An Array, and an ndarray that lies in an arena: what is expected of each is in `EXPECTED`."""
    array = cb.share(np.arange(float(LENGTH)))
    assert all(len(ForkingPickler.dumps(one)) < SMALL for one in (array, array.numpy()))
    cb.drop_tickets()
    both = [array, array.numpy()]
    yield both
    both.clear()


EXPECTED = [("Array", True, SUM), ("ndarray", True, SUM)]


def test_pool(context: Any, both: list[Any]) -> None:
    with context.Pool(2) as pool:
        assert pool.map(seen, both * 10) == EXPECTED * 10
        assert list(pool.imap_unordered(seen, both[:1] * 10, chunksize=3)) == EXPECTED[:1] * 10
        assert pool.apply_async(seen, (both[1][::2],)).get()[:2] == ("ndarray", True)
        pool.close()
        pool.join()


def test_pool_results(context: Any) -> None:
    with context.Pool(2) as pool:
        arrays = pool.map(cb.share, [np.full(LENGTH, float(number)) for number in range(6)])
        pool.close()
        pool.join()
    # The workers have ended.
    for number, array in enumerate(arrays):
        assert seen(array) == ("Array", True, float(number * LENGTH))


def test_standard_librarys_executor(context: Any, both: list[Any]) -> None:
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        assert list(pool.map(seen, both * 10)) == EXPECTED * 10
        array = pool.submit(cb.share, np.ones(LENGTH)).result()
    assert seen(array) == ("Array", True, float(LENGTH))


def test_queue(context: Any, both: list[Any]) -> None:
    for make in (context.Queue, context.SimpleQueue, context.JoinableQueue):
        there, back = make(), make()
        process = context.Process(target=answer, args=(there, back))
        process.start()
        for one in both:
            there.put(one)
        assert [back.get() for _ in both] == EXPECTED
        there.put(None)
        process.join()
        assert process.exitcode == 0
        for queue in (there, back):
            queue.close()


def test_pipe(context: Any, both: list[Any]) -> None:
    here, there = context.Pipe()
    with here, there:
        process = context.Process(target=answer, args=(there, there))
        process.start()
        for one, expected in zip(both, EXPECTED, strict=True):
            here.send(one)
            assert here.recv() == expected
        here.send(None)
        process.join()
        assert process.exitcode == 0


def test_what_a_process_sends_stays_when_it_has_ended(context: Any) -> None:
    queue, enough = context.Queue(), context.Event()
    process = context.Process(target=give, args=(queue, enough, LENGTH))
    process.start()
    array, ndarray = queue.get()
    enough.set()
    process.join()
    assert (process.exitcode, seen(array)) == (0, ("Array", True, SUM))
    assert is_mapped(ndarray)
    assert not ndarray.flags.writeable
    assert ndarray[-1] == LENGTH - 2
    queue.close()
    queue.join_thread()


def test_arguments_of_a_process(context: Any, both: list[Any]) -> None:
    back = context.SimpleQueue()
    processes = [context.Process(target=_tell, args=(back, both), kwargs={"more": {"a": both[1][1:]}}) for _ in range(2)]
    for process in processes:
        process.start()
    # What is inherited keeps its address, what arrives is mapped.
    for _ in processes:
        assert back.get() == [*EXPECTED, ("ndarray", True, SUM)]
    for process in processes:
        process.join()
        assert process.exitcode == 0
    back.close()


def _tell(back: Any, both: list[Any], more: dict[str, Any]) -> None:
    back.put([seen(one) for one in (*both, more["a"])])


def test_channel_ends(context: Any, both: list[Any]) -> None:
    """Two processes take from one channel and answer in another, until the Senders are closed."""
    tx, frames = cb.channel(8)
    results, rx = cb.channel()
    processes = [context.Process(target=sums, args=(frames, results)) for _ in range(2)]
    for process in processes:
        process.start()
    frames.close()
    results.close()
    with tx:
        for _ in range(20):
            tx.send(both[1])
    found = list(rx)
    assert [total for _, total in found] == [SUM] * 20
    assert {pid for pid, _ in found} <= {process.pid for process in processes}
    for process in processes:
        process.join()
        assert process.exitcode == 0
    rx.close()


def test_joblib(both: list[Any]) -> None:
    joblib = pytest.importorskip("joblib", reason="joblib is not installed")
    if sys.version_info >= (3, 15):
        pytest.importorskip("joblib.externals.loky", reason="joblib does not know this Python")
    with joblib.parallel_config("loky", n_jobs=2):
        assert joblib.Parallel()(joblib.delayed(seen)(both[0]) for _ in range(10)) == EXPECTED[:1] * 10
        arrays = joblib.Parallel()(joblib.delayed(cb.share)(np.full(LENGTH, float(number))) for number in range(4))
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)
    assert [seen(array) for array in arrays] == [("Array", True, float(number * LENGTH)) for number in range(4)]


_SILENT = {
    "Pool": """
    with context.Pool(2) as pool:
        print(sum(pool.map(total, [array, array.numpy()] * 5)))
""",
    "Pool that is not closed": """
    pool = context.Pool(2)
    print(sum(pool.map(total, [array, array.numpy()] * 5)))
""",
    "Process": """
    queue = context.Queue()
    process = context.Process(target=give, args=(queue, array))
    process.start()
    print(10 * queue.get())
    process.join()
""",
    "executor": """
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        print(sum(pool.map(total, [array, array.numpy()] * 5)))
""",
    "joblib": """
    import joblib
    print(sum(joblib.Parallel(2)(joblib.delayed(total)(array) for _ in range(10))))
""",
    "tickets that nobody redeems": """
    import pickle
    pickle.dumps(array)
    print(10 * total(array))
""",
}


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
@pytest.mark.parametrize("use", _SILENT.values(), ids=_SILENT)
def test_the_exit_is_silent(script: Callable[..., Any], method: str, use: str) -> None:
    if "joblib" in use:
        pytest.importorskip("joblib", reason="joblib is not installed")
    done = script(
        f"""
import concurrent.futures, multiprocessing
import numpy as np
import crossbuf as cb

def total(array):
    return float(np.asarray(array).sum())

def give(queue, array):
    queue.put(total(array))

if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    array = cb.share(np.ones(100_000))
{use}
"""
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "1000000.0\n")


def test_nothing_is_left_in_dev_shm_nor_of_sockets(context: Any, both: list[Any]) -> None:
    with context.Pool(2) as pool:
        seen_by = dict(pool.map(_pid_and_files_in_dev_shm, both * 10))
        pool.close()
        pool.join()
    assert set(seen_by.values()) == {0}
    assert puppets.sockets_of(set(seen_by) - {os.getpid()}) == []


def _pid_and_files_in_dev_shm(array: Any) -> tuple[int, int]:
    assert seen(array)[1]
    files = puppets.files_of(os.getpid(), "/dev/shm/")
    # The pool's own are its semaphores.
    return os.getpid(), len(files - puppets.files_of(os.getpid(), "/dev/shm/sem."))


def _pid(array: Any) -> int:
    assert seen(array)[1]
    return os.getpid()


@pytest.mark.skipif(sys.version_info < (3, 13), reason="NumPy works in sub-interpreters from 3.13 on")
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_from_an_interpreter_with_its_own_gil(elsewhere: Callable[..., None], method: str) -> None:
    """Processes and pipes. Queues and pools have daemon threads, which CPython refuses there, and so it does `fork`."""
    elsewhere(
        f"""
import multiprocessing
import crossbuf
crossbuf.isolation.enable("numpy")
import numpy
from multiprocessing_work import answer
context = multiprocessing.get_context({method!r})
here, there = context.Pipe()
process = context.Process(target=answer, args=(there, there))
process.start()
array = crossbuf.share(numpy.ones(100_000))
for one, name in ((array, "Array"), (array.numpy(), "ndarray")):
    here.send(one)
    assert here.recv() == (name, True, 100_000.0)
here.send(None)
process.join()
assert process.exitcode == 0
"""
    )
