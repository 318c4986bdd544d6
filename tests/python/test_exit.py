"""The end of a process whose threads wait in channels: at once, silently, whatever kind of thread it is."""

from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

Script = Callable[..., CompletedProcess[str]]

START = """
import sys, threading, time
import crossbuf as cb

sender, receiver = cb.channel()
full, _kept = cb.channel(0)

def receive():
    receiver.recv()

def send():
    full.send("nobody takes it")

def iterate():
    for message in receiver:
        pass

def wait_long():
    receiver.recv(timeout=1000)

def until(waiting):
    while sum(end.statistics().waiting_receivers + end.statistics().waiting_senders for end in (receiver, full)) < waiting:
        time.sleep(0.001)

def interpreter(**values):
    new = cb.interpreters.create()
    new.exec(f"import sys; sys.path[:] = {sys.path!r}; import crossbuf")
    new.prepare_main(**values)
    return new
"""

KINDS = {
    "threads": """
for target in (receive, send, iterate, wait_long) * 2:
    threading.Thread(target=target).start()
until(8)
""",
    "daemon threads": """
for target in (receive, send, iterate, wait_long) * 2:
    threading.Thread(target=target, daemon=True).start()
until(8)
""",
    "raw threads": """
import _thread
_thread.start_new_thread(receive, ())
until(1)
""",
    "threads of an executor that was imported first": """
from concurrent.futures import ThreadPoolExecutor
pool = ThreadPoolExecutor(2)
pool.submit(receive), pool.submit(send)
until(2)
""",
    "threads that begin to wait while the process ends": """
def late():
    threading.main_thread().join()
    receiver.recv()
threading.Thread(target=late).start()
""",
    "a worker": """
worker = cb.spawn(cb.Receiver.recv, receiver)
until(1)
""",
    "a worker that sends": """
worker = cb.spawn(cb.Sender.send, full, 1)
until(1)
""",
    "code in another interpreter": """
def run():
    with interpreter(receiver=receiver) as inside:
        inside.exec('''
try:
    receiver.recv()
except SystemExit:
    pass
''')
threading.Thread(target=run).start()
until(1)
""",
    "threads of another interpreter": """
def run():
    with interpreter(receiver=receiver) as inside:
        inside.exec('''
import threading
threads = [threading.Thread(target=receiver.recv) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
''')
threading.Thread(target=run).start()
until(3)
""",
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_process_ends_silently(kind: str, script: Script) -> None:
    done = script(START + KINDS[kind])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_executor_imported_after_the_first_channel(script: Script) -> None:
    # Its own hook, which joins the threads, was registered after ours.
    done = script(START + "assert 'concurrent.futures.thread' not in sys.modules" + KINDS["threads of an executor that was imported first"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_wait_ends_with_system_exit_and_later_calls_need_not_wait(script: Script) -> None:
    done = script(
        START
        + """
import atexit

def wait():
    try:
        receiver.recv()
    except SystemExit as end:
        print(end)

def late():
    sender.send_nowait(1)
    assert receiver.recv_nowait() == 1
    sender.send(2)
    assert receiver.recv() == 2
    for call in (receiver.recv, lambda: receiver.recv(timeout=5), lambda: full.send(1), lambda: next(receiver)):
        try:
            call()
        except SystemExit:
            print("no more waiting")

threading.Thread(target=wait).start()
atexit.register(late)
until(1)
"""
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "going away" in lines[0]
    assert lines[1:] == ["no more waiting"] * 4


def test_only_the_interpreter_that_ends_stops_waiting(script: Script) -> None:
    done = script(
        START
        + """
got = []
thread = threading.Thread(target=lambda: got.append(receiver.recv()))
thread.start()
inside = interpreter(receiver=receiver)
inside.exec("import threading; threading.Thread(target=receiver.recv).start()")
until(2)
inside.close()
statistics = receiver.statistics()
assert (statistics.waiting_receivers, statistics.receivers) == (1, 1), statistics
sender.send("still here")
thread.join()
assert got == ["still here"]
"""
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_importing_registers_nothing(script: Script) -> None:
    done = script(
        "import threading, crossbuf; print(len(threading._threading_atexits)); crossbuf.channel(); print(len(threading._threading_atexits))"
    )
    assert done.stdout.split() == ["0", "1"]
