"""Who looks out for modules with which crossbuf has to do when they are imported: packages that are loaded from private copies, and
multiprocessing's pickler.

All interpreters have these finders. What deals with the modules (`_loaders`, `_forking`) is imported with the first of them.
"""

import sys

from ._core import _interpreter_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class Tested:
    """A package that is known to work."""

    def __init__(self, first: tuple[int, int], last: tuple[int, int], *, needs: tuple[str, ...] = (), unloadable: bool = False) -> None:
        self.first = first
        self.last = last
        #: Packages that it imports and that are to be loaded so, too.
        self.needs = needs
        #: Whether its copies can be unloaded when their interpreter is closed: others have threads that may be in them still.
        self.unloadable = unloadable


TESTED = {
    "numpy": Tested((2, 4), (2, 5), unloadable=True),
    "scipy": Tested((1, 17), (1, 18), needs=("numpy",)),
    "pandas": Tested((3, 0), (3, 1), needs=("numpy",)),
}


class Enabled:
    """A meta path finder that looks at enabled packages only, and leaves all but their extension modules as they are."""

    def __init__(self) -> None:
        #: Whether it is decided that the package can be loaded. If not, that is done when it is imported first.
        self.packages: dict[str, bool] = {}

    def install(self) -> None:
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None) -> "ModuleSpec | None":
        if name.partition(".")[0] not in self.packages:
            return None
        from ._loaders import find

        return find(name, path, target)


enabled = Enabled()


def enable_on_demand() -> None:
    """Enables all tested packages, when they are imported first. One that cannot be loaded says why then."""
    if _interpreter_id() != 0:
        for name in TESTED:
            enabled.packages.setdefault(name, False)
        enabled.install()


class _Pickler:
    """Finds multiprocessing's pickler, once."""

    MODULE = "multiprocessing.reduction"

    def find_spec(self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None) -> "ModuleSpec | None":
        if name != self.MODULE:
            return None
        sys.meta_path.remove(self)
        from ._forking import find

        return find(name, path, target)


def watch_pickler() -> None:
    """Sees to multiprocessing's pickler, now or when it is imported."""
    if (module := sys.modules.get(_Pickler.MODULE)) is not None:
        from ._forking import teach

        teach(module)
    elif not any(isinstance(finder, _Pickler) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Pickler())
