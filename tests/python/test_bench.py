"""The benchmark measures what it says, notes refusals, and goes on without the dead."""

import itertools
import multiprocessing
import os
import platform
import re
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import puppets
import pytest

from crossbuf.bench import sampling, serving
from crossbuf.bench.record import Record, Series, about
from crossbuf.bench.report import table, units
from crossbuf.bench.routes import Refused
from crossbuf.bench.routes.here import Copy
from crossbuf.bench.routes.multiprocess import Pipe
from crossbuf.bench.routes.ours import InterpreterCopied, InterpreterDrafted, InterpreterShared
from crossbuf.bench.run import Run
from crossbuf.bench.sampling import Effort, in_turns, on_one_cpu
from crossbuf.bench.workloads import WORKLOADS, layouts, receivers, sizes, throughput
from crossbuf.cli import main


def test_other_data_is_no_difference_but_a_refusal() -> None:
    sent = serving.reply_to("look", np.arange(4.0))
    assert layouts.difference(sent, serving.reply_to("look", np.arange(4.0))) == ""
    with pytest.raises(Refused, match="other values"):
        layouts.difference(sent, serving.reply_to("look", np.ones(4)))
    with pytest.raises(Refused, match="dtype float32 instead of float64"):
        layouts.difference(sent, serving.reply_to("look", np.arange(4, dtype="f4")))


def test_what_a_route_cannot_carry_is_noted_and_the_next_case_goes_on() -> None:
    run = Run(Record({}), quick=True)
    with run.opened([InterpreterDrafted, InterpreterCopied]) as routes:
        run.trips("w", "refused", [1, 2], routes, Effort(0, least=1))
        run.trips("w", "carried", np.ones(3), routes, Effort(0, least=1))
    # In the order of the routes, whether refused or not.
    assert [(series.route, bool(series.note), len(series.samples)) for series in run.record.series] == [
        (InterpreterDrafted.name, True, 0),
        (InterpreterCopied.name, False, 1),
        (InterpreterDrafted.name, False, 1),
        (InterpreterCopied.name, False, 1),
    ]


@pytest.mark.parametrize(
    ("trouble", "note"),
    [
        (Refused("it carries bytes"), "it carries bytes"),
        (ValueError("first line\nand more"), "ValueError: first line"),
        (ImportError("\n\nIMPORTANT\n\nOriginal error was: no subinterpreters\n"), "ImportError: Original error was: no subinterpreters"),
        (EOFError(), "EOFError"),
    ],
)
def test_a_refusal_is_one_line(trouble: Exception, note: str) -> None:
    run = Run(Record({}), quick=True)
    run.refuse("w", "case", "route", trouble)
    assert run.record.series == [Series("w", "case", "route", note=note)]


def test_a_work_that_fails_has_no_further_turn_and_keeps_its_samples() -> None:
    calls = []

    def fails_in_the_end() -> None:
        calls.append(None)
        if len(calls) == 5:
            raise EOFError

    works = {"well": lambda: None, "ill": fails_in_the_end, "never": lambda: [][0]}
    measured = in_turns(works, Effort(0, least=6), batches=False)
    assert {name: len(samples.values) for name, samples in measured.items()} == {"well": 6, "ill": 3, "never": 0}
    run = Run(Record({}), quick=True)
    run.add("w", "case", measured, notes={"ill": "other strides"})
    notes = ["", "other strides; it ended early: EOFError", "it ended early: IndexError: list index out of range"]
    assert [series.note for series in run.record.series] == notes
    assert [series.ended_early for series in run.record.series] == [False, True, True]
    assert len(calls) == 5


def test_a_dead_receiver_is_noted_and_the_other_routes_go_on() -> None:
    run = Run(Record({}), quick=True)
    with run.opened([Pipe, InterpreterCopied]) as routes:
        run.trips("w", "deadly", puppets.Deadly(signal.raise_signal, signal.SIGKILL), {Pipe.name: routes[Pipe.name]}, Effort(0, least=1))
        run.trips("w", "next", np.ones(3), routes, Effort(0, least=1))
    assert [(series.route, series.note, len(series.samples)) for series in run.record.series] == [
        (Pipe.name, "EOFError", 0),
        (Pipe.name, "BrokenPipeError: [Errno 32] Broken pipe", 0),
        (InterpreterCopied.name, "", 1),
    ]
    assert run.record.skipped == {}


def test_a_route_that_does_not_end_is_noted() -> None:
    class Stubborn(Pipe):
        name = "stubborn"

        def close(self) -> None:
            super().close()
            raise RuntimeError("no end")

    run = Run(Record({}), quick=True)
    with run.opened([Stubborn]):
        pass
    assert run.record.skipped == {"stubborn": "it does not end: RuntimeError: no end"}


def test_a_route_that_does_not_start_is_skipped_with_its_reason() -> None:
    class Lame(Pipe):
        name = "lame"

        def __init__(self) -> None:
            raise RuntimeError("no daemon\nand more of it")

    class Missing(Pipe):
        name = "missing"

        @classmethod
        def absent(cls) -> str:
            return "it is not installed"

    run = Run(Record({}), quick=True)
    with run.opened([Lame, Missing]) as routes:
        assert routes == {}
    assert run.record.skipped == {"lame": "it does not start: RuntimeError: no daemon", "missing": "it is not installed"}


def test_works_are_sampled_in_turns() -> None:
    order: list[str] = []
    samples = in_turns({name: lambda name=name: order.append(name) for name in "ab"}, Effort(0, least=3), batches=False)
    assert order == ["a", "b"] + ["a", "b"] * 3
    assert [(len(taken.values), taken.number) for taken in samples.values()] == [(3, 1), (3, 1)]


@pytest.mark.parametrize("interrupted", [None, 1, 2, 3, 100])
def test_one_interruption_does_not_say_how_many_make_a_batch(interrupted: int | None, monkeypatch) -> None:
    clock, calls = [0.0], itertools.count()

    def work() -> None:
        clock[0] += 3e-3 if next(calls) == interrupted else 1e-7

    monkeypatch.setattr(sampling, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    samples = in_turns({"work": work}, Effort(0, least=1))["work"]
    assert samples.number == 1 << 14
    assert samples.values == [pytest.approx(1e-7)]


def test_an_effort_ends_by_rounds_and_by_time() -> None:
    assert len(list(Effort(1000, most=7).rounds())) == 7
    assert len(list(Effort(0, most=7, least=2).rounds())) == 2


def test_one_cpu_is_for_a_while() -> None:
    before = os.sched_getaffinity(0)
    with on_one_cpu():
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


def test_a_record_reads_what_it_wrote(tmp_path: Path) -> None:
    record = Record(about("crossbuf bench"), [Series("sizes", "64 B", "mp.Pipe", [1.0, 3.0, 2.0], at=64)], {"Ray": "not installed"})
    record.write(tmp_path / "record.json")
    assert Record.read(tmp_path / "record.json") == record
    assert {"machine", "kernel", "python", "numpy", "crossbuf", "date"} <= record.about.keys()
    assert (record.series[0].median, record.series[0].quantile(0.999), record.series[0].quantile(0)) == (2.0, 3.0, 1.0)
    assert record.find("sizes", "64 B", "mp.Pipe") is record.series[0]
    assert record.find("sizes", "64 B", "Ray") is None


def test_a_record_says_how_the_machine_was_set(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("CROSSBUF_ISOLATION", "x")
    monkeypatch.setenv("MY_SECRET", "y")
    (tmp_path / "enabled").write_text("always [madvise] never\n")
    (tmp_path / "shmem_enabled").write_text("always within_size advise [never] deny force\n")
    monkeypatch.setattr("crossbuf.bench.record._HUGE_PAGES", tmp_path)
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.99"))
    found = about("crossbuf bench")
    assert "OMP_NUM_THREADS=3" in found["variables"].split()
    assert "CROSSBUF_ISOLATION=x" in found["variables"].split()
    assert "MY_SECRET" not in found["variables"]
    assert (found["huge pages"], found["libc"]) == ("madvise, never for shared memory", "glibc 2.99")
    assert re.fullmatch(r"([\d.]+ ){3}at the start", found["load"])
    monkeypatch.setattr("crossbuf.bench.record._HUGE_PAGES", tmp_path / "nowhere")
    assert "huge pages" not in about("crossbuf bench")


def test_sizes_that_do_not_fit_are_named(monkeypatch) -> None:
    monkeypatch.setattr(sizes, "companies", list)
    monkeypatch.setattr(os, "sysconf", {"SC_AVPHYS_PAGES": 5 << 20, "SC_PAGE_SIZE": 1024}.get)
    run = Run(Record({}), quick=True)
    sizes.measure(run)
    assert run.record.about == {"left out": "1 GiB: 16 copies do not fit into 5 GiB of free memory"}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"about": {}, "series": [{"x": 1}], "skipped": {}}'])
def test_what_is_no_record_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "it.json").write_text(text)
    with pytest.raises(ValueError, match="is no record of crossbuf bench"):
        Record.read(tmp_path / "it.json")


def test_memory_of_the_family_counts_children() -> None:
    with Pipe() as way:
        child = str(way._process.pid)
        assert child in receivers._family(str(os.getpid()))
        assert 0 < receivers.pss(child) < receivers.memory()


def test_receivers_are_measured_in_turns_and_refusals_are_noted(monkeypatch) -> None:
    class Refusing(Pipe):
        name = "refusing"

        def prepare(self, array: object) -> object:
            raise Refused("it carries nothing")

    monkeypatch.setattr(receivers, "ROUTES", (Copy, InterpreterShared, Pipe, Refusing))
    monkeypatch.setattr(receivers, "COUNTS", (1, 2))
    run = Run(Record({}), quick=False)
    monkeypatch.setattr(run, "effort", lambda *_, **__: Effort(0, least=1))
    receivers.measure(run)
    cases = [(case, name) for case in ("1 receiver", "2 receivers") for name in (InterpreterShared.name, Pipe.name)]
    # Interpreters stay for all turns, and can have memory for the first time only once.
    memory = run.record.of(receivers.MEMORY)
    assert [(series.case, series.route, len(series.samples)) for series in memory] == [
        (*case, 3 if case[1] == Pipe.name else 1) for case in cases
    ]
    piped = [series.median for series in memory if series.route == Pipe.name]
    assert piped[1] > piped[0] > 8 << 20
    times = run.record.of(receivers.NAME)
    assert [(series.case, series.route, len(series.samples)) for series in times if series.samples] == [(*case, 3) for case in cases]
    assert [(series.route, series.note) for series in times if not series.samples] == [("refusing", "it carries nothing")] * 2


def test_receivers_that_fail_or_do_not_end_lose_no_samples(monkeypatch) -> None:
    class Stubborn(Pipe):
        name = "stubborn"

        def close(self) -> None:
            super().close()
            raise RuntimeError("no end")

    class Tiring(Pipe):
        name = "tiring"
        started = 0

        def __init__(self) -> None:
            Tiring.started += 1
            if Tiring.started > 2:
                raise RuntimeError("no more")
            super().__init__()

    class Missing(Pipe):
        name = "missing"

        @classmethod
        def absent(cls) -> str:
            return "it is not installed"

    monkeypatch.setattr(receivers, "ROUTES", (Stubborn, Tiring, Missing))
    monkeypatch.setattr(receivers, "COUNTS", (1,))
    run = Run(Record({}), quick=False)
    monkeypatch.setattr(run, "effort", lambda *_, **__: Effort(0, least=1))
    receivers.measure(run)
    early = "it ended early: RuntimeError: no more"
    for workload in (receivers.NAME, receivers.MEMORY):
        found = [(series.route, len(series.samples), series.note) for series in run.record.of(workload)]
        assert found == [("stubborn", 3, ""), ("tiring", 2, early)]
    assert run.record.skipped == {"missing": "it is not installed", "stubborn": "it does not end: RuntimeError: no end"}
    assert not multiprocessing.active_children()


def test_all_messages_of_a_crowd_arrive() -> None:
    """Each receiver waits for its share, so that a lost message would hang, and a second one be left."""
    for name in (throughput.INTERPRETERS, throughput.PROCESSES):
        assert throughput._seconds(name, throughput._KINDS[name].place, 2, 500) > 0


def test_a_killed_worker_ends_its_round() -> None:
    def kill() -> None:
        puppets.until(lambda: len(multiprocessing.active_children()) == 2, "both run")
        os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(EOFError, match="1 of 2 workers have ended"):
        throughput._seconds(throughput.PROCESSES, "process", 1, sys.maxsize)
    killer.join()
    puppets.until(lambda: not multiprocessing.active_children(), "the other one is gone, too")


def test_the_command_measures_prints_and_writes(child, tmp_path: Path) -> None:
    # It looks for fonts when it is first imported on a machine, and says so.
    pytest.importorskip("matplotlib.font_manager")
    done = child("-m", "crossbuf", "bench", "--quick", "--only", "messages", "--json", "it.json", "--html", "it.html")
    assert (done.returncode, done.stderr) == (0, "")
    read = Record.read(tmp_path / "it.json")
    assert read.about["command"] == "crossbuf bench --quick --only messages --json it.json --html it.html"
    assert list(read.workloads()) == ["messages"]
    assert re.fullmatch(r"([\d.]+ ){3}at the start, ([\d.]+ ){3}at the end", read.about["load"])
    assert done.stdout == f"{table.workload(read, 'messages')}\n\n{table.ratios(read)}\n"
    page = (tmp_path / "it.html").read_text()
    for series in read.series:
        assert len(series.samples) >= 3
        assert units.readable(series.median, series.unit) in page
    # Names of XML vocabularies are all that looks like an address, and nothing is loaded.
    assert set(re.findall(r"\w+://[^\s\"'<>]+", page)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.search(r"<script|<link|<img|@import|url\((?!#)|\bsrc=", page)


def test_memory_that_is_measured_besides_is_printed(monkeypatch, capsys) -> None:
    def measure(run: Run) -> None:
        run.record.series += [Series("job", "all", "mp.Pipe", [0.25]), Series("memory of jobs", "all", "mp.Pipe", [5e6], "B")]

    monkeypatch.setattr(WORKLOADS["job"], "measure", measure)
    assert main(["bench", "--only", "job", "--only", "job"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("250 ms") == printed.count("5.00 MB") == 1


def measuring(series: Series, then: type[BaseException]) -> Callable[[Run], None]:
    """A workload that ends amid its work."""

    def measure(run: Run) -> None:
        run.record.series.append(series)
        raise then("all\nof it")

    return measure


def test_a_workload_that_fails_is_noted_and_the_next_one_goes_on(tmp_path: Path, monkeypatch, capsys) -> None:
    before, after = (Series(name, "all", "mp.Pipe", [0.25]) for name in ("job", "sizes"))
    monkeypatch.setattr(WORKLOADS["job"], "measure", measuring(before, LookupError))
    monkeypatch.setattr(WORKLOADS["sizes"], "measure", lambda run: run.record.series.append(after))
    assert main(["bench", "--only", "job", "--only", "sizes", "--json", str(tmp_path / "it.json")]) == 1
    read = Record.read(tmp_path / "it.json")
    assert read.series == [before, after]
    assert read.skipped == {"workload job": "it ended early: LookupError: all"}
    printed = capsys.readouterr()
    assert printed.out.count("250 ms") == 2
    assert printed.out.endswith("skipped\n  workload job: it ended early: LookupError: all\n")
    assert printed.err == "crossbuf bench: workload job: it ended early: LookupError: all\n"


def test_what_was_measured_before_ctrl_c_is_written(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("matplotlib")
    series = Series("job", "all", "mp.Pipe", [0.25])
    monkeypatch.setattr(WORKLOADS["job"], "measure", measuring(series, KeyboardInterrupt))
    assert main(["bench", "--only", "job", "--json", str(tmp_path / "it.json"), "--html", str(tmp_path / "it.html")]) == 130
    assert Record.read(tmp_path / "it.json").series == [series]
    assert "250 ms" in (tmp_path / "it.html").read_text()


def test_a_run_that_measured_nothing_replaces_nothing(tmp_path: Path, monkeypatch) -> None:
    def interrupted(run: Run) -> None:
        raise KeyboardInterrupt

    (tmp_path / "it.json").write_text("before")
    monkeypatch.setattr(WORKLOADS["job"], "measure", interrupted)
    assert main(["bench", "--only", "job", "--json", str(tmp_path / "it.json")]) == 130
    assert (tmp_path / "it.json").read_text() == "before"


TERMINATED = """
import os, signal, sys, time
from crossbuf.bench.record import Series
from crossbuf.bench.routes.multiprocess import Pipe
from crossbuf.bench.workloads import WORKLOADS
from crossbuf.cli import main

def measure(run):
    with run.opened([Pipe]) as routes:
        print(routes[Pipe.name]._process.pid)
        run.record.series.append(Series("job", "all", "mp.Pipe", [0.25]))
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

if __name__ == "__main__":
    WORKLOADS["job"].measure = measure
    sys.exit(main(["bench", "--only", "job", "--json", "it.json"]))
"""


def test_sigterm_ends_it_as_ctrl_c_does(script, tmp_path: Path) -> None:
    done = script(TERMINATED)
    assert (done.returncode, done.stderr) == (128 + signal.SIGTERM, "")
    assert len(Record.read(tmp_path / "it.json").series) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--only", "job", "--only", "speed"], f"--only speed: no such workload; there are {', '.join(WORKLOADS)}"),
        (["--json", "nowhere/it.json"], "cannot write nowhere/it.json: No such file or directory"),
        (["--json", "it.json", "--html", "."], "cannot write .: Is a directory"),
        (["--json", "it", "--html", "sub/../it"], "--json and --html are the same file, it"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_measured(child, tmp_path: Path, arguments: list[str], why: str) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "sub").mkdir()
    done = child("-m", "crossbuf", "bench", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"crossbuf bench: {why}\n")
    assert list(tmp_path.iterdir()) == [tmp_path / "sub"]


def test_a_file_that_is_there_stays_until_it_is_replaced(child, tmp_path: Path) -> None:
    (tmp_path / "it.json").write_text("before")
    done = child("-m", "crossbuf", "bench", "--json", "it.json", "--html", "nowhere/it.html")
    assert done.returncode == 1
    assert (tmp_path / "it.json").read_text() == "before"
