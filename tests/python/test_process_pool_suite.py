"""CPython's own tests of process pools, run on ours, where the interpreter has them (installations may leave the package `test` out)."""

import sys

import pytest

from crossbuf.futures import ProcessPoolExecutor

util = pytest.importorskip("test.test_concurrent_futures.util")

from test.test_concurrent_futures import test_as_completed, test_deadlock, test_init, test_process_pool, test_shutdown, test_wait  # noqa: E402

# CPython before 3.14 counts threads after a fork, when ours runs again; objects of theirs outlive the manager that they talk to.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class Fork(util.ProcessPoolForkMixin):
    executor_type = ProcessPoolExecutor


class Spawn(util.ProcessPoolSpawnMixin):
    executor_type = ProcessPoolExecutor


class ForkServer(util.ProcessPoolForkserverMixin):
    executor_type = ProcessPoolExecutor


class Shutdown(test_shutdown.ProcessPoolShutdownTest):
    @pytest.mark.skip("theirs hangs, and is skipped for their class by its name: python/cpython#83386")
    def test_hang_gh83386(self) -> None:
        pass

    @pytest.mark.skip("CPython 3.13 deadlocks in one of fifty runs of it, as its call cannot be pickled: with its own class, too")
    def test_processes_terminate(self) -> None:
        pass


_SUITES = {
    "Executor": test_process_pool.ProcessPoolExecutorTest,
    "Deadlock": test_deadlock.ExecutorDeadlockTest,
    "Initializer": test_init.InitializerMixin,
    "FailingInitializer": test_init.FailingInitializerMixin,
    "Shutdown": Shutdown,
    "AsCompleted": test_as_completed.AsCompletedTests,
    "Wait": test_wait.WaitTests,
}

# Each class of theirs with each start method, on one version: it takes minutes, and what differs is how workers start.
_METHOD = {(3, 12): Fork, (3, 13): Spawn}.get(sys.version_info[:2], ForkServer)

for _name, _suite in _SUITES.items():
    _class = f"Test{_name}{_METHOD.__name__}"
    globals()[_class] = type(_class, (_suite, _METHOD, util.BaseTestCase), {"__module__": __name__})


@pytest.fixture(autouse=True)
def scripts_import_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripts that some tests run import an executor by its class's name from concurrent.futures."""
    theirs = test_shutdown.assert_python_ok

    def ours(*arguments: str, **options: str) -> object:
        lines = (argument.replace("from concurrent.futures import", "from crossbuf.futures import") for argument in arguments)
        return theirs(*lines, **options)

    monkeypatch.setattr(test_shutdown, "assert_python_ok", ours)
