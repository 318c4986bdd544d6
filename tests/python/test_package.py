"""The package as it is installed."""

import importlib.metadata
from pathlib import Path

import crossbuf


def test_the_version_is_the_crates() -> None:
    assert importlib.metadata.version("crossbuf") == crossbuf.__version__


def test_it_is_typed() -> None:
    folder = Path(crossbuf.__file__).parent
    assert (folder / "py.typed").is_file()
    assert (folder / "_core.pyi").is_file()


def test_importing_it_prints_and_starts_nothing(child) -> None:
    done = child("-c", "import threading, crossbuf; assert threading.active_count() == 1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_importing_it_does_not_import_numpy(child) -> None:
    done = child("-c", "import sys, crossbuf; sys.exit('numpy' in sys.modules)")
    assert done.returncode == 0


def test_it_imports_in_an_interpreter_with_its_own_gil(elsewhere) -> None:
    elsewhere("import crossbuf; crossbuf.share(b'abc').release()")
