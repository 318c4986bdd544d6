"""Functions of the main program in workers, however the program was started, and how such a program ends."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

# Interpreters have buffers of their own for what they print.
GUARDED = """
import sys, crossbuf as cb
print("top", __name__, flush=True)

class Mine(Exception):
    pass

def double(x):
    return 2 * x

def fail():
    raise Mine("over there")

if __name__ == "__main__":
    print(cb.spawn(double, 21).join(), flush=True)
    try:
        cb.spawn(fail).join()
    except Mine as error:
        print("caught", error)
"""


def succeeded(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_a_script_is_run_again_without_its_guarded_part(script) -> None:
    assert succeeded(script(GUARDED)) == ["top __main__", "top __mp_main__", "42", "top __mp_main__", "caught over there"]


def test_so_is_a_module_run_with_m(child, tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "constants.py").write_text("FACTOR = 3\n")
    (package / "program.py").write_text(GUARDED.replace("return 2 * x", "from .constants import FACTOR; return FACTOR * x"))
    assert succeeded(child("-m", "package.program"))[2] == "63"


def test_functions_of_modules_do_not_run_the_script_again(script) -> None:
    lines = succeeded(
        script("import operator, crossbuf as cb\nprint(__name__)\nif __name__ == '__main__': print(cb.spawn(operator.add, 1, 2).join())")
    )
    assert lines == ["__main__", "3"]


def test_classes_of_the_script_can_be_arguments_and_results(script) -> None:
    text = """
import operator, crossbuf as cb

class Point:
    def __init__(self, x): self.x = x
    def __add__(self, other): return Point(self.x + other.x)

if __name__ == "__main__":
    result = cb.spawn(operator.add, Point(1), Point(2)).join()
    print(type(result) is Point, result.x)
"""
    assert succeeded(script(text)) == ["True 3"]


def test_workers_of_workers_find_the_script_too(script) -> None:
    text = """
import crossbuf as cb

def leaf(): return "leaf"
def middle(): return cb.spawn(leaf).join() + " by middle"

if __name__ == "__main__":
    print(cb.spawn(middle).join())
"""
    assert succeeded(script(text)) == ["leaf by middle"]


NUMPY = """
import numpy as np
import crossbuf as cb

def total(array: np.ndarray, kind: "np.typing.NDArray[np.float64] | None" = None) -> float:
    return sum(array.tolist())

def zeros():
    return np.zeros(3).tolist()

if __name__ == "__main__":
    print(cb.spawn(total, np.arange(4.0)).join())
    try:
        print(cb.spawn(zeros).join())
    except ImportError as error:
        print(error)
"""


def test_a_script_that_imports_numpy_lends_its_functions(script, monkeypatch) -> None:
    pytest.importorskip("numpy")
    if sys.version_info >= (3, 13):
        assert succeeded(script(NUMPY)) == ["6.0", "[0.0, 0.0, 0.0]"]
    # Where NumPy cannot be loaded, what does not need it works all the same.
    monkeypatch.setenv("CROSSBUF_ISOLATION", "off")
    first, second = succeeded(script(NUMPY))
    assert first == "6.0"
    assert second.startswith("numpy.zeros is not available in this interpreter: module numpy._core._multiarray_umath does not support")


PROMPT = "import crossbuf as cb\ndef f(): return 42\nprint(cb.spawn(f).join())\n"


@pytest.mark.parametrize("start", [["-c", PROMPT], ["-"]])
def test_a_program_that_is_no_file_says_what_to_do(child, start: list[str]) -> None:
    hide = "import sys; sys.modules['cloudpickle'] = None\n"
    start = [part.replace(PROMPT, hide + PROMPT) for part in start]
    done = child(*start, stdin=hide + PROMPT)
    assert done.returncode == 1
    assert "__main__.f cannot be found by another interpreter: the main program is no file that could be run again" in done.stderr
    assert "define it at the top level of a module, or install cloudpickle" in done.stderr


@pytest.mark.parametrize("start", [["-c", PROMPT], ["-"]])
def test_with_cloudpickle_its_functions_travel_by_value(child, start: list[str]) -> None:
    pytest.importorskip("cloudpickle")
    assert succeeded(child(*start, stdin=PROMPT)) == ["42"]


def test_a_packages_main_is_not_run_again(child, tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text("import sys; sys.modules['cloudpickle'] = None\n" + PROMPT)
    done = child("-m", "package")
    assert done.returncode == 1
    assert "the main program is no file that could be run again" in done.stderr


def test_an_unguarded_script_does_not_multiply(script) -> None:
    done = script("import crossbuf as cb\ndef f(): return 1\nprint(cb.spawn(f).join())")
    assert done.returncode == 1
    assert 'if __name__ == "__main__":' in done.stderr


WAITING = """
import sys, crossbuf as cb

def wait(receiver, ready):
    ready.send("waiting")
    for message in receiver:
        pass

if __name__ == "__main__":
    sender, receiver = cb.channel()
    ready, started = cb.channel()
    workers = [cb.spawn(wait, receiver, ready) for _ in range(3)]
    for _ in workers:
        started.recv()
"""


def test_a_process_whose_workers_wait_ends_silently(script) -> None:
    assert succeeded(script(WAITING)) == []


def test_a_traceback_in_main_is_all_that_is_seen(script) -> None:
    done = script(WAITING + "    raise KeyError('in main')\n")
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1
    assert "KeyError: 'in main'" in done.stderr


def test_ctrl_c_interrupts_join(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(
        WAITING
        + """
    try:
        print("joining", flush=True)
        workers[0].join()
    except KeyboardInterrupt:
        print("interrupted")
"""
    )
    with subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "joining\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=120)
    assert (process.returncode, output, errors) == (0, "interrupted\n", "")
