"""Waiting for a process that has come to a stop: Ctrl-C ends it, other signals do not, and the question stands meanwhile."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import puppets
import pytest
from programs import Program

NAME = "test_process_patience"
#: Seconds after which a process that has stopped is given up.
PATIENCE = 10

#: `theirs` is what the publisher's process has: a handle and tickets.
WAITER = """
import pickle, signal, sys, time
import crossbuf as cb

signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGUSR1, lambda *_: print("handled", flush=True))
name, theirs = sys.argv[1], pickle.loads(bytes.fromhex(sys.argv[2]))
connection = cb.connect(name)
connection.sender("numbers").close()
print("ready", flush=True)
sys.stdin.readline()
start = time.monotonic()
try:
    found = {call}
except KeyboardInterrupt:
    print("interrupted after", time.monotonic() - start, flush=True)
else:
    print("found", type(found).__name__, flush=True)
sys.stdin.readline()
print(connection.array("array")[-1])
"""

CALLS = {
    "cb.open(theirs['handle'])": "Array",
    "pickle.loads(theirs['array'])": "Array",
    "pickle.loads(theirs['end'])": "Receiver",
    "cb.connect(name)": "Connection",
    "connection.receiver('numbers')": "Receiver",
    "connection.array('array')": "Array",
}


@pytest.fixture
def publisher() -> Iterator[Program]:
    with Program(NAME) as program:
        program.run("import pickle; array = cb.share(bytes([7, 8, 9])); service = cb.publish(name)")
        program.run("sender, receiver = service.channel('numbers'); service.share('array', array)")
        yield program


class Waiter:
    """A program that calls a publisher which has stopped."""

    def __init__(self, publisher: Program, call: str, directory: Path) -> None:
        theirs = publisher.run(
            "pickle.dumps({'handle': array.handle(), 'array': pickle.dumps(array), 'end': pickle.dumps(receiver)}).hex()"
        )
        script = directory / "waiter.py"
        script.write_text(WAITER.replace("{call}", call))
        command = [sys.executable, str(script), NAME, theirs]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.read() == "ready"
        publisher.process.send_signal(signal.SIGSTOP)
        puppets.until(lambda: puppets.has_stopped(publisher.pid), "the publisher stops")
        self.go_on()
        self.falls_asleep()

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def falls_asleep(self) -> None:
        """Waits until its main thread does: in a futex or a poll, not in reading its input."""
        syscall = Path(f"/proc/{self.process.pid}/syscall")
        puppets.until(lambda: syscall.read_text().startswith(SLEEPS), "the call waits")

    def end(self) -> str:
        output, errors = self.process.communicate("\n")
        assert (self.process.returncode, errors) == (0, "")
        return output.strip()


#: `futex`, `futex_waitv`, `ppoll`, `poll`: their numbers are of x86-64 first, then of others.
SLEEPS = tuple(f"{number} " for number in (202, 449, 271, 7, 98, 73))


@pytest.mark.parametrize("call", CALLS)
def test_ctrl_c(call: str, publisher: Program, tmp_path: Path) -> None:
    waiter = Waiter(publisher, call, tmp_path)
    waiter.process.send_signal(signal.SIGINT)
    what, _, seconds = waiter.read().rpartition(" ")
    publisher.process.send_signal(signal.SIGCONT)
    assert what == "interrupted after"
    assert float(seconds) < PATIENCE / 2, "it waited on"
    assert waiter.end() == "9", "they still talk"


@pytest.mark.parametrize(("call", "what"), CALLS.items())
def test_a_handler_that_does_not_raise(call: str, what: str, publisher: Program, tmp_path: Path) -> None:
    """Not even of an end's ticket, which is good for once, anything is lost."""
    waiter = Waiter(publisher, call, tmp_path)
    for _ in range(3):
        waiter.process.send_signal(signal.SIGUSR1)
        assert waiter.read() == "handled"
        waiter.falls_asleep()
    publisher.process.send_signal(signal.SIGCONT)
    assert waiter.read() == f"found {what}"
    assert waiter.end() == "9"
    assert publisher.run("len(cb.tickets())") == (2 if "loads" not in call else 1), "what was asked for was asked for once"


def test_what_was_called_off_is_given_back(publisher: Program, tmp_path: Path) -> None:
    before = publisher.run("sender.statistics().receivers")
    waiter = Waiter(publisher, "pickle.loads(theirs['end'])", tmp_path)
    waiter.process.send_signal(signal.SIGINT)
    assert waiter.read().startswith("interrupted")
    publisher.process.send_signal(signal.SIGCONT)
    puppets.until(lambda: publisher.run("sender.statistics().receivers") <= before, "the end is closed")
    assert waiter.end() == "9"
