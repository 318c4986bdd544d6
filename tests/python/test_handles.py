"""Handles: they name an Array, keep nothing alive, and never show other data."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import crossbuf

FIELDS = ("mark", "arena", "block", "generation", "offset", "dtype", "shape", "strides", "seal")


@pytest.fixture
def array():
    return crossbuf.share(np.arange(24.0).reshape(4, 6))


def plain(value):
    return type(value) in (int, str) or (type(value) is tuple and all(map(plain, value)))


def altered(handle, field, value):
    at = FIELDS.index(field)
    return (*handle[:at], value, *handle[at + 1 :])


def test_a_handle_is_plain_and_opens_the_same_memory(array):
    handle = array[1:, ::-2].handle()
    assert plain(handle)
    opened = crossbuf.open(handle)
    assert opened == array[1:, ::-2]
    assert opened.address == array[1:, ::-2].address
    assert opened.strides == (48, -16)
    assert crossbuf.open(opened.handle()) == opened


@pytest.mark.parametrize("dtype", ["<M8[ns]", "<U3", [("x", "<f4"), (("title", "y"), ">i2", (2,))], "bool", "V7", "g"])
def test_a_handle_keeps_the_dtype(dtype):
    source = np.zeros(3, dtype)
    assert crossbuf.open(crossbuf.share(source).handle()).numpy().dtype == source.dtype


def test_it_crosses_as_text_and_opens_in_any_interpreter(array, elsewhere):
    text = json.dumps(array.handle())
    elsewhere(
        "import json, crossbuf\n"
        "tuples = lambda value: tuple(map(tuples, value)) if isinstance(value, list) else value\n"
        "array = crossbuf.open(tuples(json.loads(text)))\n"
        "assert array.address == address and array.tolist()[3][5] == 23.0",
        text=text,
        address=array.address,
    )


def test_a_handle_keeps_nothing_alive(array):
    handle = array.handle()
    array.release()
    with pytest.raises(crossbuf.StaleHandle, match=r"generation|freed"):
        crossbuf.open(handle)


def test_a_block_that_is_used_again_is_not_shown(array):
    handle, address = array.handle(), array.address
    array.release()
    again = crossbuf.share(np.full((4, 6), 7.0))
    assert again.address == address, "the memory is recycled"
    with pytest.raises(crossbuf.StaleHandle):
        crossbuf.open(handle)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mark", "other"),
        ("mark", 1),
        ("arena", "0" * 32),
        ("arena", "not hexadecimal"),
        ("arena", "f" * 99),
        ("block", 10**6),
        ("block", 2**32),
        ("block", -1),
        ("block", 10**40),
        ("block", "0"),
        ("generation", 77),
        ("generation", 2**64),
        ("generation", None),
        ("offset", 8),
        ("offset", 2**63),
        ("offset", -8),
        ("dtype", "<i8"),
        ("dtype", "|O"),
        ("dtype", "nonsense"),
        ("dtype", "{" * 5000),
        ("shape", (24,)),
        ("shape", (2**62, 2**62)),
        ("shape", (-1, 6)),
        ("shape", [4, 6]),
        ("shape", (4,) * 65),
        ("strides", (48, -8)),
        ("strides", (48, 2**70)),
        ("strides", (2**62, 2**62)),
        ("strides", ()),
        ("seal", 0),
        ("seal", 1.5),
    ],
)
def test_a_forged_field_is_refused(array, field, value):
    with pytest.raises(crossbuf.HandleError, match=r"handle"):
        crossbuf.open(altered(array.handle(), field, value))


@pytest.mark.parametrize("thing", [None, 7, "text", (), (1, 2), [1] * 9, (None,) * 9, (("crossbuf:1",) * 9)])
def test_what_is_no_handle_is_refused(thing):
    with pytest.raises(crossbuf.HandleError, match="handle"):
        crossbuf.open(thing)


SHARED = crossbuf.share(np.arange(24.0).reshape(4, 6))
VALUES = st.one_of(st.integers(), st.text(max_size=8), st.tuples(st.integers(), st.integers()), st.none(), st.floats())


@given(st.sampled_from(FIELDS), VALUES)
def test_any_other_value_in_any_field_is_refused(field, value):
    handle = SHARED.handle()
    forged = altered(handle, field, value)
    if forged == handle and plain(forged):  # 0.0 equals 0, but is none
        assert crossbuf.open(forged) == SHARED
        return
    with pytest.raises(crossbuf.HandleError):
        crossbuf.open(forged)


def test_a_closed_arena_opens_nothing_but_stays_readable():
    arena = crossbuf.Arena(1 << 20)
    array = arena.share(np.arange(5))
    arena.close()
    with pytest.raises(crossbuf.ArenaClosed, match="closed"):
        crossbuf.open(array.handle())
    assert array.tolist() == [0, 1, 2, 3, 4]


def test_an_arena_that_is_gone_is_stale():
    arena = crossbuf.Arena(1 << 20)
    handle = arena.share(np.arange(5)).handle()
    del arena
    with pytest.raises(crossbuf.StaleHandle, match="gone"):
        crossbuf.open(handle)


def test_another_process_opens_it(array):
    code = f"import crossbuf; print(crossbuf.open({array.handle()!r}).numpy().tolist())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == str(array.tolist())
