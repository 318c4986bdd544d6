"""The examples run as they are, from any folder, and say what they should."""

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


def test_every_example_is_tested() -> None:
    here = Path(__file__).read_text()
    assert [path.name for path in EXAMPLES.glob("*.py") if f'"{path.name}"' not in here] == []
