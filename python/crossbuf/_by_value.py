"""Functions and classes that no other interpreter can import, in messages: by value, as cloudpickle writes them, where it is installed.

```text
defined in                        travels
a module                          by name
the main script, at its top       by name: workers run the script again
a prompt, `python -c`             by value
a function, or as a lambda        by value
a module made by hand             by value
```

What cloudpickle writes, pickle reads, in an interpreter that can import cloudpickle. It knows classes again that come back.
"""

import contextlib
import io
import sys
import threading
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from . import _main

if TYPE_CHECKING:
    import pickle

_MAIN = ("__main__", "__mp_main__")


def has_name(thing: Any) -> bool:
    """Whether a function or class can be found by its name in other interpreters."""
    if not in_importable_module(thing):
        return False
    found: Any = sys.modules.get(thing.__module__)
    try:
        for name in thing.__qualname__.split("."):
            found = getattr(found, name)
    except AttributeError:
        return False
    return found is thing


def in_importable_module(thing: Any) -> bool:
    """Whether other interpreters can import the module of a function or class."""
    name: object = getattr(thing, "__module__", None)
    if name in _MAIN:
        return _main.can_run_again()
    # A module that belongs to one that can be imported is there once that is.
    while isinstance(name, str) and name:
        module = sys.modules.get(name)
        if module is None or getattr(module, "__spec__", None) is not None:
            return True
        name = name.rpartition(".")[0]
    return False


def is_installed() -> bool:
    """Whether there is cloudpickle."""
    try:
        import cloudpickle as cloudpickle
    except ImportError:
        return False
    return True


#: How many threads have cloudpickle write by value what a module has.
_writing: dict[str, int] = {}
_lock = threading.RLock()


@contextlib.contextmanager
def _registered(module: ModuleType) -> Iterator[None]:
    """cloudpickle's list of such modules is the whole process's, and may have the module already."""
    import cloudpickle

    name = module.__name__
    with _lock:
        is_ours = name in _writing or name not in cloudpickle.list_registry_pickle_by_value()
        if is_ours:
            cloudpickle.register_pickle_by_value(module)
            _writing[name] = _writing.get(name, 0) + 1
    try:
        yield
    finally:
        if is_ours:
            with _lock:
                _writing[name] -= 1
                if _writing[name] == 0:
                    del _writing[name]
                    cloudpickle.unregister_pickle_by_value(module)


def pickler(stream: io.BytesIO, buffer_callback: Callable[[Any], object], reduce: Callable[[Any], Any]) -> "pickle.Pickler":
    """One that writes by value what has no name. `reduce` is asked first. Raises `ImportError` without cloudpickle."""
    import cloudpickle

    # It would copy files and memoryviews as well, which is not what somebody means who sends one.
    table = {kind: way for kind, way in cloudpickle.Pickler.dispatch_table.items() if kind not in (io.TextIOWrapper, memoryview)}

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        dispatch_table = table

        def reducer_override(self, thing: Any) -> Any:
            reduced = reduce(thing)
            if reduced is not NotImplemented or not isinstance(thing, FunctionType | type):
                return super().reducer_override(thing) if reduced is NotImplemented else reduced
            if has_name(thing):
                return NotImplemented
            module = sys.modules.get(thing.__module__)
            if module is None or thing.__module__ in _MAIN or in_importable_module(thing):
                return super().reducer_override(thing)
            # cloudpickle takes each module that is loaded for one that can be imported.
            with _registered(module):
                return super().reducer_override(thing)

    return Pickler(stream, protocol=5, buffer_callback=buffer_callback)
