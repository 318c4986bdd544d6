"""The two sides: the same tests in the same environment, in a process each, watched from outside.

A process that dies ends the run with the test it was in. So does one that writes no news for long: the signal that then ends it makes
faulthandler write where the tests' thread is.
"""

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from recorder import Record
from selection import LEFT_OUT

HERE = Path(__file__).parent


class Trouble(Exception):
    """A side died or hung, and there is nothing to compare."""


@dataclass
class Side:
    """One finished side."""

    record: Record
    seconds: float

    def count(self, outcome: str) -> int:
        return self.record.count(outcome)


def run_both(tests: list[str], patience: float, keep: Path | None) -> tuple[Side, Side]:
    """Runs `tests` in the main interpreter and in a worker at the same time. A side without news for `patience` seconds is ended."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    with nullcontext(keep) if keep is not None else tempfile.TemporaryDirectory(prefix="numpy-suite-") as folder:
        sides = [_Running(name, tests, patience, Path(folder).resolve()) for name in ("main", "worker")]
        try:
            while [side for side in sides if side.is_alive()]:
                time.sleep(0.5)
        finally:
            for side in sides:
                side.process.kill()
                side.process.wait()
        main, worker = (side.result() for side in sides)
        return main, worker


class _Running:
    """A side at work, in a folder of its own."""

    def __init__(self, name: str, tests: list[str], patience: float, folder: Path) -> None:
        self.name = name
        self.patience = patience
        self.folder = folder / name
        self.started = time.monotonic()
        self.ended = self.started
        self.hung = False
        self._size = -1
        self._grew = self.started
        scratch = self.folder / "tmp"
        scratch.mkdir(parents=True)
        with (self.folder / "output.txt").open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, HERE / f"{name}.py", *_arguments(tests, scratch)],
                cwd=self.folder,
                env=_environment(scratch),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def is_alive(self) -> bool:
        if self.process.poll() is not None:
            return False
        now = self.ended = time.monotonic()
        size = self._record.stat().st_size if self._record.exists() else 0
        if size != self._size:
            self._size, self._grew = size, now
        elif now - self._grew > self.patience:
            self.hung = True
            self.process.send_signal(signal.SIGABRT)
            self.process.wait()
        return True

    def result(self) -> Side:
        record = Record.read(self._record.read_text().splitlines()) if self._record.exists() else Record()
        if not record.finished or self.process.returncode not in (0, 1):  # 1 is pytest's word for tests that failed
            raise Trouble(self._autopsy(record))
        return Side(record, self.ended - self.started)

    def _autopsy(self, record: Record) -> str:
        code = self.process.returncode
        if self.hung:
            fate = f"wrote nothing for {self.patience:g} s and was ended"
        else:
            fate = f"died by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
        output = (self.folder / "output.txt").read_text(errors="replace")
        fatal = output.rfind("Fatal Python error")
        end = output[-4000:] if fatal < 0 else output[fatal : fatal + 4000]
        return f"the {self.name} side {fate}, last in {record.began or 'no test yet'}; its output ends:\n{end}"

    @property
    def _record(self) -> Path:
        return self.folder / "record.jsonl"


def _arguments(tests: list[str], scratch: Path) -> list[str]:
    numpy = importlib.util.find_spec("numpy")
    if numpy is None or numpy.origin is None:
        raise Trouble("no NumPy is installed beside crossbuf")
    root = Path(numpy.origin).parent.parent
    return [
        f"--config-file={HERE / 'pytest.ini'}",
        f"--rootdir={root}",
        f"--basetemp={scratch / 'pytest'}",
        *(f"--ignore={root / path}" for path in LEFT_OUT),
        *(str(root / path) for path in tests),
    ]


def _environment(scratch: Path) -> dict[str, str]:
    """The same for both, whatever the machine's or the user's settings are."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "NPY_", "NUMPY_", "PYTHON"))}
    return environment | {
        "TMPDIR": str(scratch),
        # Only what the tests themselves import: a plugin of whatever package is installed need not load in a worker.
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        # Parameters that come out of sets have the same order on both sides.
        "PYTHONHASHSEED": "0",
        # Tests that need more memory are skipped on both sides, not by what the other side has left.
        "NPY_AVAILABLE_MEM": "2GB",
        # One core for each side.
        "OPENBLAS_NUM_THREADS": "1",
        # Some tests build an extension with meson; a Python that was moved has its headers elsewhere than it says.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "C_INCLUDE_PATH": f"{sys.base_prefix}/include",
    }
