"""Other programs for tests: each a fresh process that runs the code it is sent."""

import json
import subprocess
import sys
from types import TracebackType
from typing import Any, Self

_LOOP = """
import json, sys
import crossbuf as cb
names = {"cb": cb, "name": sys.argv[1]}
for line in sys.stdin:
    try:
        code = json.loads(line)
        try:
            compiled = compile(code, "program", "eval")
        except SyntaxError:
            answer = exec(code, names)
        else:
            answer = eval(compiled, names)
        print(json.dumps(["value", answer]), flush=True)
    except Exception as error:
        print(json.dumps([type(error).__name__, str(error)]), flush=True)
"""


class Raised(Exception):
    """An exception in the other program: "Class: text"."""


class Program:
    """A process with `crossbuf` as `cb` and a text as `name`."""

    def __init__(self, name: str) -> None:
        # Tests say so when a program writes to stderr: it is theirs.
        command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", _LOOP, name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @property
    def pid(self) -> int:
        return self.process.pid

    def begin(self, code: str) -> None:
        """Has it run the code; `answer` waits for the end."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(code) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        assert self.process.stdout is not None
        what, answer = json.loads(self.process.stdout.readline())
        if what != "value":
            raise Raised(f"{what}: {answer}")
        return answer

    def run(self, code: str) -> Any:
        """The value of an expression, or None after statements."""
        self.begin(code)
        return self.answer()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if error is not None:
            self.kill()
        self.process.stdin.close()
        code = self.process.wait()
        self.process.stdout.close()
        assert error is not None or code in (0, -9)
