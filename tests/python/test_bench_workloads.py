"""Workloads of the benchmark measure what their names say."""

import threading
from pathlib import Path

import puppets
import pytest

from crossbuf import isolation, spawn
from crossbuf.bench import apart, workers
from crossbuf.bench.record import Record
from crossbuf.bench.run import Run
from crossbuf.bench.sampling import Effort, Samples, Work
from crossbuf.bench.targets import TARGETS, ratios
from crossbuf.bench.workloads import memory, messages, startup


@pytest.mark.parametrize(("method", "loaded"), [("spawn", False), ("forkserver", True)])
def test_a_starter_starts_processes_that_have_numpy_or_not_and_never_crossbuf(tmp_path: Path, method: str, loaded: bool) -> None:
    said = tmp_path / "said"
    with apart.Starter(method) as starter:
        for _ in range(2):
            starter.run(f"import sys; open({str(said)!r}, 'a').write(repr(('numpy' in sys.modules, 'crossbuf' in sys.modules)))")
    assert said.read_text() == repr((loaded, False)) * 2


def test_a_starter_says_what_failed_and_goes_on() -> None:
    with apart.Starter("forkserver") as starter:
        with pytest.raises(RuntimeError, match="'raise SystemExit\\(3\\)' ended with exit code 3"):
            starter.run("raise SystemExit(3)")
        starter.run("pass")


def test_a_forkserver_ends_with_its_starter(tmp_path: Path) -> None:
    with apart.Starter("forkserver") as starter:
        starter.run(f"import os; open({str(tmp_path / 'server')!r}, 'w').write(str(os.getppid()))")
        server = int((tmp_path / "server").read_text())
        assert not puppets.is_gone(server)
    puppets.until(lambda: puppets.is_gone(server), "it is gone")


isolated = pytest.mark.skipif(isolation.obstacle("numpy") is not None, reason="interpreters of their own cannot load NumPy here")


@isolated
def test_memory_of_workers_does_not_depend_on_what_ran_before() -> None:
    crew = [spawn(workers.compute) for _ in range(6)]
    for worker in crew:
        worker.join()
    used_again = memory.interpreters()
    # Three times, as what is shared with others counts by how many these are, and they come and go.
    assert any(memory.measured(memory.interpreters) > 1.1 * used_again for _ in range(3))


def test_workers_of_a_forkserver_share_memory() -> None:
    assert 1 << 20 < memory.measured(memory.forked) < 0.9 * memory.measured(memory.processes)


def test_memory_that_cannot_be_measured_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> float:
        raise EOFError("one has ended")

    monkeypatch.setattr(memory, "measured", lambda kind: kind())
    monkeypatch.setattr(memory, "processes", fails)
    monkeypatch.setattr(memory, "forked", lambda: 2e6)
    run = Run(Record({}), quick=True)
    monkeypatch.setattr(run, "effort", lambda *_, **__: Effort(0, least=2))
    startup._memory(run, isolated=False)
    assert [(series.route, series.samples, series.unit, series.note) for series in run.record.of(startup.MEMORY)] == [
        (startup.PROCESS, [], "B", "it ended early: EOFError: one has ended"),
        (startup.FORKED, [2e6, 2e6], "B", ""),
    ]


@isolated
def test_every_target_of_startup_is_measured_and_its_bare_interpreter_is_not_on_the_main_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    places, bare = [], startup._bare
    monkeypatch.setattr(startup, "_bare", lambda: (places.append(threading.current_thread() is threading.main_thread()), bare()))
    works: dict[str, Work] = {}
    monkeypatch.setattr(startup, "in_turns", lambda given, *_, **__: works.update(given) or {name: Samples([1.0], 1) for name in given})
    monkeypatch.setattr(memory, "measured", lambda kind: 1e6)
    run = Run(Record({}), quick=True)
    monkeypatch.setattr(run, "effort", lambda *_, **__: Effort(0, least=1))
    startup.measure(run)
    works[startup.BARE]()
    assert places == [False]
    named = {ratio.target for ratio in ratios(run.record)}
    assert [target for target in TARGETS if target.workload in (startup.NAME, startup.MEMORY) and target not in named] == []
    [pooled] = [target for target in named if target.ours == startup.POOLED]
    assert (pooled.theirs, pooled.bound) == (startup.BARE, 1.1)


def test_allocating_is_timed_as_users_call_it_beside_the_allocator_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    works: dict[str, Work] = {}

    def in_turns(given: dict[str, Work], effort: Effort) -> dict[str, Samples]:
        works.update(given)
        return {name: Samples([float(messages._BLOCKS)], 2) for name in given}

    monkeypatch.setattr(messages, "in_turns", in_turns)
    measured = messages._allocating(Effort(0))
    assert measured.pop(messages.ALLOCATOR) == Samples([1.0], 2 * messages._BLOCKS)
    made = [works[name]() for name in measured]
    assert [type(block).__name__ for block in made] == ["Draft", "bytearray", "ndarray"]
    assert [memoryview(block).nbytes for block in made] == [800] * 3
