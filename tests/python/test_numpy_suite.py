"""The program that compares NumPy's tests in a worker with main's finds what it is there to find."""

import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from conftest import Run

pytestmark = pytest.mark.skipif(sys.version_info < (3, 13), reason="crossbuf.isolation needs CPython 3.13")

SUITE = Path(__file__).parents[1] / "numpy_suite"

Compare = Callable[..., CompletedProcess[str]]

SAME = "def test_same():\n    import numpy\n    assert numpy.ones(3).sum() == 3\n"
ONLY_IN_THE_WORKER = """
import os, threading

def test_other():
    from crossbuf._native_interpreters import is_main
    if not is_main():
        {}
"""


def listing(test: str, worker: str = "failed") -> str:
    return f'[[difference]]\nwhy = "a reason"\nworker = "{worker}"\ntests = ["{test}"]\n'


@pytest.fixture
def compare(tmp_path: Path, child: Run) -> Compare:
    """Compares the tests in a text, with a list of differences."""

    def run(tests: str, differences: str = "", patience: int = 100) -> CompletedProcess[str]:
        folder = tmp_path / "suite"
        folder.mkdir()
        (folder / "test_it.py").write_text(tests)
        listed = tmp_path / "differences.toml"
        listed.write_text(differences)
        return child(str(SUITE), str(folder), "--differences", str(listed), "--patience", str(patience))

    return run


def test_nothing_differs(compare: Compare) -> None:
    done = compare(SAME)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("the difference is exactly the list\n")


def test_a_failure_in_the_worker_only_is_found(compare: Compare) -> None:
    done = compare(SAME + ONLY_IN_THE_WORKER.format("raise OSError('no such thing')"))
    assert done.returncode == 1
    assert "test_it.py::test_other: passed in main, failed in the worker\n      OSError: no such thing" in done.stdout


def test_a_listed_difference_is_none(compare: Compare) -> None:
    done = compare(ONLY_IN_THE_WORKER.format("raise OSError"), listing("test_it.py::test_other"))
    assert done.returncode == 0, done.stderr
    assert "1 as listed: a reason" in done.stdout


def test_another_outcome_than_the_listed_one_is_a_difference(compare: Compare) -> None:
    done = compare(ONLY_IN_THE_WORKER.format("raise OSError"), listing("test_it.py::test_other", "skipped"))
    assert done.returncode == 1
    assert "1 differ and are not listed so:" in done.stdout


def test_a_listed_difference_that_is_gone_is_said(compare: Compare) -> None:
    done = compare(SAME, listing("test_it.py::test_same"))
    assert done.returncode == 1
    assert "1 are listed and differ no more: take them out:\n  test_it.py::test_same" in done.stdout


def test_a_module_that_does_not_import_in_the_worker_is_a_difference(compare: Compare) -> None:
    done = compare(f"import _testbuffer\n{SAME}")
    assert done.returncode == 1
    assert "test_it.py: absent in main, error in the worker" in done.stdout
    assert "test_it.py::test_same: passed in main, absent in the worker" in done.stdout


def test_a_crash_is_told_with_its_test(compare: Compare) -> None:
    done = compare(SAME + ONLY_IN_THE_WORKER.format("os.abort()"))
    assert done.returncode == 1
    assert "the worker side died by SIGABRT, last in test_it.py::test_other" in done.stderr
    assert "Fatal Python error: Aborted" in done.stderr


def test_a_crash_at_the_end_of_the_interpreter_is_told(compare: Compare) -> None:
    done = compare(ONLY_IN_THE_WORKER.format("import atexit; atexit.register(os.abort)"))
    assert done.returncode == 1
    assert "the worker side died by SIGABRT" in done.stderr


def test_a_hang_is_told_with_its_test(compare: Compare) -> None:
    done = compare(SAME + ONLY_IN_THE_WORKER.format("threading.Event().wait()"), patience=15)
    assert done.returncode == 1
    assert "the worker side wrote nothing for 15 s and was ended, last in test_it.py::test_other" in done.stderr
    assert "in test_other\n" in done.stderr


def test_a_list_beyond_the_limit_is_refused(compare: Compare) -> None:
    done = compare(SAME, "".join(listing(f"test_it.py::test_{number}") for number in range(16)))
    assert done.returncode == 1
    assert "differences.toml lists 16 tests, at most 15 may differ" in done.stderr
