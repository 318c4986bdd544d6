"""What stands in for modules that a main script imports and a worker cannot load."""

import ast
import traceback

import pytest

from crossbuf._absent import HOOK, Absent, absent, tolerate_imports


def run(text: str) -> dict[str, object]:
    names: dict[str, object] = {HOOK: absent}
    exec(compile(tolerate_imports(ast.parse(text)), "script", "exec"), names)
    return names


def test_each_kind_of_import_binds_what_the_original_would() -> None:
    names = run(
        "import missing_a, missing_b.part, missing_c.part as c\n"
        "from missing_d import one, two as three\n"
        "import os.path, json as j\n"
        "from collections import deque\n"
    )
    for name, path in {
        "missing_a": "missing_a",
        "missing_b": "missing_b",
        "c": "missing_c.part",
        "one": "missing_d.one",
        "three": "missing_d.two",
    }.items():
        assert repr(names[name]).startswith(f"<absent {path}: No module named 'missing_")
    import collections
    import json
    import os

    assert (names["os"], names["j"], names["deque"]) == (os, json, collections.deque)


def test_a_scripts_own_try_and_function_bodies_are_left_alone() -> None:
    names = run("try:\n    import missing\nexcept ImportError:\n    missing = None\ndef f():\n    import missing\n")
    assert names["missing"] is None
    with pytest.raises(ModuleNotFoundError):
        names["f"]()  # type: ignore[operator]


def test_future_imports_still_work() -> None:
    names = run("'docstring'\nfrom __future__ import annotations\ndef f(x: not_defined): pass\n")
    assert names["f"].__annotations__ == {"x": "not_defined"}


def test_annotations_may_name_what_is_absent() -> None:
    run("import missing as np\ndef f(a: np.ndarray, b: np.typing.NDArray[np.float64] | None = None, c: 'str' = '') -> None | np.x: pass")


@pytest.mark.parametrize("use", [lambda a: a(), lambda a: a.zeros(3), len, iter, bool])
def test_any_other_use_raises_what_the_import_would_have(use) -> None:
    stand_in = Absent("numpy", "does not load here")
    with pytest.raises(ImportError, match=r"numpy(\.zeros)? is not available in this interpreter: does not load here"):
        use(stand_in)


def test_the_reason_is_the_root_of_the_error() -> None:
    error = ImportError("\npages of advice")
    error.__cause__ = ImportError("the root")
    assert repr(absent(error, "x")) == "<absent x: the root>"


def test_tracebacks_show_the_scripts_own_lines() -> None:
    with pytest.raises(KeyError) as caught:
        run("import sys\n\nfrom json import dumps\nraise KeyError(dumps(1))")
    assert traceback.extract_tb(caught.tb)[-1].lineno == 4
