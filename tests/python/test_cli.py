"""The command line: the demo on real files, and the doctor."""

import array
import os
import re
import subprocess
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
    assert "fortran.npy: <i2 (3, 4), " in done.stdout
    assert "2 files, 120 bytes" in done.stdout


def test_what_cannot_be_done_is_one_line(child) -> None:
    done = run(child, "demo", "nowhere.txt")
    assert (done.returncode, done.stderr) == (1, "crossbuf demo: no such file: nowhere.txt\n")
    done = run(child, "demo", "nowhere.txt", "/dev/null")
    assert (done.returncode, done.stderr) == (1, "crossbuf demo: no such file: nowhere.txt; /dev/null is no regular file\n")
    done = run(child, "demo", "--workers", "1")
    assert (done.returncode, done.stderr) == (1, "crossbuf demo: --workers 1: sharing takes at least 2\n")
    assert run(child).returncode == 2


@pytest.mark.parametrize("content", [b"", b"no header", b"\x93NUMPY\x01\0v\0{"])
def test_a_file_that_numpy_cannot_read_is_named(child, tmp_path, content: bytes) -> None:
    pytest.importorskip("numpy")
    (tmp_path / "bad.npy").write_bytes(content)
    done = run(child, "demo", "bad.npy")
    assert done.returncode == 1
    assert re.fullmatch(r"crossbuf demo: bad\.npy: .+\n", done.stderr)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["demo", "some"], ["doctor"], ["--help"]])
def test_whoever_reads_it_may_have_enough(tmp_path, arguments: list[str], unbuffered: str) -> None:
    (tmp_path / "some").write_bytes(b"text")
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "crossbuf", *arguments]
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(command, cwd=tmp_path, env=environment, stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(writer)
    assert done.stderr == b""
    assert done.returncode == 1 or arguments == ["--help"]  # argparse does not mind


def test_without_a_standard_error(tmp_path) -> None:
    (tmp_path / "some").write_bytes(b"text")
    code = "import os, sys; os.close(2); os.execv(sys.executable, [sys.executable, '-m', 'crossbuf', 'demo', 'some'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 0
    assert b"the plain pass agrees" in done.stdout


def test_a_worker_that_cannot_start_ends_the_demo(child) -> None:
    code = """
from crossbuf import cli
from crossbuf.demo import ways
def spawn(f, *arguments, spawn=ways.spawn, spawned=[]):
    spawned.append(f)
    return spawn(f if len(spawned) != 2 else exit, *arguments)
ways.spawn = spawn
raise SystemExit(cli.main(["demo", "--workers", "2", __import__("os").__file__]))
"""
    done = child("-c", code)
    assert done.returncode == 1
    assert "TypeError: Quitter.__call__() takes" in done.stderr


def test_an_interrupted_demo_is_silent(child) -> None:
    """The signal comes while workers send what they found."""
    code = """
import os, signal
from crossbuf import cli
from crossbuf.demo import exchange
def interrupt(done):
    def advance(self, steps):
        done(self, steps)
        if steps and self._label == "crossbuf":
            os.kill(os.getpid(), signal.SIGINT)
    return advance
exchange.Progress.advance = interrupt(exchange.Progress.advance)
raise SystemExit(cli.main(["demo"]))
"""
    done = child("-c", code)
    assert (done.returncode, done.stderr) == (130, "")


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
