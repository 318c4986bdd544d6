"""What the workers of the pool tests run. Imported in each of them, so it imports little."""

import sys
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import crossbuf as cb

#: What the initializer of this interpreter was given.
given: list[object] = []


@dataclass
class Frame:
    number: int
    pixels: object
    masks: dict[str, object]


class NeedsTwo(Exception):
    def __init__(self, one, two):
        super().__init__(one)


def identity(*args):
    return args[0]


def capture(*args, **kwargs):
    return args, kwargs


def interpreter():
    """A number that differs between interpreters."""
    return id(sys)


def thread_name():
    return threading.current_thread().name


def take(*args):
    given.extend(args)


def look():
    return list(given)


def fail(*args):
    raise LookupError(*args)


def fail_when_told(receiver, *args):
    receiver.recv()
    fail(*args)


def fail_unreadable():
    raise NeedsTwo("first", "second")


def fail_unsendable():
    error = ValueError("holds a lock")
    error.lock = threading.Lock()
    raise error


@dataclass(frozen=True)
class Frozen(Exception):
    """No attribute of it can be set."""


class NoException(Exception):
    def __reduce__(self):
        return dict, ()


class Untold(Exception):
    def __init__(self, one, two):
        super().__init__(one)

    def __str__(self):
        raise NotImplementedError


class Unreadable:
    """Its pickle raises, where it is read, what has no text."""

    def __reduce__(self):
        return raise_untold, ()


def raise_untold():
    raise Untold(1, 2)


def raise_frozen(*_):
    raise Frozen


def raise_no_exception(*_):
    raise NoException("told")


def raise_exception_without_text(*_):
    raise Untold(1, 2)


def unreadable():
    return Unreadable()


def lock():
    return threading.Lock()


def leave(code):
    sys.exit(code)


def interrupt():
    raise KeyboardInterrupt


def wait_for(receiver):
    """What comes, once it comes."""
    return receiver.recv()


def meet(sender, receiver):
    """Returns when somebody else does the same with the other ends; who that is."""
    sender.send(interpreter())
    return receiver.recv()


def put(sender, value):
    sender.send(value)


def sleep(seconds):
    time.sleep(seconds)
    return seconds


def slowly(x):
    time.sleep(0.01)
    return x


def die():
    """Takes away what the worker lives on: the channel that it reports to."""
    frame = sys._getframe()
    while "report" not in frame.f_locals:
        frame = frame.f_back
    frame.f_locals["report"].close()


def kind_and_address(array):
    return type(array).__name__, (array.address if isinstance(array, cb.Array) else array.__array_interface__["data"][0])


def total(array):
    """The sum, with NumPy or without."""
    return float(sum(array.tolist())) if isinstance(array, cb.Array) else float(array.sum())


def first_of(frame):
    return frame.pixels[0], frame.masks["left"]


def ones(n):
    """An array that the worker makes without NumPy."""
    draft = cb.empty((n,), "f8")
    memoryview(draft)[:] = memoryview(bytearray(b"\0\0\0\0\0\0\xf0\x3f" * n)).cast("d")
    return draft.freeze()


def nested_pool(x):
    from crossbuf.futures import InterpreterPoolExecutor

    with InterpreterPoolExecutor(1) as pool:
        return pool.submit(identity, x).result()


def has_numpy():
    return "numpy._core._multiarray_umath" in sys.modules


def warnings_of_import():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        import numpy as numpy
    return [str(warning.message) for warning in caught]


def blas_threads():
    """How many threads the one OpenBLAS of the process uses."""
    import ctypes

    (library,) = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "openblas" in line}
    return ctypes.CDLL(library).scipy_openblas_get_num_threads64_()


def call(f, *arguments):
    return f(*arguments)


def closures(n):
    """A function and an instance of a class that have no name outside of this one."""

    class Local:
        def __init__(self, value):
            self.value = value

        def plus(self, more):
            return self.value + more + n

    return (lambda x: x + n), Local(n)
