"""The main script in other interpreters: run again there, once, when something of it is first needed.

```text
main interpreter            a worker
__main__  ──source()──▶     __main__ = __mp_main__ = a module that is empty until somebody asks for a name
```

The names are multiprocessing's, so a guard written for it holds here. Unlike there, the script is not run for functions that live
in modules, and its imports may fail: a script that imports for the main interpreter what a worker cannot load still lends its
functions to workers (`_absent` says what stands in).
"""

import ast
import functools
import importlib.util
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from . import _absent

_AGAIN = "__mp_main__"


class Source(NamedTuple):
    """Where a main program came from: `python path` or `python -m module`."""

    path: str
    module: str | None


def source() -> Source | None:
    """How another interpreter can run this one's main program, or None: a prompt, `-c`, or a package's `__main__`.

    Raises `RuntimeError` while the program is being run again: it would spawn workers that run it again, and so on.
    """
    main = sys.modules["__main__"]
    if isinstance(main, _MainAgain):
        if main.is_running:
            raise RuntimeError(
                f"{main.source and main.source.path} spawns a worker when it is run again in a worker; "
                'put what must happen once under `if __name__ == "__main__":`'
            )
        return main.source
    return _origin(getattr(main, "__file__", None), getattr(main.__spec__, "name", None))


def can_run_again() -> bool:
    """Whether other interpreters find the main program's functions and classes by name. Where the program is run again, this tells of the
    original."""
    main = sys.modules["__main__"]
    if isinstance(main, _MainAgain):
        return main.source is not None
    return _origin(getattr(main, "__file__", None), getattr(main.__spec__, "name", None)) is not None


@functools.lru_cache(1)
def _origin(path: str | None, module: str | None) -> Source | None:
    # A program read from a pipe calls its file "<stdin>".
    if path is None or not Path(path).is_file():
        return None
    # A `__main__.py` has no guard, as a rule: running it again would start the program again.
    if module is not None and (module == "__main__" or module.endswith(".__main__")):
        return None
    return Source(str(Path(path).absolute()), module)


def answer_to_both_names() -> None:
    """Lets what workers pickle by the script's second name be found in this interpreter."""
    sys.modules.setdefault(_AGAIN, sys.modules["__main__"])


def install(origin: Source | tuple[str, str | None] | None) -> None:
    """Makes this interpreter's `__main__` the program at `origin`, to be run when needed."""
    sys.modules["__main__"] = sys.modules[_AGAIN] = _MainAgain(None if origin is None else Source(*origin))


class _MainAgain(ModuleType):
    """A main module that runs its program when the first name is asked of it."""

    def __init__(self, source: Source | None) -> None:
        super().__init__(_AGAIN)
        self.source = source
        self._lock = threading.RLock()
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
        raise AttributeError(f"{self.source.path} has no {name!r} when it runs as {_AGAIN!r}")

    def _run(self) -> None:
        if self.source is None:
            return
        text = importlib.util.decode_source(Path(self.source.path).read_bytes())
        tree = _absent.tolerate_imports(ast.parse(text, self.source.path))
        self.__file__ = self.source.path
        if self.source.module is not None:
            self.__spec__ = importlib.util.find_spec(self.source.module)
            self.__package__ = self.source.module.rpartition(".")[0]
        setattr(self, _absent.HOOK, _absent.absent)
        exec(compile(tree, self.source.path, "exec", dont_inherit=True), self.__dict__)
