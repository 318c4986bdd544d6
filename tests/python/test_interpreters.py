"""`crossbuf.interpreters`: the same face on every version."""

import os
import threading

import pytest
from on_a_thread import on_a_thread

from crossbuf import ExecutionFailed, InterpreterError, NotShareable, interpreters


def test_values_and_code_arrive() -> None:
    def body() -> None:
        with interpreters.create() as interpreter:
            interpreter.prepare_main(text="ü\0", number=-3, data=b"\0\xff", nothing=None)
            interpreter.exec("assert (text, number, data, nothing) == ('ü\\0', -3, b'\\0\\xff', None)")
            interpreter.prepare_main()
            interpreter.exec("seen = text")
            interpreter.exec("assert seen is text")

    on_a_thread(body)


def test_an_interpreter_has_its_own_modules_and_gil() -> None:
    def body() -> None:
        with interpreters.create() as first, interpreters.create() as second:
            assert first.id != second.id
            first.exec("import json; json.mark = 1")
            second.exec("import json; assert not hasattr(json, 'mark')")
            # Only an interpreter with its own GIL refuses modules that do not say they support it.
            with pytest.raises(ExecutionFailed, match="does not support loading in subinterpreters"):
                first.exec("import faulthandler")

    on_a_thread(body)


def test_what_code_raises_comes_with_its_traceback() -> None:
    def body() -> None:
        with interpreters.create() as interpreter:
            with pytest.raises(ExecutionFailed) as caught:
                interpreter.exec("def f():\n    raise LookupError('over there')\nf()")
            text = str(caught.value)
            assert f"interpreter {interpreter.id}" in text
            assert "line 2, in f" in text
            assert "LookupError: over there" in text
            with pytest.raises(ExecutionFailed, match="SystemExit: 3"):
                interpreter.exec("raise SystemExit(3)")
            interpreter.exec("f")

    on_a_thread(body)


def test_text_that_is_no_python_raises_here() -> None:
    def body() -> None:
        with interpreters.create() as interpreter, pytest.raises(SyntaxError):
            interpreter.exec("1 +")

    on_a_thread(body)


def test_values_that_cannot_cross_are_named() -> None:
    def body() -> None:
        with interpreters.create() as interpreter, pytest.raises(NotShareable, match="thing: object"):
            interpreter.prepare_main(thing=object())

    on_a_thread(body)


def test_a_running_interpreter_refuses() -> None:
    def body() -> None:
        reading, writing = os.pipe()
        with interpreters.create() as interpreter:
            interpreter.exec("import os")
            # It waits for a byte, so it runs for as long as the test looks.
            thread = threading.Thread(target=interpreter.exec, args=(f"os.read({reading}, 1)",))
            thread.start()
            while not interpreter.is_running():
                pass
            assert "running" in repr(interpreter)
            for step in (lambda: interpreter.exec("1"), interpreter.close, lambda: interpreter.prepare_main(a=1)):
                with pytest.raises(InterpreterError, match=f"interpreter {interpreter.id} was refused"):
                    step()
            os.write(writing, b"x")
            thread.join()
        os.close(reading)
        os.close(writing)

    on_a_thread(body)


def test_closing_twice_is_fine_and_a_closed_one_says_so() -> None:
    def body() -> None:
        interpreter = interpreters.create()
        interpreter.close()
        interpreter.close()
        assert not interpreter.is_running()
        assert "closed" in repr(interpreter)
        with pytest.raises(InterpreterError, match="is closed"):
            interpreter.exec("1")

    on_a_thread(body)


def test_threads_inside_are_waited_for() -> None:
    def body() -> None:
        reading, writing = os.pipe()
        with interpreters.create() as interpreter:
            interpreter.exec(
                "import os, threading, time\n"
                f"def late():\n    time.sleep(0.2)\n    os.write({writing}, b'late')\n"
                "threading.Thread(target=late).start()"
            )
        os.close(writing)
        assert os.read(reading, 9) == b"late"
        os.close(reading)

    on_a_thread(body)
