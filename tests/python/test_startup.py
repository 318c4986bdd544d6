"""What workers and programs import to begin with: modules are counted, as times are not the same twice.

A module costs a worker about a hundredth of what CPython takes to make its interpreter; `threading` or `pickle` cost a fifth and more.
"""

import ast
import functools
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from on_a_thread import on_a_thread

import crossbuf
from crossbuf import _function, _worker, futures, interpreters
from crossbuf.futures import InterpreterPoolExecutor

#: The modules of a worker beyond those of a bare interpreter, and why they are there.
NEEDED = {
    "atexit": "a builtin: ends what waits when the interpreter ends",
    "crossbuf": "the package",
    "crossbuf._core": "channels",
    "crossbuf._finders": "looks out for NumPy and for multiprocessing",
    "crossbuf._main_again": "the main script, not yet run",
    "crossbuf._worker": "takes the call and tells what came of it",
    "__mp_main__": "the main script again",
}
#: A function that needs no module, and what it is called with.
LIST_MODULES = eval, "list(__import__('sys').modules)"


def modules_of_a_bare_interpreter() -> set[str]:
    ours, theirs = os.pipe()

    def live() -> None:
        with interpreters.create() as interpreter:
            interpreter.exec(f"import os, sys; os.write({theirs}, ' '.join(sys.modules).encode())")

    try:
        on_a_thread(live)
        return set(os.read(ours, 1 << 16).decode().split())
    finally:
        os.close(ours)
        os.close(theirs)


def spawned() -> list[str]:
    return crossbuf.spawn(*LIST_MODULES).join()


def pooled() -> list[str]:
    with InterpreterPoolExecutor(1) as pool:
        return pool.submit(*LIST_MODULES).result()


def after_other_calls() -> list[str]:
    """Of functions that travel by name, with arguments and results that are messages by themselves."""
    with InterpreterPoolExecutor(1, initializer=len, initargs=("initializer",)) as pool:
        array = crossbuf.share(b"some bytes")
        assert pool.submit(dict, numbers=[1, 2.5], array=array).result()["array"] == array
        return pool.submit(*LIST_MODULES).result()


@pytest.mark.parametrize("worker", [spawned, pooled, after_other_calls])
def test_a_worker_imports_what_it_needs_and_nothing_else(worker: Callable[[], list[str]]) -> None:
    assert set(worker()) - modules_of_a_bare_interpreter() == set(NEEDED)


@pytest.mark.parametrize("f", [len, json.dumps, json.JSONDecoder, json.JSONDecoder.decode, os.path.join, time.monotonic])
def test_functions_with_a_name_travel_without_pickle(f) -> None:
    name = _function.by_name(f)
    assert isinstance(name, str)
    assert _worker._callable(name) is f


@pytest.mark.parametrize("f", [[].append, str.upper, functools.partial(len, ()), "text".join, dict.fromkeys])
def test_what_is_more_than_a_name_is_pickled(f) -> None:
    assert _function.by_name(f) is f


def test_a_program_imports_little_before_it_uses_more(child) -> None:
    bare = child("-c", "import sys; print(*sys.modules)").stdout.split()
    done = child("-c", "import sys, crossbuf; crossbuf.share(b'abc').release(); print(*sys.modules)")
    imported = set(done.stdout.split()) - set(bare)
    ours = {"crossbuf", "crossbuf._core", "crossbuf._finders", "crossbuf._forks", "crossbuf.errors"}
    assert {name for name in imported if name.startswith("crossbuf")} == ours
    assert not imported & {"numpy", "multiprocessing", "concurrent.futures", "asyncio"}


def names_for_type_checkers(package: str) -> set[str]:
    """What `__init__.py` imports for them only."""
    tree = ast.parse(Path(sys.modules[package].__file__ or "").read_text())
    (block,) = (statement for statement in tree.body if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING")
    return {alias.asname or alias.name for line in block.body if isinstance(line, ast.ImportFrom) for alias in line.names}


@pytest.mark.parametrize("package", [crossbuf, futures])
def test_type_checkers_and_programs_find_the_same(package) -> None:
    names = names_for_type_checkers(package.__name__)
    assert names == {*package._LATER, *getattr(package, "_MODULES", ())}
    assert names <= set(dir(package))
    for name in names:
        assert getattr(package, name) is not None


@pytest.mark.parametrize("package", [crossbuf, futures])
def test_a_worker_has_all_names_too(elsewhere, package) -> None:
    elsewhere(
        f"import {package.__name__} as package\n"
        f"names = {sorted(names_for_type_checkers(package.__name__))!r}\n"
        "assert set(names) <= set(dir(package))\n"
        "for name in names:\n"
        "    assert getattr(package, name) is not None, name"
    )


@pytest.mark.parametrize("package", [crossbuf, futures])
def test_what_there_is_not_is_an_attribute_error(package) -> None:
    with pytest.raises(AttributeError, match=rf"module '{package.__name__}' has no attribute 'nothing'"):
        package.nothing  # noqa: B018
