"""The meta path finder of all interpreters. It looks out for modules with which crossbuf has to do when they are imported: packages
that are loaded from private copies, and multiprocessing's pickler.

What deals with the modules (`_loaders`, `_forking`) is imported with the first of them. And the finder is this module itself: a worker
imports it each time that one starts, and to make a class takes longer than all else here.
"""

import sys

from ._core import _interpreter_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

#: Packages that workers load from private copies without being told. `isolation` knows of which versions that is tested.
ON_DEMAND = ("numpy", "scipy", "pandas")

#: Enabled packages, and whether it is decided that they can be loaded. If not, that is done when they are imported first.
enabled: dict[str, bool] = {}

_PICKLER = "multiprocessing.reduction"


def find_spec(name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None) -> "ModuleSpec | None":
    """For what the interpreter is about to import."""
    if name.partition(".")[0] in enabled:
        from . import _loaders

        return _loaders.find(name, path, target)
    if name == _PICKLER:
        from . import _forking

        return _forking.find(name, path, target)
    return None


def install() -> None:
    """Looks out from now on."""
    this = sys.modules[__name__]
    if this not in sys.meta_path:
        sys.meta_path.insert(0, this)


def enable_on_demand() -> None:
    """Enables the packages that workers may need, when they are imported first. One that cannot be loaded says why then."""
    if _interpreter_id() != 0:
        for name in ON_DEMAND:
            enabled.setdefault(name, False)
        install()


def watch_pickler() -> None:
    """Sees to multiprocessing's pickler, now or when it is imported."""
    if (module := sys.modules.get(_PICKLER)) is not None:
        from . import _forking

        _forking.teach(module)
    else:
        install()
