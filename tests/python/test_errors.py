"""The exceptions are one tree, drawn in the module's docstring, and importable everywhere."""

import inspect
import queue
import re
import sys

import pytest

import crossbuf
from crossbuf import errors

CLASSES = {name: cls for name, cls in vars(errors).items() if inspect.isclass(cls) and not name.startswith("_")}


def test_the_drawing_is_the_tree() -> None:
    drawn = re.findall(r"^[│├└─ ]*(\w+)", errors.__doc__.split("```")[1].removeprefix("text\n"), flags=re.MULTILINE)
    assert sorted(drawn) == sorted(CLASSES)


def test_every_class_is_ours_documented_and_exported() -> None:
    for name, cls in CLASSES.items():
        assert issubclass(cls, errors.Error)
        assert cls.__doc__
        assert getattr(crossbuf, name) is cls


@pytest.mark.parametrize(
    ("ours", "builtin"),
    [
        (errors.ArenaFull, MemoryError),
        (errors.DTypeError, ValueError),
        (errors.Empty, queue.Empty),
        (errors.Ended, EOFError),
        (errors.Full, queue.Full),
        (errors.HandleError, ValueError),
        (errors.InterpreterError, RuntimeError),
        (errors.LayoutError, ValueError),
        (errors.NotShareable, TypeError),
    ],
)
def test_code_written_for_the_builtin_works(ours: type[Exception], builtin: type[Exception]) -> None:
    with pytest.raises(builtin, match="text"):
        raise ours("text")


@pytest.mark.skipif(sys.version_info < (3, 14), reason="concurrent.interpreters comes with 3.14")
def test_code_written_for_queues_of_interpreters_works() -> None:
    from concurrent import interpreters

    sender, receiver = crossbuf.channel(1)
    with pytest.raises(interpreters.QueueEmpty):
        receiver.get(timeout=0.001)
    sender.put_nowait(1)
    with pytest.raises(interpreters.QueueFull):
        sender.put_nowait(2)


def test_they_can_be_imported_in_an_own_gil_interpreter(elsewhere) -> None:
    elsewhere("import crossbuf.errors; assert issubclass(crossbuf.errors.Empty, crossbuf.errors.Error)")
