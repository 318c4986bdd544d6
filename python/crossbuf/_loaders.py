"""How modules of enabled packages are loaded: extension modules from private copies, all else as ever."""

import sys
import warnings
from collections.abc import Sequence
from importlib.machinery import ExtensionFileLoader, ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

from ._core import _execute_copy, _load_copy
from ._finders import enabled
from .errors import IsolationError
from .isolation import TESTED, Tested, decide


def find(name: str, path: Sequence[str] | None, target: ModuleType | None) -> ModuleSpec | None:
    """The spec of a module of an enabled package."""
    spec = PathFinder.find_spec(name, path, target)
    if spec is None:
        return None
    # Not when it is reloaded: what NumPy says then is for others to hear.
    if name == "numpy" and name not in sys.modules and type(spec.loader) is SourceFileLoader:
        spec.loader = _Quiet(name, spec.loader.path)
    if type(spec.loader) is ExtensionFileLoader:
        package = name.partition(".")[0]
        why = None if enabled[package] else decide(package)
        origin = spec.loader.path
        spec.loader = _FromCopy(name, origin, TESTED.get(package)) if why is None else _Refused(name, origin, why)
    return spec


class _Quiet(SourceFileLoader):
    """Loads NumPy without its warning about sub-interpreters: what holds for copies is said in `isolation`."""

    def exec_module(self, module: ModuleType) -> None:
        warnings.filterwarnings("ignore", "NumPy was imported from a Python sub-interpreter", UserWarning)
        ours = warnings.filters[0]
        super().exec_module(module)
        # NumPy has added filters of its own meanwhile, which stay.
        warnings.filters.remove(ours)  # type: ignore[attr-defined]


class _FromCopy(ExtensionFileLoader):
    """Loads an extension module from a private copy."""

    def __init__(self, name: str, path: str, tested: Tested | None) -> None:
        super().__init__(name, path)
        self._tested = tested

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _load_copy(spec, self._tested is not None, self._tested is not None and self._tested.unloadable)

    def exec_module(self, module: ModuleType) -> None:
        _execute_copy(module)


class _Refused(ExtensionFileLoader):
    """Lets CPython decide, and says why crossbuf does not help when it refuses."""

    def __init__(self, name: str, path: str, why: str) -> None:
        super().__init__(name, path)
        self._why = why

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        try:
            return super().create_module(spec)
        except ImportError as refusal:
            text = f"{refusal}; crossbuf cannot load it from a private copy either: {self._why}"
            raise IsolationError(text, name=spec.name, path=spec.origin) from refusal
