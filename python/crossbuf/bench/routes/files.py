"""Routes through a file in shared memory that the receiver maps: pyarrow's IPC format, and joblib's memmap."""

import contextlib
import fcntl
import functools
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from .. import serving
from .route import Piped, missing, plain

_PARENT = Path("/dev/shm")
_PREFIX = "crossbuf-bench-"


class Folder:
    """A folder that is gone with its benchmark: after a kill, with the next one. Whoever uses it has it locked."""

    def __init__(self) -> None:
        # One at a time: who looks between another's folder and its lock would remove it.
        with _locked(_PARENT):
            for other in _PARENT.glob(f"{_PREFIX}*"):
                _remove_unless_locked(other)
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_PARENT))
            self._lock = contextlib.ExitStack()
            self._lock.enter_context(_locked(self.path))

    def remove(self) -> None:
        shutil.rmtree(self.path)
        self._lock.close()


@contextlib.contextmanager
def _locked(folder: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def _remove_unless_locked(folder: Path) -> None:
    # Else it is in use, another user's, or gone meanwhile.
    with contextlib.suppress(OSError), _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
        shutil.rmtree(folder, ignore_errors=True)


class _Files(Piped):
    """Writes the array to a file on /dev/shm and sends its name through a Pipe."""

    #: The package that writes and reads.
    package: ClassVar[str]

    @classmethod
    def absent(cls) -> str:
        return missing(cls.package)

    def __init__(self) -> None:
        self._folder = Folder()
        self._names = (str(self._folder.path / str(number)) for number in itertools.count())
        try:
            super().__init__()
        except BaseException:
            self._folder.remove()
            raise

    def write(self, array: Any, path: str) -> None:
        """Raises `Refused` for what the format would change."""
        raise NotImplementedError

    @staticmethod
    def read(path: str) -> Any:
        """What the receiver makes of a file's name."""
        raise NotImplementedError

    @classmethod
    def receiver(cls, pipe: Any) -> None:
        serving.serve(pipe.recv, pipe.send, cls.read)

    def _written(self, array: Any) -> str:
        path = next(self._names)
        self.write(array, path)
        return path

    def close(self) -> None:
        super().close()
        self._folder.remove()


class _New(_Files):
    """A file for each trip, unlinked when the answer is there."""

    def send(self, question: str, payload: Any) -> None:
        self._path = self._written(payload)
        try:
            super().send(question, self._path)
        except BaseException:
            Path(self._path).unlink()
            raise

    def answer(self) -> Any:
        try:
            return super().answer()
        finally:
            Path(self._path).unlink()


class _Ready(_Files):
    """A file written before; the receiver keeps it mapped until another one's name comes, so that only the first trip maps."""

    ready = True

    @classmethod
    def receiver(cls, pipe: Any) -> None:
        serving.serve(pipe.recv, pipe.send, functools.lru_cache(maxsize=1)(cls.read))

    def prepare(self, array: Any) -> Any:
        return self._written(array)

    def give_up(self, payload: Any) -> None:
        Path(payload).unlink()


class _Arrow(_Files):
    package = "pyarrow"

    @staticmethod
    def read(path: str) -> Any:
        import pyarrow as pa

        with pa.memory_map(path, "r") as source:
            return pa.ipc.read_tensor(source).to_numpy()

    def write(self, array: Any, path: str) -> None:
        import pyarrow as pa

        tensor = pa.Tensor.from_numpy(plain(array))
        # Writing is faster than filling a mapped file, whose every page would fault.
        with pa.OSFile(path, "wb") as sink:
            pa.ipc.write_tensor(tensor, sink)


class _Joblib(_Files):
    package = "joblib"

    @staticmethod
    def read(path: str) -> Any:
        import joblib

        return joblib.load(path, mmap_mode="r")

    def write(self, array: Any, path: str) -> None:
        import joblib

        joblib.dump(array, path)


class NewArrowFile(_Arrow, _New):
    name = "pyarrow IPC, new file each"
    how = "ipc.write_tensor to a file on /dev/shm, memory_map and ipc.read_tensor; the name through a Pipe"


class ReadyArrowFile(_Arrow, _Ready):
    name = "pyarrow IPC, ready file"
    how = "the file is written before; its name through a Pipe; memory_map and ipc.read_tensor in the first trip"


class NewJoblibFile(_Joblib, _New):
    name = "joblib memmap, new file each"
    how = "joblib.dump to a file on /dev/shm, joblib.load(mmap_mode='r'); the name through a Pipe"


class ReadyJoblibFile(_Joblib, _Ready):
    name = "joblib memmap, ready file"
    how = "the file is dumped before; its name through a Pipe; joblib.load(mmap_mode='r') in the first trip"
