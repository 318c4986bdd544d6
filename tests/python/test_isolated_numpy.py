"""NumPy in many interpreters at once: right results, errors where they belong, and interpreters that end at any moment."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import left

import crossbuf as cb

if sys.version_info < (3, 13):
    pytest.skip("isolation needs CPython 3.13", allow_module_level=True)
pytest.importorskip("numpy")

import isolation_work as work
import numpy as np


def test_eight_interpreters_at_once_compute_the_same() -> None:
    workers = [cb.spawn(work.numbers, seed) for seed in range(8)]
    for seed, worker in enumerate(workers):
        assert worker.join() == work.numbers(seed)


def test_errors_in_c_code_are_raised_where_they_arise() -> None:
    workers = [cb.spawn(work.failures, 20) for _ in range(4)]
    assert work.failures(20) == 20 * work.KINDS
    assert [worker.join() for worker in workers] == [20 * work.KINDS] * 4


def test_threads_inside_an_interpreter() -> None:
    assert cb.spawn(work.in_threads).join() == [work.numbers(seed) for seed in range(4)]


def test_arrays_outlive_the_interpreters_that_made_them() -> None:
    before = left()
    sender, receiver = cb.channel()
    workers = [cb.spawn(work.leave_things, sender) for _ in range(3)]
    sender.close()
    for worker in workers:
        worker.join()
    messages = list(receiver)
    assert len(messages) == 6
    for message in messages:
        if isinstance(message, dict):
            np.testing.assert_array_equal(message["nested"][0], np.ones((3, 4)))
            assert message["nested"][0].flags.f_contiguous
        else:
            np.testing.assert_array_equal(message, np.arange(1000.0))
    del message, messages, worker, workers
    receiver.close()
    assert left() == before


@pytest.mark.skipif(sys.version_info < (3, 14), reason="3.13 itself crashes when a memoryview outlives its interpreter")
def test_memoryviews_of_the_standard_library_outlive_the_interpreter(elsewhere) -> None:
    from concurrent import interpreters

    queue = interpreters.create_queue()
    views = []
    elsewhere(
        """
from crossbuf import isolation
isolation.enable("numpy")
import numpy as np
queue.put(memoryview(np.arange(1000.0)))
there.send(None)
here.recv()
""",
        queue=queue,
        **_meeting(lambda: views.append(queue.get())),
    )
    assert views[0].tolist() == list(range(1000))
    np.testing.assert_array_equal(np.asarray(views[0]), np.arange(1000.0))
    views.clear()


def _meeting(between) -> dict[str, object]:
    """Ends for another interpreter, which sends and then receives: `between` is called on a thread of this one in between."""
    (there, a), (b, here) = cb.channel(), cb.channel()

    def wait() -> None:
        a.recv()
        between()
        b.send(None)

    threading.Thread(target=wait).start()
    return {"there": there, "here": here}


IMPORT = """
import sys, threading
import crossbuf
sys.path.insert(0, {folder!r})

def numbers():
    import isolation_work
    return isolation_work.numbers(3)

if __name__ == "__main__":
    results = []
    for who in {order!r}:
        results.append(numbers() if who == "main" else crossbuf.spawn(numbers).join())
    assert all(result == results[0] for result in results)
    print(len(results), "equal")
"""


@pytest.mark.parametrize("order", ["main sub main", "sub main sub", "sub sub main sub main"])
def test_any_interpreter_may_import_it_first(script, order) -> None:
    done = script(IMPORT.format(folder=str(Path(__file__).parent), order=order.split()))
    assert (done.stdout, done.stderr, done.returncode) == (f"{len(order.split())} equal\n", "", 0)


IDLE = """
import sys, threading
import crossbuf
from crossbuf import interpreters

def live():
    for _ in range(3):
        interpreter = interpreters.create()
        interpreter.exec(f"import sys; sys.path[:] = {sys.path!r}")
        interpreter.exec("from crossbuf import isolation; isolation.enable('numpy'); import numpy as np; a = np.ones(9)")
        kept.append(interpreter)

kept = []
thread = threading.Thread(target=live)
thread.start()
thread.join()
import numpy
print(len(kept), "alive")
"""


def test_the_process_may_end_while_interpreters_are_idle(script) -> None:
    done = script(IDLE)
    assert (done.stdout, done.returncode) == ("3 alive\n", 0)
    # CPython's own word about interpreters that nobody closed, on 3.14 and later.
    assert all("remaining subinterpreters" in line for line in done.stderr.splitlines())


KILLED = (
    IDLE
    + """
import os, signal
os.kill(os.getpid(), signal.SIGKILL)
"""
)


def test_nothing_is_left_of_a_killed_process(script, tmp_path, monkeypatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    assert script(KILLED).returncode == -9
    assert list(temporary.iterdir()) == []


def test_forking_with_interpreters_open_is_warned_of(script) -> None:
    done = script("""
import os, threading, warnings
from crossbuf import interpreters
warnings.filterwarnings("ignore", category=DeprecationWarning)

def live():
    with interpreters.create():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if os.fork() == 0:
                os._exit(0)
        print([str(warning.message).partition(":")[0] for warning in caught if warning.category is RuntimeWarning])
        print({warning.filename for warning in caught if warning.category is RuntimeWarning} == {__file__})

thread = threading.Thread(target=live)
thread.start()
thread.join()
with warnings.catch_warnings():
    warnings.simplefilter("error", RuntimeWarning)
    if os.fork() == 0:
        os._exit(0)
os.wait()
""")
    assert done.stdout == "['os.fork with 1 sub-interpreters open']\nTrue\n"
    assert done.returncode == 0, done.stderr


def test_all_interpreters_of_the_process_count(script) -> None:
    """Whoever made them: here one in a worker, and one of the standard library's."""
    done = script("""
import os, sys, threading, warnings
import crossbuf as cb
warnings.filterwarnings("ignore", category=DeprecationWarning)
if sys.version_info >= (3, 13):
    from _interpreters import create, destroy
else:
    from _xxsubinterpreters import create, destroy

def inner(there, go_on):
    there.send(None)
    go_on.recv()

def outer(there, go_on):
    cb.spawn(inner, there, go_on).join()

def fork():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if os.fork() == 0:
            os._exit(0)
        os.wait()
    print([str(warning.message).partition(":")[0] for warning in caught if warning.category is RuntimeWarning])

if __name__ == "__main__":
    fork()
    (there, here), (go_on, wait) = cb.channel(), cb.channel()
    worker = cb.spawn(outer, there, wait)
    here.recv()
    theirs = create()
    fork()
    go_on.send(None)
    worker.join()
    destroy(theirs)
    fork()
""")
    assert done.stdout.splitlines() == ["[]", "['os.fork with 3 sub-interpreters open']", "[]"], done.stderr


MANY = """
import sys, warnings
import crossbuf as cb
from crossbuf.futures import InterpreterPoolExecutor
warnings.simplefilter("{filter}", RuntimeWarning)
cb._cautions._MANY = 3

def load(n):
    import numpy

def several(n):
    for _ in range(n):
        cb.spawn(load, 1).join()

if __name__ == "__main__":
    several(1)
    cb.spawn(several, 1).join()
    print("so far", flush=True)
{more}
    print("over")
"""


@pytest.mark.parametrize("filter", ["default", "error"])
@pytest.mark.parametrize(
    "asking",
    ["cb.spawn(load, 1).join()", "cb.interpreters.create().close()", "pool.submit(load, 1).result()", "list(pool.map(load, [1]))"],
)
def test_many_closed_interpreters_are_warned_of_once(script, filter, asking) -> None:
    """Where the next one is asked for, by whom it is: the threads that closed them can change nothing."""
    more = f"""
    pool = InterpreterPoolExecutor(1, max_tasks_per_child=1)
    cb.spawn(load, 1).join()
    for _ in range(3):
        try:
            {asking}    # here
        except RuntimeWarning as warning:
            print("raised", warning, file=sys.stderr)
"""
    text = MANY.format(filter=filter, more=more)
    done = script(text)
    assert (done.returncode, done.stdout) == (0, "so far\nover\n"), done.stderr
    lines = done.stderr.splitlines()
    assert "3 interpreters that had loaded NumPy were closed in this process, and each leaves about 11 MB" in lines[0]
    if filter == "default":
        here = next(number for number, line in enumerate(text.splitlines(), 1) if "# here" in line)
        assert f"script.py:{here}: RuntimeWarning" in lines[0]
        assert len(lines) == 2, "the second is the line of the script"
    else:
        assert lines[0].startswith("raised ")
        assert len(lines) == 1


def test_threads_open_and_close_interpreters_while_main_computes(tmp_path) -> None:
    program = Path(__file__).with_name("isolation_churn.py")
    done = subprocess.run([sys.executable, program, "8"], cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False)
    assert done.stdout == "[] True\n"
    assert done.returncode == 0, done.stderr


def test_two_hundred_interpreters_come_and_go(tmp_path) -> None:
    program = Path(__file__).with_name("isolation_cycles.py")
    # As on 3.14, 3.15 keeps the same of each.
    cycles = 200 if sys.version_info < (3, 15) else 50
    done = subprocess.run([sys.executable, program, str(cycles)], cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    grown = {name: int(value) for name, _, value in (word.partition("=") for word in done.stdout.split())}
    assert grown["blocks"] == 0
    assert grown["descriptors"] == 0
    # What CPython keeps of an interpreter's memory when NumPy has left an object in it; its arenas need not lie side by side. Of the copies
    # nothing stays: they would be dozens of mappings each.
    assert grown["maps"] < cycles * 2, grown
    assert grown["memory"] < cycles * 16_000_000, grown
    assert "50 interpreters that had loaded NumPy were closed" in done.stderr
