"""What a route is: one way of an array from here to a receiver, and of the receiver's answer back."""

import contextlib
import multiprocessing
import os
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib.util import find_spec
from types import TracebackType
from typing import Any, ClassVar, Self

from ...errors import Broken
from .. import serving

#: How receivers are started that are processes: the one start method which is safe everywhere.
PROCESSES = multiprocessing.get_context("spawn")


def started(target: Callable[..., object], *arguments: Any) -> Any:
    """A process that runs it, and ends with this one at the latest."""
    process = PROCESSES.Process(target=_run, args=(target, *arguments), daemon=True)
    # It inherits the mask, so that it does not hear of Ctrl-C while it imports, either.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return process


def _run(target: Callable[..., object], *arguments: Any) -> None:
    end_with_parent()
    target(*arguments)


def end_with_parent() -> None:
    """Lets this process end with the one that started it, however that ends: who holds both ends of a pipe sees no end of it.

    Ctrl-C is for that one, too.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Refused(Exception):
    """A route cannot carry what it was given; the text says why."""


class Route(ABC):
    """A way, with its receiver running. `send` and `answer` make up what is timed."""

    #: What the table calls it.
    name: ClassVar[str]
    #: Where the receiver is: "here", "interpreter" or "process".
    place: ClassVar[str]
    #: What is done, and why that is the best known way.
    how: ClassVar[str]
    #: Whether the array is where the receiver can see it before the clock runs.
    ready: ClassVar[bool] = False
    #: What its bare round trips are called, where they are not those of another route.
    messages: ClassVar[str] = ""
    #: Names those with which it is measured when all others are gone: it keeps threads or processes busy that would disturb them.
    apart: ClassVar[str] = ""

    @classmethod
    def absent(cls) -> str:
        """Why it cannot run here; empty when it can."""
        return ""

    def prepare(self, array: Any) -> Any:
        """What `send` takes for this array; not timed. Raises `Refused` for what the route cannot carry."""
        return array

    @abstractmethod
    def send(self, question: str, payload: Any) -> None:
        """Asks the receiver about the array."""

    @abstractmethod
    def answer(self) -> Any:
        """Waits for what the receiver says."""

    def ping(self) -> None:
        """The bare round trip, for routes that name their `messages`."""
        raise NotImplementedError

    def give_up(self, payload: Any) -> None:
        """Frees what `prepare` made."""
        del payload

    @abstractmethod
    def close(self) -> None:
        """Ends the receiver."""

    def ask(self, question: str, payload: Any) -> Any:
        """One trip. Raises as `reply`."""
        self.send(question, payload)
        return self.reply()

    def reply(self) -> Any:
        """The answer. Raises `Refused` when the receiver could make nothing of what was sent."""
        if isinstance(reply := self.answer(), str):
            raise Refused(f"the receiver says {reply}")
        return reply

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self.close()


def missing(package: str) -> str:
    """What to do about a package that is not installed; empty when it is."""
    spec = find_spec(package)
    # Any folder of that name would be found, and iceoryx2 makes one in /tmp. A package that is installed has an origin.
    return "" if spec and spec.origin else f"pip install {package}"


def plain(array: Any) -> Any:
    """The array, for routes that carry memory and describe it by dtype and shape. Raises `Refused` for anything else."""
    import numpy as np

    if type(array) is not np.ndarray:
        raise Refused(f"it carries the memory of one ndarray, not a {type(array).__name__}: the rest is left to the user")
    return array


def dtype_of(array: Any) -> Any:
    """The dtype as a route sends it: its text, as pickling a dtype takes longer than the rest of the message. A text has no fields."""
    return array.dtype if array.dtype.fields else array.dtype.str


class Served(Route):
    """A route whose receiver runs `serving.serve`. Subclasses say by which two calls: a transport's own, as a frame around is timed."""

    #: Gives the receiver a message.
    post: Callable[[object], object]
    #: Waits for the next thing that the receiver says. Raises when it is gone.
    take: Callable[[], Any]

    def send(self, question: str, payload: Any) -> None:
        self.post((question, payload))

    def answer(self) -> Any:
        return self.take()

    def ping(self) -> None:
        self.post(serving.PING)
        self.take()

    def tell_end(self) -> None:
        """Lets the receiver end, when it is not dead."""
        with contextlib.suppress(OSError, Broken):
            self.post(serving.END)


class Piped(Served):
    """A route whose messages go to a process through a `multiprocessing.Pipe`, whatever the arrays do."""

    place = "process"

    def __init__(self) -> None:
        self._pipe, other = PROCESSES.Pipe()
        self.post, self.take = self._pipe.send, self._pipe.recv
        self._process = started(self.receiver, other)
        other.close()
        self.ping()

    @staticmethod
    def receiver(pipe: Any) -> None:
        """What the process does."""
        serving.serve(pipe.recv, pipe.send)

    def close(self) -> None:
        self.tell_end()
        self._process.join()
        self._pipe.close()
