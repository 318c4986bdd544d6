"""Outcome against outcome, test by test."""

import platform
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from differences import Difference
from recorder import OUTCOMES
from sides import Side

ABSENT = "absent"


@dataclass(frozen=True)
class Comparison:
    main: Side
    worker: Side
    #: As listed: the number of tests for each reason.
    listed: list[tuple[int, str]]
    #: Differ without being listed, or otherwise than listed.
    unlisted: list[str]
    #: Listed, but the worker does as main does, or NumPy's suite has them no more.
    gone: list[str]
    #: Listed, but main cannot do here what it does elsewhere, so they say nothing.
    mute: list[str]
    #: Fail on both sides.
    failing: list[str]

    @property
    def as_listed(self) -> bool:
        return not self.unlisted and not self.gone

    def report(self) -> str:
        return "\n".join(self._report())

    def _report(self) -> Iterator[str]:
        yield f"NumPy {version('numpy')} on CPython {platform.python_version()}"
        yield "".join(f"{word:>10}" for word in ("", *OUTCOMES, "seconds"))
        for name, side in (("main", self.main), ("worker", self.worker)):
            yield "".join(f"{word:>10}" for word in (name, *(f"{side.count(outcome):,}" for outcome in OUTCOMES), f"{side.seconds:.0f}"))
        for number, why in self.listed:
            yield textwrap.fill(f"{number:>10} as listed: {why}", 140, subsequent_indent=" " * 11)
        for title, tests in (
            ("fail on both sides", self.failing),
            ("are listed, but do not even work in the main interpreter on this machine", self.mute),
            ("are listed and differ no more: take them out", self.gone),
            ("differ and are not listed so", self.unlisted),
        ):
            if tests:
                yield f"\n{len(tests)} {title}:"
                yield from (f"  {test}" for test in tests)
        yield "\nthe difference is exactly the list" if self.as_listed else "\nthe difference is not the list"


def compare(main: Side, worker: Side, differences: Sequence[Difference], everything: bool) -> Comparison:
    """`everything` says that the whole suite was run, so that a listed test which is not there was renamed or removed."""
    theirs, ours = main.record.outcomes, worker.record.outcomes
    expected = {test: (difference.main, difference.worker) for difference in differences for test in difference.tests}
    outcomes = {test: (theirs.get(test, ABSENT), ours.get(test, ABSENT)) for test in theirs.keys() | ours.keys()}
    differing = {test for test, (there, here) in outcomes.items() if there != here}
    as_listed = {test for test in differing if outcomes[test] == expected.get(test)}
    agreeing = sorted(expected.keys() - differing)
    return Comparison(
        main,
        worker,
        listed=[(number, difference.why) for difference in differences if (number := len(as_listed.intersection(difference.tests)))],
        unlisted=[
            f"{test}: {outcomes[test][0]} in main, {outcomes[test][1]} in the worker{_why(test, main, worker)}"
            for test in sorted(differing - as_listed)
        ],
        gone=[test for test in agreeing if (theirs[test] == expected[test][0] if test in theirs else everything)],
        mute=[test for test in agreeing if test in theirs and theirs[test] != expected[test][0]],
        failing=[
            f"{test}{_why(test, main)}"
            for test, outcome in sorted(theirs.items())
            if outcome in ("failed", "error") and test not in differing
        ],
    )


def _why(test: str, *sides: Side) -> str:
    return "".join(f"\n      {why}" for side in sides if (why := side.record.why.get(test)))
