"""Processes in which nothing of crossbuf is imported: what other ways of starting a worker cost is not to include it."""

import inspect
import subprocess
import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self


def command(function: Callable[[], object], end: str = "", *arguments: str) -> list[str]:
    """Of a process that calls a function, which imports what it needs, and then does what `end` says with the `result`."""
    return [sys.executable, "-c", f"{inspect.getsource(function)}\nresult = {function.__name__}()\n{end}", *arguments]


def run(command: Sequence[str]) -> str:
    """What a process prints, in a group of its own: Ctrl-C is for this one. Raises `CalledProcessError`."""
    return subprocess.check_output(command, text=True, process_group=0)


class Starter:
    """A process that starts others by `multiprocessing`, which would import the script of this one in each of them.

    Start methods and what a forkserver preloads hold for a whole process, so each has a starter of its own. Its forkserver ends with it.
    """

    def __init__(self, method: str) -> None:
        arguments = command(_start, "", method)
        self._process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0)

    def run(self, line: str) -> None:
        """Starts a process that runs a line of Python, and waits for its end. Raises `RuntimeError` when it fails."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        if (code := self._process.stdout.readline().strip()) != "0":
            raise RuntimeError(f"{line!r} ended with exit code {code or 'unknown'}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self._process.communicate()


def _start() -> None:
    """What a starter does; run by its source."""
    import multiprocessing
    import sys

    context: Any = multiprocessing.get_context(sys.argv[1])
    context.set_forkserver_preload(["numpy"])
    for line in sys.stdin:
        process = context.Process(target=exec, args=(line, {}))
        process.start()
        process.join()
        print(process.exitcode, flush=True)
