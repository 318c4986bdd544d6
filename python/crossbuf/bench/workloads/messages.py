"""What small things cost in one interpreter, without anyone to wait for: blocks, views, and messages against pickle alone."""

import pickle
from typing import Any

import numpy as np

from ... import _core
from ..._progress import Progress
from ..routes.stdlib_interpreters import QueueMemoryview, create_queue
from ..run import Run
from ..sampling import Effort, Samples, Work, in_turns

NAME = "messages"
OURS, PICKLE, OUT_OF_BAND, QUEUE = "crossbuf", "pickle 5, in band", "pickle 5, out of band", "stdlib queue, memoryview"
BLOCKS, SHARE, VIEW, ARRAY = "allocate and free 800 B", "share 800 B", "Array.numpy()", "send and receive an Array"
TUPLE, TUPLE_SHARED = '(1, "x", ndarray)', '(1, "x", shared ndarray)'
DICT, DICT_SHARED = "dict of 1000 ndarrays", "dict of 1000 shared ndarrays"
BYTEARRAY, NDARRAY, COPY, NDARRAY_VIEW = "bytearray(800)", "np.empty", "ndarray.copy", "ndarray.view"
#: A floor: a loop without Python.
ALLOCATOR = "bare allocator, in Rust"
_BLOCKS = 20_000


def measure(run: Run) -> None:
    """Appends all series."""
    small = np.arange(100.0)
    array = _core.share(small)
    layers = {f"layer {number}": np.full(100, float(number)) for number in range(1000)}
    cases: dict[str, dict[str, Work]] = {
        SHARE: {OURS: lambda: _core.share(small), COPY: small.copy},
        VIEW: {OURS: array.numpy, NDARRAY_VIEW: small.view},
        ARRAY: {OURS: _passing(array)} | _queue(small),
        TUPLE: {OURS: _passing((1, "x", small))} | _pickling((1, "x", small)),
        TUPLE_SHARED: {OURS: _passing((1, "x", array.numpy()))} | _pickling((1, "x", small)),
        DICT: {OURS: _passing(layers)} | _pickling(layers),
        DICT_SHARED: {OURS: _passing({name: _core.share(layer).numpy() for name, layer in layers.items()})} | _pickling(layers),
    }
    with Progress(NAME, len(cases) + 1) as progress:
        effort = run.effort(2)
        run.add(NAME, BLOCKS, _allocating(effort))
        progress.advance(1)
        for case, works in cases.items():
            run.add(NAME, case, in_turns(works, effort))
            progress.advance(1)


def _allocating(effort: Effort) -> dict[str, Samples]:
    """What a user can call, and what dies at once."""
    measured = in_turns(
        {
            OURS: lambda: _core.empty(800, "u1"),
            BYTEARRAY: lambda: bytearray(800),
            NDARRAY: lambda: np.empty(800, "u1"),
            ALLOCATOR: lambda: _core._floor_blocks(_BLOCKS, 800),
        },
        effort,
    )
    loops = measured[ALLOCATOR]
    return measured | {ALLOCATOR: loops._replace(values=[seconds / _BLOCKS for seconds in loops.values], number=_BLOCKS * loops.number)}


def _passing(message: Any) -> Work:
    """Through a channel, and taken out again."""
    sender, receiver = _core.channel()

    def passed() -> None:
        sender.send_nowait(message)
        receiver.recv_nowait()

    return passed


def _pickling(message: Any) -> dict[str, Work]:
    """Pickle alone, without the transport that it needs besides."""

    def out_of_band() -> None:
        buffers: list[pickle.PickleBuffer] = []
        pickle.loads(pickle.dumps(message, 5, buffer_callback=buffers.append), buffers=buffers)

    return {PICKLE: lambda: pickle.loads(pickle.dumps(message, 5)), OUT_OF_BAND: out_of_band}


def _queue(array: Any) -> dict[str, Work]:
    if QueueMemoryview.absent():
        return {}
    queue, view = create_queue(), memoryview(array)

    def passed() -> None:
        queue.put_nowait(view)
        queue.get_nowait()

    return {QUEUE: passed}
