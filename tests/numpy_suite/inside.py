"""Inside the worker interpreter: NumPy's extension modules by `crossbuf.isolation`, then pytest as in the main interpreter.

`_tracemalloc` is refused by CPython in an interpreter with its own GIL, and without it a module of 14,000 tests could not be
imported, for the sake of one. It gets a stand-in that imports, says that nothing is traced, and fails that one test, which starts it.
"""

import sys
from types import ModuleType

from crossbuf import isolation


def run_pytest(arguments: list[str]) -> None:
    isolation.enable("numpy")
    sys.modules["tracemalloc"] = no_tracemalloc()

    import pytest
    from recorder import Recorder

    pytest.main(arguments, plugins=[Recorder("record.jsonl")])


def no_tracemalloc() -> ModuleType:
    def start(frames: int = 1) -> None:
        raise RuntimeError("CPython loads no _tracemalloc in an interpreter with its own GIL")

    module = ModuleType("tracemalloc")
    vars(module).update(is_tracing=lambda: False, start=start)
    return module
