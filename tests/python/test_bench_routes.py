"""Every route carries what was sent, says what it cannot, ends when its other side is dead, and leaves nothing."""

import copyreg
import fcntl
import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any

import numpy as np
import puppets
import pytest

from crossbuf import Broken
from crossbuf.bench import serving
from crossbuf.bench.routes import ROUTES, Refused, Route, files
from crossbuf.bench.routes.bare import CalledFutex, OsPipes, PipeOfBytes
from crossbuf.bench.routes.files import Folder, NewJoblibFile, ReadyArrowFile, ReadyJoblibFile
from crossbuf.bench.routes.iceoryx2 import Iceoryx2, Iceoryx2Published
from crossbuf.bench.routes.multiprocess import KeptSharedMemory, NewSharedMemory, Pipe, Queue, ReadySharedMemory
from crossbuf.bench.routes.ours import InterpreterCopied, InterpreterShared, ProcessCopied
from crossbuf.bench.routes.pools import InterpreterPool, ProcessPool
from crossbuf.bench.routes.ray import RayPut
from crossbuf.bench.routes.route import missing
from crossbuf.bench.routes.stdlib_interpreters import QueuePickled, QueueWoken
from crossbuf.bench.workloads import layouts


def available(route: type[Route]) -> type[Route]:
    if why := route.absent():
        pytest.skip(why)
    return route


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_route_carries_what_was_sent(route: type[Route]) -> None:
    array = np.arange(3000.0)
    with available(route)() as way:
        payload = way.prepare(array)
        if route is InterpreterPool:
            with pytest.raises((ImportError, TypeError, ValueError), match=r"numpy|not shareable"):
                way.ask("touch", payload)
        else:
            assert tuple(way.ask("ends", payload)) == ("0.0", "2999.0")
            assert way.ask("touch", payload) == serving.PING
            # A second time, as receivers keep things.
            assert tuple(way.ask("ends", payload)) == ("0.0", "2999.0")
        way.give_up(payload)


BY_MEMORY = [NewSharedMemory, KeptSharedMemory, ReadySharedMemory, Iceoryx2, Iceoryx2Published]


@pytest.mark.parametrize("route", BY_MEMORY, ids=lambda route: route.name)
def test_a_route_that_describes_memory_keeps_fields_and_pickles_no_other_dtype(route: type[Route], monkeypatch: pytest.MonkeyPatch) -> None:
    with available(route)() as way:
        for array in (np.ones(4, [("x", "f8"), ("n", "i4")]), np.arange(4).astype("M8[us]")):
            payload = way.prepare(array)
            assert layouts.difference(serving.reply_to("look", array), way.ask("look", payload)) == ""
            way.give_up(payload)

        def refuse(dtype: np.dtype) -> None:
            raise AssertionError(f"{dtype} is pickled")

        monkeypatch.setitem(copyreg.dispatch_table, type(np.dtype("f8")), refuse)
        payload = way.prepare(np.ones(4))
        assert way.ask("touch", payload) == serving.PING
        way.give_up(payload)


def test_a_kept_block_is_replaced_by_a_larger_one_alone() -> None:
    sizes = []
    with KeptSharedMemory() as way:
        for length in (1 << 10, 1 << 14, 1 << 10):
            assert way.ask("ends", way.prepare(np.arange(float(length)))) == ("0.0", f"{length - 1.0}")
            sizes.append(way._memory.size)
        name = way._memory.name
    assert sizes == [1 << 13, 1 << 17, 1 << 17]
    assert not Path("/dev/shm", name).exists()


@pytest.mark.parametrize("route", [ReadyArrowFile, ReadyJoblibFile], ids=lambda route: route.name)
def test_the_receiver_of_a_ready_file_maps_it_once(route: type[Route]) -> None:
    with available(route)() as way:
        for last in (2.0, 3.0):
            payload = way.prepare(np.arange(last + 1))
            assert way.ask("ends", payload) == ("0.0", str(last))
            way.give_up(payload)
            assert way.ask("ends", payload) == ("0.0", str(last)), "it asks for the file again"


@pytest.mark.parametrize("route", [CalledFutex, PipeOfBytes, OsPipes], ids=lambda route: route.name)
def test_a_bare_round_trip_carries_nothing(route: type[Route]) -> None:
    with route() as way:
        way.ping()
        with pytest.raises(Refused, match="carries nothing"):
            way.ask("touch", np.ones(3))


@pytest.mark.parametrize("route", [PipeOfBytes, OsPipes], ids=lambda route: route.name)
def test_a_bare_round_trip_to_a_dead_process_ends(route: type[Route]) -> None:
    with route() as way:
        [process] = multiprocessing.active_children()
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        with pytest.raises((EOFError, BrokenPipeError)):
            way.ping()


def test_names_tell_routes_apart() -> None:
    assert len({route.name for route in ROUTES}) == len(ROUTES)
    assert all(route.how and route.place in ("here", "interpreter", "process") for route in ROUTES)


def test_a_folder_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "somewhere").mkdir()
    (tmp_path / "something.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert missing("somewhere") == "pip install somewhere"
    assert missing("something") == ""


def test_the_folder_of_a_killed_benchmark_goes_with_the_next() -> None:
    code = "from crossbuf.bench.routes.files import Folder; folder = Folder(); print(folder.path, flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        path = Path(process.stdout.readline().strip())
        (path / "0").write_bytes(b"elements")
        Folder().remove()
        assert (path / "0").exists(), "it is in use"
        process.kill()
    Folder().remove()
    assert not path.exists()


def test_nobody_looks_for_old_folders_while_one_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    make = tempfile.mkdtemp

    def watched(**where: Any) -> str:
        path = make(**where)
        # As another benchmark that starts now.
        with pytest.raises(BlockingIOError), files._locked(files._PARENT, fcntl.LOCK_EX | fcntl.LOCK_NB):
            files._remove_unless_locked(Path(path))
        return path

    monkeypatch.setattr(tempfile, "mkdtemp", watched)
    folder = Folder()
    assert folder.path.exists()
    folder.remove()


@pytest.mark.parametrize("route", [Pipe, ProcessCopied], ids=lambda route: route.name)
@pytest.mark.parametrize("layout", layouts.LAYOUTS)
def test_a_layout_arrives_or_what_becomes_of_it_is_said(route: type[Route], layout: str) -> None:
    array = layouts.LAYOUTS[layout]()
    with route() as way:
        change = layouts.difference(serving.reply_to("look", array), way.ask("look", way.prepare(array)))
    assert (change == "") == (layout not in ("f8, every other column", "f8, reversed", "f8, broadcast")), change


def test_trouble_of_a_receiver_is_an_answer() -> None:
    with InterpreterShared() as way:
        with pytest.raises(Refused, match="KeyError"):
            way.ask("no such question", None)
        assert way.ask("touch", way.prepare(np.ones(2))) == serving.PING


@pytest.mark.parametrize("route", [Pipe, Queue, ProcessCopied, Iceoryx2, Iceoryx2Published], ids=lambda route: route.name)
def test_a_killed_receiver_ends_the_trip(route: type[Route]) -> None:
    way = available(route)()
    [process] = multiprocessing.active_children()
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with pytest.raises((EOFError, OSError, Broken)):
        way.ask("touch", way.prepare(np.ones(3)))
    way.close()


def test_a_queue_closes_though_its_receiver_died_before_it_read() -> None:
    way = Queue()
    [process] = multiprocessing.active_children()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGSTOP)
    way.send("touch", np.ones(1_000_000))
    os.kill(process.pid, signal.SIGKILL)
    closing = threading.Thread(target=way.close, daemon=True)
    closing.start()
    closing.join(puppets.WATCHDOG)
    assert not closing.is_alive()


@pytest.mark.parametrize("route", [NewSharedMemory, NewJoblibFile], ids=lambda route: route.name)
@pytest.mark.parametrize("sent", [False, True])
def test_a_dead_receiver_leaves_no_memory_of_a_trip(route: type[Route], sent: bool) -> None:
    def memory() -> Path:
        return Path("/dev/shm", way._memory.name) if isinstance(way, NewSharedMemory) else Path(way._path)

    way = available(route)()
    [process] = multiprocessing.active_children()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGSTOP)
    if sent:
        way.send("touch", np.ones(3))
        assert memory().exists()
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with pytest.raises((EOFError, OSError)):
        way.answer() if sent else way.send("touch", np.ones(3))
    assert not memory().exists()
    way.close()


@pytest.mark.parametrize("route", [Queue, ProcessPool], ids=lambda route: route.name)
def test_a_receiver_ends_with_a_killed_benchmark(route: type[Route]) -> None:
    code = f"""if __name__ == "__main__":
        import multiprocessing
        from {route.__module__} import {route.__name__}
        way = {route.__name__}()
        print(multiprocessing.active_children()[0].pid, flush=True)
        input()"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        receiver = int(process.stdout.readline())
        assert not puppets.is_gone(receiver)
        process.kill()
    puppets.until(lambda: puppets.is_gone(receiver), "the receiver is gone")


def ray_errors() -> tuple[type[Exception], ...]:
    return () if RayPut.absent() else (importlib.import_module("ray.exceptions").RayActorError,)


@pytest.mark.parametrize("route", [Pipe, Queue, ProcessCopied, ProcessPool, ReadyJoblibFile, RayPut], ids=lambda route: route.name)
def test_a_process_that_dies_over_its_question_ends_the_trip(route: type[Route]) -> None:
    way = available(route)()
    with pytest.raises((EOFError, OSError, BrokenExecutor, *ray_errors())):
        way.ask("touch", way.prepare(puppets.Deadly(signal.raise_signal, signal.SIGKILL)))
    way.close()


@pytest.mark.parametrize("route", [InterpreterCopied, QueuePickled], ids=lambda route: route.name)
def test_an_interpreter_that_ends_over_its_question_ends_the_trip(route: type[Route]) -> None:
    way = available(route)()
    with pytest.raises((EOFError, Broken)):
        way.ask("touch", puppets.Deadly(sys.exit))


def test_an_interpreter_that_ends_wakes_who_waits_at_its_pipe() -> None:
    way = available(QueueWoken)()
    way.tell_end()
    way.tell_end()
    with pytest.raises(EOFError, match="the receiver has ended"):
        way.answer()
    way.close()
