"""ndarrays of an arena through multiprocessing's pickler; all other ndarrays through it as if crossbuf were not there."""

import io
import pickle
import sys
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from typing import Any

import pytest

import crossbuf as cb
from crossbuf import _forking

np = pytest.importorskip("numpy")

pytestmark = pytest.mark.usefixtures("nothing_waits")


def through(array: Any) -> tuple[int, Any]:
    """The size of its pickle, and what becomes of it."""
    pickled = ForkingPickler.dumps(array)
    return len(pickled), ForkingPickler.loads(pickled)


VIEWS: dict[str, Callable[[Any], Any]] = {
    "whole": lambda a: a,
    "slice": lambda a: a[3:7, ::2],
    "backwards": lambda a: a[::-1, ::-3],
    "transpose": lambda a: a.T,
    "new axis": lambda a: a[:, None],
    "one element": lambda a: a[5, 5, ...],
    "broadcast": lambda a: np.broadcast_to(a[0], (50, 1000)),
    "other dtype": lambda a: a.view("u1")[:, 3:],
    "dates": lambda a: a.view("M8[us]"),
    "big endian": lambda a: a.view(">c16"),
    "fields": lambda a: a.view([("x", "i4"), ("y", "f4")])["y"],
    "no elements": lambda a: a[:0],
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_views_arrive_as_they_are(view: Callable[[Any], Any]) -> None:
    array = view(cb.share(np.arange(1e5).reshape(100, 1000)).numpy())
    size, arrived = through(array)
    assert size < 500
    assert type(arrived) is np.ndarray
    assert (arrived.dtype, arrived.shape) == (array.dtype, array.shape)
    if array.size > 0:
        assert arrived.strides == array.strides
    assert arrived.ctypes.data == array.ctypes.data
    assert not arrived.flags.writeable
    assert arrived.tobytes() == array.tobytes()


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_any_protocol(protocol: int) -> None:
    array = cb.share(np.arange(1e5)).numpy()
    arrived = pickle.loads(ForkingPickler.dumps(array, protocol))
    assert arrived.ctypes.data == array.ctypes.data


def test_the_block_lives_until_the_pickle_is_read() -> None:
    before = cb.statistics().blocks
    pickled = ForkingPickler.dumps(cb.share(np.arange(1e5)).numpy()[1:])
    assert cb.statistics().blocks == before + 1
    assert cb.tickets()[0].nbytes == 799_992
    assert ForkingPickler.loads(pickled).sum() == 4999950000
    assert cb.statistics().blocks == before


def test_inside_other_things_and_twice() -> None:
    array = cb.share(np.arange(1e5)).numpy()
    size, (first, deeper) = through([array, {"a": (array,)}])
    assert size < 500
    assert first is deeper["a"][0]


class Derived(np.ndarray):
    pass


OTHERS: dict[str, Callable[[], Any]] = {
    "ordinary": lambda: np.arange(1e3),
    "ordinary view": lambda: np.arange(1e3)[::2],
    "Fortran": lambda: np.asfortranarray(np.ones((30, 40))),
    "read-only": lambda: np.frombuffer(bytes(1000), "u1"),
    "objects": lambda: np.array([1, "x", None]),
    "texts": lambda: np.array(["a", "bc"], np.dtypes.StringDType()),
    "dates": lambda: np.arange(100).astype("M8[s]"),
    "of a draft": lambda: cb.empty(1000, "u1").numpy(),
    "derived, in an arena": lambda: cb.share(np.arange(1e3)).numpy().view(Derived),
    "record, in an arena": lambda: cb.share(np.zeros(9, [("x", "i4")])).numpy().view(np.recarray),
    "masked, in an arena": lambda: np.ma.masked_array(cb.share(np.arange(1e3)).numpy(), mask=np.arange(1e3) > 7),
    "memoryview's": lambda: np.asarray(memoryview(bytearray(100))),
    "scalar": lambda: np.float64(7),
    "dtype": lambda: np.dtype([("x", "i4")]),
    "no ndarray": lambda: {"a": [1, 2.0, {3}, Ellipsis], "b": Derived},
}


@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("protocol", [None, *range(2, pickle.HIGHEST_PROTOCOL + 1)])
def test_others_are_pickled_as_ever(make: Callable[[], Any], protocol: int | None) -> None:
    other = make()
    try:
        expected = pickle.dumps(other, protocol)
    except pickle.PicklingError:
        pytest.skip("not for this protocol")
    assert bytes(ForkingPickler.dumps(other, protocol)) == expected


def test_plain_pickle_stays_numpys() -> None:
    array = cb.share(np.arange(1000.0)).numpy()
    assert len(pickle.dumps(array)) > array.nbytes
    assert pickle.loads(pickle.dumps(array, 4)).flags.writeable


def test_reducers_that_others_register_still_count() -> None:
    class Mine(Derived):
        pass

    ForkingPickler.register(Mine, lambda _: (str, ("mine",)))
    try:
        assert through(np.ones(3).view(Mine))[1] == "mine"
    finally:
        del ForkingPickler._extra_reducers[Mine]


def test_a_pickler_with_an_override_of_its_own_keeps_it() -> None:
    class Pickler(ForkingPickler):
        def reducer_override(self, obj: object) -> Any:
            return NotImplemented

    stream = io.BytesIO()
    array = cb.share(np.arange(1000.0)).numpy()
    Pickler(stream).dump(array)
    assert len(stream.getvalue()) > array.nbytes


def test_without_numpy_it_arrives_as_an_array(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unavailable:
        def numpy(self) -> None:
            raise ImportError

    here = Unavailable()
    assert _forking.viewed(here) is here  # type: ignore[arg-type]


IMPORTS = {
    "crossbuf first": "import crossbuf, multiprocessing, numpy",
    "crossbuf last": "import multiprocessing, numpy, crossbuf",
    "in between": "import numpy, crossbuf, multiprocessing.reduction",
}


@pytest.mark.parametrize("order", IMPORTS.values(), ids=IMPORTS)
def test_in_whatever_order_things_are_imported(order: str, child) -> None:
    code = f"""
{order}
from multiprocessing.reduction import ForkingPickler
assert len(ForkingPickler.dumps(crossbuf.share(numpy.ones(1000)).numpy())) < 500
assert multiprocessing.reduction.__spec__.origin == multiprocessing.reduction.__file__
import sys
assert not any("crossbuf" in type(finder).__module__ for finder in sys.meta_path)
"""
    done = child("-c", code)
    assert (done.returncode, done.stderr) == (0, "")


def test_importing_crossbuf_imports_no_multiprocessing(child) -> None:
    done = child("-c", "import sys, crossbuf, crossbuf.futures; sys.exit('multiprocessing' in sys.modules)")
    assert done.returncode == 0


@pytest.mark.skipif(sys.version_info < (3, 13), reason="NumPy works in sub-interpreters from 3.13 on")
def test_in_an_interpreter_with_its_own_gil(elsewhere) -> None:
    elsewhere(
        """
import crossbuf
crossbuf.isolation.enable("numpy")
import numpy
from multiprocessing.reduction import ForkingPickler
array = crossbuf.share(numpy.arange(1e4)).numpy()
pickled = ForkingPickler.dumps(array)
assert len(pickled) < 500
arrived = ForkingPickler.loads(pickled)
assert arrived.ctypes.data == array.ctypes.data
"""
    )
