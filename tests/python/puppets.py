"""Processes that tests order about, and kill.

```text
test ── ask(function, ...) ──▶ puppet: calls it, gives what it returns
     ── tell, answer ────────▶ the same, with time in between
     ── kill ────────────────▶ SIGKILL
```

Puppets come from a fork server that has imported everything and made nothing, so one costs some milliseconds. The test's own process has no
part in what they do among themselves: what is to travel from one to another goes through it as pickled bytes, which it does not open.
"""

import contextlib
import faulthandler
import gc
import multiprocessing
import os
import pickle
import re
import signal
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import crossbuf

#: Seconds after which something hangs. Nothing here takes nearly as long.
WATCHDOG = 200

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["numpy", "crossbuf", "puppets", "deaths"])


class Puppet:
    """One process. `with` ends it, however it fares by then."""

    def __init__(self) -> None:
        self._connection, theirs = CONTEXT.Pipe()
        self._process = CONTEXT.Process(target=_obey, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def tell(self, function: Callable[..., Any], *arguments: object) -> None:
        self._connection.send((function, arguments))

    def answer(self) -> Any:
        if not self._connection.poll(WATCHDOG):
            os.kill(self.pid, signal.SIGABRT)  # it says where it hangs
            raise AssertionError(f"process {self.pid} has not answered for {WATCHDOG} s")
        ok, value = self._connection.recv()
        assert ok, f"in process {self.pid}:\n{value}"
        return value

    def ask(self, function: Callable[..., Any], *arguments: object) -> Any:
        self.tell(function, *arguments)
        return self.answer()

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()
        self._process.join(WATCHDOG)
        assert self._process.exitcode == -signal.SIGKILL
        self._connection.close()

    def end(self) -> None:
        """It ends by itself, as a program does that is done."""
        self._connection.close()
        self._process.join(WATCHDOG)
        assert self._process.exitcode == 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.join(WATCHDOG)
        self._connection.close()


def _obey(connection: Any) -> None:
    faulthandler.enable()
    while True:
        try:
            function, arguments = connection.recv()
        except EOFError:
            return
        try:
            answer = True, function(*arguments)
        except BaseException:
            answer = False, traceback.format_exc()
        connection.send(answer)


# What puppets do: functions of this module are called in them. What they keep is in here, by name.
kept: dict[str, Any] = {}


def keep(name: str, ticket: bytes) -> None:
    kept[name] = pickle.loads(ticket)


def drop(*names: str) -> None:
    for name in names:
        kept.pop(name, None)
    gc.collect()


def ticket(name: str) -> bytes:
    """Good for one keeper if it is of a channel's end."""
    return pickle.dumps(kept[name])


def make_channel(sender: str, receiver: str, capacity: int | None = None) -> None:
    kept[sender], kept[receiver] = crossbuf.channel(capacity)


def call(name: str, method: str, *arguments: object, **keywords: object) -> Any:
    return getattr(kept[name], method)(*arguments, **keywords)


def take_back(*tickets: bytes) -> None:
    """Redeems what nobody has: who was to do it may have died before."""
    for left_over in tickets:
        with contextlib.suppress(crossbuf.StaleHandle):
            pickle.loads(left_over)
    gc.collect()


def error_of(name: str, method: str, *arguments: object) -> tuple[str, str]:
    """The class and text of what that call raises."""
    try:
        call(name, method, *arguments)
    except Exception as error:
        return type(error).__name__, str(error)
    return "", ""


def send(name: str, *messages: object) -> None:
    for message in messages:
        kept[name].send(message)


def fill(sender: str) -> int:
    """How many messages there was room for: numbers from 0 on."""
    accepted = 0
    with contextlib.suppress(crossbuf.Full):
        while True:
            kept[sender].send_nowait(accepted)
            accepted += 1
    return accepted


def take_all(receiver: str) -> list[Any]:
    return list(kept[receiver])


def take_all_nowait(receiver: str) -> list[Any]:
    taken = []
    with contextlib.suppress(crossbuf.Empty):
        while True:
            taken.append(kept[receiver].recv_nowait())
    return taken


def receive_and_keep(receiver: str, name: str) -> None:
    kept[name] = kept[receiver].recv()


class Job:
    """A function on a thread of the puppet's, until it returns; `stop` is for it to look at."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self.stop = threading.Event()
        self.outcome: Any = None
        self._thread = threading.Thread(target=self._run, args=(function, *arguments), daemon=True)
        self._thread.start()

    def _run(self, function: Callable[..., Any], *arguments: object) -> None:
        try:
            self.outcome = True, function(self, *arguments)
        except BaseException:
            self.outcome = False, traceback.format_exc()

    def join(self) -> Any:
        self._thread.join(WATCHDOG)
        if self._thread.is_alive():
            faulthandler.dump_traceback()
            raise AssertionError("a thread hangs")
        ok, value = self.outcome
        assert ok, value
        return value


def start(job: str, function: Callable[..., Any], *arguments: object) -> None:
    """`function` gets the job and the things of those names."""
    kept[job] = Job(function, *(kept.get(argument, argument) if isinstance(argument, str) else argument for argument in arguments))


def stop(job: str) -> Any:
    kept[job].stop.set()
    return finish(job)


def finish(job: str) -> Any:
    outcome = kept[job].join()
    drop(job)
    return outcome


def left() -> dict[str, int]:
    """What this process holds now."""
    gc.collect()
    return {"blocks": crossbuf.statistics().blocks, "descriptors": len(list(Path("/proc/self/fd").iterdir()))}


def returns_to(before: dict[str, int]) -> dict[str, int]:
    """What this process holds once that is no more than before, or after a while: letting go takes a moment, and forwarded arrays wait five
    seconds for a receiver when the one who forwarded them is dead."""
    for _ in range(300):
        now = left()
        if all(now[name] <= before[name] for name in before):
            break
        time.sleep(0.05)
    return now


def memory() -> dict[str, int]:
    """Bytes of this process, by kind."""
    status = Path("/proc/self/status").read_text()
    return {kind.lower(): int(kilobytes) * 1024 for kind, kilobytes in re.findall(r"^Rss(Anon|Shmem):\s+(\d+) kB$", status, re.MULTILINE)}


def system_memory(kind: str) -> int:
    """Bytes of the whole machine, as `/proc/meminfo` has them."""
    return int(re.findall(rf"^{kind}:\s+(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)[0]) * 1024


def files_of(pid: int, name: str) -> set[str]:
    """The inodes of the files that the process has mapped or open, and whose names have `name` in them."""
    try:
        maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
        found = {line.split()[4] for line in maps if name in line}
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if name in str(descriptor.readlink()):
                    found.add(str(descriptor.stat().st_ino))
    except (FileNotFoundError, ProcessLookupError, PermissionError):  # it has just ended, or is another user's
        return set()
    return found


def holders_of(arenas: set[str]) -> set[int]:
    """The processes that keep the memory of these arenas: whoever has it mapped or open."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return {pid for pid in pids if files_of(pid, "memfd:crossbuf") & arenas}


def sockets_of(pids: set[int]) -> list[str]:
    """The abstract sockets whose names say that they belong to one of these processes."""
    names = re.findall(r"@crossbuf-(\S+)", Path("/proc/net/unix").read_text())
    return [name for name in names if int(name[:8], 16) in pids]


def is_gone(pid: int) -> bool:
    """Also one that nobody has waited for: it has no command any more."""
    try:
        return not Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return True


def has_stopped(pid: int) -> bool:
    """All threads of that process: some may still run when the signal is sent."""
    states = [status.read_text().rpartition(")")[2].split()[0] for status in Path(f"/proc/{pid}/task").glob("*/stat")]
    return states == ["T"] * len(states)


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + WATCHDOG
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.002)


class Deadly:
    """Whoever unpickles it calls `end`, and does not live on."""

    def __init__(self, end: Callable[..., object], *arguments: object) -> None:
        self._end = (end, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self._end
