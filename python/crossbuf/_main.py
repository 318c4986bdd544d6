"""The main script in other interpreters: run again there, once, when something of it is first needed.

```text
main interpreter            a worker
__main__  ──source()──▶     __main__ = __mp_main__ = a module that is empty until somebody asks for a name
```

The names are multiprocessing's, so a guard written for it holds here. Unlike there, the script is not run for functions that live
in modules, and its imports may fail: a script that imports for the main interpreter what a worker cannot load still lends its
functions to workers (`_absent` says what stands in).
"""

import functools
import os
import sys

from ._main_again import AGAIN, MainAgain, Source


def source() -> Source | None:
    """How another interpreter can run this one's main program, or None: a prompt, `-c`, or a package's `__main__`.

    Raises `RuntimeError` while the program is being run again: it would spawn workers that run it again, and so on.
    """
    main = sys.modules["__main__"]
    if isinstance(main, MainAgain):
        if main.is_running:
            raise RuntimeError(
                f"{main.source and main.source[0]} spawns a worker when it is run again in a worker; "
                'put what must happen once under `if __name__ == "__main__":`'
            )
        return main.source
    return _origin(getattr(main, "__file__", None), getattr(main.__spec__, "name", None))


def can_run_again() -> bool:
    """Whether other interpreters find the main program's functions and classes by name. Where the program is run again, this tells of the
    original."""
    main = sys.modules["__main__"]
    if isinstance(main, MainAgain):
        return main.source is not None
    return _origin(getattr(main, "__file__", None), getattr(main.__spec__, "name", None)) is not None


@functools.lru_cache(1)
def _origin(path: str | None, module: str | None) -> Source | None:
    # A program read from a pipe calls its file "<stdin>".
    if path is None or not os.path.isfile(path):  # noqa: PTH113 - pathlib takes a while to import
        return None
    # A `__main__.py` has no guard, as a rule: running it again would start the program again.
    if module is not None and (module == "__main__" or module.endswith(".__main__")):
        return None
    return os.path.join(os.getcwd(), path), module  # noqa: PTH109, PTH118


def answer_to_both_names() -> None:
    """Lets what workers pickle by the script's second name be found in this interpreter."""
    sys.modules.setdefault(AGAIN, sys.modules["__main__"])
