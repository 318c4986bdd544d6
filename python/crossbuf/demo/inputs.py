"""The demo's input: files, each read once, straight into the arena.

A `.npy` file becomes an Array with its dtype and shape where NumPy is there; any other file is an Array of its bytes.
"""

import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from .._core import Array, empty, share


class Input(NamedTuple):
    """A file and the Array that holds it."""

    path: Path
    array: Array
    #: Of the ndarray in the file; for other files, of its bytes.
    shape: tuple[int, ...]

    @property
    def data(self) -> bytes:
        """A private copy of what the Array holds, for those who cannot share it."""
        return self.array.tobytes()


def choose(names: Sequence[str]) -> tuple[str, list[Path]]:
    """What to call the input, and its files: those named, or the standard library's sources."""
    if names:
        paths = [Path(name) for name in names]
        if wrong := [path for path in paths if not path.is_file()]:
            raise ValueError("; ".join(f"{path} is no regular file" if path.exists() else f"no such file: {path}" for path in wrong))
        return "the files named", paths
    library = Path(sysconfig.get_path("stdlib"))
    paths = sorted(path for path in library.rglob("*.py") if "site-packages" not in path.parts)
    if not paths:
        raise ValueError(f"no source files under {library}; name some: crossbuf demo FILE...")
    return str(library), paths


def load(paths: Sequence[Path]) -> Iterator[Input]:
    """Puts each file into the arena."""
    for path in paths:
        yield _load_npy(path) if path.suffix == ".npy" and numpy_version() else _load_bytes(path)


def _load_bytes(path: Path) -> Input:
    """The kernel copies the file into the arena; nothing else does."""
    with path.open("rb", buffering=0) as file:
        size = path.stat().st_size
        draft = empty(size, "u1")
        with memoryview(draft) as view:
            done = 0
            while done < size:
                got = file.readinto(view[done:])
                if not got:
                    raise ValueError(f"{path} has {done} bytes, but {size} when it was opened")
                done += got
        return Input(path, draft.freeze(), (size,))


def _load_npy(path: Path) -> Input:
    import numpy as np

    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path}: {error}") from error
    # Workers read the memory in its order, so a Fortran array is handed over as its transpose.
    return Input(path, share(array if array.flags.c_contiguous else array.T), array.shape)


def numpy_version() -> str | None:
    """The version of NumPy, or None where it cannot be imported."""
    try:
        import numpy
    except ImportError:
        return None
    return numpy.__version__
