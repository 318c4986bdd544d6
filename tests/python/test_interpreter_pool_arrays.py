"""Arrays into and out of `InterpreterPoolExecutor`, with NumPy in its workers and without."""

import asyncio
import dataclasses
import operator
import sys
from collections.abc import Iterator

import pool_work as work
import pytest
from conftest import left

import crossbuf as cb
from crossbuf import isolation
from crossbuf.futures import BrokenInterpreterPool, InterpreterPoolExecutor

np = pytest.importorskip("numpy")
from_313 = pytest.mark.skipif(sys.version_info < (3, 13), reason="isolation needs CPython 3.13")
pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture(params=[pytest.param("auto", marks=from_313), False], ids=["NumPy", "no NumPy"])
def numpy(request: pytest.FixtureRequest) -> object:
    return request.param


@pytest.fixture
def pool(numpy: object) -> Iterator[InterpreterPoolExecutor]:
    with InterpreterPoolExecutor(2, numpy=numpy) as pool:
        yield pool


def address(array: object) -> int:
    return array.__array_interface__["data"][0]


def test_workers_get_ndarrays_where_they_have_numpy(pool, numpy) -> None:
    kind, _ = pool.submit(work.kind_and_address, np.arange(3.0)).result()
    assert kind == ("ndarray" if numpy else "Array")


def test_results_are_ndarrays_that_cannot_be_written(pool) -> None:
    """Also those that were Arrays in a worker without NumPy."""
    x = np.arange(12.0).reshape(4, 3)
    result = pool.submit(work.identity, x).result()
    assert type(result) is np.ndarray
    np.testing.assert_array_equal(result, x)
    assert not result.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        result[0] = 1
    with pytest.raises(ValueError, match="cannot set WRITEABLE"):
        result.flags.writeable = True
    result.copy()[0] = 1


def test_views_and_parts_of_ndarrays_are_ndarrays(pool) -> None:
    x = np.arange(12.0).reshape(4, 3)
    for f, expected in ((operator.pos, x), (operator.itemgetter(slice(1, 3)), x[1:3]), (operator.attrgetter("T"), x.T)):
        result = pool.submit(f, x).result()
        assert type(result) is np.ndarray
        np.testing.assert_array_equal(result, expected)
    kept, parts, frame = pool.submit(work.capture, x, [x[0]], work.Frame(1, x, {})).result()[0]
    assert type(kept) is type(parts[0]) is type(frame.pixels) is np.ndarray


def test_arrays_are_arrays(pool) -> None:
    """What was sent as one is none in between, and comes back as one."""
    array = cb.share(np.arange(12.0))
    for f in (work.identity, operator.pos, operator.itemgetter(slice(1, 3))):
        assert type(pool.submit(f, array).result()) is cb.Array
    both, frame = pool.submit(work.capture, [array, array.numpy()], work.Frame(1, array, {})).result()[0]
    assert [type(one) for one in both] == [cb.Array, np.ndarray]
    assert type(frame.pixels) is cb.Array


def test_an_array_in_an_arena_is_not_copied(pool) -> None:
    shared = cb.share(np.arange(100_000.0))
    for argument in (shared.numpy(), shared.numpy()[::2], shared):
        before = cb.statistics().copied
        kind, seen = pool.submit(work.kind_and_address, argument).result()
        result = pool.submit(work.identity, argument).result()
        assert seen == address(shared.numpy()) == address(np.asarray(result)), kind
        assert cb.statistics().copied == before


def test_any_other_array_is_copied_once(pool) -> None:
    x = np.arange(100_000.0)
    before = cb.statistics().copied
    result = pool.submit(work.identity, x).result()
    assert cb.statistics().copied == before + x.nbytes
    np.testing.assert_array_equal(result, x)


def test_arguments_are_as_they_were_when_submitted(pool) -> None:
    x = np.zeros(1000)
    futures = []
    for n in range(20):
        x[:] = n
        futures.append(pool.submit(work.identity, x))
    x[:] = -1
    for n, future in enumerate(futures):
        assert set(future.result()) == {n}


def test_arrays_at_any_depth(pool) -> None:
    x, mask = np.arange(6).reshape(2, 3), np.array([True, False])
    frame = work.Frame(7, [x], {"left": mask})
    args, kwargs = pool.submit(work.capture, (x, [mask]), frame=frame).result()
    np.testing.assert_array_equal(args[0][0], x)
    np.testing.assert_array_equal(args[0][1][0], mask)
    back = kwargs["frame"]
    assert dataclasses.is_dataclass(back)
    assert back.number == 7
    np.testing.assert_array_equal(back.pixels[0], x)
    np.testing.assert_array_equal(back.masks["left"], mask)
    pixels, left_mask = pool.submit(work.first_of, frame).result()
    np.testing.assert_array_equal(pixels, x)
    np.testing.assert_array_equal(left_mask, mask)


@pytest.mark.parametrize("dtype", ["f2", ">i4", "c16", "M8[ns]", "U7", "S3", [("a", "f8"), ("b", "U2", (3,))]])
@pytest.mark.parametrize("shape", [(), (0,), (3, 4)])
def test_layouts(pool, dtype, shape) -> None:
    x = np.zeros(shape, dtype, order="F")
    result = pool.submit(work.identity, x).result()
    np.testing.assert_array_equal(result, x)
    assert (result.dtype, result.shape) == (x.dtype, x.shape)
    assert result.size == 0 or result.strides == x.strides


def test_objects_travel_by_pickle(pool, numpy) -> None:
    if not numpy:
        pytest.skip("object arrays need NumPy on both sides")
    x = np.array([{"a": 1}, None, "text"], object)
    np.testing.assert_array_equal(pool.submit(work.identity, x).result(), x)


def test_map_over_pieces(pool) -> None:
    x = np.random.default_rng(1).random((1000, 7))
    for chunksize in (1, 3):
        pieces = list(pool.map(work.identity, np.array_split(x, 8), chunksize=chunksize))
        np.testing.assert_array_equal(np.concatenate(pieces), x)


def test_a_worker_without_numpy_makes_arrays(pool) -> None:
    np.testing.assert_array_equal(pool.submit(work.ones, 5).result().numpy(), np.ones(5))


@from_313
def test_functions_of_numpy() -> None:
    x = np.random.default_rng(2).random((50, 50))
    with InterpreterPoolExecutor(2) as pool:
        for theirs, ours in zip(pool.submit(np.linalg.svd, x).result(), np.linalg.svd(x), strict=True):
            np.testing.assert_allclose(theirs, ours)
        assert pool.submit(np.add, x, 1).result()[0, 0] == x[0, 0] + 1
        assert pool.submit(x.sum).result() == pytest.approx(x.sum())
        assert pool.submit(np.float32, 2).result() == np.float32(2)


@from_313
def test_in_an_event_loop() -> None:
    async def ask() -> np.ndarray:
        with InterpreterPoolExecutor(2) as pool:
            loop = asyncio.get_running_loop()
            a, b = await asyncio.gather(*(loop.run_in_executor(pool, np.cumsum, np.ones(n)) for n in (3, 4)))
            return np.concatenate([a, b])

    np.testing.assert_array_equal(asyncio.run(ask()), [1, 2, 3, 1, 2, 3, 4])


@from_313
def test_errors_of_numpy_come_with_their_traceback() -> None:
    with InterpreterPoolExecutor(1) as pool, pytest.raises(np.linalg.LinAlgError, match="Singular") as caught:
        pool.submit(np.linalg.inv, np.zeros((3, 3))).result()
    assert "numpy/linalg/_linalg.py" in str(caught.value.__cause__)


class TestArena:
    def test_copies_are_made_there(self, numpy) -> None:
        arena = cb.Arena(64 << 20)
        with InterpreterPoolExecutor(1, arena=arena, numpy=numpy) as pool:
            results = list(pool.map(work.identity, [np.ones(1000)] * 3))
            assert arena.statistics().copied == 3 * 8000
        del results
        arena.close()

    def test_a_call_that_finds_no_room_fails_alone(self, numpy) -> None:
        arena = cb.Arena(1 << 20)
        with InterpreterPoolExecutor(1, arena=arena, numpy=numpy) as pool:
            future = pool.submit(work.total, np.ones(1 << 20))
            with pytest.raises(cb.ArenaFull, match="arena full: asked for 8388608 bytes"):
                future.result()
            assert pool.submit(work.total, np.ones(100)).result() == 100
        arena.close()


def test_a_thousand_calls_leave_nothing(pool) -> None:
    def some(n: int) -> None:
        for k in range(n):
            assert pool.submit(work.total, np.full(5000, k)).result() == 5000 * k

    some(50)
    before = left()
    some(1000)
    assert left() == before


class TestNumPy:
    def test_true_says_why_there_is_none(self, monkeypatch) -> None:
        monkeypatch.setenv("CROSSBUF_ISOLATION", "off")
        why = r"^numpy cannot be loaded in interpreter \d+: the environment variable CROSSBUF_ISOLATION is off; this pool"
        with InterpreterPoolExecutor(1, numpy=True) as pool, pytest.raises(BrokenInterpreterPool, match=why):
            pool.submit(abs, 1).result()

    @from_313
    def test_true_loads_it_at_once(self) -> None:
        with InterpreterPoolExecutor(1, numpy=True) as pool:
            assert pool.submit(work.has_numpy).result()

    @from_313
    def test_the_status_tells_what_was_loaded(self) -> None:
        with InterpreterPoolExecutor(1) as pool:
            assert pool.submit(isolation.status).result().packages == {}
            pool.submit(work.total, np.ones(3)).result()
            status = pool.submit(isolation.status).result()
        assert status.packages == {"numpy": np.__version__}
        assert status.modules[0].name == "numpy._core._multiarray_umath"

    @from_313
    def test_auto_loads_it_when_an_array_comes(self) -> None:
        with InterpreterPoolExecutor(1) as pool:
            assert not pool.submit(work.has_numpy).result()
            pool.submit(work.total, np.ones(3)).result()
            assert pool.submit(work.has_numpy).result()

    def test_false_never_loads_it(self) -> None:
        with InterpreterPoolExecutor(1, numpy=False) as pool:
            pool.submit(work.total, np.ones(3)).result()
            assert not pool.submit(work.has_numpy).result()

    @from_313
    def test_numpy_keeps_quiet_about_interpreters(self) -> None:
        with InterpreterPoolExecutor(1) as pool:
            assert pool.submit(work.warnings_of_import).result() == []


@from_313
class TestBlasThreads:
    @pytest.fixture(autouse=True)
    def several(self) -> Iterator[None]:
        """OpenBLAS has three threads outside of pools."""
        from crossbuf._core import _hold_openblas, _release_openblas

        _hold_openblas(3)
        yield
        _release_openblas()

    def test_one_while_there_are_workers(self) -> None:
        assert work.blas_threads() == 3
        with InterpreterPoolExecutor(1) as pool:
            pool.submit(work.total, np.ones(3)).result()
            assert pool.submit(work.blas_threads).result() == work.blas_threads() == 1

    def test_as_many_as_asked_for(self) -> None:
        with InterpreterPoolExecutor(1, blas_threads=2) as pool:
            pool.submit(work.total, np.ones(3)).result()
            assert pool.submit(work.blas_threads).result() == 2

    def test_none_leaves_them(self) -> None:
        with InterpreterPoolExecutor(1, blas_threads=None) as pool:
            pool.submit(work.total, np.ones(3)).result()
            assert pool.submit(work.blas_threads).result() == 3
