"""What the tests share: fresh processes, fresh interpreters, and a look at what is left behind."""

import gc
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from on_a_thread import on_a_thread

import crossbuf
from crossbuf import interpreters

if TYPE_CHECKING:
    from puppets import Puppet

# A shell starts what runs in its background with Ctrl-C ignored, and child processes would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No test depends on how fast it runs.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def child(tmp_path: Path) -> Run:
    """Runs this Python in a fresh process with the arguments given; its output. It is killed after two minutes."""

    def run(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, input=stdin or "", capture_output=True, text=True, timeout=120, check=False
        )

    return run


def _puppet() -> Iterator["Puppet"]:
    # Only for tests that have to do with other processes: it imports multiprocessing.
    from puppets import Puppet

    with Puppet() as puppet:
        yield puppet


host = pytest.fixture(_puppet, name="host")
other = pytest.fixture(_puppet, name="other")


@pytest.fixture
def script(tmp_path: Path, child: Run) -> Run:
    """Writes a text to `script.py` and runs it as the main program of a fresh process."""

    def run(text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "script.py"
        path.write_text(text)
        return child(str(path), *arguments)

    return run


@pytest.fixture
def elsewhere() -> Callable[..., None]:
    """Runs code in a fresh interpreter with its own GIL, on a thread of its own; raises what `Interpreter.exec` raises."""

    def run(code: str, **values: object) -> None:
        def live() -> None:
            with interpreters.create() as interpreter:
                interpreter.exec(f"import sys; sys.path[:] = {sys.path!r}")
                interpreter.prepare_main(**values)
                interpreter.exec(code)

        on_a_thread(live)

    return run


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Fails when the test leaves blocks in the default arena, or open descriptors."""
    pickle.dumps(crossbuf.share(b"the server for other processes has descriptors of its own, which stay"))
    crossbuf.drop_tickets()
    before = left()
    yield
    assert left() == before


def left() -> dict[str, int]:
    """The blocks and descriptors of this process now."""
    gc.collect()
    blocks = crossbuf.statistics().blocks
    return {"blocks": blocks, "descriptors": len(list(Path("/proc/self/fd").iterdir()))}


@pytest.fixture
def nothing_waits() -> Iterator[None]:
    """Fails when the test leaves blocks in the default arena or tickets, once other processes have let go of what they had."""
    crossbuf.drop_tickets()
    before = left()["blocks"]
    yield
    # What another process's end brings about needs a moment, on a machine that is busy a longer one.
    until = time.monotonic() + 20
    while (found := (left()["blocks"], crossbuf.tickets())) != (before, []):
        assert time.monotonic() < until, f"{found} are left, and {before} blocks were there before"
        time.sleep(0.01)
