"""How multiprocessing's pickler writes ndarrays that lie in an arena: as the Array that they are views of, so without their elements.

```text
queue.put(array.numpy()[::2])  ──▶  ticket  ──▶  ndarray, read-only, on the same block
```
`ForkingPickler.register` would take over all ndarrays, and could not give back what is none of ours: a reducer is not told for which
protocol. `reducer_override` can, by NotImplemented; so what lies in no arena is pickled as if crossbuf were not there. Derived classes
and what `pickle.dumps` makes of ndarrays are never touched.
"""

from collections.abc import Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ._core import Array, _reduce_ndarray

if TYPE_CHECKING:
    import numpy as np


def viewed(array: Array, /) -> "np.ndarray[Any, Any] | Array":
    """An Array as an ndarray, where there is NumPy."""
    try:
        return array.numpy()
    except ImportError:
        return array


def teach(module: ModuleType) -> None:
    """Has the pickler of `multiprocessing.reduction` write ndarrays in arenas so."""
    pickler = module.ForkingPickler
    # Somebody else's stays.
    if not hasattr(pickler, "reducer_override"):
        pickler.reducer_override = _reduce_ndarray


def find(name: str, path: Sequence[str] | None, target: ModuleType | None) -> ModuleSpec | None:
    """The spec of `multiprocessing.reduction`, whose pickler is taught when it is complete."""
    spec = PathFinder.find_spec(name, path, target)
    if spec is not None and spec.loader is not None:
        _teach_after(spec.loader)
    return spec


def _teach_after(loader: Loader) -> None:
    """Has the loader go on as ever, and the pickler be taught when the module is complete."""
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        teach(module)

    loader.exec_module = exec_module  # type: ignore[method-assign]
