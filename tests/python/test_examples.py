"""The examples run as they are, from any folder, and say what they should."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import Run

EXAMPLES = Path(__file__).parents[2] / "examples"


def lines(child: Run, name: str, *arguments: str) -> list[str]:
    done = child(str(EXAMPLES / name), *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_pool_round_trip(child) -> None:
    pytest.importorskip("numpy")
    assert lines(child, "pool_round_trip.py") == ["pieces put together again: True", "+x is x: True"]


def test_map_reduce(child) -> None:
    assert lines(child, "map_reduce.py") == ["10 chunks, the 1,000,000th harmonic number is 14.392726723"]


def test_results_loop(child) -> None:
    assert lines(child, "results_loop.py") == ["results {1: 1, 2: 4, 3: 9, 4: 16}, looked up from waiting: True"]


def test_echo(child) -> None:
    (line,) = lines(child, "echo.py", "500")
    assert line.startswith("500 messages there and back, ")


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
