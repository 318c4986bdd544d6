"""The main script in a worker: a `__main__` that is empty until somebody asks for a name. `_main` says why and when."""

import sys
from _thread import RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
else:
    ModuleType = type(sys)

AGAIN = "__mp_main__"

#: Where a main program came from: the path of `python path`, and the module of `python -m module`.
type Source = tuple[str, str | None]


def install(source: "Source | None") -> None:
    """Makes this interpreter's `__main__` the program at `source`, to be run when needed."""
    sys.modules["__main__"] = sys.modules[AGAIN] = MainAgain(source)


class MainAgain(ModuleType):
    """A main module that runs its program when the first name is asked of it."""

    def __init__(self, source: "Source | None") -> None:
        super().__init__(AGAIN)
        self.source = source
        self._lock = RLock()
        #: Set before the program runs, so that a name it lacks is not asked for again.
        self._started = False
        #: Whether the program's top level runs now.
        self.is_running = False

    def __getattr__(self, name: str) -> object:
        # Tools look at __file__ and the like of any main module; that is no reason to run it.
        if not (name.startswith("__") and name.endswith("__")):
            with self._lock:
                if not self._started:
                    self._started = True
                    self.is_running = True
                    try:
                        self._run()
                    finally:
                        self.is_running = False
                if name in self.__dict__:
                    return self.__dict__[name]
        if self.source is None:
            raise AttributeError(f"the main program is no file that could be run again, so {name!r} is missing here; put it in a module")
        raise AttributeError(f"{self.source[0]} has no {name!r} when it runs as {AGAIN!r}")

    def _run(self) -> None:
        if self.source is None:
            return
        from . import _absent

        path, module = self.source
        self.__file__ = path
        if module is not None:
            import importlib.util

            self.__spec__ = importlib.util.find_spec(module)
            self.__package__ = module.rpartition(".")[0]
        setattr(self, _absent.HOOK, _absent.absent)
        exec(_absent.tolerant_code(path), self.__dict__)
