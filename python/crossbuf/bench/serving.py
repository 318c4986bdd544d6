"""The receiver's side of every route: it takes a question and an array, and answers.

Nothing but the standard library is imported here, as workers that have no NumPy run it, too.
"""

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

#: A message that asks nothing: the bare round trip.
PING = 0
#: A message that ends the receiver.
END = None


def serve(
    receive: Callable[[], Any],
    answer: Callable[[object], object],
    opened: Callable[[Any], Any] = lambda payload: payload,
    given_up: Callable[[], object] = lambda: None,
) -> None:
    """Answers until `END` comes, or nothing more.

    `opened` makes an array of what has arrived, `given_up` is called when nothing here refers to that array any more. What goes wrong is
    answered, too: as a text, which nothing else is.
    """
    held = None
    while True:
        try:
            if (message := receive()) is END:
                return
            if message == PING:
                answer(PING)
                continue
            question, payload = message
            if held is not None:
                held = None
                given_up()
            array = opened(payload)
            reply = reply_to(question, array)
            if question == "hold":
                held = array
            # Giving up the array belongs to the trip, as memory must come back before it can be used again.
            del message, payload, array
            if held is None:
                given_up()
        except EOFError:
            return
        except Exception as trouble:
            reply = f"{type(trouble).__name__}: {trouble}"
        answer(reply)


def reply_to(question: str, array: Any) -> object:
    """The answer to a question about an array, or a dict of arrays."""
    return _REPLIES[question](array)


def _touch(array: Any) -> int:
    """Looks at the first and the last element: both are there."""
    if isinstance(array, dict):
        array = next(iter(array.values()))
    ndim = getattr(array, "ndim", 1)
    for end in (0, -1):
        array[(end,) * ndim if ndim != 1 else end]
    return PING


def _ends(array: Any) -> tuple[str, str]:
    """The first and the last element of an array of one axis."""
    return str(array[0]), str(array[-1])


def _hold(array: Any) -> int:
    """Reads all of it, so that all of its memory is mapped where it is held."""
    array.sum() if hasattr(array, "sum") else array.tobytes()
    return PING


class Look(NamedTuple):
    """What a receiver sees of an array."""

    type: str
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    #: Of its elements in C order, and of its mask.
    digest: str


def _look(array: Any) -> object:
    """Everything that should arrive as it was sent."""
    if isinstance(array, dict):
        return {name: _look(one) for name, one in array.items()}
    digest = hashlib.sha256(array.tobytes())
    if (mask := getattr(array, "mask", None)) is not None:
        digest.update(mask.tobytes())
    return Look(type(array).__name__, str(array.dtype), tuple(array.shape), tuple(array.strides), digest.hexdigest())


_REPLIES: dict[str, Callable[[Any], object]] = {"touch": _touch, "hold": _hold, "ends": _ends, "look": _look}
