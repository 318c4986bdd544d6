"""The worker's side of `spawn`: takes the orders, calls the function, reports.

```text
orders:  (main script, argv), (function, arguments)
report:  one call's outcome
```
"""

import sys

from . import _main, _outcome, isolation
from ._core import Receiver, Sender


def work(orders: Receiver, report: Sender) -> None:
    """Runs one function. Nothing is raised: what goes wrong goes into the report."""
    with orders, report:
        _outcome.tell(report, None, _run, (orders,), {})


def _run(orders: Receiver) -> object:
    main, sys.argv = orders.recv_nowait()
    isolation.enable_on_demand()
    _main.install(main)
    function, arguments = orders.recv_nowait()
    return function(*arguments)
