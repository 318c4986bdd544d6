"""The worker's side of `spawn`: takes the orders, calls the function, reports.

```text
orders:  (main script, argv), (function, arguments)
report:  ("returned", value, "")   or   ("raised", "type: text", traceback), (exception,)
```

The exception itself comes after its description, in a message of its own: it may not be picklable, here or there.
"""

import sys
import traceback

from . import _main
from ._core import Receiver, Sender


def work(orders: Receiver, report: Sender) -> None:
    """Runs one function. Nothing is raised: what goes wrong goes into the report."""
    with orders, report:
        try:
            main, sys.argv = orders.recv_nowait()
            _main.install(main)
            function, arguments = orders.recv_nowait()
            report.send(("returned", function(*arguments), ""))
        except BaseException as error:  # SystemExit and KeyboardInterrupt are for the one who joins, too
            _tell(error, report)


def _tell(error: BaseException, report: Sender) -> None:
    frames = error.__traceback__ and (error.__traceback__.tb_next or error.__traceback__)  # without our own
    text = "".join(traceback.format_exception(type(error), error, frames))
    report.send(("raised", "".join(traceback.format_exception_only(error)).rstrip(), text))
    try:
        report.send((error,))
    except Exception:  # not picklable: the caller finds no second message and raises WorkerError with the text
        return
