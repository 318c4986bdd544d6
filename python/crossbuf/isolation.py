"""NumPy in every interpreter: extension modules loaded from copies that belong to one interpreter each.

```text
import numpy ── Finder, for enabled packages ── extension module? ── no ──▶ as always
                                                       └── yes ──▶ private copy in memory, initialized in this interpreter
```
```python
crossbuf.isolation.enable("numpy")     # in any interpreter that owns its GIL, before the first import
import numpy as np
```

NumPy keeps state in static variables, so CPython refuses to load it in interpreters with their own GIL. A copy of its libraries has
static variables of its own. Workers of `crossbuf.spawn` and of `crossbuf.futures` do this by themselves, for NumPy, SciPy and pandas.

What is promised: on CPython 3.13 to 3.15, on Linux with glibc, NumPy 2.4 and 2.5 pass NumPy's own tests in such interpreters, but for
a few that are listed with their reasons; SciPy 1.18 and pandas 3.1 (without pyarrow) work in crossbuf's own tests. Neither project
supports it: report trouble to crossbuf first. What is not:

- Objects belong to their interpreter. Send arrays through channels; nothing else makes them safe to use in another one.
- Code that finds extension modules otherwise than by `import` gets CPython's refusal, and so does every package not enabled here.
- Libraries that a package brings along are shared by all interpreters: the number of OpenBLAS's threads is that of the process.
- Each interpreter that imports NumPy takes about as much memory and time as a process that does. CPython gives back little of the
  memory when it is closed: keep interpreters and use them again.
- The environment variable `CROSSBUF_ISOLATION` forbids all of it when it is off, 0, no or false, in any case of letters; on, 1, yes,
  true and the empty text allow it, and so does its absence. Any other word forbids it too, as nobody knows what it should mean.
"""

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from importlib.machinery import PathFinder
from typing import NamedTuple

from ._core import _copies, _interpreter_id
from ._finders import enable_on_demand as enable_on_demand
from ._finders import enabled, install
from ._native_interpreters import owns_its_gil
from .errors import IsolationError
from .records import IsolatedModule, IsolationStatus


class Tested(NamedTuple):
    """A package that is known to work."""

    first: tuple[int, int]
    last: tuple[int, int]
    #: Packages that it imports and that are to be loaded so, too.
    needs: tuple[str, ...] = ()
    #: Whether its copies can be unloaded when their interpreter is closed: others have threads that may be in them still.
    unloadable: bool = False


TESTED = {
    "numpy": Tested((2, 4), (2, 5), unloadable=True),
    "scipy": Tested((1, 17), (1, 18), needs=("numpy",)),
    "pandas": Tested((3, 0), (3, 1), needs=("numpy",)),
}

#: Words for the environment variable.
_OFF = ("off", "0", "no", "false")
_ON = ("", "on", "1", "yes", "true")

_SHARED_STATE = "keeps state of the process in a library that all interpreters would share"
_DENIED = {
    "grpc": "runs Python code on threads of its own, which would enter the main interpreter instead of this one",
    "llvmlite": _SHARED_STATE,
    "numba": _SHARED_STATE,
    "polars": "runs Python code on threads of its own, which would enter the main interpreter instead of this one",
    "pyarrow": "keeps Python objects in a library that all interpreters would share",
}


def enable(*packages: str, untested: bool = False) -> None:
    """Loads extension modules of these packages, and those that they need, from private copies in this interpreter from now on.

    `packages`: names that are imported, as "numpy"; call it before they are. `untested`: take other packages than NumPy, SciPy and
    pandas, and other versions, with a warning: they may give wrong results or crash.

    Does nothing in the main interpreter, where packages load by themselves. Raises `IsolationError` where it cannot be done, and
    then enables none of them.
    """
    if _interpreter_id() == 0:
        return
    wanted = [name for name in _with_needs(packages) if not enabled.get(name, False)]
    for name in wanted:
        if (why := _obstacle(name, untested)) is not None:
            raise IsolationError(f"{name} cannot be loaded in interpreter {_interpreter_id()}: {why}", name=name)
    for name in wanted:
        if untested and _untested(name) is not None:
            warnings.warn(f"{_untested(name)}; it may give wrong results or crash", RuntimeWarning, stacklevel=2)
        enabled[name] = True
    install()


def obstacle(*packages: str) -> str | None:
    """Why `enable` would refuse these packages in an interpreter that owns its GIL; None when it would not.

    In the main interpreter it tells what other interpreters of this process would meet.
    """
    return next((f"{name}: {why}" for name in _with_needs(packages) if (why := _obstacle(name, False)) is not None), None)


def status() -> IsolationStatus:
    """What is enabled in this interpreter, and what was loaded from copies."""
    modules = tuple(IsolatedModule(*copy) for copy in _copies())
    packages = {name: _version(name) or "unknown" for name, is_decided in enabled.items() if is_decided}
    return IsolationStatus(_interpreter_id(), packages, modules, sum(module.bytes for module in modules))


def _with_needs(packages: Sequence[str]) -> list[str]:
    """Each once, after what it needs."""
    wanted: dict[str, None] = {}
    for name in packages:
        if not name.isidentifier():
            raise ValueError(f'enable takes names of packages that can be imported, as "numpy", not {name!r}')
        if name in TESTED:
            wanted.update(dict.fromkeys(TESTED[name].needs))
        wanted[name] = None
    return list(wanted)


def _obstacle(name: str, untested: bool) -> str | None:
    return next(_obstacles(name, untested), None)


def _obstacles(name: str, untested: bool) -> Iterator[str]:
    """What forbids it, the gravest first."""
    word = os.environ.get("CROSSBUF_ISOLATION", "")
    if word.strip().lower() in _OFF:
        yield f"the environment variable CROSSBUF_ISOLATION is {word}"
    elif word.strip().lower() not in _ON:
        known = f"neither on ({', '.join(_ON[1:])}) nor off ({', '.join(_OFF)})"
        yield f"the environment variable CROSSBUF_ISOLATION is {word!r}, which is {known}"
    here = sys.implementation.name, sys.version_info[:2]
    if not ("cpython", (3, 13)) <= here < ("cpython", (3, 16)) or "t" in sys.abiflags:
        yield f"it needs CPython 3.13, 3.14 or 3.15 with a GIL, and this is {here[0]} {sys.version.split()[0]}{sys.abiflags}"
    if not _has_glibc():
        yield f"it needs Linux with glibc, and this is {sys.platform}"
    if _interpreter_id() != 0 and not owns_its_gil():
        yield "this interpreter shares the main one's GIL and memory; make one that does not, with crossbuf.interpreters.create"
    if name in _DENIED:
        yield f"{name} {_DENIED[name]}; nothing helps but a process of its own"
    if _interpreter_id() != 0 and name in sys.modules and name not in enabled:
        yield f"{name} is imported in this interpreter already; call enable before"
    if PathFinder.find_spec(name) is None:
        yield f"{name} is not found in sys.path {sys.path}"
    if not untested and (why := _untested(name)) is not None:
        yield f"{why}; untested=True tries it all the same, at your own risk"


def _untested(name: str) -> str | None:
    """Why the package is not known to work."""
    if name not in TESTED:
        return f"{name} is not among the packages that are tested so ({', '.join(TESTED)})"
    tested, version = TESTED[name], _version(name)
    if version is not None and tested.first <= _major_minor(version) <= tested.last:
        return None
    first, last = (".".join(map(str, bound)) for bound in (tested.first, tested.last))
    return f"{name} is tested from {first} to {last}, and {'its version is not known' if version is None else f'this is {version}'}"


def _version(name: str) -> str | None:
    """By the name of the folder that installers leave. `importlib.metadata` takes longer to import than this to run."""
    spec = PathFinder.find_spec(name)
    for folder in (spec and spec.submodule_search_locations) or ():
        with os.scandir(folder.rpartition("/")[0]) as beside:
            for entry in beside:
                project, _, rest = entry.name.partition("-")
                if project == name and rest.endswith((".dist-info", ".egg-info")):
                    return rest.rpartition(".")[0]
    return None


def _major_minor(version: str) -> tuple[int, int]:
    major, minor, *_ = (*(int(part) if part.isdigit() else 0 for part in version.split(".")), 0, 0)
    return major, minor


def _has_glibc() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (AttributeError, OSError, ValueError):
        return False


def decide(name: str) -> str | None:
    """Turns a package that is enabled on demand into one that is enabled, or says why not."""
    if (why := _obstacle(name, False)) is None:
        enabled[name] = True
    return why
