"""Signals while a call waits. Each test is a process of its own, which the kernel really interrupts."""

from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

Script = Callable[..., CompletedProcess[str]]

START = """
import os, signal, sys, threading, time
import crossbuf as cb

sender, receiver = cb.channel()
full, kept = cb.channel(0)

def interrupt(number=signal.SIGINT, waiting=1):
    # Sends a signal once somebody waits.
    def run():
        while sum(end.statistics().waiting_receivers + end.statistics().waiting_senders for end in (receiver, full)) < waiting:
            time.sleep(0.001)
        time.sleep(0.05)
        os.kill(os.getpid(), number)
    threading.Thread(target=run, daemon=True).start()
"""

WAITS = ["receiver.recv()", "receiver.recv(timeout=1000)", "next(receiver)", "receiver.get()", "full.send([1])", "full.put(1, True, 1000)"]


@pytest.mark.parametrize("wait", WAITS)
def test_ctrl_c_ends_a_wait(wait: str, script: Script) -> None:
    done = script(
        START
        + f"""
interrupt()
try:
    {wait}
except KeyboardInterrupt:
    print("interrupted")
assert kept.qsize() == 0
sender.send("works")
print(receiver.recv())
"""
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["interrupted", "works"], "")


def test_a_handler_that_does_not_raise_lets_the_wait_go_on(script: Script) -> None:
    done = script(
        START
        + """
signal.signal(signal.SIGUSR1, lambda *_: (print("handled"), sender.send("from the handler")))
interrupt(signal.SIGUSR1)
print(receiver.recv(timeout=1000))
"""
    )
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (0, ["handled", "from the handler"], "")


def test_a_handler_does_not_prolong_the_time(script: Script) -> None:
    done = script(
        START
        + """
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
try:
    receiver.recv(timeout=0.3)
except cb.Empty:
    signal.setitimer(signal.ITIMER_REAL, 0)
    print("empty")
"""
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["empty"], "")


def test_no_message_is_lost_to_signals(script: Script) -> None:
    done = script(
        START
        + """
handled = 0
def handle(*_):
    global handled
    handled += 1
signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
count = 5000
def work():
    for n in range(count):
        sender.send(n)
        if n % 50 == 0:
            time.sleep(0.002)
thread = threading.Thread(target=work)
thread.start()
assert [receiver.recv() for _ in range(count)] == list(range(count))
signal.setitimer(signal.ITIMER_REAL, 0)
thread.join()
assert handled > 0
"""
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_signal_that_another_thread_gets_is_noticed(script: Script) -> None:
    done = script(
        START
        + """
def run():
    while receiver.statistics().waiting_receivers < 1:
        time.sleep(0.001)
    time.sleep(0.05)
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)
threading.Thread(target=run, daemon=True).start()
try:
    receiver.recv()
except KeyboardInterrupt:
    print("interrupted")
"""
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["interrupted"], "")


def test_other_threads_go_on_waiting(script: Script) -> None:
    done = script(
        START
        + """
signal.signal(signal.SIGUSR1, lambda *_: None)
got = []
thread = threading.Thread(target=lambda: got.append(receiver.recv()))
thread.start()
while receiver.statistics().waiting_receivers < 1:
    time.sleep(0.001)
for _ in range(20):
    signal.pthread_kill(thread.ident, signal.SIGUSR1)
    time.sleep(0.005)
sender.send("still waiting")
thread.join()
print(got[0])
"""
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "still waiting", "")


def test_a_sub_interpreter_on_the_main_thread_gives_way(script: Script) -> None:
    done = script(
        START
        + """
inside = cb.interpreters.create()
inside.exec(f"import sys; sys.path[:] = {sys.path!r}; import crossbuf")
inside.prepare_main(receiver=receiver, sender=sender)
interrupt()
try:
    inside.exec('''
try:
    receiver.recv()
except InterruptedError as error:
    sender.send(str(error))
''')
    time.sleep(10)
except KeyboardInterrupt:
    print("interrupted")
print(receiver.recv())
inside.close()
"""
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "interrupted"
    assert "signal" in done.stdout.splitlines()[1]
