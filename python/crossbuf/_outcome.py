"""What came of a call in another interpreter: three messages, so that no failure hides another.

```text
tag       whatever names the call; sent before it begins
content   the value, the exception, or None in its place when it cannot be sent
header    ("returned" | "raised" | "told", "type: text", traceback)
```

The content stands alone because it may be unreadable where it arrives: its class may exist on one side only.
"""

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import NamedTuple

from ._core import Receiver, Sender
from .errors import WorkerError


def tell(report: Sender, tag: object, f: Callable[..., object], arguments: Sequence[object], keywords: Mapping[str, object]) -> bool:
    """Calls `f` and reports what came of it, whatever that is. Returns whether it went well."""
    report.send(tag)
    try:
        report.send(f(*arguments, **keywords))
    except BaseException as error:  # SystemExit and KeyboardInterrupt are for the one who asked, too
        _tell_error(report, error.with_traceback(_without_ours(error.__traceback__)))
        return False
    report.send(("returned", "", ""))
    return True


def _tell_error(report: Sender, error: BaseException) -> None:
    import traceback

    kind = "raised"
    try:
        report.send(error)
    except Exception:  # it cannot be pickled: the reader gets its text
        report.send(None)
        kind = "told"
    summary = "".join(traceback.format_exception_only(error)).rstrip()
    report.send((kind, summary, "".join(traceback.format_exception(error))))


def _without_ours(frames: TracebackType | None) -> TracebackType | None:
    """The traceback from the caller's function on; all of it when it never came so far."""
    theirs = frames
    while theirs is not None and (theirs.tb_frame.f_globals.get("__package__") or "").partition(".")[0] == __package__:
        theirs = theirs.tb_next
    return theirs or frames


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
    _, readable, content = reports._take()
    kind, summary, text = reports.recv_nowait()
    match kind, readable:
        case "returned", True:
            return Outcome(content, None)
        case "raised", True:
            content.__cause__ = WorkerTraceback(text)
            return Outcome(None, content)
        case "returned", False:
            error = WorkerError(f"{name} returned what cannot be rebuilt here: {content}")
            error.__cause__ = content
        case _:
            why = "it cannot be pickled there" if readable else content
            error = WorkerError(f"{name} raised {summary}, which cannot be rebuilt here: {why}\n{text}".rstrip())
    return Outcome(None, error)


class WorkerTraceback(Exception):
    """The cause of an exception that comes from another interpreter: where in it that was raised."""

    def __init__(self, text: str) -> None:
        super().__init__(f'\n"""\n{text}"""')
