"""Every exporter of buffers can be shared: CPython's own, NumPy's, and those that lie."""

import array
import ctypes
import itertools
import mmap
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from py_buffer import exporter

import crossbuf

try:
    # CPython's exporter for its own tests: any shape, strides and format that are possible at all.
    import _testbuffer
except ImportError:
    _testbuffer = None

needs_testbuffer = pytest.mark.skipif(_testbuffer is None, reason="this Python was built without its test module _testbuffer")


def assert_same_as(shared, exporter):
    view = memoryview(exporter)
    assert shared.shape == view.shape
    assert shared.itemsize == view.itemsize
    assert shared.tobytes() == view.tobytes()


@pytest.mark.parametrize("code", [code for code in array.typecodes if code not in "uw"])
def test_arrays_of_the_standard_library(code):
    source = array.array(code, [1, 2, 3])
    shared = crossbuf.share(source)
    assert_same_as(shared, source)
    assert shared.tolist() == [1, 2, 3]
    assert np.array_equal(shared.numpy(), np.asarray(source))
    assert crossbuf.share(array.array(code)).shape == (0,)


def test_text_arrays_of_the_standard_library():
    code = "w" if "w" in array.typecodes else None
    if code is None:
        pytest.skip("array.array has no code 'w' before 3.13, and 'u' is deprecated")
    assert crossbuf.share(array.array(code, "aé😀")).tolist() == ["a", "é", "😀"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: b"abc",
        lambda: bytearray(b"abc"),
        lambda: memoryview(b"abcdef")[::-2],
        lambda: memoryview(b"abcdef").cast("H"),
        lambda: memoryview(bytes(24)).cast("d", (3, 1)),
        lambda: memoryview(b"abcdef").cast("c"),
        lambda: memoryview(b"\0\1").cast("?"),
        lambda: memoryview(bytes(8)).cast("q", ()),
        lambda: b"",
        lambda: pickle.PickleBuffer(b"abc"),
    ],
)
def test_bytes_and_memoryviews(make):
    source = make()
    shared = crossbuf.share(source)
    assert_same_as(shared, source)
    assert shared.tolist() == memoryview(source).tolist()


def test_mapped_files(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc" * 10_000)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert crossbuf.share(mapped).tobytes() == path.read_bytes()


@pytest.mark.parametrize("code", ["c", "b", "B", "h", "H", "i", "I", "l", "L", "q", "Q", "n", "N", "f", "d", "?"])
def test_every_native_cast_of_a_memoryview(code):
    source = memoryview(bytes(range(48))).cast(code)
    shared = crossbuf.share(source)
    assert shared.itemsize == struct.calcsize(code)
    assert np.array_equal(shared.numpy(), np.asarray(source), equal_nan=code in "fd")


class Point(ctypes.Structure):
    _fields_ = (("x", ctypes.c_double), ("flag", ctypes.c_bool), ("grid", ctypes.c_int16 * 3 * 2))


class Line(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char), ("ends", Point * 2))


class Swapped(ctypes.BigEndianStructure):
    _fields_ = (("a", ctypes.c_uint16), ("b", ctypes.c_int32))


CTYPES = {
    "scalar": lambda: ctypes.c_double(1.5),
    "array": lambda: (ctypes.c_int32 * 3)(1, 2, 3),
    "nested array": lambda: (ctypes.c_uint16 * 3 * 2)((1, 2, 3), (4, 5, 6)),
    "structure": lambda: Point(1.5, True, ((1, 2, 3), (4, 5, 6))),
    "structures": lambda: (Point * 2)(Point(1.5, True), Point(2.5, False)),
    "nested structures": lambda: Line(b"l", (Point(1.5, True), Point(2.5, True))),
    "big endian": lambda: (Swapped * 2)(Swapped(1, -2), Swapped(3, -4)),
    "empty array": lambda: (ctypes.c_int32 * 0)(),
}


@pytest.mark.parametrize("name", CTYPES)
def test_ctypes(name):
    source = CTYPES[name]()
    shared = crossbuf.share(source)
    assert_same_as(shared, source)
    theirs = np.asarray(source)
    assert shared.shape == theirs.shape
    if theirs.dtype.names is None:
        assert shared.tolist() == theirs.tolist()
    else:
        for field in theirs.dtype.names:
            assert repr(shared.numpy()[field].tolist()) == repr(theirs[field].tolist())


@pytest.mark.parametrize(
    "type_", [ctypes.c_void_p, ctypes.c_char_p, ctypes.py_object, ctypes.POINTER(ctypes.c_int)], ids=lambda type_: type_.__name__
)
def test_pointers_are_refused(type_):
    with pytest.raises(crossbuf.NotShareable, match="pointer"):
        crossbuf.share((type_ * 2)())


DTYPES = st.deferred(lambda: SCALARS | arrays.nested_dtypes(subtype_strategy=SCALARS, max_itemsize=200))
SCALARS = arrays.scalar_dtypes() | arrays.byte_string_dtypes() | arrays.unicode_string_dtypes()
SHAPES = arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5)


def assert_same_elements(ours, theirs):
    assert ours.shape == theirs.shape
    assert ours.dtype.names == theirs.dtype.names
    if theirs.dtype.names is None:
        assert ours.dtype == theirs.dtype
        assert ours.tobytes() == theirs.tobytes()
    else:
        for name in theirs.dtype.names:
            assert_same_elements(ours[name], theirs[name])


@settings(max_examples=300)
@given(st.data())
def test_any_ndarray_comes_back(data):
    dtype = data.draw(DTYPES)
    source = data.draw(arrays.arrays(dtype, data.draw(SHAPES), fill=st.nothing()))
    index = data.draw(arrays.basic_indices(source.shape, allow_newaxis=True))
    view = np.asarray(source[index]).view(np.ndarray)
    shared = crossbuf.share(view)
    assert_same_elements(shared.numpy(), view)
    assert shared.numpy().dtype == view.dtype
    # In an arena, the view keeps its strides.
    inside = np.asarray(crossbuf.share(source).numpy()[index])
    if isinstance(source[index], np.ndarray):
        again = crossbuf.share(inside)
        assert_same_elements(again.numpy(), view)
        if inside.size:
            assert again.address == inside.ctypes.data
            assert again.strides == inside.strides


def has_a_format(dtype):
    """Whether NumPy can say it in PEP 3118: no times, no names that end the text or themselves."""
    dtype = dtype.base
    if dtype.names is None:
        return dtype.kind not in "mM"
    return all(not set(name) & set(":\0") and has_a_format(dtype[name]) for name in dtype.names)


@settings(max_examples=200)
@given(st.data())
def test_any_ndarray_comes_back_through_its_buffer(data):
    """The way taken where the exporter is no ndarray, so the dtype is what the PEP 3118 format says."""
    dtype = data.draw(DTYPES.filter(has_a_format))
    source = data.draw(arrays.arrays(dtype, data.draw(SHAPES), fill=st.nothing()))
    # NumPy itself cannot read all of its own formats (records that end with a gap), so this compares with the source.
    assert_same_elements(crossbuf.share(memoryview(source)).numpy(), source)


NATIVE = "?bBhHiIlLqQnNfde"
ORDERED = "?bBhHiIlLqQfde"


@st.composite
def exported(draw):
    """A `_testbuffer.ndarray` of random format, shape, strides and offset, and the items it shows."""
    mark = draw(st.sampled_from(["", "@", "<", ">", "=", "!"]))
    codes = NATIVE if mark in ("", "@") else ORDERED
    code = draw(st.sampled_from(codes))
    format = mark + code
    size = struct.calcsize(format)
    shape = draw(st.lists(st.integers(0, 4), min_size=1, max_size=4))
    steps = draw(st.lists(st.integers(1, 3), min_size=len(shape), max_size=len(shape)))
    signs = draw(st.lists(st.booleans(), min_size=len(shape), max_size=len(shape)))
    fortran = draw(st.booleans())
    base = [length * step or 1 for length, step in zip(shape, steps, strict=True)]
    flags = _testbuffer.ND_FORTRAN if fortran else 0
    count = int(np.prod(base))
    # Hypothesis draws no lists of thousands; a prime number of items repeats in step with no axis.
    drawn = draw(st.lists(items(code), min_size=min(count, 97), max_size=min(count, 97)))
    values = list(itertools.islice(itertools.cycle(drawn), count))
    view = _testbuffer.ndarray(values, shape=base, format=format, flags=flags | _testbuffer.ND_WRITABLE)
    index = tuple(slice(None, None, step) if forward else slice(None, None, -step) for step, forward in zip(steps, signs, strict=True))
    assert size == view.itemsize
    return view[index]


def items(code):
    if code == "?":
        return st.booleans()
    if code in "fde":
        return st.sampled_from([0.0, -1.5, 2.0, 65504.0, float("inf")])
    bits = 8 * struct.calcsize("=" + code if code not in "nN" else code)
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if code in "bhilqn" else st.integers(0, 2**bits - 1)


@needs_testbuffer
@settings(max_examples=300)
@given(st.data())
def test_cpythons_test_exporter_comes_back(data):
    source = data.draw(exported())
    shared = crossbuf.share(source)
    assert shared.shape == tuple(source.shape)
    assert shared.tolist() == source.tolist()
    assert shared.tobytes() == source.tobytes()


@needs_testbuffer
@pytest.mark.parametrize("format", ["B", "bh", "@qBd", "<qB", ">3hB", "4s", "2x3s", "@bd", "=bd", "bxxxi"])
def test_records_of_cpythons_test_exporter(format):
    value = tuple(struct.unpack(format, bytes(range(1, struct.calcsize(format) + 1))))
    rows = [value if len(value) > 1 else value[0]] * 6
    source = _testbuffer.ndarray(rows, shape=[2, 3], format=format)
    shared = crossbuf.share(source)
    assert shared.itemsize == source.itemsize
    assert shared.tobytes() == source.tobytes()


@needs_testbuffer
@pytest.mark.parametrize("shape", [[3], [2, 3], [2, 3, 4]], ids=str)
def test_elements_behind_pointers(shape):
    count = int(np.prod(shape))
    source = _testbuffer.ndarray(list(range(count)), shape=shape, format="i", flags=_testbuffer.ND_PIL)
    assert any(suboffset >= 0 for suboffset in source.suboffsets)
    shared = crossbuf.share(source)
    assert shared.shape == tuple(shape)
    assert shared.tolist() == source.tolist()
    assert shared.suboffsets == ()


def test_an_honest_exporter_is_believed():
    assert crossbuf.share(exporter()).tolist() == [0] * 16
    assert crossbuf.share(exporter(b"<d", 8, (2,), (-8,))).strides == (8,)
    assert crossbuf.share(exporter(b"d", 8, (), ndim=0, length=8)).shape == ()
    assert crossbuf.share(exporter(None)).dtype == "|u1", "no format means bytes"
    assert crossbuf.share(exporter(b"d", 8, without_shape=True, ndim=1)).shape == (2,)
    assert crossbuf.share(exporter(b"0s", 0, (5,), length=0)).shape == (5,)
    assert crossbuf.share(exporter(b"B", 1, (2**40, 0), length=0)).size == 0
    assert crossbuf.share(exporter(b"(2)i", 8, (2,))).shape == (2, 2)
    assert crossbuf.share(exporter(b"(2)i", 8, (2,), (-8,))).shape == (2, 2)


@pytest.mark.parametrize(
    ("lie", "error", "text"),
    [
        ({"shape": (-1,)}, crossbuf.LayoutError, "-1"),
        ({"shape": (17,)}, crossbuf.LayoutError, "17"),
        ({"shape": (2**62, 2**62)}, crossbuf.LayoutError, "16 bytes"),
        ({"length": -16}, BufferError, "-16"),
        ({"length": 2**62}, crossbuf.LayoutError, str(2**62)),
        ({"itemsize": 0}, ValueError, "0"),
        ({"itemsize": -1}, BufferError, "-1"),
        ({"itemsize": 2, "shape": (8,)}, crossbuf.DTypeError, "2"),
        ({"ndim": -1}, BufferError, "-1"),
        ({"ndim": 65, "shape": (1,) * 65}, crossbuf.LayoutError, "65"),
        ({"ndim": 2, "without_shape": True}, crossbuf.LayoutError, "2 axes"),
        ({"strides": (2**62,)}, ValueError, "stride"),
        ({"format": b"y"}, crossbuf.DTypeError, "y"),
        ({"format": b"T{"}, crossbuf.DTypeError, "T"),
        ({"format": b""}, crossbuf.DTypeError, "no item"),
        ({"format": b"\xff"}, ValueError, "UTF-8"),
        ({"format": b"(" * 100_000}, crossbuf.DTypeError, "position"),
        ({"format": b"T{" * 100_000}, crossbuf.DTypeError, "deep"),
        ({"format": b"p"}, crossbuf.DTypeError, "length"),
        ({"format": b"P", "itemsize": 8, "shape": (2,)}, crossbuf.NotShareable, "pointer"),
        ({"format": b"O", "itemsize": 8, "shape": (2,)}, crossbuf.NotShareable, "tolist"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_a_lie_is_an_error(lie, error, text):
    with pytest.raises(error, match=text):
        crossbuf.share(exporter(**lie))


def test_an_exporter_that_refuses_is_heard():
    view = memoryview(b"abc")
    view.release()
    with pytest.raises(ValueError, match="released"):
        crossbuf.share(view)
