"""Functions and classes that other interpreters cannot import: by value where cloudpickle is installed, else a clear refusal."""

import functools
import sys
import types
from collections.abc import Callable, Iterator

import pool_work as work
import pytest

import crossbuf as cb
from crossbuf.futures import BrokenInterpreterPool, InterpreterPoolExecutor

pytestmark = pytest.mark.usefixtures("nothing_left")
nameless, local = work.closures(10)


@pytest.fixture(scope="module")
def pool() -> Iterator[InterpreterPoolExecutor]:
    with InterpreterPoolExecutor(1, numpy=False) as pool:
        yield pool


@pytest.fixture(params=["pool", "worker"])
def run(request: pytest.FixtureRequest, pool: InterpreterPoolExecutor) -> Callable[..., object]:
    if request.param == "pool":
        return lambda f, *arguments: pool.submit(f, *arguments).result(60)
    return lambda f, *arguments: cb.spawn(f, *arguments).join()


@pytest.fixture
def only_here(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module that nobody else can import."""
    module = types.ModuleType("only_here")
    text = "class Thing:\n    def __init__(self, x): self.x = x\ndef make(x): return Thing(x)\ndef use(thing): return thing.x + 1"
    exec(text, module.__dict__)
    monkeypatch.setitem(sys.modules, "only_here", module)
    return module


class TestWithCloudpickle:
    @pytest.fixture(autouse=True)
    def installed(self) -> None:
        pytest.importorskip("cloudpickle")

    def test_functions(self, run) -> None:
        assert run(nameless, 1) == 11
        assert run(functools.partial(nameless, 2)) == 12
        assert run(local.plus, 3) == 23

    def test_arguments(self, run) -> None:
        assert run(work.call, nameless, 1) == 11
        assert run(lambda table: table["f"][0](1), {"f": [nameless]}) == 11
        assert run(lambda thing: thing.plus(1), local) == 21

    def test_results(self, run) -> None:
        assert run(lambda: lambda x: 2 * x)(4) == 8
        function, thing = run(work.closures, 5)
        assert (function(1), thing.plus(1)) == (6, 11)

    def test_a_class_that_comes_back_is_the_same(self, run) -> None:
        assert type(run(work.identity, local)) is type(local)
        assert run(work.identity, type(local)) is type(local)

    def test_modules_that_nobody_else_can_import(self, run, only_here) -> None:
        thing = run(only_here.make, 1)
        assert (type(thing), thing.x) == (only_here.Thing, 1)
        assert run(only_here.use, thing) == 2
        assert run(work.call, only_here.use, thing) == 2

    def test_errors(self, run) -> None:
        class Mine(Exception):
            pass

        def fail() -> None:
            raise Mine("of a function")

        with pytest.raises(Mine, match="of a function"):
            run(fail)

    def test_what_they_refer_to_by_name_stays_a_name(self, run) -> None:
        """So the worker has one class of that name, not two."""
        assert run(lambda frame: type(frame) is work.Frame, work.Frame(1, None, {}))

    def test_initializers(self) -> None:
        for start, arguments in ((functools.partial(work.take, nameless), ()), (work.call, (work.take, nameless))):
            with InterpreterPoolExecutor(1, initializer=start, initargs=arguments, numpy=False) as pool:
                assert pool.submit(lambda: work.given[0](1)).result(60) == 11

    def test_many_calls_at_once(self, pool) -> None:
        assert list(pool.map(nameless, range(10), chunksize=3)) == list(range(10, 20))
        assert [f(1) for f in pool.map(lambda n: lambda x: x + n, range(10))] == list(range(1, 11))

    def test_channels(self, only_here) -> None:
        sender, receiver = cb.channel()
        sender.send([nameless, local, only_here.make])
        function, thing, make = receiver.recv()
        assert (function(1), thing.plus(1), type(make(1))) == (11, 21, only_here.Thing)

    def test_ends_and_arrays_in_them_are_shared(self) -> None:
        sender, receiver = cb.channel()
        array = cb.share(bytes(range(100)))

        def send() -> int:
            sender.send(array[1:])
            return array.address

        before = cb.statistics().copied
        assert cb.spawn(send).join() == array.address
        assert receiver.recv() == array[1:]
        assert cb.statistics().copied == before
        del send  # a cell of it knows the array

    def test_what_cannot_be_sent_at_all_is_told(self) -> None:
        import threading

        sender, _receiver = cb.channel()
        with pytest.raises(cb.NotShareable, match=r"message\[1\]\['x'\] cannot be sent: a _thread.lock"):
            sender.send([nameless, {"x": threading.Lock()}])


class TestWithout:
    @pytest.fixture(autouse=True)
    def missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "cloudpickle", None)

    def test_functions(self, run) -> None:
        with pytest.raises(TypeError, match=r"<lambda> cannot be found by another interpreter: .*or install cloudpickle"):
            run(nameless, 1)

    def test_arguments(self, run) -> None:
        with pytest.raises(cb.NotShareable, match=r"a function cannot be pickled .*or install cloudpickle"):
            run(work.call, nameless, 1)

    def test_modules_that_nobody_else_can_import(self, run, only_here) -> None:
        assert run(work.call, abs, -1) == 1
        with pytest.raises(TypeError, match=r"only_here.make cannot be found .*its module 'only_here' cannot be imported; define it at"):
            run(only_here.make, 1)

    def test_initializers(self) -> None:
        with pytest.raises(TypeError, match="install cloudpickle"):
            InterpreterPoolExecutor(1, initializer=nameless)
        pool = InterpreterPoolExecutor(1, initializer=work.take, initargs=(nameless,), numpy=False)
        with pool, pytest.raises(BrokenInterpreterPool, match="install cloudpickle"):
            pool.submit(abs, 1).result(60)


PROMPT = """
import crossbuf as cb
from crossbuf.futures import InterpreterPoolExecutor
class Point:
    def __init__(self, x): self.x = x
    def __eq__(self, other): return type(self) is type(other) and self.x == other.x

def double(point): return Point(2 * point.x)

with InterpreterPoolExecutor(1, numpy=False) as pool:
    print(pool.submit(double, Point(1)).result() == Point(2), list(pool.map(lambda p: p.x, [Point(5)])))
    print(pool.submit(len, [Point(1), double]).result())

print(cb.spawn(double, Point(1)).join() == Point(2))
"""


@pytest.mark.parametrize("start", [["-c", PROMPT], ["-i", "-q"], ["-"]], ids=["-c", "prompt", "pipe"])
def test_functions_and_classes_of_a_prompt(child, start) -> None:
    pytest.importorskip("cloudpickle")
    done = child(*start, stdin=None if start[0] == "-c" else PROMPT)
    assert (done.returncode, done.stdout.split()) == (0, ["True", "[5]", "2", "True"]), done.stderr
