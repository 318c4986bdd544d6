"""Every dtype goes through an Array and comes back as it was: dtype, values, strides; and as Python's scalars."""

import datetime
import subprocess
import sys
import warnings

import ml_dtypes
import numpy as np
import pytest

import crossbuf

NUMBERS = ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "g", "F", "D", "G"]
UNITS = ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"]
TIMES = [f"{code}8[{count}{unit}]" for code in "Mm" for unit in UNITS for count in ("", "7")] + ["M8", "m8"]
SIMPLE = [f"{order}{code}" for code in [*NUMBERS, "S5", "U3", "V6", *TIMES] for order in "<>"]
EXTENSIONS = sorted(name for name, value in vars(ml_dtypes).items() if isinstance(value, type) and issubclass(value, np.generic))
RECORDS = {
    "plain": np.dtype([("x", "<f8"), ("y", ">i4")]),
    "aligned": np.dtype([("a", "i1"), ("b", "f8"), ("c", "i2")], align=True),
    "nested": np.dtype([("p", [("x", "f4"), ("y", "f4")]), ("q", "M8[25us]")]),
    "nested aligned": np.dtype([("a", "i1"), ("p", np.dtype([("b", "i1"), ("c", "f8")], align=True))], align=True),
    "sub-arrays": np.dtype([("m", "f4", (2, 3)), ("n", [("o", "u1", 3)], (2,))]),
    "titles": np.dtype([(("the x", "x"), "f8"), ("y", "i4"), (("the z", "z"), "S3")]),
    "offsets": np.dtype({"names": ["b", "a"], "formats": ["i4", "i2"], "offsets": [8, 2], "itemsize": 20}),
    "overlap": np.dtype({"names": ["all", "low"], "formats": ["u4", "u2"], "offsets": [0, 0]}),
    "odd names": np.dtype([("two words", "i1"), ("it's", "i1"), ("a:b", "i1"), ("é/ß,{}", "i1")]),
    "no fields": np.dtype([]),
    "padding only": np.dtype({"names": [], "formats": [], "offsets": [], "itemsize": 7}),
    "text": np.dtype([("s", "S0"), ("u", ">U2"), ("v", "V3"), ("b", "?")]),
    "machine learning": np.dtype([("w", ml_dtypes.bfloat16), ("e", ml_dtypes.float8_e4m3fn, (2,))]),
}


def filled(dtype, shape=(3, 4)):
    """Elements of that dtype with a bit of everything in their bytes."""
    dtype = np.dtype(dtype)
    random = np.random.default_rng(17)
    if dtype.names is not None:
        array = np.zeros(shape, dtype)
        for name in dtype.names:
            array[name] = filled(dtype[name].base, (*shape, *dtype[name].shape))
        return array
    match dtype.kind:
        case "b":
            return random.integers(0, 2, shape).astype(dtype)
        case "U":
            length = max(dtype.itemsize // 4, 1)
            letters = random.choice(np.array(list("aé€😀")), (*shape, length))
            return letters.view(f"U{length}")[..., 0].astype(dtype)
        case "M" | "m":
            # NumPy cannot print more ticks than these in every unit.
            return random.integers(-(10**5), 10**5, shape).astype(f"{dtype.str[0]}i8").view(dtype)
        case _ if dtype.name in EXTENSIONS and "int" not in dtype.name:
            # Some of them leave bits of a byte unused, and not every pattern of those is a number.
            return random.normal(size=shape).astype(dtype)
        case "f" | "c":
            return (random.normal(size=shape) + (1j * random.normal(size=shape) if dtype.kind == "c" else 0)).astype(dtype)
        case _:
            raw = random.integers(0, 128, (*shape, dtype.itemsize), dtype="u1")
            return raw.view(dtype)[..., 0] if dtype.itemsize else np.zeros(shape, dtype)


def content(array):
    """All bytes but those between fields, which mean nothing."""
    if array.dtype.names is None:
        return array.tobytes()
    return {name: content(array[name]) for name in array.dtype.names}


def assert_same(ours, theirs):
    assert ours.dtype == theirs.dtype
    assert str(ours.dtype) == str(theirs.dtype), "titles, offsets and alignment count too"
    assert ours.dtype.isalignedstruct == theirs.dtype.isalignedstruct
    assert ours.shape == theirs.shape
    assert content(ours) == content(theirs)


@pytest.mark.parametrize("dtype", [*SIMPLE, *EXTENSIONS])
def test_simple_dtypes_come_back(dtype):
    array = filled(getattr(ml_dtypes, dtype, dtype))
    shared = crossbuf.share(array)
    assert shared.dtype == (dtype if dtype in EXTENSIONS else array.dtype.str)
    assert_same(shared.numpy(), array)
    view = shared.numpy()[::2, ::-1]
    assert_same(crossbuf.share(view).numpy(), view)
    assert crossbuf.share(view).strides == view.strides


@pytest.mark.parametrize("name", RECORDS)
def test_records_come_back(name):
    dtype = RECORDS[name]
    array = filled(dtype)
    shared = crossbuf.share(array)
    assert shared.itemsize == dtype.itemsize
    assert_same(shared.numpy(), array)
    for field in dtype.names:
        part = shared.numpy()[field]
        assert_same(crossbuf.share(part).numpy(), part)
        assert crossbuf.share(part).strides == part.strides
    if dtype.names:
        several = shared.numpy()[list(dtype.names[-1:])]
        assert_same(crossbuf.share(several).numpy(), several)


@pytest.mark.parametrize("dtype", ["S0", "U0", "V0"])
def test_elements_without_bytes_come_back(dtype):
    array = np.zeros(3, np.dtype([("empty", dtype)]))["empty"]
    shared = crossbuf.share(array)
    assert (shared.itemsize, shared.nbytes, shared.shape) == (0, 0, (3,))
    assert_same(shared.numpy(), array)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 0, 3), (1, 5, 1), (0, 2**40), (1,) * 64], ids=str)
@pytest.mark.parametrize("dtype", ["f8", "S3", RECORDS["nested"]], ids=str)
def test_every_shape_comes_back(shape, dtype):
    array = np.zeros(shape, dtype)
    assert_same(crossbuf.share(array).numpy(), array)
    assert crossbuf.share(array).shape == shape


def test_metadata_is_left_behind():
    array = np.zeros(2, np.dtype("f8", metadata={"unit": "m"}))
    assert crossbuf.share(array).numpy().dtype.metadata is None


@pytest.mark.parametrize("class_", [np.recarray, np.matrix, np.memmap], ids=lambda class_: class_.__name__)
def test_numpys_plain_subclasses_become_plain_arrays(class_, tmp_path):
    if class_ is np.memmap:
        array = np.memmap(tmp_path / "file", "i4", "w+", shape=(2, 3))
        array[:] = 7
    else:
        array = np.array([[1, 2], [3, 4]]).view(class_)
    shared = crossbuf.share(array)
    assert type(shared.numpy()) is np.ndarray
    assert shared.tolist() == array.tolist()


@pytest.mark.parametrize(
    ("value", "way_out"),
    [
        (np.zeros(2, object), "tolist"),
        (np.zeros(2, [("a", "i4"), ("b", [("c", "O")])]), 'field "b".*tolist|field "c".*tolist'),
        (np.array(["a"], "T"), "astype"),
        (np.ma.masked_array([1, 2], [True, False]), "mask.*message"),
        (np.array([1, 2]).view(type("Celsius", (np.ndarray,), {})), r"Celsius.*numpy\.asarray"),
        (np.float64(1.5), "asarray"),
        (np.void(b"abc"), "asarray"),
        ([1, 2], "asarray"),
        ("text", "asarray"),
        (1.5, "asarray"),
        (None, "asarray"),
        (np.ndarray, "asarray"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_shared_is_refused_with_a_way_out(value, way_out):
    with pytest.raises(crossbuf.NotShareable, match=way_out):
        crossbuf.share(value)


def test_objects_that_become_ndarrays_are_shared():
    class Duck:
        def __array__(self, dtype=None, copy=None):
            return np.arange(3, dtype="i2")

    class Interface:
        __array_interface__ = np.arange(3, dtype="i2").__array_interface__

    for duck in (Duck(), Interface()):
        assert crossbuf.share(duck).tolist() == [0, 1, 2]


def test_errors_of_an_objects_own_array_method_pass():
    class Broken:
        def __array__(self, dtype=None, copy=None):
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        crossbuf.share(Broken())


def test_renamed_fields_are_seen():
    """`dtype.names` is the one thing about a dtype that can change, so nothing learned of it may outlive that."""
    array = np.zeros(2, [("a", "i4"), ("in", [("b", "i4")])])
    first = crossbuf.share(array)
    view = first.numpy()
    array.dtype.names = ("x", "y")
    array.dtype["y"].names = ("z",)
    assert crossbuf.share(array).dtype == "{x:<i4@0,y:{z:<i4@0;4}@4;8}"
    assert crossbuf.share(view).dtype == first.dtype == "{a:<i4@0,in:{b:<i4@0;4}@4;8}"
    view.dtype.names = ("p", "q")
    assert first.numpy().dtype.names == ("a", "in")
    assert crossbuf.share(view).dtype.startswith("{p:")


def test_more_dtypes_than_are_remembered():
    for number in range(600):
        array = np.zeros(1, [(f"field_{number}", "i4")])
        assert crossbuf.share(array).numpy().dtype.names == (f"field_{number}",)


def test_ndarrays_of_one_shape_keep_their_own_layouts():
    numbers = np.arange(24.0).reshape(2, 3, 4)
    dtypes = ["<f8", ">f8", "<i8", "<u8", "<c16", "?", "i1", "M8[s]", "m8[ms]", "U2", "S8"]
    copies = [*map(numbers.astype, dtypes), numbers.view("V8")]
    strided = [np.asfortranarray(numbers), np.repeat(numbers, 2, axis=2)[:, :, ::2], numbers[::-1], np.broadcast_to(numbers[:1], (2, 3, 4))]
    for ndarray in (copies + strided) * 2:
        shared = crossbuf.share(ndarray)
        assert shared.dtype == ndarray.dtype.str
        assert shared.strides == ndarray.copy(order="K" if ndarray.flags.f_contiguous else "C").strides
        assert shared.tobytes() == ndarray.tobytes()


def test_an_ndarray_whose_dtype_or_shape_is_assigned_is_seen_anew():
    ndarray = np.arange(6, dtype="<i8")
    assert crossbuf.share(ndarray).dtype == "<i8"
    view = ndarray.view("<u8")
    assert crossbuf.share(view).dtype == "<u8"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        view.dtype, view.shape = np.dtype("<f4"), (3, 4)
    assert (crossbuf.share(view).dtype, crossbuf.share(view).shape) == ("<f4", (3, 4))


def test_a_dtype_of_a_package_that_is_missing():
    code = """
import sys
import warnings
sys.modules["ml_dtypes"] = None
import crossbuf
array = crossbuf.empty(2, "bfloat16").freeze()
try:
    array.numpy()
except ImportError as error:
    print(error)
"""
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "bfloat16" in child.stdout
    assert "ml_dtypes" in child.stdout


def test_without_numpy_nothing_imports_it():
    code = """
import sys
import warnings
import crossbuf
array = crossbuf.share(b"abcd")
draft = crossbuf.empty((2, 2), float)
assert array[1:3].tolist() == [98, 99]
assert crossbuf.share(memoryview(array)).address == array.address
try:
    crossbuf.share([1])
except crossbuf.NotShareable:
    pass
assert "numpy" not in sys.modules
sys.modules["numpy"] = None
for _ in range(2):
    try:
        array.numpy()
    except ImportError as error:
        assert "tolist()" in str(error), error
    else:
        raise AssertionError("an ndarray without NumPy")
del sys.modules["numpy"]
import numpy
assert type(array.numpy()) is numpy.ndarray, "a NumPy that came later is found"
"""
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True)


def comparable(value):
    """`value` with what NumPy's `tolist` leaves as its own classes turned into Python's."""
    if isinstance(value, (list, tuple)):
        return type(value)(map(comparable, value))
    if isinstance(value, np.ndarray):
        return comparable(value.tolist())
    if isinstance(value, (np.longdouble, np.clongdouble)):
        return complex(value) if isinstance(value, np.clongdouble) else float(value)
    if isinstance(value, np.generic):
        kind = type(value).__name__
        return int(value) if "int" in kind else complex(value) if "complex" in kind else float(value)
    return value


def assert_same_scalars(array):
    ours, theirs = crossbuf.share(array).tolist(), comparable(array.tolist())
    # repr tells NaN, the sign of zero and the classes of scalars.
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("dtype", [*SIMPLE, *EXTENSIONS])
def test_tolist_is_numpys(dtype):
    dtype = getattr(ml_dtypes, dtype, dtype)
    assert_same_scalars(filled(dtype))
    assert_same_scalars(np.zeros(2, dtype))


@pytest.mark.parametrize("name", RECORDS)
def test_tolist_of_records_is_numpys(name):
    assert_same_scalars(filled(RECORDS[name]))


@pytest.mark.parametrize("dtype", ["i1", "u1", "i8", ">u8", "f2", "f4", ">f8", ">D", "S2", "U1"])
def test_tolist_of_extremes_is_numpys(dtype):
    patterns = [0, 1, 0x7F, 0x80, 0xFF]
    raw = np.array([np.full(np.dtype(dtype).itemsize, pattern, "u1") for pattern in patterns])
    if dtype == "U1":
        raw = np.array([0, 97, 0xD800, 0x10FFFF, 0], "u4").view("u1").reshape(5, 4)
    assert_same_scalars(raw.view(dtype)[:, 0])


@pytest.mark.parametrize("code", "Mm")
@pytest.mark.parametrize("unit", [*UNITS, "generic", "25us", "3M", "400Y"])
def test_tolist_of_times_at_the_limits_of_datetime_is_numpys(code, unit):
    edges = [0, 1, -1, 719_162, -719_162, -719_163, 2_932_896, 2_932_897, 86_399, 10**6, -(2**63)]
    if code == "M":
        edges += [-(10**9), 10**11, 2**53]
    dtype = f"{code}8" if unit == "generic" else f"{code}8[{unit}]"
    assert_same_scalars(np.array(edges).view(dtype))


@pytest.mark.parametrize("dtype", ["M8[s]", "M8[7W]", "m8[s]", "m8[25us]"])
def test_times_beyond_datetime_are_ints(dtype):
    """NumPy itself wraps around or raises at the far ends, depending on its version and the unit."""
    ticks = [2**63 - 1, -(2**63) + 1]
    assert crossbuf.share(np.array(ticks).view(dtype)).tolist() == ticks


def test_the_longest_timedelta():
    ticks = np.array([999_999_999, 10**9, -999_999_999, -(10**9)], "m8[D]")
    longest = datetime.timedelta(days=999_999_999)
    assert crossbuf.share(ticks).tolist() == [longest, 10**9, -longest, -(10**9)]


def test_classes_of_times_are_pythons():
    moments = crossbuf.share(np.array(["2024-02-29T12:30:15.000025", "NaT"], "M8[us]"))
    assert moments.tolist() == [datetime.datetime(2024, 2, 29, 12, 30, 15, 25), None]
    assert crossbuf.share(np.array("2024-02-29", "M8[D]"))[()] == datetime.date(2024, 2, 29)
    assert crossbuf.share(np.array([90], "m8[m]"))[0] == datetime.timedelta(hours=1, minutes=30)


def test_a_text_that_is_none_is_an_error():
    array = crossbuf.share(np.array([0x110000], "u4").view("U1"))
    with pytest.raises(ValueError, match="0x110000"):
        array.tolist()
