"""What the isolation tests compute with NumPy, here and in other interpreters."""

import io
import pickle
import threading
import warnings

import numpy as np


def numbers(seed: int) -> list[float]:
    """A little of everything that NumPy does in C; the same everywhere."""
    random = np.random.default_rng(seed)
    a = random.random((60, 60))
    text = np.array([f"{x:.9f}" for x in a[0]], "T")
    records = np.zeros(9, [("name", "U4"), ("value", "f8")])
    records["value"] = a[0, :9]
    masked = np.ma.masked_less(a, 0.5)
    file = io.BytesIO()
    np.savez(file, a=a, records=records)
    file.seek(0)
    return [
        float(np.linalg.svd(a)[1].sum()),
        float(np.abs(np.fft.fft2(a)).sum()),
        float(text.astype("f8").sum()),
        float(np.sort(records, order="value")["value"][3]),
        float(masked.mean()),
        float(np.einsum("ij,jk->", a, a)),
        float(sum(np.nditer(a.astype("f4")))),
        float(np.load(file)["records"]["value"].sum()),
        float(pickle.loads(pickle.dumps(a, 5)).sum()),
        float((np.arange("2020-01", "2021-01", dtype="M8[D]") - np.datetime64("2020-01-01")).astype(int).sum()),
        float(np.array([1, 2.5, None, "x"], object)[1]),
    ]


_ZERO, _ONE, _BIG = np.zeros(5000), np.ones(5000), np.full(5000, 1e300)

#: Work that fails in C code which has let go of the GIL, or calls Python from there.
_FAILING = (
    (FloatingPointError, lambda: _ONE / _ZERO),
    (FloatingPointError, lambda: _BIG * _BIG),
    (FloatingPointError, lambda: np.sqrt(-_ONE)),
    (ValueError, lambda: np.array(["1"] * 999 + ["no number"]).astype("f8")),
    (OverflowError, lambda: np.array([10**30], object).astype("i8")),
    (TypeError, lambda: np.frompyfunc(lambda x: x + "", 1, 1)(_ONE)),
    (ZeroDivisionError, lambda: np.vectorize(lambda x: 1 / int(x))(_ZERO)),
    (KeyError, lambda: np.frompyfunc({}.__getitem__, 1, 1)(np.arange(9))),
    (TypeError, lambda: np.add(_ONE, "text")),
    (np.linalg.LinAlgError, lambda: np.linalg.inv(np.zeros((9, 9)))),
)

#: How many `failures` counts in each round.
KINDS = len(_FAILING) + 2


def failures(rounds: int) -> int:
    """How many of the errors were raised here."""
    raised = 0
    for _ in range(rounds):
        for kind, work in _FAILING:
            with np.errstate(all="raise"):
                try:
                    work()
                except kind:
                    raised += 1
        raised += _called() == ["divide by zero"]
        raised += _warned() == ["divide by zero encountered in divide"]
    return raised


def _called() -> list[str]:
    seen: list[str] = []
    with np.errstate(divide="call", call=lambda error, flag: seen.append(error)):
        _ONE / _ZERO
    return seen


def _warned() -> list[str]:
    with warnings.catch_warnings(record=True) as caught, np.errstate(divide="warn"):
        warnings.simplefilter("always")
        _ONE / _ZERO
    return [str(warning.message) for warning in caught]


def in_threads() -> list[list[float]]:
    """`numbers` on four threads at once."""
    results: dict[int, list[float]] = {}
    threads = [threading.Thread(target=lambda seed=seed: results.__setitem__(seed, numbers(seed))) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [results[seed] for seed in range(4)]


class Cycle:
    """Garbage that only the collector finds, with an array of objects in it."""

    def __init__(self) -> None:
        self.objects = np.array([self, None], object)
        self.view = memoryview(np.arange(3))
        self.iterator = np.nditer(np.arange(9))


def leave_things(sender) -> None:
    """Ends with objects alive that hold on to each other, and with arrays that others hold."""
    globals()["left"] = [Cycle() for _ in range(10)]
    sender.send(np.arange(1000.0))
    sender.send({"nested": [np.ones((3, 4), order="F")]})
