"""Writes down what becomes of each test, so that it can be read also after a crash or a hang.

One line of JSON for each event, written at once:

```text
{"began": "numpy/fft/tests/test_helper.py::test_x"}
{"test":  "numpy/fft/tests/test_helper.py::test_x", "outcome": "passed", "why": ""}
{"finished": 0}
```

`Recorder` is the pytest plugin that writes it, in the interpreter where the tests run; `Record` reads it.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

#: `error` is a failure outside the test's own body: when it was collected, in a fixture.
OUTCOMES = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")


class Recorder:
    """The plugin."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
        self._outcome = ("", "")

    def pytest_collectreport(self, report: Any) -> None:
        if not report.passed:
            self._write(test=report.nodeid, outcome="error" if report.failed else "skipped", why=_why(report))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._outcome = ("", "")
        self._write(began=nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        outcome = _outcome(report)
        if outcome != "passed" or report.when == "call":
            self._outcome = outcome, _why(report)
        if report.when == "teardown":
            self._write(test=report.nodeid, outcome=self._outcome[0], why=self._outcome[1])

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        self._write(finished=int(exitstatus))

    def _write(self, **event: object) -> None:
        os.write(self._file, f"{json.dumps(event)}\n".encode())


def _outcome(report: Any) -> str:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.failed and report.when != "call":
        return "error"
    return str(report.outcome)


def _why(report: Any) -> str:
    """The message of what went wrong, in one line."""
    if report.passed:
        return ""
    if isinstance(report.longrepr, tuple):  # a skip: path, line, reason
        return str(report.longrepr[2])
    crash = getattr(report.longrepr, "reprcrash", None)
    return " ".join(str(crash.message if crash else report.longrepr).split())[:500]


@dataclass
class Record:
    """What was written: `outcomes` by test, and how far the run came."""

    outcomes: dict[str, str] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    began: str | None = None
    finished: bool = False

    @classmethod
    def read(cls, lines: Iterable[str]) -> "Record":
        record = cls()
        for line in lines:
            match json.loads(line):
                case {"began": began}:
                    record.began = began
                case {"test": test, "outcome": outcome, "why": why}:
                    name = _without_addresses(test)
                    record.outcomes[name] = outcome
                    record.why[name] = why
                case {"finished": _}:
                    record.finished = True
        return record

    def count(self, outcome: str) -> int:
        return Counter(self.outcomes.values())[outcome]


def _without_addresses(test: str) -> str:
    """Some of NumPy's tests have the repr of a function in their name."""
    return re.sub(r"0x[0-9a-f]{8,}", "0x", test)
