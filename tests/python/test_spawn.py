"""`crossbuf.spawn`: a function in an interpreter of its own."""

import functools
import operator
import pickle
import re
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

import crossbuf as cb
from crossbuf.futures import InterpreterPoolExecutor

pytestmark = pytest.mark.usefixtures("nothing_left")


# What workers run. They import this file as a module; pytest has put its folder on sys.path, which workers get.
def add(a, b):
    return a + b


def fail(*arguments):
    raise LookupError(*arguments)


class NeedsTwo(Exception):
    def __init__(self, one, two):
        super().__init__(one)


def fail_with_what_cannot_be_rebuilt():
    raise NeedsTwo("first", "second")


def fail_with_what_cannot_be_sent():
    error = ValueError("holds a lock")
    error.lock = threading.Lock()
    raise error


def return_a_lock():
    return threading.Lock()


def return_what_only_the_worker_has():
    sys.modules["cloudpickle"] = None  # which could send the class as well
    sys.modules["only_there"] = module = type(sys)("only_there")
    exec("class Thing: pass", module.__dict__)
    return module.Thing()


def leave(code):
    sys.exit(code)


def look_around():
    # Names what must be carried over, or be a worker's own.
    return sys.path, sys.argv, Path.cwd(), sys.warnoptions


def is_marked():
    return "mark" in globals()


def echo(receiver, sender):
    for message in receiver:
        sender.send(message)


def wait_for_one(receiver):
    return receiver.recv()


def total_of(array):
    return sum(array.tolist()), array.address


def spawn_another(depth):
    return depth if depth == 0 else cb.spawn(spawn_another, depth - 1).join() + 1


def start_a_thread_that_sends(sender):
    def late():
        time.sleep(0.2)
        sender.send("late")

    threading.Thread(target=late).start()


def test_join_returns_what_the_function_returned() -> None:
    worker = cb.spawn(add, 1, 2)
    assert worker.join() == 3
    assert worker.join() == 3
    assert not worker.is_alive()
    assert isinstance(worker.interpreter_id, int)
    assert repr(worker) == f"<crossbuf Worker {worker.name!r}, interpreter {worker.interpreter_id}, ended>"


@pytest.mark.parametrize("f", [operator.add, functools.partial(add), (1).__class__.__add__])
def test_any_callable_with_a_name_will_do(f: Callable[..., object]) -> None:
    assert cb.spawn(f, 1, 2).join() == 3


def test_a_worker_has_modules_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "mark", 1, raising=False)
    assert is_marked()
    assert cb.spawn(is_marked).join() is False


def test_a_worker_can_be_named() -> None:
    with cb.spawn(add, 1, 2, name="mine") as worker:
        assert worker.name == "mine"
        assert "'mine'" in repr(worker)


def test_path_arguments_and_directory_are_carried_over() -> None:
    path, argv, cwd, options = cb.spawn(look_around).join()
    assert (path, argv, cwd, options) == (sys.path, sys.argv, Path.cwd(), sys.warnoptions)


def test_arrays_are_shared_not_copied() -> None:
    array = cb.share(b"\1\2\3")
    copied = cb.statistics().copied
    assert cb.spawn(total_of, array).join() == (6, array.address)
    assert cb.spawn(functools.partial(total_of, array)).join() == (6, array.address)
    assert cb.statistics().copied == copied


def test_channel_ends_travel() -> None:
    there, receiver = cb.channel()
    sender, back = cb.channel()
    with cb.spawn(echo, receiver, sender):
        receiver.close()
        sender.close()
        for message in (1, "two", [3.0, None]):
            there.send(message)
            assert back.recv() == message
        there.close()
        assert list(back) == []
    back.close()


def test_an_exception_arrives_as_itself_with_the_workers_traceback_as_its_cause() -> None:
    with pytest.raises(LookupError) as caught:
        cb.spawn(fail, "why", 7).join()
    assert caught.value.args == ("why", 7)
    cause = str(caught.value.__cause__)
    assert "in fail" in cause
    assert "LookupError: ('why', 7)" in cause
    assert "_worker.py" not in cause


def test_an_exception_that_cannot_be_rebuilt_or_sent_is_told() -> None:
    with pytest.raises(cb.WorkerError, match=r"raised .*NeedsTwo: first, which cannot be rebuilt here") as caught:
        cb.spawn(fail_with_what_cannot_be_rebuilt).join()
    assert "in fail_with_what_cannot_be_rebuilt" in str(caught.value)
    with pytest.raises(cb.WorkerError, match="raised ValueError: holds a lock, which cannot be rebuilt here"):
        cb.spawn(fail_with_what_cannot_be_sent).join()


def test_a_result_that_cannot_cross_is_an_error() -> None:
    with pytest.raises((TypeError, pickle.PicklingError), match="lock"):
        cb.spawn(return_a_lock).join()
    with pytest.raises(cb.WorkerError, match="returned what cannot be rebuilt here"):
        cb.spawn(return_what_only_the_worker_has).join()


def test_sys_exit_is_raised_like_any_exception() -> None:
    with pytest.raises(SystemExit) as caught:
        cb.spawn(leave, 3).join()
    assert caught.value.code == 3


def test_a_function_that_workers_cannot_import_fails_in_join(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "fails_there.py").write_text("import faulthandler\ndef f(): pass\n")
    import fails_there  # type: ignore[import-not-found]

    with pytest.raises(ImportError, match="does not support loading in subinterpreters"):
        cb.spawn(fails_there.f).join()


def test_what_cannot_be_ordered_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError, match="a callable is needed, not 3"):
        cb.spawn(3)  # type: ignore[arg-type]
    with pytest.raises((TypeError, pickle.PicklingError), match="lock"):
        cb.spawn(add, threading.Lock(), 1)
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with pytest.raises(TypeError, match=r"<lambda> cannot be found by another interpreter: .*install cloudpickle"):
        cb.spawn(lambda: 1)


def test_an_error_of_an_argument_says_whose_it_is() -> None:
    generator = (n for n in ())
    with pytest.raises(cb.NotShareable) as ordered:
        cb.spawn(add, generator, 1)
    with pytest.raises(cb.NotShareable) as submitted, InterpreterPoolExecutor(1, numpy=False) as pool:
        pool.submit(add, generator, 1).result()
    for error in (ordered.value, submitted.value):
        assert "message[1][0] cannot be sent" in str(error)
        (note,) = error.__notes__
        assert re.fullmatch(r"in the call of <function add at \S+>: message\[1\] are its arguments, message\[2\] its keywords", note)


def test_lambdas_and_closures_travel_by_cloudpickle() -> None:
    pytest.importorskip("cloudpickle")
    factor = 3
    assert cb.spawn(lambda x: x * factor, 14).join() == 42


def test_join_with_a_timeout_leaves_the_worker_alone() -> None:
    sender, receiver = cb.channel()
    worker = cb.spawn(wait_for_one, receiver)
    with pytest.raises(TimeoutError, match=r"still runs after 0\.01 s"):
        worker.join(timeout=0.01)
    assert worker.is_alive()
    assert "running" in repr(worker)
    sender.send("go")
    assert worker.join(timeout=100) == "go"


def test_a_with_block_joins_and_shows_its_own_error_first() -> None:
    with pytest.raises(LookupError), cb.spawn(fail, 1):
        pass
    with pytest.raises(KeyError, match="mine"), cb.spawn(add, 1, 2) as worker:
        raise KeyError("mine")
    assert not worker.is_alive()


def test_a_failure_that_nobody_joins_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    worker = cb.spawn(fail, "unseen")
    while worker.is_alive():
        time.sleep(0.01)
    assert capsys.readouterr().err == ""
    del worker
    text = capsys.readouterr().err
    assert "failed, and nobody has called join to see it" in text
    assert "LookupError: unseen" in text


def test_workers_can_spawn_workers() -> None:
    assert cb.spawn(spawn_another, 3).join() == 3


def test_threads_that_the_function_started_are_waited_for() -> None:
    sender, receiver = cb.channel()
    cb.spawn(start_a_thread_that_sends, sender).join()
    assert receiver.recv_nowait() == "late"


def test_many_workers_at_once() -> None:
    sender, receiver = cb.channel()
    back, results = cb.channel()
    workers = [cb.spawn(echo, receiver, back) for _ in range(8)]
    for number in range(1000):
        sender.send(number)
    sender.close()
    receiver.close()
    back.close()
    assert sorted(results) == list(range(1000))
    for worker in workers:
        worker.join()


def test_spawning_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cb.spawn(add, 1, 1).join() == 2
