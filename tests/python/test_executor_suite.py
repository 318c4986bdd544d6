"""CPython's own tests of executors, run on ours, where the interpreter has them (installations may leave the package `test` out)."""

import concurrent.futures

import pytest

import crossbuf as cb
from crossbuf.futures import InterpreterPoolExecutor

util = pytest.importorskip("test.test_concurrent_futures.util")

from test.test_concurrent_futures import executor, test_as_completed, test_shutdown, test_wait  # noqa: E402, only where it is


class Ours(util.ExecutorMixin):
    executor_type = InterpreterPoolExecutor


class TestExecutor(Ours, executor.ExecutorTest, util.BaseTestCase):
    pass


class TestShutdown(Ours, test_shutdown.ExecutorShutdownTest, util.BaseTestCase):
    @pytest.fixture(autouse=True)
    def scripts_import_ours(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The scripts that some tests run import an executor by its class's name from concurrent.futures."""
        theirs = test_shutdown.assert_python_ok

        def ours(*arguments: str, **options: str) -> object:
            lines = (argument.replace("from concurrent.futures import", "from crossbuf.futures import") for argument in arguments)
            return theirs(*lines, **options)

        monkeypatch.setattr(test_shutdown, "assert_python_ok", ours)

    def test_cancel_futures(self) -> None:
        """Theirs wants some of 50 calls to be done though the pool is shut down at once: ours may have no interpreter by then."""
        pool = self.executor_type(1)
        pool.submit(abs, 1).result()
        sender, receiver = cb.channel()
        begun = pool.submit(cb.Receiver.recv, receiver)
        while not begun.running():
            util.time.sleep(0.001)
        others = [pool.submit(util.time.sleep, 0.1) for _ in range(50)]
        others[-1].add_done_callback(lambda _: sender.send(None))
        pool.shutdown(cancel_futures=True)
        assert begun.done()
        assert not begun.cancelled()
        assert all(future.cancelled() for future in others)


class TestAsCompleted(Ours, test_as_completed.AsCompletedTests, util.BaseTestCase):
    pass


class TestWait(Ours, test_wait.WaitTests, util.BaseTestCase):
    pass


def test_it_is_an_executor() -> None:
    assert issubclass(InterpreterPoolExecutor, concurrent.futures.Executor)
