"""The worker's side: takes orders, calls functions, reports.

```text
spawn    orders:   (main script, argv), (function, arguments)
         report:   one call's outcome
pool     setup:    (main script, argv, limit of calls, whether to load NumPy), (initializer, arguments, keywords) or None
         orders:   (function, arguments, keywords), until the channel ends
         report:   the outcome of the initializer, if there is one, then one for each order
```

A function is its name, its pickle, or whatever else can be called. `_outcome` says what the messages of an outcome are. After each of
them a pool's worker calls home: the thread goes back to the interpreter it came from, settles the future, and returns.

A worker starts as fast as the modules that it imports are few, so this module and those that it needs import hardly any other.
"""

import sys

from . import _finders, _main_again
from ._core import Receiver, Sender, _call_home, _lent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType
    from typing import Literal

type Order = tuple[object, tuple[object, ...], dict[str, object]]

#: More functions than this are not remembered.
MANY = 256

#: The functions of a pool's orders, by what orders call them.
_known: "dict[str | bytes, Callable[..., object]]" = {}


def work() -> None:
    """Runs one function. Nothing is raised: what goes wrong goes into the report."""
    orders, report = _lent()
    with orders, report:
        _tell(report, None, _run, (orders,), {})


def _run(orders: Receiver) -> object:
    main, sys.argv = orders.recv_nowait()
    _finders.enable_on_demand()
    _main_again.install(main)
    function, arguments = orders.recv_nowait()
    return _callable(function)(*arguments)


def serve() -> None:
    """Does orders until there are none, or the limit is reached."""
    orders, report, setup = _lent()
    with orders, report, setup:
        main, sys.argv, limit, load_numpy = setup.recv_nowait()
        _main_again.install(main)
        initialized = _tell(report, None, _initialize, (load_numpy, setup), {})
        _call_home()
        if initialized:
            _serve(orders, report, limit)


def _initialize(load_numpy: "Literal['auto'] | bool", setup: Receiver) -> None:
    if load_numpy:
        _finders.enable_on_demand()
    if load_numpy is True:
        from . import isolation

        isolation.enable("numpy")
        import numpy as numpy
    initializer = setup.recv_nowait()
    if initializer is not None:
        _call(initializer)


def _serve(orders: Receiver, report: Sender, limit: int | None) -> None:
    done = 0
    while limit is None or done < limit:
        try:
            taken = orders._take()
        except SystemExit:  # the process ends
            return
        if taken is None:
            return
        serial, readable, order = taken
        if readable:
            _tell(report, serial, _call, (order,), {})
        else:
            _tell(report, serial, _refuse, (order,), {})
        # What the caller lets go of must not live on here.
        del order, taken
        _call_home()
        done += 1


def _call(order: Order) -> object:
    """Does what an order of a pool says."""
    function, arguments, keywords = order
    return _remembered(function)(*arguments, **keywords)


def _remembered(function: object) -> "Callable[..., object]":
    """What an order means by its function, which is looked for once."""
    if not isinstance(function, (str, bytes)):
        return _callable(function)
    known = _known.get(function)
    if known is None:
        if len(_known) >= MANY:
            _known.clear()
        known = _known[function] = _callable(function)
    return known


def _refuse(error: Exception) -> None:
    """The order could not be read: a class or module that it needs is not here."""
    raise error


def _callable(function: object) -> "Callable[..., object]":
    """What an order means by its function."""
    if isinstance(function, str):
        return _resolve(function)
    if isinstance(function, bytes):
        import pickle

        return pickle.loads(function)  # type: ignore[no-any-return]
    return function  # type: ignore[return-value]


def _resolve(name: str) -> "Callable[..., object]":
    """The function of that name. Raises what importing its module raises, and `AttributeError`."""
    module, _, path = name.partition(":")
    __import__(module)
    found = sys.modules[module]
    for part in path.split("."):
        found = getattr(found, part)
    return found  # type: ignore[return-value]


def _tell(report: Sender, tag: object, f: "Callable[..., object]", arguments: "Sequence[object]", keywords: "Mapping[str, object]") -> bool:
    """Calls `f` and reports what came of it, whatever that is. Returns whether it went well."""
    report.send(tag)
    try:
        returned = f(*arguments, **keywords)
        try:
            report.send(returned)
        except Exception as error:
            error.add_note("in what the call returned, which is the message")
            raise
        finally:
            del returned
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


def _without_ours(frames: "TracebackType | None") -> "TracebackType | None":
    """The traceback from the caller's function on; all of it when it never came so far."""
    theirs = frames
    while theirs is not None and (theirs.tb_frame.f_globals.get("__package__") or "").partition(".")[0] == __package__:
        theirs = theirs.tb_next
    return theirs or frames
