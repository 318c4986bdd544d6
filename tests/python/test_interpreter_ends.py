"""An interpreter that has made others ends while they run: it waits for their calls, ends their waits, and takes nobody with it."""

import sys

import left_work as work
import pytest

import crossbuf as cb
from crossbuf.futures import InterpreterPoolExecutor

# What it loads keeps a descriptor for the whole process, the first time.
pytest.importorskip("numpy")
pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture(params=["a worker", "a pool", "a pool that replaces interpreters"])
def run(request: pytest.FixtureRequest):
    """Calls a function in an interpreter that ends after it."""

    def in_a_worker(f, *args):
        return cb.spawn(f, *args).join()

    def in_a_pool(f, *args):
        with InterpreterPoolExecutor(1, numpy="auto") as pool:
            return pool.submit(f, *args).result()

    def replaced(f, *args):
        with InterpreterPoolExecutor(1, max_tasks_per_child=1) as pool:
            result = pool.submit(f, *args).result()
            assert pool.submit(abs, -1).result() == 1
            return result

    return {"a worker": in_a_worker, "a pool": in_a_pool}.get(request.param, replaced)


def test_an_idle_pool(run) -> None:
    assert run(work.an_idle_pool) == 4


def test_calls_of_its_pool_are_done(run, tmp_path) -> None:
    run(work.a_pool_with_calls, str(tmp_path / "written"))
    assert (tmp_path / "written").read_text() == "abc"


def test_a_worker_that_waits(run) -> None:
    run(work.a_worker_that_waits)


def test_a_call_that_waits(run) -> None:
    run(work.a_call_that_waits)


def test_pools_in_pools(run) -> None:
    assert run(work.pools_in_pools, 3) == 3


@pytest.mark.skipif(sys.version_info < (3, 13), reason="isolation needs CPython 3.13")
def test_a_pool_with_numpy(run) -> None:
    assert run(work.a_pool_with_numpy) == 3


def test_an_interpreter_by_hand(elsewhere) -> None:
    for name in ("an_idle_pool()", "a_worker_that_waits()", "pools_in_pools(2)"):
        elsewhere(f"import left_work; left_work.{name}")


def test_waits_of_others_go_on() -> None:
    """The end of one interpreter ends no waits but its own and those of interpreters that come from it."""
    sender, receiver = cb.channel()
    back, results = cb.channel()
    other = cb.spawn(_forward, receiver, back)
    cb.spawn(work.pools_in_pools, 1).join()
    sender.send("still here")
    assert results.recv() == "still here"
    other.join()


def _forward(receiver, sender):
    sender.send(receiver.recv())


def test_the_process_may_end_meanwhile(script) -> None:
    done = script(f"""
import sys
sys.path[:] = {sys.path!r}
import left_work
import crossbuf
from crossbuf.futures import InterpreterPoolExecutor

if __name__ == "__main__":
    workers = [crossbuf.spawn(left_work.pools_in_pools, 2), crossbuf.spawn(left_work.a_worker_that_waits)]
    pool = InterpreterPoolExecutor(2)
    futures = [pool.submit(left_work.pools_in_pools, 1), pool.submit(left_work.a_call_that_waits)]
""")
    assert done.returncode == 0, done.stderr
