"""Puts a record of `crossbuf bench --json` into the README: the table of ratios, and the plot of the sizes.

crossbuf bench --json record.json
python benches/readme.py record.json
"""

import argparse
from pathlib import Path

from crossbuf.bench.record import Record
from crossbuf.bench.report.looks import is_floor
from crossbuf.bench.report.plots import sizes_alone
from crossbuf.bench.report.units import readable, significant
from crossbuf.bench.targets import Ratio, ratios

ROOT = Path(__file__).parents[1]
PLOT = Path("benches/figures/sizes.svg")
BEGIN, END = "<!-- figures: benches/readme.py writes this part -->\n", "<!-- end of figures -->\n"
_NAMES = {"crossbuf": "crossbuf", "numpy": "NumPy", "joblib": "joblib", "pyarrow": "pyarrow", "ray": "Ray", "iceoryx2": "iceoryx2"}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record", type=Path, help="what `crossbuf bench --json` has written")
    parser.add_argument("--shared", action="store_true", help="say that others used the machine meanwhile")
    options = parser.parse_args()
    write(Record.read(options.record), ROOT, shared=options.shared)


def write(record: Record, root: Path, *, shared: bool = False) -> None:
    """Rewrites the README's part and the plot, below the folder `root`."""
    readme = root / "README.md"
    written = rewritten(readme.read_text(), section(record, shared=shared))
    plot = sizes_alone(record)
    (root / PLOT).parent.mkdir(parents=True, exist_ok=True)
    (root / PLOT).write_text(plot)
    readme.write_text(written)


def rewritten(readme: str, part: str) -> str:
    """The README with this part between its markers. Raises `ValueError` where there is not one of each, in their order."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in after:
        raise ValueError(f"README.md has not one {BEGIN.strip()} and one {END.strip()} after it")
    return before + begin + part + end + after


def section(record: Record, *, shared: bool) -> str:
    """The table, the plot, and where they were measured."""
    about = record.about
    versions = [about["kernel"], about["python"], *(f"{name} {about[package]}" for package, name in _NAMES.items() if package in about)]
    commit = f", commit {about['commit']}" if "commit" in about else ""
    # Where the files lie concerns nobody.
    command = " ".join(word.rpartition("/")[2] for word in about["command"].split())
    run = f"`{command}`{', on a machine that others used,' if shared else ''} on {about['date'][:10]}"
    rows = "\n".join(_row(ratio) for ratio in ratios(record) if ratio.target.headline)
    return f"""\
`crossbuf bench` measures these on your machine, and more besides; `--html page.html` makes a page of all. See [benches](benches/README.md).

![The time of an array's trip to a receiver and of its answer, over the array's size, by each route]({PLOT})

Medians, and p99.9 where it says so, of one run of {run}: {about["machine"]}; {", ".join(versions)}{commit}.

| | crossbuf | against | ratio | at most |
|---|---|---|---|---|
{rows}
"""


def _row(ratio: Ratio) -> str:
    target = ratio.target
    # The column says that it is crossbuf.
    floor = f"{target.ours}: " if is_floor(target.ours) else ""
    cells = (
        target.what,
        floor + readable(ratio.ours, ratio.unit),
        f"{target.theirs}: {readable(ratio.theirs, ratio.unit)}",
        significant(ratio.ratio) + (f" ({ratio.result})" if ratio.early else ""),
        "" if target.bound is None else f"{target.bound:g}",
    )
    return f"| {' | '.join(cell.replace('|', r'\|') for cell in cells)} |"


if __name__ == "__main__":
    main()
