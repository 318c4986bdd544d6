"""Messages that are not native: what travels beside the pickle, and what the errors say."""

import dataclasses
import functools
import pickle
import sys
import types
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import crossbuf as cb
from crossbuf import _pickling

#: Well above what a stream needs for classes and shapes, well below the arrays.
SMALL = 2_000
N = 10_000


def through(message: Any) -> Any:
    """What a receiver gets; the stream has no array in it."""
    stream, _taken = _pickling.dumps(message)
    assert len(stream) < SMALL
    sender, receiver = cb.channel()
    sender.send(message)
    return receiver.recv()


@dataclasses.dataclass
class Job:
    name: str
    pixels: Any
    more: Any = None


@dataclasses.dataclass(slots=True)
class Slotted:
    callback: Any


Point = namedtuple("Point", "x y")


def arrays() -> list[Any]:
    whole = np.arange(N, dtype="f8").reshape(100, 100)
    record = np.dtype([("a", "i4"), ("b", "M8[us]")])
    return [
        whole,
        whole[::2, ::-3],
        np.asfortranarray(whole),
        np.broadcast_to(whole[0], (100, 100)),
        whole.astype("M8[ns]"),
        whole.astype("m8[D]")[::5],
        whole.astype(">f4"),
        np.zeros(N, record),
        np.array(5.0),
        np.empty((0, 3)),
        np.full(N, "text"),
    ]


@pytest.mark.parametrize("array", arrays(), ids=lambda array: f"{array.dtype.str}{array.strides}")
def test_arrays_of_all_kinds_travel_beside_the_stream(array: Any) -> None:
    job = through(Job("job", array, {"again": [array]}))
    assert type(job) is Job
    got = job.pixels
    assert type(got) is np.ndarray
    assert (got.dtype, got.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(got, array)
    assert job.more["again"][0] is got


def test_what_lies_in_shared_memory_is_not_copied_at_all() -> None:
    view = cb.share(np.arange(N)).numpy()[::7]
    before = cb.statistics().copied
    job = through(Job("job", view))
    assert job.pixels.ctypes.data == view.ctypes.data
    assert job.pixels.strides == view.strides
    assert cb.statistics().copied == before


@pytest.mark.parametrize("mask", [False, True, "some"])
def test_masked_arrays(mask: Any) -> None:
    data = np.arange(N).reshape(100, 100)
    array = np.ma.MaskedArray(data, mask=(data % 3 == 0) if mask == "some" else mask, fill_value=-1)
    got = through([array, object])[0]
    expected = pickle.loads(pickle.dumps(array))
    assert type(got) is np.ma.MaskedArray
    assert got.dtype == expected.dtype
    assert got.fill_value == expected.fill_value
    assert got.mask.shape == expected.mask.shape
    np.testing.assert_array_equal(got.mask, expected.mask)
    np.testing.assert_array_equal(got.filled(), expected.filled())
    assert got.sum() == expected.sum() or mask is True


def test_structured_masked_arrays() -> None:
    array = np.ma.zeros(N, dtype=[("a", "i4"), ("b", "f8")])
    array["a"][3] = np.ma.masked
    got = through({"x": array})["x"]
    np.testing.assert_array_equal(got.mask, array.mask)
    assert got.dtype == array.dtype


def test_numpys_own_classes_stay_what_they_are(recwarn: pytest.WarningsRecorder) -> None:
    records = np.rec.fromarrays([np.arange(N), np.ones(N)], names="number,one")
    matrix = np.matrix(np.arange(N).reshape(100, 100))
    recwarn.clear()
    got = through((records, matrix))
    assert type(got[0]) is np.recarray
    assert got[0].number[7] == 7
    assert type(got[1]) is np.matrix
    np.testing.assert_array_equal(got[1], matrix)


class Tagged(np.ndarray):
    """Tells pickle more than its elements, as NumPy's handbook shows."""

    tag: str

    def __reduce__(self) -> Any:
        function, arguments, state = super().__reduce__()  # type: ignore[misc]
        return function, arguments, (*state, self.tag)

    def __setstate__(self, state: Any) -> None:
        self.tag = state[-1]
        super().__setstate__(state[:-1])


def test_classes_with_more_than_elements_keep_it() -> None:
    tagged = np.arange(3).view(Tagged)
    tagged.tag = "mine"
    sender, receiver = cb.channel()
    sender.send([tagged])
    (got,) = receiver.recv()
    assert type(got) is Tagged
    assert got.tag == "mine"
    np.testing.assert_array_equal(got, tagged)


def test_arrays_of_objects_are_pickled_as_ever() -> None:
    array = np.array([{"a": 1}, [2], None], dtype=object)
    sender, receiver = cb.channel()
    for message in (array, [array], Job("j", array), {"x": np.array([("a", [1])], dtype=[("n", "U1"), ("o", "O")])}):
        sender.send(message)
        got = receiver.recv()
        assert repr(got) == repr(message)


def test_buffers_of_others_travel_beside_the_stream() -> None:
    got = through(Picky(bytearray(b"x" * N)))
    assert got.buffer == b"x" * N


class Picky:
    """Offers its memory out of band."""

    def __init__(self, buffer: Any) -> None:
        self.buffer = bytes(buffer)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return Picky, (pickle.PickleBuffer(self.buffer),)


def test_ends_and_arrays_inside_objects() -> None:
    sender, receiver = cb.channel()
    array = cb.share(np.arange(5))
    job = through(Job("job", array, Point(sender, {receiver})))
    assert type(job.pixels) is cb.Array
    assert job.pixels.address == array.address
    job.more.x.send("hello")
    assert receiver.recv() == "hello"
    sender.close()
    assert receiver.statistics().senders == 1
    del job
    assert list(receiver) == []


@pytest.mark.parametrize(
    "message",
    [{1, 2}, frozenset("a"), range(5), slice(1, 2), Ellipsis, bytearray(b"abc"), OrderedDict(a=1), Point(1, 2), np.float32(1.5), len, int],
    ids=repr,
)
def test_objects_of_many_classes(message: Any) -> None:
    got = through([message])[0]
    assert type(got) is type(message)
    assert got == message


def test_a_partial_with_an_array() -> None:
    got = through(functools.partial(np.add, np.arange(N)))
    assert got(1)[-1] == N


CULPRITS = [
    (lambda bad: bad, "message"),
    (lambda bad: [1, bad], "message[1]"),
    (lambda bad: {"job": Slotted(bad)}, "message['job'].callback"),
    (lambda bad: {"job": Job("n", [np.arange(3), (bad,)])}, "message['job'].pixels[1][0]"),
    (lambda bad: Point(1, {bad: 2}), "message[1].keys("),
    (lambda bad: {"a": {bad}}, "message['a']{"),
]


@pytest.mark.parametrize(("wrap", "path"), CULPRITS, ids=[path for _, path in CULPRITS])
@pytest.mark.parametrize("bad", [lambda: 1, (n for n in "generator"), open], ids=["lambda", "generator", "file"])
def test_what_cannot_be_pickled_is_named(
    wrap: Callable[[Any], Any], path: str, bad: Any, nothing_left: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, _receiver = cb.channel()
    if isinstance(bad, types.FunctionType):
        monkeypatch.setitem(sys.modules, "cloudpickle", None)
    if bad is open:
        with open(__file__) as bad:  # noqa: PTH123
            check_named(sender, wrap(bad), path)
    else:
        check_named(sender, wrap(bad), path)
    assert sender.qsize() == 0


def check_named(sender: cb.Sender, message: Any, path: str) -> None:
    with pytest.raises(cb.NotShareable) as refused:
        sender.send(message)
    assert isinstance(refused.value, TypeError)
    assert str(refused.value).startswith(path)
    assert " cannot be sent: a " in str(refused.value)
    assert refused.value.__cause__ is not None


class Failing:
    def __reduce__(self) -> Any:
        raise ZeroDivisionError("in __reduce__")


def test_errors_of_classes_are_kept_as_causes() -> None:
    sender, _receiver = cb.channel()
    with pytest.raises(cb.NotShareable, match=r"message\[0\]\.more .*in __reduce__") as refused:
        sender.send([Job("n", 1, Failing())])
    assert type(refused.value.__cause__) is ZeroDivisionError


class Rude:
    def __reduce__(self) -> Any:
        raise KeyboardInterrupt


def test_what_is_no_mere_exception_passes() -> None:
    sender, _receiver = cb.channel()
    with pytest.raises(KeyboardInterrupt):
        sender.send([Rude()])


def test_a_draft_says_what_to_do() -> None:
    sender, _receiver = cb.channel()
    with pytest.raises(cb.NotShareable, match="freeze"):
        sender.send([cb.empty(3)])


def test_released_arrays_are_refused() -> None:
    array = cb.share(b"abc")
    array.release()
    sender, _receiver = cb.channel()
    for message in (array, [array], (1, array), Job("j", array)):
        with pytest.raises(ValueError, match="released"):
            sender.send(message)


class Chain:
    def __init__(self, inner: Any) -> None:
        self.inner = inner


def test_deep_objects_are_refused() -> None:
    chain: Any = None
    for _ in range(100_000):
        chain = Chain(chain)
    sender, _receiver = cb.channel()
    with pytest.raises(cb.NotShareable, match="nested too deeply"):
        sender.send(chain)
    while chain is not None:
        chain = chain.inner


class Bomb:
    def __reduce__(self) -> Any:
        return explode, ()


def explode() -> None:
    raise LookupError("while unpickling")


def test_what_unpickling_raises_reaches_the_receiver() -> None:
    sender, receiver = cb.channel()
    sender.send(Bomb())
    sender.send("next")
    with pytest.raises(LookupError, match="while unpickling"):
        receiver.recv()
    assert receiver.recv() == "next"


def test_data_frames() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"n": np.arange(N), "x": np.ones(N), "t": pandas.date_range("2020", periods=N), "s": pandas.Series(1, range(N))}
    )
    got = through({"frame": frame})["frame"]
    pandas.testing.assert_frame_equal(got, frame)


def test_classes_of_the_main_script(script: Callable[..., Any]) -> None:
    done = script(
        """
import dataclasses, crossbuf as cb

@dataclasses.dataclass
class Task:
    n: int

@dataclasses.dataclass
class Answer:
    task: Task
    data: object

def work(tasks, answers):
    for task in tasks:
        answers.send(Answer(task, cb.share(bytes([task.n]))))

if __name__ == "__main__":
    tasks_out, tasks = cb.channel()
    answers_in, answers = cb.channel()
    worker = cb.spawn(work, tasks, answers_in)
    tasks_out.send(Task(7))
    answer = answers.recv()
    assert type(answer) is Answer and answer.task == Task(7), answer
    assert answer.data.tolist() == [7]
    tasks_out.close()
    worker.join()
"""
    )
    assert (done.returncode, done.stderr) == (0, "")
