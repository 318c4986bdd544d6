"""The examples run as they are, from any folder, and say what they should.

Those that are for programs of the standard library differ from them in one line, beside the import of crossbuf. The lines that take
its place there are in their comments: so the originals are run as well, where they run.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Run

# concurrent.interpreters, which they are written for, comes with it.
from_314 = pytest.mark.skipif(sys.version_info < (3, 14), reason="the example is for CPython 3.14")
EXAMPLES = Path(__file__).parents[2] / "examples"


def lines(child: Run, name: str, *arguments: str) -> list[str]:
    done = child(str(EXAMPLES / name), *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_pool_round_trip(child) -> None:
    pytest.importorskip("numpy")
    assert lines(child, "pool_round_trip.py") == ["pieces put together again: True", "+x is x: True"]


def original(name: str) -> str:
    """The example as it is without crossbuf."""
    text = (EXAMPLES / name).read_text()
    text, changed = re.subn(r"^( *)# instead of: (.*)\n.*$", r"\1\2", text, flags=re.MULTILINE)
    assert changed == 1
    text = re.sub("^import crossbuf\n\n", "", text, flags=re.MULTILINE)
    assert "crossbuf" not in text.split('"""', 2)[2]
    return text


def test_of_a_pool_only_the_import_differs() -> None:
    assert "\nfrom concurrent.futures import InterpreterPoolExecutor\n" in original("pool_round_trip.py")


@from_314
def test_the_original_pool_refuses_arrays(script: Run) -> None:
    """So there is something to show."""
    pytest.importorskip("numpy")
    assert "NotShareableError" in script(original("pool_round_trip.py")).stderr


SAME = {
    "map_reduce.py": "10 chunks, the 1,000,000th harmonic number is 14.392726723",
    "results_loop.py": "results {1: 1, 2: 4, 3: 9, 4: 16}, looked up from waiting: True",
}


@from_314
@pytest.mark.parametrize("name", SAME)
def test_the_same_as_its_original(child: Run, script: Run, name: str) -> None:
    assert lines(child, name) == [SAME[name]]
    done = script(original(name))
    assert (done.returncode, done.stdout) == (0, SAME[name] + "\n"), done.stderr


@from_314
def test_echo(child: Run, script: Run) -> None:
    (line,) = lines(child, "echo.py", "500")
    assert line.startswith("500 messages there and back, ")
    assert script(original("echo.py"), "10").stdout.startswith("10 messages there and back, ")


@pytest.mark.skipif(shutil.which("cargo") is None, reason="the service is built with cargo")
def test_service_and_client(child: Run) -> None:
    pytest.importorskip("numpy")
    name = f"test {os.getpid()} camera"
    service = subprocess.Popen(
        ["cargo", "run", "--quiet", "--example", "service", "--", "100", name], cwd=EXAMPLES.parent, stdout=subprocess.PIPE, text=True
    )
    with service:
        try:
            assert service.stdout is not None
            assert service.stdout.readline() == f'published "{name}"; waiting for a client\n'
            done = child(str(EXAMPLES / "client.py"), name)
            said = service.stdout.read()
        except BaseException:
            service.kill()
            raise
    assert (done.returncode, done.stderr, service.returncode) == (0, "", 0)
    assert done.stdout.startswith(f'100 frames of (480, 640) from <crossbuf.Connection "{name}" pid=')
    assert [line for line in said.splitlines() if "mean" in line] == [
        "a client says that the mean of a frame is 49",
        "a client says that the mean of a frame is 99",
    ]


def test_every_example_is_tested() -> None:
    here = Path(__file__).read_text()
    assert [path.name for path in EXAMPLES.glob("*.py") if f'"{path.name}"' not in here] == []
