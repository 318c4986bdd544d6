"""Pools when the process ends, is interrupted, or runs a script: nothing is lost, nothing hangs, nothing is printed."""

from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

Script = Callable[..., CompletedProcess[str]]

START = """
import sys, threading, time
import crossbuf as cb
from crossbuf.futures import InterpreterPoolExecutor

def slowly(x):
    time.sleep(0.05)
    return x

def write(path, text):
    time.sleep(0.05)
    with open(path, "a") as file:
        file.write(text)

class Point:
    def __init__(self, x):
        self.x = x
    def __eq__(self, other):
        return type(self) is type(other) and self.x == other.x

def double(point):
    return Point(point.x * 2)
"""
MAIN = START + '\nif __name__ == "__main__":\n'


def succeeded(done: CompletedProcess[str]) -> list[str]:
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_functions_and_classes_of_the_script(script: Script) -> None:
    text = """
    with InterpreterPoolExecutor(2) as pool:
        print(list(pool.map(slowly, range(4))))
        print(pool.submit(double, Point(2)).result() == Point(4))
"""
    assert succeeded(script(MAIN + text)) == ["[0, 1, 2, 3]", "True"]


def test_a_script_without_a_guard_is_told_to_have_one(script: Script) -> None:
    done = script(START + "with InterpreterPoolExecutor(1) as pool: print(pool.submit(slowly, 1).result())")
    assert done.returncode == 1
    assert 'put what must happen once under `if __name__ == "__main__":`' in done.stderr


def test_calls_that_wait_are_done_before_the_process_ends(script: Script, tmp_path) -> None:
    text = """
    pool = InterpreterPoolExecutor(1)
    for n in range(5):
        pool.submit(write, "written", str(n))
"""
    assert succeeded(script(MAIN + text)) == []
    assert (tmp_path / "written").read_text() == "01234"


def test_so_are_they_when_the_script_raises(script: Script, tmp_path) -> None:
    done = script(MAIN + '    pool = InterpreterPoolExecutor(1); pool.submit(write, "written", "all"); raise SystemExit(3)')
    assert (done.returncode, done.stderr) == (3, "")
    assert (tmp_path / "written").read_text() == "all"


def test_an_idle_pool_keeps_nobody_waiting(script: Script) -> None:
    assert succeeded(script(MAIN + "    pool = InterpreterPoolExecutor(2); print(list(pool.map(slowly, range(3))))")) == ["[0, 1, 2]"]


def test_no_calls_are_taken_while_the_process_ends(script: Script) -> None:
    text = """
    import atexit
    pool = InterpreterPoolExecutor(1)
    pool.submit(slowly, 1).result()
    def late():
        try:
            pool.submit(slowly, 1)
        except RuntimeError as error:
            print(error)
    atexit.register(late)
"""
    assert succeeded(script(MAIN + text)) == ["cannot schedule new futures after interpreter shutdown"]


@pytest.mark.parametrize("wait", ["pool.submit(time.sleep, 3).result()", "list(pool.map(time.sleep, [3]))"])
def test_ctrl_c_ends_a_wait_for_a_result(script: Script, wait: str) -> None:
    text = f"""
    import _thread, signal, os
    pool = InterpreterPoolExecutor(1)
    pool.submit(slowly, 1).result()
    start = time.monotonic()
    try:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        {wait}
    except KeyboardInterrupt:
        print("interrupted", time.monotonic() - start < 2.5)
    pool.shutdown(wait=False, cancel_futures=True)
"""
    assert succeeded(script(MAIN + text)) == ["interrupted True"]


def test_ctrl_c_in_a_with_block_waits_for_calls_that_have_begun(script: Script) -> None:
    text = """
    import signal, os
    try:
        with InterpreterPoolExecutor(1) as pool:
            begun = pool.submit(time.sleep, 0.5)
            while not (begun.running() or begun.done()):
                time.sleep(0.001)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
    except KeyboardInterrupt:
        print("interrupted", begun.done())
"""
    assert succeeded(script(MAIN + text)) == ["interrupted True"]


def test_a_pool_inside_a_pool(script: Script) -> None:
    text = """
def outer(n):
    with InterpreterPoolExecutor(1) as pool:
        return pool.submit(slowly, n).result() + 1

if __name__ == "__main__":
    with InterpreterPoolExecutor(2) as pool:
        print(list(pool.map(outer, range(3))))
"""
    assert succeeded(script(START + text)) == ["[1, 2, 3]"]


@pytest.mark.parametrize("daemon", [False, True])
@pytest.mark.parametrize("begin", ["pool.submit(slowly, 1).result", "pool.map(slowly, range(3)).__next__", "cb.spawn(slowly, 1).join"])
def test_threads_that_wait_for_results_while_the_process_ends(script: Script, begin: str, daemon: bool) -> None:
    """They get them, as the calls are done all the same; a daemon thread may be too late to say so."""
    text = f"""
    pool = InterpreterPoolExecutor(1)
    def wait(result):
        results.append(result())
    results = []
    threads = [threading.Thread(target=wait, args=({begin},), daemon={daemon}) for _ in range(4)]
    for thread in threads:
        thread.start()
    def late():
        for thread in threads:
            thread.join(60)
        print(len(results))
    import atexit
    atexit.register(late)
"""
    assert succeeded(script(MAIN + text)) == ["4"]


def test_a_thread_that_closes_a_pool_while_the_process_ends(script: Script) -> None:
    text = """
    submitted = threading.Event()
    def use():
        with InterpreterPoolExecutor(1) as pool:
            future = pool.submit(slowly, 1)
            submitted.set()
            threading.main_thread().join()
        print(future.result())
    threading.Thread(target=use).start()
    submitted.wait()
"""
    assert succeeded(script(MAIN + text)) == ["1"]


def test_daemon_threads_that_wait_for_what_never_comes(script: Script) -> None:
    """The calls wait in a channel, which the end of the process calls off, and so have an outcome."""
    text = """
    sender, receiver = cb.channel()
    pool = InterpreterPoolExecutor(2)
    futures = [pool.submit(cb.Receiver.recv, receiver) for _ in range(3)]
    for _ in range(3):
        for future in futures:
            threading.Thread(target=future.exception, daemon=True).start()
        threading.Thread(target=list, args=(pool.map(cb.Receiver.recv, [receiver]),), daemon=True).start()
    import concurrent.futures
    threading.Thread(target=concurrent.futures.wait, args=(futures,), daemon=True).start()
    threading.Thread(target=pool.shutdown, daemon=True).start()
    while not all(future.running() for future in futures[:2]):
        time.sleep(0.001)
"""
    done = script(MAIN + text)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
