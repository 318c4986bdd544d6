"""Arrays: what they say of themselves, indexing, comparison, views, release."""

import gc
import itertools
import weakref

import numpy as np
import pytest
from py_buffer import request

import crossbuf


@pytest.fixture
def arena():
    arena = crossbuf.Arena(64 << 20)
    yield arena
    arena.close()


@pytest.fixture
def cube():
    return np.arange(60, dtype="<i4").reshape(3, 4, 5)


def test_attributes_are_those_of_a_memoryview(cube):
    array, view = crossbuf.share(cube), memoryview(cube)
    for name in ("format", "itemsize", "ndim", "shape", "strides", "suboffsets", "nbytes", "c_contiguous", "f_contiguous", "contiguous"):
        assert getattr(array, name) == getattr(view, name), name
    assert array.readonly is True
    assert array.dtype == "<i4"
    assert array.size == 60
    assert len(array) == 3
    assert array.address == array.numpy().ctypes.data
    assert array.address % 64 == 0


def test_ndarray_lies_on_the_arrays_memory_and_keeps_it(arena):
    array = arena.share(np.arange(10.0))
    ndarray = array.numpy()
    assert type(ndarray) is np.ndarray
    assert ndarray.base is array
    assert not ndarray.flags.writeable
    assert ndarray.flags.aligned
    del array
    gc.collect()
    assert ndarray.tolist() == list(range(10))
    assert arena.statistics().blocks == 1
    del ndarray
    assert arena.statistics().blocks == 0


def test_sharing_what_lies_in_an_arena_copies_nothing(arena, cube):
    array = arena.share(cube)
    copied = arena.statistics().copied
    ndarray = array.numpy()
    for view in (ndarray, ndarray[::2, ::-1, 1:], ndarray.T, ndarray[1, 2], ndarray[..., None], ndarray.view("u1"), ndarray[:0]):
        again = arena.share(view)
        assert again.address == view.ctypes.data
        assert again.strides == view.strides
        assert np.array_equal(again.numpy(), view)
    assert arena.share(array).address == array.address
    assert arena.share(memoryview(array)).address == array.address
    broadcast = np.broadcast_to(ndarray[0, 0], (7, 5))
    assert arena.share(broadcast).strides == (0, 4)
    assert crossbuf.share(array).address == array.address, "no arena was asked for"
    assert arena.statistics().copied == copied
    assert arena.statistics().blocks == 1


def test_another_arena_gets_a_copy(arena, cube):
    array = arena.share(cube)
    other = crossbuf.Arena(1 << 20)
    for source in (array, array.numpy(), memoryview(array)):
        copy = other.share(source)
        assert copy.address != array.address
        assert copy == array
    assert other.statistics().copied == 3 * cube.nbytes


def test_a_copy_is_compact_and_keeps_fortran_order(cube):
    assert crossbuf.share(cube[::2, 1:, ::-1]).c_contiguous
    fortran = crossbuf.share(np.asfortranarray(cube))
    assert fortran.f_contiguous
    assert not fortran.c_contiguous
    assert fortran == crossbuf.share(cube)


def test_long_copies_are_right():
    source = np.arange(1 << 20, dtype="i4").reshape(1 << 10, 1 << 10)
    for view in (source, source.T, source[::-3, ::2]):
        assert np.array_equal(crossbuf.share(view).numpy(), view)


INDICES = [
    0,
    -1,
    slice(None),
    slice(1, None, 2),
    slice(None, None, -1),
    slice(10, -10, -2),
    slice(2, 2),
    Ellipsis,
    None,
    np.int64(1),
    (),
    (0, 1),
    (0, 1, 2),
    (Ellipsis, 1),
    (0, Ellipsis, 2),
    (slice(1, 3), None, slice(None, None, -2), Ellipsis),
    (0, 1, 2, Ellipsis),
    (None, 0, None, 1, None, 2, None),
]


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_basic_indexing_is_numpys(cube, index):
    ours, theirs = crossbuf.share(cube)[index], cube[index]
    if isinstance(theirs, np.generic):
        assert type(ours) is int
        assert ours == theirs
    else:
        assert ours.shape == theirs.shape
        assert ours.tolist() == theirs.tolist()


def test_every_pair_of_slices_is_numpys():
    row = np.arange(5, dtype="i2")
    array = crossbuf.share(row)
    bounds = (None, -6, -5, -1, 0, 1, 4, 5, 6, 2**70, -(2**70))
    for start, stop, step in itertools.product(bounds, bounds, (None, 1, 2, 5, -1, -2, -5, 2**70)):
        part = slice(start, stop, step)
        assert array[part].tolist() == row[part].tolist(), part


@pytest.mark.parametrize("index", [3, -4, (0, 4), (0, 0, -6), 2**70])
def test_an_index_out_of_bounds_is_an_index_error(cube, index):
    with pytest.raises(IndexError, match="axis"):
        crossbuf.share(cube)[index]


@pytest.mark.parametrize("index", ["x", 1.5, True, [0, 1], np.array([True, False, True]), (0, "x")], ids=repr)
def test_other_indices_are_type_errors(cube, index):
    with pytest.raises(TypeError, match="numpy"):
        crossbuf.share(cube)[index]


@pytest.mark.parametrize("index", [(0, 0, 0, 0), (Ellipsis, Ellipsis), slice(None, None, 0)], ids=repr)
def test_impossible_indices_are_refused(cube, index):
    with pytest.raises((IndexError, ValueError)):
        crossbuf.share(cube)[index]


def test_iteration_goes_over_the_first_axis(cube):
    array = crossbuf.share(cube)
    assert [part.tolist() for part in array] == cube.tolist()
    assert list(crossbuf.share(np.arange(3))) == [0, 1, 2]
    scalar = crossbuf.share(np.array(7))
    assert scalar[()] == 7
    assert scalar.tolist() == 7
    for use in (len, iter):
        with pytest.raises(TypeError, match="0-d"):
            use(scalar)


def test_bytes_are_in_c_order(cube):
    for source in (cube, np.asfortranarray(cube), cube[::-1, ::2]):
        assert crossbuf.share(source).tobytes() == source.tobytes()
    array = crossbuf.share(cube).numpy()[:, ::-2]
    assert crossbuf.share(array).tobytes() == array.tobytes()


def test_equality_is_of_shapes_and_values():
    array = crossbuf.share(np.arange(6, dtype="i4"))
    assert array == crossbuf.share(np.arange(6, dtype=">f8"))
    assert array != crossbuf.share(np.arange(6).reshape(2, 3))
    assert array != crossbuf.share(np.arange(1, 7))
    assert array != [0, 1, 2, 3, 4, 5]
    assert crossbuf.share(np.array([np.nan])) != crossbuf.share(np.array([np.nan]))
    assert crossbuf.share(np.zeros(0)) == crossbuf.share(np.zeros(0, "i1"))
    with pytest.raises(TypeError):
        _ = array < array
    with pytest.raises(TypeError, match="unhashable"):
        hash(array)


def test_repr_shows_the_layout_and_a_few_values():
    assert repr(crossbuf.share(np.arange(3, dtype="i2"))) == "<crossbuf.Array shape=(3,) dtype='<i2' values: 0 1 2>"
    assert repr(crossbuf.share(np.arange(100.0))).endswith("4.0 5.0 ...>")
    assert "shape=()" in repr(crossbuf.share(np.array(1.5)))
    assert "NaT" not in repr(crossbuf.share(np.array(["NaT"], "M8[s]")))


def test_positive_is_the_array_itself_and_t_reverses_the_axes(cube):
    array = crossbuf.share(cube)
    assert +array is array
    assert array.T.shape == (5, 4, 3)
    assert array.T.address == array.address
    assert np.array_equal(array.T.numpy(), cube.T)


def test_release_gives_the_block_back_at_once(arena):
    array = arena.share(b"abc")
    array.release()
    array.release()
    assert arena.statistics().blocks == 0
    for use in (
        len,
        repr_of_shape,
        memoryview,
        lambda a: a[0],
        lambda a: a.numpy(),
        lambda a: a.tolist(),
        lambda a: a.handle(),
        lambda a: a.__enter__(),
        crossbuf.share,
    ):
        with pytest.raises(ValueError, match="released"):
            use(array)
    assert repr(array) == "<released crossbuf.Array>"
    with arena.share(b"abc") as array:
        assert array.tobytes() == b"abc"
    assert arena.statistics().blocks == 0


def repr_of_shape(array):
    return repr(array.shape)


@pytest.mark.parametrize(
    "view_of", [memoryview, lambda array: array.numpy(), lambda array: array[1:]], ids=["memoryview", "ndarray", "slice"]
)
def test_views_keep_the_memory_of_a_released_array(arena, view_of):
    array = arena.share(np.arange(4, dtype="u1"))
    view = view_of(array)
    array.release()
    del array
    assert view.tolist() in ([0, 1, 2, 3], [1, 2, 3])
    assert arena.statistics().blocks == 1
    del view
    assert arena.statistics().blocks == 0


def test_weak_references_die_with_the_array():
    array = crossbuf.share(b"x")
    reference = weakref.ref(array)
    assert reference() is array
    del array
    assert reference() is None


def test_classes_cannot_be_made_or_derived_from():
    with pytest.raises(TypeError):
        crossbuf.Array()
    with pytest.raises(TypeError):
        type("Derived", (crossbuf.Array,), {})


# PyBUF_* of CPython's object.h.
SIMPLE, WRITABLE, FORMAT, ND, STRIDES, C, F, ANY, INDIRECT = 0, 1, 4, 8, 0x18, 0x38, 0x58, 0x98, 0x118


LAYOUTS = {
    "c": lambda: np.arange(6, dtype="u1").reshape(2, 3),
    "f": lambda: np.asfortranarray(np.arange(6, dtype="u1").reshape(2, 3)),
    "strided": lambda: np.arange(12, dtype="u1").reshape(2, 6)[:, ::2],
    "zero-d": lambda: np.array(5, dtype="u1"),
    "empty": lambda: np.zeros((2, 0), dtype="u1"),
}
FLAGS = [SIMPLE, FORMAT | ND, ND, STRIDES, STRIDES | FORMAT, C, F, ANY, INDIRECT, INDIRECT | FORMAT, C | FORMAT, F | FORMAT, ANY | FORMAT]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("flags", FLAGS, ids=hex)
def test_every_buffer_request_is_answered_as_numpy_answers_it(layout, flags):
    source = LAYOUTS[layout]()
    whole = crossbuf.share(np.arange(12, dtype="u1").reshape(2, 6))
    array = whole[:, ::2] if layout == "strided" else crossbuf.share(source)
    theirs = array.numpy()
    try:
        expected = request(theirs, flags)
    except (BufferError, ValueError):
        with pytest.raises(BufferError):
            request(array, flags)
    else:
        ndim, shape, strides, format, length, readonly = request(array, flags)
        assert (length, readonly) == (expected[4], True)
        if flags & ND == ND:
            assert ndim == expected[0]
        assert format == expected[3]
        if ndim and flags & ND == ND:
            assert shape
            assert strides == (flags & STRIDES == STRIDES)
    with pytest.raises(BufferError, match="read-only"):
        request(array, flags | WRITABLE)


def test_drafts_are_written_then_frozen(arena):
    draft = arena.empty((2, 3), "i4")
    ndarray = draft.numpy()
    assert ndarray.flags.writeable
    ndarray[:] = [[1, 2, 3], [4, 5, 6]]
    with pytest.raises(BufferError, match="1 writable view"):
        draft.freeze()
    view = memoryview(draft)
    with pytest.raises(BufferError, match="2 writable views"):
        draft.freeze()
    view.release()
    del ndarray
    copied = arena.statistics().copied
    array = draft.freeze()
    assert array.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert arena.statistics().copied == copied
    with pytest.raises(ValueError, match="frozen"):
        draft.freeze()


def test_a_drafts_content_is_copied_by_share(arena):
    draft = arena.empty(3, "u1")
    np.asarray(draft)[:] = 7
    array = arena.share(draft)
    np.asarray(draft)[:] = 8
    assert array.tolist() == [7, 7, 7]
    assert arena.share(draft.numpy()).tolist() == [8, 8, 8]


@pytest.mark.parametrize(
    ("shape", "dtype", "order", "expected"),
    [
        (3, None, None, ((3,), "<f8", (8,))),
        ((), "i2", "C", ((), "<i2", ())),
        ([2, np.int8(3)], "f4", "F", ((2, 3), "<f4", (4, 8))),
        ((2, 0), float, "C", ((2, 0), "<f8", (0, 8))),
        (2, int, None, ((2,), "<i8", (8,))),
        (2, bool, None, ((2,), "|b1", (1,))),
        (2, complex, None, ((2,), "<c16", (16,))),
        (2, np.float32, None, ((2,), "<f4", (4,))),
        (2, np.dtype(">u2"), None, ((2,), ">u2", (2,))),
        (2, "M8[ns]", None, ((2,), "<M8[ns]", (8,))),
        (2, np.zeros(1, "f2"), None, ((2,), "<f2", (2,))),
        (2, "(3)i4", None, ((2, 3), "<i4", (12, 4))),
        (2, "i4,f4", None, ((2,), "{f0:<i4@0,f1:<f4@4;8}", (8,))),
        (2, [("x", "i1")], None, ((2,), "{x:|i1@0;1}", (1,))),
        (2, "bfloat16", None, ((2,), "bfloat16", (2,))),
    ],
)
def test_empty_takes_what_numpy_takes(shape, dtype, order, expected):
    draft = crossbuf.empty(shape, dtype, order=order)
    shape, dtype, strides = expected
    assert (draft.shape, draft.dtype) == (shape, dtype)
    if draft.size:
        assert draft.strides == strides


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (((2, -1),), ValueError, r"shape=\(2, -1\).*-1 of axis 1"),
        ((-3,), ValueError, "shape=-3"),
        (((2, 1.5),), TypeError, "1.5 of axis 1"),
        ((1.5,), TypeError, "shape=1.5"),
        (("ab",), TypeError, "'a' of axis 0"),
        (((2**70,),), ValueError, "axis 0"),
        (((2**40, 2**40),), ValueError, "exceeds"),
        (((1,) * 65,), ValueError, "64"),
        ((3, "f3"), crossbuf.DTypeError, "f3"),
        ((3, "O"), crossbuf.NotShareable, "tolist"),
        ((3, object), crossbuf.NotShareable, "tolist"),
        ((3, 17), TypeError, "17"),
    ],
)
def test_empty_names_what_is_wrong(arguments, error, text):
    with pytest.raises(error, match=text):
        crossbuf.empty(*arguments)


def test_empty_refuses_other_orders():
    with pytest.raises(ValueError, match="order='K'"):
        crossbuf.empty(3, order="K")


def test_a_full_arena_says_so_and_stays_usable():
    arena = crossbuf.Arena(1 << 20)
    with pytest.raises(crossbuf.ArenaFull, match="asked for"):
        arena.share(np.zeros(1 << 20))
    assert arena.share(b"abc").tobytes() == b"abc"
