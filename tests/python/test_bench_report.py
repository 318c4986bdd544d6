"""What `crossbuf bench` makes of a record: tables, the page with its plots, and the README's part."""

import importlib.util
import itertools
import random
import re
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("numpy")

from crossbuf.bench.record import Record, Series
from crossbuf.bench.report import looks, needs, table, units
from crossbuf.bench.routes import ROUTES
from crossbuf.bench.routes.multiprocess import Pipe
from crossbuf.bench.routes.ours import ProcessShared
from crossbuf.bench.targets import TARGETS, ratios
from crossbuf.bench.workloads import latency, startup
from crossbuf.errors import Error

ROOT = Path(__file__).parents[2]
REFUSAL = "it carries the memory of one ndarray, not a <dict>: the rest is left to the user"


@pytest.fixture(scope="module")
def record() -> Record:
    """A run of many kinds of workloads. The numbers are drawn, as the report does not care where they are from."""
    drawn = random.Random(1)

    def around(middle: float, number: int = 5) -> list[float]:
        return [middle * drawn.uniform(0.8, 1.3) for _ in range(number)]

    routes = [route.name for route in ROUTES] + ["pyarrow IPC", "ray.put & get", "joblib memmap", "iceoryx2"]
    made = Record(
        {"date": "2026-01-02T03:04:05+00:00", "command": "crossbuf bench", "machine": "a machine", "kernel": "Linux", "python": "CPython"}
    )
    made.skipped = {"never here": "it <begins> with CPython 3.99", "nor this": "it <begins> with CPython 3.99"}
    for size, case in ((64, "64 B"), (4 << 20, "4 MiB"), (64 << 20, "64 MiB"), (1 << 30, "1 GiB")):
        made.series += [Series("sizes", case, route, around(1e-6 * at + size / 1e9), at=size) for at, route in enumerate(routes, 1)]
    for case in ("f8, C order", "f8, every other column", "dict of 1000 small arrays", *(f"a further layout {at}" for at in range(7))):
        for at, route in enumerate(routes):
            refused = case.startswith("dict") and "Shared" in route
            made.series.append(Series("layouts", case, route, [] if refused else around(1e-5 * (at + 1)), note=REFUSAL if refused else ""))
    for number in (1, 2, 4, 8):
        # What was used is a difference, and may come out below nothing.
        for route, used in ((routes[0], -3e4), (routes[-1], 16e6 * number)):
            made.series.append(Series("memory of receivers", f"{number} receivers", route, around(used), "B", at=number))
        made.series.append(Series("throughput", f"{number} to {number}", routes[0], around(1e6), "1/s", at=number))
    for route, number in (("crossbuf, interpreter", 2000), ("mp.Pipe", 500), ("stdlib queue", 12), ("bare futex, in Rust", 1000)):
        made.series.append(Series("latency", "hot", route, around(1e-6, number)))
    made.series += [Series("startup", "import numpy", route, around(0.04)) for route in ("crossbuf interpreter", "process")]
    made.series += [Series("startup", "memory of a worker", route, [15e6], "B") for route in ("crossbuf interpreter", "process")]
    made.series += [Series("copying", f"layout {at}", route, around(1e-3)) for at in range(20) for route in ("share", "np.copyto")]
    return made


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (8.5e-7, "s", "850 ns"),
        (6.892e-6, "s", "6.89 us"),
        (9.996e-4, "s", "1.00 ms"),
        (1.2, "s", "1.20 s"),
        (123.4, "s", "123 s"),
        (3e-10, "s", "0.300 ns"),
        (0, "s", "0 ns"),
        (64, "B", "64 B"),
        (64e6, "B", "64.0 MB"),
        (-12_345, "B", "-12.3 kB"),
        (1_310_000, "1/s", "1.31 M/s"),
        (947, "1/s", "947 /s"),
    ],
)
def test_values_have_three_digits_and_a_short_unit(value: float, unit: str, text: str) -> None:
    assert units.readable(value, unit) == text


@given(st.floats(1e-9, 999))
def test_what_is_written_is_the_value(value: float) -> None:
    number, unit = units.readable(value, "s").split()
    assert float(number) * {"s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}[unit] == pytest.approx(value, rel=0.0051)
    assert float(number) < 1000


def everything(record: Record) -> str:
    return "\n\n".join([*(table.workload(record, name) for name in record.workloads()), table.ratios(record), table.skipped(record)])


def test_a_table_has_every_median_and_fits(record: Record) -> None:
    for workload in ("sizes", "memory of receivers", "throughput", "startup"):
        text = table.workload(record, workload)
        for series in record.of(workload):
            assert units.readable(series.median, series.unit) in text
            assert series.route in text or workload != "sizes"  # heads of columns may be wrapped
    assert max(map(len, everything(record).splitlines())) <= table.WIDTH


def test_what_is_refused_says_why_once(record: Record) -> None:
    text = table.workload(record, "layouts")
    assert text.count("no [1]") == sum(series.note != "" for series in record.series) > 1
    assert text.count(REFUSAL) == 1
    # It is too wide, so that it comes in pieces, each of which has all routes.
    assert text.count("SharedMemory, ready block") > 1


def test_numbers_stand_below_each_other_with_notes_beside_them() -> None:
    series = [Series("w", "case", f"route {at}", [1e-3], note="a note" * at) for at in range(2)]
    text = table.workload(Record({}, series), "w")
    assert len({line.index("1.00 ms") for line in text.splitlines() if re.match(r"route \d", line)}) == 1
    assert "1.00 ms [1]" in text


def test_the_longer_side_goes_down(record: Record) -> None:
    assert re.search(r"^layout 7 +[\d.]+ [mu]s +[\d.]+ [mu]s$", table.workload(record, "copying"), re.MULTILINE)
    assert re.search(r"^mp\.Queue( +[\d.]+ [mun]?s){4}$", table.workload(record, "sizes"), re.MULTILINE)


def test_quantiles_are_those_that_are_known(record: Record) -> None:
    lines = (re.split("  +", line) for line in table.workload(record, "latency").splitlines())
    known = {route: len(cells) for route, *cells in lines}
    assert {route: known[route] for route in ("crossbuf, interpreter", "mp.Pipe", "stdlib queue", "bare futex, in Rust")} == {
        "crossbuf, interpreter": 4,
        "mp.Pipe": 3,
        "stdlib queue": 2,
        "bare futex, in Rust": 4,
    }
    (pipe,) = (series for series in record.of("latency") if series.route == "mp.Pipe")
    assert units.readable(sorted(pipe.samples)[494], "s") in table.workload(record, "latency")


@pytest.mark.parametrize(("number", "known"), [(999, False), (1000, True), (3000, True)])
def test_a_quantile_is_not_the_greatest_sample(number: int, known: bool) -> None:
    series = Series("latency", latency.PARKED, latency.PACKETS, [float(at) for at in range(1, number + 1)])
    assert series.knows(0.999) == known
    assert series.quantile(0.999) == (number * 999 // 1000 if known else number)
    assert (series.quantile(0), series.quantile(1), series.knows(1)) == (1, number, False)
    # 0.07 * 100 is a hair above 7.
    assert Series("w", "case", "route", [float(at) for at in range(1, 101)]).quantile(0.07) == 7
    assert [ratio.ours for ratio in ratios(Record({}, [series]))] == [series.quantile(0.999)] * known


def test_ratios_say_whether_they_are_met(record: Record) -> None:
    text = table.ratios(record)
    found = list(ratios(record))
    assert len(found) == len([target for target in TARGETS if target.what in text]) > 0
    for ratio in found:
        lines = [line for line in text.splitlines() if line.startswith(ratio.target.what[:30]) and f" {ratio.target.theirs} " in line]
        assert len(lines) == 1, ratio.target
        (line,) = lines
        assert f" {units.significant(ratio.ratio)} " in f"{line} "
        assert line.endswith(" not met") != (ratio.met or ratio.target.bound is None)
    assert table.ratios(Record({})) == ""


@pytest.mark.parametrize("memory", [(0, 15e6), (-1e6, 15e6), (15e6, 0), (15e6, -1e6)])
def test_memory_that_is_not_above_zero_has_no_ratio(memory: tuple[float, float]) -> None:
    routes = (startup.SPAWNED, startup.PROCESS)
    series = [Series(startup.MEMORY, startup.WITH_NUMPY, route, [used], "B") for route, used in zip(routes, memory, strict=True)]
    assert table.ratios(Record({}, series)) == ""


@pytest.mark.parametrize("early", [0, 1])
def test_what_ended_early_meets_no_bound_and_says_why(early: int, readme: ModuleType) -> None:
    notes = ["", ""]
    notes[early] = "it ended early: EOFError"
    routes = (ProcessShared.messages, Pipe.messages)
    series = [Series("latency", latency.HOT, route, [1e-6] * 3, note=note) for route, note in zip(routes, notes, strict=True)]
    short = Record({}, series)
    (ratio,) = ratios(short)
    assert ratio.result == "ended early"
    assert table.ratios(short).endswith("ended early")
    assert "1.00 (ended early)" in readme._row(ratio)
    text = table.workload(short, "latency")
    assert re.search(rf"^{re.escape(routes[early])} .* 3 \[1\]$", text, re.MULTILINE)
    assert text.endswith("[1] it ended early: EOFError")
    from crossbuf.bench.report import page

    assert "; bound 1, ended early" in page.render(short, {})


def test_skipped_routes_are_listed_by_reason(record: Record) -> None:
    assert table.skipped(record) == "skipped\n  never here; nor this: it <begins> with CPython 3.99"
    assert table.skipped(Record({})) == ""


def test_tables_need_no_matplotlib(child) -> None:
    done = child("-c", "import sys, crossbuf.bench.report.table, crossbuf.bench.report.needs; print('matplotlib' in sys.modules)")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "False\n")


def test_a_page_without_matplotlib_is_refused_at_once(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(Error, match=re.escape("pip install 'crossbuf[bench]'")):
        needs.require()


def test_each_route_has_a_look_of_its_own(record: Record) -> None:
    how = looks.of(record)
    sizes = [how[series.route] for series in record.of("sizes") if series.at == 64]
    assert len(set(sizes)) == len(sizes) == len(ROUTES) + 4
    for route, look in how.items():
        assert look.ours == route.startswith(("crossbuf", "share"))
        assert look.ours == look.colour.startswith("ours")


def test_floors_are_not_crossbuf_s_where_targets_name_them(readme: ModuleType) -> None:
    floors = [latency.CALLED_FUTEX, latency.PACKETS]
    parked = Record({}, [Series("latency", latency.PARKED, route, [1e-6] * 2000) for route in floors])
    assert [ratio.target.ours for ratio in ratios(parked)] == floors
    for route, ratio in zip(floors, ratios(parked), strict=True):
        look = looks.of(parked)[route]
        assert (look.colour, look.ours) == ("floor", False)
        assert f"| {route}: 1.00 us | {route}: 1.00 us |" in readme._row(ratio)
    assert "crossbuf" not in table.ratios(parked)


def test_colours_can_be_read_on_either_paper() -> None:
    def luminance(colour: str) -> float:
        parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for name, colours in looks.COLOURS.items():
        for theme, colour in enumerate(colours):
            for paper in ("paper", "raised"):
                low, high = sorted((luminance(colour), luminance(looks.COLOURS[paper][theme])))
                assert name in ("paper", "raised", "grid") or (high + 0.05) / (low + 0.05) >= 4.5, (name, theme, paper)


class Page(HTMLParser):
    """What a browser makes of it, as far as the tests ask."""

    VOID = frozenset({"meta", "br", "wbr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, text: str) -> None:
        self.text += text

    def every(self, attribute: str) -> list[str]:
        return [attributes[attribute] or "" for _, attributes in self.tags if attribute in attributes]


@pytest.fixture(scope="module")
def page(record: Record) -> str:
    pytest.importorskip("matplotlib")
    from crossbuf.bench.report import page

    return page.render(record, {"sizes": "What <sizes> measure."})


def test_the_page_is_whole(page: str, record: Record) -> None:
    read = Page(page)
    assert read.open == []
    names = Counter(read.every("id"))
    assert names.most_common(1)[0][1] == 1
    referred = [link.removeprefix("#") for attribute in ("href", "xlink:href") for link in read.every(attribute)]
    referred += re.findall(r"url\(#([^)]+)\)", page) + [read.every(f"aria-{which}by")[0] for which in ("labelled", "described")]
    assert set(referred) <= set(names)
    for workload in record.workloads():
        assert f'<section id="{workload.replace(" ", "-")}">' in page
    for series in record.series:
        assert series.route in read.text
        assert not series.samples or units.readable(series.median, series.unit) in read.text
    assert all(text in read.text for text in ("What <sizes> measure.", REFUSAL, "it <begins> with CPython 3.99", "ray.put & get"))
    assert all(route.how in read.text for route in ROUTES)


@pytest.mark.parametrize(
    "series",
    [
        [],
        [Series("sizes", "64 B", "mp.Pipe", note="refused")],
        [Series("latency", "hot", "mp.Pipe", [1e-6])],
        [Series("latency", "hot", "mp.Pipe", note="refused")],
        [Series("memory", f"{at} receivers", "mp.Pipe", [value], "B", at=at) for at, value in ((1, 0), (2, 0), (3, 0))],
        [Series("memory", f"{at} receivers", "mp.Pipe", [value], "B", at=at) for at, value in ((1, -5e4), (2, -4e4), (3, -3e4))],
        [Series("startup", "memory", "mp.Pipe", [0], "B")],
        [Series(startup.MEMORY, startup.WITH_NUMPY, route, [-5e4], "B") for route in (startup.SPAWNED, startup.PROCESS)],
        [Series(startup.MEMORY, startup.WITH_NUMPY, route, [at * 5e6], "B") for at, route in ((-1, startup.SPAWNED), (1, startup.PROCESS))],
        [Series("startup", "import", "mp.Pipe", [1e-3]), Series("startup", "import", "mp.Queue", [1e-3])],
    ],
)
def test_odd_records_make_pages(series: list[Series]) -> None:
    pytest.importorskip("matplotlib")
    from crossbuf.bench.report import page

    odd = Record({}, series)
    read = Page(page.render(odd, {}))
    assert read.open == []
    assert all(one.route in read.text for one in series)
    assert all(one.route in everything(odd) for one in series)


def test_the_page_needs_no_network(page: str) -> None:
    addresses = set(re.findall(r"\w+://[^\s\"'<>]+", page))
    assert addresses == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.search(r"<script|<link|<img|@import|url\((?!#)|\bsrc=", page)


def test_the_page_speaks_to_those_who_do_not_see_it(page: str) -> None:
    read = Page(page)
    drawings = [attributes for tag, attributes in read.tags if tag == "svg"]
    assert all(one.get("aria-hidden") == "true" or (one["role"], bool(one["aria-labelledby"])) == ("img", True) for one in drawings)
    assert page.count("<title id=") == page.count("<desc id=") == sum("role" in one for one in drawings) > 10
    regions = [attributes["aria-label"] for _, attributes in read.tags if attributes.get("role") == "region"]
    assert len(set(regions)) == len(regions) > 10
    assert {attributes.get("scope") for tag, attributes in read.tags if tag == "th"} == {"row", "col"}


def test_plots_have_the_colours_of_the_page(page: str) -> None:
    style, body = page.split("</style>", 1)
    assert not re.search(r"#[0-9a-f]{6}\b", body)
    used = set(re.findall(r"var\(--([\w-]+)\)", page))
    assert used <= set(looks.COLOURS)
    assert used >= {"ours-1", "rival-1", "floor", "ink", "quiet", "grid", "paper"}
    dark = style.split("prefers-color-scheme:dark", 1)[1]
    assert all(f"--{name}:{dark_colour}" in dark for name, (_, dark_colour) in looks.COLOURS.items())


def test_labels_of_lines_keep_apart(record: Record) -> None:
    pytest.importorskip("matplotlib")
    from crossbuf.bench.report import plots

    (plot,) = plots.of(record, "sizes")
    root = ElementTree.fromstring(plot.wide)
    texts = {"".join(text.itertext()): float(text.attrib["y"]) for text in root.iter("{http://www.w3.org/2000/svg}text")}
    places = sorted(texts[route] for route in plot.routes)
    assert len(places) == len(ROUTES) + 4
    assert min(after - before for before, after in itertools.pairwise(places)) > 14
    height = float(root.attrib["viewBox"].split()[3])
    assert places[0] > 10
    assert places[-1] < height - 4


@given(st.lists(st.floats(-50, 450), min_size=1, max_size=25))
def test_what_is_moved_apart_stays_in_order_and_between_the_ends(places: list[float]) -> None:
    pytest.importorskip("matplotlib")
    from crossbuf.bench.report.canvas import apart

    moved = apart(places, 15, 0, 400)
    before = sorted(range(len(places)), key=lambda at: places[at])
    assert sorted(moved) == [moved[at] for at in before]
    gaps = [moved[after] - moved[at] for at, after in itertools.pairwise(before)]
    assert min(gaps, default=15) >= 15 - 1e-6
    assert -1e-6 <= min(moved) <= max(moved) <= 400 + 1e-6
    assert apart(moved, 14.9, 0, 401) == pytest.approx(moved)


def test_a_plot_stands_alone(record: Record) -> None:
    pytest.importorskip("matplotlib")
    from crossbuf.bench.report import plots

    drawing = plots.sizes_alone(record)
    root = ElementTree.fromstring(drawing)
    assert root.attrib["width"] == root.attrib["viewBox"].split()[2]
    assert "prefers-color-scheme:dark" in drawing
    assert set(re.findall(r"var\(--([\w-]+)\)", drawing)) <= set(re.findall(r"--([\w-]+):#", drawing))
    assert plots.sizes_alone(record) == drawing
    with pytest.raises(ValueError, match="no sizes"):
        plots.sizes_alone(Record({}))


@pytest.fixture
def readme() -> ModuleType:
    pytest.importorskip("matplotlib")
    spec = importlib.util.spec_from_file_location("benches_readme", ROOT / "benches/readme.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readme_is_rewritten_where_it_is_marked(record: Record, readme: ModuleType, tmp_path: Path) -> None:
    original = (ROOT / "README.md").read_text()
    (tmp_path / "README.md").write_text(original)
    readme.write(record, tmp_path)
    once, plot = (tmp_path / "README.md").read_text(), (tmp_path / readme.PLOT).read_text()
    readme.write(record, tmp_path)
    assert ((tmp_path / "README.md").read_text(), (tmp_path / readme.PLOT).read_text()) == (once, plot)
    assert "crossbuf bench` on 2026-01-02: a machine" in once
    assert "crossbuf bench`, on a machine that others used, on 2026-01-02: a machine" in readme.section(record, shared=True)
    for ratio in ratios(record):
        assert f"| {ratio.target.what} | {units.readable(ratio.ours, ratio.unit)} |" in once
    # All else is as it was.
    between = re.compile(re.escape(readme.BEGIN) + ".*?" + re.escape(readme.END), re.DOTALL)
    assert between.sub("", once) == between.sub("", original)
    assert len(between.findall(original)) == 1


@pytest.mark.parametrize("text", ["none", "{BEGIN}one{BEGIN}two{END}", "{END}the wrong way{BEGIN}", "{BEGIN}{END}{END}"])
def test_other_marks_are_refused(readme: ModuleType, text: str) -> None:
    with pytest.raises(ValueError, match=r"README\.md has not one"):
        readme.rewritten(text.format(BEGIN=readme.BEGIN, END=readme.END), "part")
