"""What came of a call in another interpreter: three messages, so that no failure hides another.

```text
tag       whatever names the call; sent before it begins
content   the value, the exception, or None in its place when it cannot be sent
header    ("returned" | "raised" | "told", "type: text", traceback)
```

The content stands alone because it may be unreadable where it arrives: its class may exist on one side only.
"""

from typing import NamedTuple

from ._core import Receiver
from .errors import Ended, WorkerError


class Outcome(NamedTuple):
    """What came of one call."""

    value: object
    error: BaseException | None

    def get(self) -> object:
        """The value. Raises the error if there is one."""
        if self.error is not None:
            raise self.error
        return self.value


def read(reports: Receiver, name: str) -> Outcome:
    """The outcome of the call whose tag was received before. `name` is whose it is."""
    if (taken := reports._take()) is None:
        raise Ended(f"{name} has not told what came of its call")
    _, readable, content = taken
    kind, summary, text = reports.recv_nowait()
    match kind, readable:
        case "returned", True:
            return Outcome(content, None)
        case "raised", True if isinstance(content, BaseException):
            # Not by its name: the class may allow no attribute to be set.
            vars(BaseException)["__cause__"].__set__(content, WorkerTraceback(text))
            return Outcome(None, content)
        case "returned", False:
            error = WorkerError(f"{name} returned what cannot be rebuilt here: {described(content)}")
            error.__cause__ = content
            return Outcome(None, error)
        case "told", _:
            why = "it cannot be pickled there"
        case _, True:
            why = f"its pickle makes a {type(content).__qualname__}"
        case _:
            why = described(content)
    return Outcome(None, WorkerError(f"{name} raised {summary}, which cannot be rebuilt here: {why}\n{text}".rstrip()))


def described(error: object) -> str:
    """The text of an exception; its kind where it has none."""
    try:
        return str(error)
    except Exception:
        return type(error).__qualname__


class WorkerTraceback(Exception):
    """The cause of an exception that comes from another interpreter: where in it that was raised."""

    def __init__(self, text: str) -> None:
        super().__init__(f'\n"""\n{text}"""')
