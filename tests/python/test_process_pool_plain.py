"""What the process pool calls plain, so that no pickler of ours looks at it: nothing that would have been taken out may be in there."""

import functools
import math
import pickle
from collections import OrderedDict, namedtuple
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import crossbuf as cb
from crossbuf.futures import ProcessPoolExecutor, processes
from crossbuf.futures._packing import pack
from crossbuf.futures._plain import is_plain

np = pytest.importorskip("numpy")

import process_pool_work as work  # noqa: E402, needs NumPy

ARRAY = np.arange(3.0)
SHARED = cb.share(ARRAY)
POINT = namedtuple("POINT", "x y")

#: Everything in them would be taken out.
ARRAYS = [ARRAY, SHARED, SHARED.numpy(), ARRAY.view(np.matrix), np.ma.masked_array(ARRAY)]
#: These bring one with them.
CARRIERS = [ARRAY.sum, SHARED.tolist, work.Nested(ARRAY, 1), functools.partial(work.total, ARRAY), [ARRAY].append, POINT(ARRAY, 1)]
ATOMS = [None, True, 7, 0.5, 1j, "text", b"bytes", len, math.sqrt, work.total, int, work.Nested, functools.partial(pow, 2, mod=5)]


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def deeper(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        lists = st.lists(inner, max_size=4)
        return (
            lists
            | lists.map(tuple)
            | st.dictionaries(st.text(max_size=3), inner, max_size=3)
            | inner.map(lambda value: {(value,) if is_hashable(value) else 0: 1})
            | lists.map(lambda some: functools.partial(work.itself, *some, named=some))
            | lists.map(lambda some: OrderedDict(enumerate(some)))
        )

    return st.recursive(leaves, deeper, max_leaves=12)


def is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


@given(nested(st.sampled_from([*ATOMS, *ARRAYS, *CARRIERS])))
def test_nothing_is_taken_out_of_what_is_plain(value: Any) -> None:
    if is_plain(value):
        assert pack(value).split() == ({}, [])


@given(st.recursive(st.sampled_from(ATOMS), lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner), max_leaves=8))
def test_small_containers_of_constants_and_functions_are_plain(value: Any) -> None:
    assert is_plain(value)


@pytest.mark.parametrize(
    "value", [*ARRAYS, *CARRIERS, dict.fromkeys, POINT(1, 2), OrderedDict(a=1), {1}], ids=lambda value: type(value).__name__
)
def test_all_else_is_left_to_pickle(value: Any) -> None:
    assert not is_plain(value)
    assert not is_plain((len, ([1, {"key": value}],), {}))


def test_what_has_many_parts_or_contains_itself_is_not_plain() -> None:
    knot: list[Any] = [1]
    knot.append({"again": knot})
    for value in (knot, list(range(1000)), {number: number for number in range(1000)}, [[[] for _ in range(30)] for _ in range(30)]):
        assert not is_plain(value)


def test_a_call_of_the_standard_librarys_map_is_plain() -> None:
    from concurrent.futures.process import _process_chunk  # type: ignore[attr-defined]

    assert is_plain((functools.partial(_process_chunk, work.itself), (((1,), (2,)),), {}))


def test_plain_calls_and_results_are_written_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert processes._call(pow, 7, 2, mod=10) == 9
    with ProcessPoolExecutor(1) as pool:
        assert pool.submit(int).result() == 0
        monkeypatch.setattr(processes, "Errand", None)
        assert pool.submit(work.itself, ATOMS[:-1]).result() == ATOMS[:-1]
        assert pool.submit(int, "7f", base=16).result() == 127
        assert list(pool.map(math.sqrt, [4.0, 9.0], chunksize=2)) == [2.0, 3.0]
        with pytest.raises(TypeError, match="not callable"):
            pool.submit(None).result()  # type: ignore[arg-type]
        with pytest.raises((AttributeError, pickle.PicklingError)):
            pool.submit(lambda: 1).result()
