"""The command line: the demo on real files, and the doctor."""

import array
import re
import sys

import pytest

import crossbuf
from crossbuf.demo import counting


def run(child, *arguments: str):
    return child("-m", "crossbuf", *arguments)


@pytest.fixture
def some_files(tmp_path) -> list[str]:
    texts = {"one.csv": b"a,b\n1,2\n", "no newline at the end": b"x" * 5000, "empty": b"", "only.newlines": b"\n\n\n"}
    for name, content in texts.items():
        (tmp_path / name).write_bytes(content)
    return [str(tmp_path / name) for name in texts]


def test_the_demo_counts_files_and_proves_that_it_shares_them(child, some_files) -> None:
    done = run(child, "demo", *some_files)
    assert (done.returncode, done.stderr) == (0, "")
    assert "4 files, 5,011 bytes" in done.stdout
    assert re.search(r"^crossbuf +5,011 +0 +\d+ +[\d.]+ ms$", done.stdout, flags=re.MULTILINE)
    assert re.search(r"^pickle 5 +5,011 +10,022 ", done.stdout, flags=re.MULTILINE)
    assert ("stdlib queue" in done.stdout) == (sys.version_info >= (3, 14))
    assert "5,011 bytes, 6 lines, longest line 5,000 bytes: the plain pass agrees" in done.stdout
    assert "every interpreter saw every file at main's address for it" in done.stdout
    assert re.search(r"^the mapping there: \S+ r--s ", done.stdout, flags=re.MULTILINE)


def test_by_default_it_counts_the_standard_library(child) -> None:
    done = run(child, "demo", "--workers", "3")
    assert (done.returncode, done.stderr) == (0, "")
    assert "the plain pass agrees" in done.stdout
    assert "in main and 3 others" in done.stdout


def test_npy_files_become_typed_arrays(child, tmp_path) -> None:
    np = pytest.importorskip("numpy")
    np.save(tmp_path / "c.npy", np.arange(12.0).reshape(3, 4))
    np.save(tmp_path / "fortran.npy", np.asfortranarray(np.arange(12, dtype="i2").reshape(3, 4)))
    done = run(child, "demo", "c.npy", "fortran.npy")
    assert (done.returncode, done.stderr) == (0, "")
    assert "c.npy: <f8 (3, 4), counted by the bytes of its elements" in done.stdout
    assert "fortran.npy: <i2 (4, 3), " in done.stdout
    assert "2 files, 120 bytes" in done.stdout


def test_what_cannot_be_done_is_one_line(child) -> None:
    done = run(child, "demo", "nowhere.txt")
    assert (done.returncode, done.stderr) == (1, "crossbuf demo: no such file: nowhere.txt\n")
    done = run(child, "demo", "--workers", "1")
    assert (done.returncode, done.stderr) == (1, "crossbuf demo: --workers 1: sharing takes at least 2\n")
    assert run(child).returncode == 2


def test_the_doctor_finds_this_machine_fit(child) -> None:
    done = run(child, "doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"ok  crossbuf {crossbuf.__version__}" in done.stdout
    assert "CPython 3." in done.stdout
    assert "NumPy in sub-interpreters: " in done.stdout


def test_the_version_is_told(child) -> None:
    assert run(child, "--version").stdout == f"crossbuf {crossbuf.__version__}\n"


@pytest.mark.parametrize("data", [b"", b"\n", b"a", b"a\n", b"\na", b"\n\n", b"ab\nc\n\nlonger", b"\r\n\0\xff\n"])
def test_both_ways_of_counting_agree(data: bytes) -> None:
    assert counting.count(data) == counting.count_plainly(data)


def test_arrays_are_counted_by_their_bytes() -> None:
    numbers = array.array("i", [0x0A0A0A0A, 1])
    assert counting.count(numbers) == counting.count_plainly(numbers.tobytes()) == (8, 5, 4)
