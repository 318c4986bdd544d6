"""Calling from another interpreter back into the one that a thread came from: what executors settle futures with."""

import sys
import threading

import pytest
from on_a_thread import on_a_thread

import crossbuf
from crossbuf import interpreters
from crossbuf._core import _call_home, _hurry, _lend, _lent, channel
from crossbuf.futures import InterpreterPoolExecutor
from crossbuf.futures._bells import Bell

CALL = "from crossbuf._core import _call_home; _call_home()"


@pytest.fixture
def visit():
    """Runs code in a fresh interpreter, on a thread that lends itself for `on_call`."""

    def visit(on_call, code=CALL, luggage=(), **values):
        def live():
            with interpreters.create() as interpreter:
                interpreter.exec(f"import sys; sys.path[:] = {sys.path!r}")
                interpreter.prepare_main(**values)
                return _lend(on_call, lambda: interpreter.exec(code), luggage)

        return on_a_thread(live)

    return visit


def test_it_runs_at_home_on_the_same_thread(visit) -> None:
    seen = []
    visit(lambda: seen.append((id(sys), threading.current_thread())), f"{CALL}; _call_home()")
    (here, thread), again = seen
    assert here == id(sys)
    assert again == (here, thread)
    assert thread is not threading.current_thread()


def test_the_interpreter_goes_on_afterwards(visit) -> None:
    tx, rx = channel()
    seen = []
    visit(lambda: seen.append(rx.recv_nowait()), "import sys\nfor n in range(1000):\n    tx.send(n)\n    " + CALL, tx=tx)
    assert seen == list(range(1000))


def test_what_the_call_raises_is_reported_at_home(visit, monkeypatch) -> None:
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda trouble: seen.append(type(trouble.exc_value)))
    tx, rx = channel()
    visit(lambda: 1 / 0, f"{CALL}\ntx.send('went on')", tx=tx)
    assert seen == [ZeroDivisionError]
    assert rx.recv_nowait() == "went on"


def test_lend_returns_and_raises_as_its_body_does() -> None:
    assert _lend(print, lambda: "value") == "value"
    with pytest.raises(LookupError, match="body"):
        _lend(print, lambda: (_ for _ in ()).throw(LookupError("body")))


def test_there_must_be_a_home(visit) -> None:
    with pytest.raises(RuntimeError, match="not been lent"):
        _call_home()
    with pytest.raises(RuntimeError, match="not been lent"):
        _lend(print, _call_home)  # at home already
    visit(lambda: None)
    with pytest.raises(RuntimeError, match="not been lent"):
        on_a_thread(_call_home)
    # Another thread of the visited interpreter came from nowhere.
    code = """
import threading
from crossbuf._core import _call_home
def call():
    try: _call_home()
    except RuntimeError as refused: tx.send(str(refused))
thread = threading.Thread(target=call); thread.start(); thread.join()
"""
    tx, rx = channel()
    visit(lambda: None, code, tx=tx)
    assert "not been lent" in rx.recv_nowait()


def test_homes_are_nested(visit) -> None:
    seen = []

    def outer():
        with interpreters.create() as inner:
            inner.exec(f"import sys; sys.path[:] = {sys.path!r}")
            _lend(lambda: seen.append("inner"), lambda: inner.exec(CALL))
        seen.append("outer")

    visit(outer, f"{CALL}; _call_home()")
    assert seen == ["inner", "outer", "inner", "outer"]


def test_ends_are_taken_along_once(visit) -> None:
    sender, receiver = channel()
    array = crossbuf.share(bytes(8))
    code = "from crossbuf._core import _lent\n(tx, array), nothing = _lent(), _lent()\nassert nothing == ()\ntx.send(array)\ntx.close()"
    visit(sender.close, f"{CALL}\n{code}", luggage=(sender, array))
    assert list(receiver) == [array]


def test_what_nobody_takes_is_closed(visit) -> None:
    sender, receiver = channel()
    visit(sender.close, CALL, luggage=(sender,))
    assert list(receiver) == []


def test_only_arrays_and_ends_are_taken_along() -> None:
    with pytest.raises(TypeError, match="not an Array, Sender or Receiver"):
        _lend(print, print, (1,))
    with pytest.raises(RuntimeError, match="nothing to take"):
        _lend(print, _lent, (channel()[0],))


def test_threads_call_home_at_once(visit) -> None:
    counts = [0] * 4

    def count(n):
        def on_call():
            counts[n] += 1

        visit(on_call, "from crossbuf._core import _call_home\nfor _ in range(2000): _call_home()")

    threads = [threading.Thread(target=count, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [2000] * 4


def test_messages_are_put_off_until_home_is_left(visit) -> None:
    tx, rx = channel()
    seen = []

    def on_call() -> None:
        tx._post_later("later")
        seen.append(rx.qsize())
        if len(seen) == 2:
            _hurry()
            seen.append(rx.qsize())

    visit(on_call, f"{CALL}\nassert receiver.recv_nowait() == 'later'\n_call_home()\nassert receiver.recv_nowait() == 'later'", receiver=rx)
    assert seen == [0, 0, 1]
    tx._post_later("now")
    assert rx.recv_nowait() == "now"
    rx.close()
    tx._post_later("nobody")
    tx.close()
    with pytest.raises(crossbuf.Closed):
        tx._post_later("closed")


def test_who_waits_does_not_wait_for_callbacks() -> None:
    go, wait = threading.Event(), threading.Event()
    with InterpreterPoolExecutor(1, numpy=False) as pool:
        sender, receiver = crossbuf.channel()
        future = pool.submit(crossbuf.Receiver.recv, receiver)
        future.add_done_callback(lambda _: (go.wait(60), wait.set()))
        sender.send(None)
        assert future.result(30) is None
        assert not wait.is_set()
        go.set()
        assert wait.wait(60)


def test_a_ring_that_comes_late_is_for_nobody() -> None:
    bell = Bell()
    bell.begin()
    bell.release()
    assert bell.wait(0)
    bell.release()
    bell.begin()
    assert not bell.wait(0.01)
    bell.release()
    assert bell.wait(None)
