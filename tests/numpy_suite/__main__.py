"""NumPy's own test suite inside a worker interpreter, compared test by test with the same suite in the main interpreter.

```text
                      ┌── process: main.py    pytest in the main interpreter ────► main.jsonl ───┐
python numpy_suite ───┤                                                                         ├──► comparison ◄── differences.toml
                      └── process: worker.py  pytest in an interpreter that owns ► worker.jsonl ─┘
                                              its GIL, NumPy by crossbuf.isolation
```

    make numpy-suite                                    # all of it, f2py aside
    python tests/numpy_suite --slice                    # the part that is rich in C code and quick: what CI runs
    python tests/numpy_suite numpy/fft numpy/linalg     # these files or folders of NumPy

It passes only if the outcomes differ in exactly the tests that `differences.toml` lists: a new difference fails it, and so does
a listed one that is gone, a crash and a hang.

f2py is left out: it compiles Fortran, and what it tests is a compiler. Nothing here mends or deselects a single test.
"""

import argparse
import sys
from pathlib import Path

import differences
from comparison import compare
from selection import SLICE, SLICE_SIZE, WHOLE
from sides import Trouble, run_both

LIST = Path(__file__).with_name("differences.toml")


def main() -> int:
    parser = argparse.ArgumentParser(prog="numpy_suite", description="NumPy's test suite in a worker interpreter against the main one")
    parser.add_argument("tests", nargs="*", metavar="PATH", help="files or folders, as numpy/fft; without any, the whole suite")
    parser.add_argument("--slice", action="store_true", help="the slice that CI runs")
    parser.add_argument("--differences", type=Path, default=LIST, metavar="FILE", help="the list of what may differ (differences.toml)")
    parser.add_argument("--patience", type=float, default=300, metavar="SECONDS", help="without news for so long, a side hangs (300)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="put the records and pytest's output there, and keep them")
    options = parser.parse_args()
    if sys.version_info < (3, 13):
        print("numpy-suite: skipped, as crossbuf.isolation needs CPython 3.13 or later and this is", sys.version.split()[0])
        return 0
    listed = differences.load(options.differences)
    tests = options.tests or (SLICE if options.slice else WHOLE)
    try:
        main, worker = run_both(tests, options.patience, options.keep)
    except Trouble as trouble:
        print(f"numpy-suite: {trouble}", file=sys.stderr)
        return 1
    comparison = compare(main, worker, listed, everything=tests == WHOLE)
    print(comparison.report())
    if options.slice and (passed := worker.count("passed")) < SLICE_SIZE:
        print(f"numpy-suite: {passed:,} tests of the slice pass, and at least {SLICE_SIZE:,} are to be in it", file=sys.stderr)
        return 1
    return int(not comparison.as_listed)


if __name__ == "__main__":
    sys.exit(main())
