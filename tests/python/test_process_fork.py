"""What a forked child finds. Each test is a program of its own, which says nothing on stderr, and neither do its children."""

import os
import pickle
import signal
from collections.abc import Callable
from subprocess import CompletedProcess

import numpy as np
import puppets
from puppets import Puppet, kept

import crossbuf

Script = Callable[..., CompletedProcess[str]]

START = """
import multiprocessing as mp, os, pickle, sys
import numpy as np
import crossbuf as cb

def fork(work, *arguments):
    # The child ends as programs do, with all that runs at their end.
    child = os.fork()
    if child == 0:
        work(*arguments)
        sys.exit()
    return child

def join(child):
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

def until(condition):
    while not condition():
        os.sched_yield()

"""


def run(script: Script, text: str) -> list[str]:
    done = script(START + text)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split("\n")[:-1]


def test_a_child_reads_while_its_parent_frees_and_reuses(script: Script) -> None:
    output = run(
        script,
        """
arrays = [cb.share(np.full(1000 + number, number)) for number in range(200)]
reading, writing = os.pipe()

def read():
    os.close(writing)
    os.set_blocking(reading, False)
    rounds, over = 0, False
    while not over:
        try:
            over = os.read(reading, 1) == b""
        except BlockingIOError:
            pass
        # Once more after the parent has done its worst.
        for number, array in enumerate(arrays):
            elements = array.numpy()
            assert len(elements) == 1000 + number and (elements == number).all(), number
        rounds += 1
    print("read", rounds > 0)

child = fork(read)
os.close(reading)
arrays.clear()
for round in range(30):
    others = [cb.share(np.full(1000 + number, -1)) for number in range(200)]
    del others
os.close(writing)
join(child)
until(lambda: cb.statistics().blocks == 0)
print("all free")
""",
    )
    assert output == ["read True", "all free"]


def test_a_child_has_an_arena_and_a_server_of_its_own(script: Script) -> None:
    output = run(
        script,
        """
array = cb.share(np.arange(10))
pickle.dumps(array)  # the parent has a server
cb.drop_tickets()
used = cb.statistics()
to_parent, from_child = mp.Pipe()
to_child, from_parent = mp.Pipe()

def work():
    assert cb.statistics().blocks == 0 and cb.tickets() == []
    mine = cb.share(np.arange(5))
    assert cb.statistics().blocks == 1
    assert pickle.loads(from_parent.recv_bytes()).tolist() == list(range(100, 110))
    to_parent.send_bytes(pickle.dumps(mine))
    from_parent.recv()
    until(lambda: cb.tickets() == [])

child = fork(work)
later = cb.share(np.arange(100, 110))
to_child.send_bytes(pickle.dumps(later))
theirs = pickle.loads(from_child.recv_bytes())
print(theirs.tolist(), cb.statistics().blocks - used.blocks)
print([process.pid == child for process in cb.processes()])
to_child.send(None)
join(child)
print(theirs.tolist())
""",
    )
    assert output == ["[0, 1, 2, 3, 4] 1", "[True]", "[0, 1, 2, 3, 4]"]


def test_children_of_multiprocessing_use_ends(script: Script) -> None:
    output = run(
        script,
        """
def double(receiver, sender):
    for array in receiver:
        sender.send(cb.share(array.numpy() * 2))

if __name__ == "__main__":
    context = mp.get_context("fork")
    work, todo = cb.channel(4)
    results, done = cb.channel()
    children = [context.Process(target=double, args=(todo, results)) for _ in range(3)]
    for child in children:
        child.start()
    results.close()
    todo.close()
    for number in range(50):
        work.send(cb.share(np.full(10, number)))
    work.close()
    print(sorted(int(array[0]) for array in done) == [2 * number for number in range(50)])
    for child in children:
        child.join()
        print(child.exitcode)
""",
    )
    assert output == ["True", "0", "0", "0"]


def test_a_child_of_a_child(script: Script) -> None:
    """It reads what its grandparent had, also when its parent has ended, and talks with it."""
    output = run(
        script,
        """
array = cb.share(np.arange(10))
sender, receiver = cb.channel()
sender_of_grandchild, receiver_from_grandchild = cb.channel()
go, gone = os.pipe()

def grandchild(own):
    os.close(gone)
    os.read(go, 1)  # until the others have closed it: the child has ended, and the parent says so
    assert array.tolist() == list(range(10)) and own.tolist() == [7]
    sender_of_grandchild.send(("grandchild", cb.share(np.arange(3))))

def child():
    own = cb.share(np.array([7]))
    sender.send(("child", array))
    fork(grandchild, own)
    os.close(gone)

first = fork(child)
name, back = receiver.recv()
print(name, back.tolist() == list(range(10)))
join(first)
del array, back
others = [cb.share(np.full(10, -1)) for _ in range(100)]
os.close(gone)
name, theirs = receiver_from_grandchild.recv()
print(name, theirs.tolist())
sender_of_grandchild.close()
assert list(receiver_from_grandchild) == []  # so it has been told that its message was sent
""",
    )
    assert output == ["child True", "grandchild [0, 1, 2]"]


def test_many_children_one_after_another_leave_nothing(script: Script) -> None:
    output = run(
        script,
        """
array = cb.share(np.arange(1000))
sender, receiver = cb.channel()

def work(number):
    sender.send((number, int(array.numpy().sum())))

def left():
    return cb.statistics().blocks, len(os.listdir("/proc/self/fd")), sender.statistics().senders

def one(number):
    join(fork(work, number))
    assert receiver.recv() == (number, 499500)

one(0)
until(lambda: cb.processes() == [] and sender.statistics().senders == 1)
before = left()
for number in range(1, 20):
    one(number)
# It may have counted what the end of a child's conversation was about to close.
until(lambda: all(now <= then for now, then in zip(left(), before)))
print("as before")
""",
    )
    assert output == ["as before"]


def send_for_ever(sender: str) -> None:
    number = 0
    while True:
        kept[sender].send((number, crossbuf.share(np.full(500, number))))
        number += 1


def fork_amid_traffic(receiver: str, forks: int) -> list[int]:
    """The exit codes of children that were forked while the server was in the midst of its work, each after some messages."""
    inherited, codes, expected = crossbuf.share(np.arange(1000)), [], 0
    for _ in range(forks):
        for _ in range(10):
            number, array = kept[receiver].recv(timeout=puppets.WATCHDOG)
            assert number == expected
            assert array[-1] == number
            expected += 1
        child = os.fork()
        if child == 0:
            signal.alarm(puppets.WATCHDOG)
            right = array[0] == number and inherited.numpy().sum() == 499500 and crossbuf.share(b"own")[0] == ord("o")
            os._exit(0 if right else 1)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    return codes


def test_forking_while_the_server_is_busy() -> None:
    with Puppet() as host, Puppet() as first:
        host.ask(puppets.make_channel, "sender", "receiver", 8)
        first.ask(puppets.keep, "sender", host.ask(puppets.ticket, "sender"))
        first.tell(send_for_ever, "sender")
        assert host.ask(fork_amid_traffic, "receiver", 50) == [0] * 50
        first.kill()
        host.ask(puppets.drop, "sender")
        host.ask(receive_the_rest, "receiver")
        assert host.ask(puppets.returns_to, {"blocks": 0})["blocks"] == 0


def receive_the_rest(receiver: str) -> None:
    for _ in kept[receiver]:
        pass


def tried_by_a_child(name: str) -> list[str]:
    """What comes of pickling that end, and of sending with it."""
    here, there = os.pipe()
    if (child := os.fork()) == 0:
        for attempt in (lambda: pickle.dumps(kept[name]), lambda: kept[name].send(1)):
            try:
                attempt()
                said = "it went well"
            except Exception as error:
                said = f"{type(error).__name__}: {error}"
            os.write(there, f"{said}\n".encode())
        os._exit(0)
    os.close(there)
    os.waitpid(child, 0)
    with os.fdopen(here) as said_there:
        return said_there.read().splitlines()


def test_a_child_has_no_part_in_what_its_parent_says_to_others() -> None:
    with Puppet() as host, Puppet() as parent:
        host.ask(puppets.make_channel, "sender", "receiver")
        parent.ask(puppets.keep, "sender", host.ask(puppets.ticket, "sender"))
        for said in parent.ask(tried_by_a_child, "sender"):
            assert said.startswith("Closed: this end was inherited by fork")
        host.ask(puppets.call, "sender", "close")
        for said in host.ask(tried_by_a_child, "sender"):
            assert said.startswith("Closed: this Sender is closed")
        parent.ask(puppets.send, "sender", *range(100))
        assert host.ask(puppets.take_all_nowait, "receiver") == list(range(100))


def test_a_draft_is_its_parent_s_alone(script: Script) -> None:
    output = run(
        script,
        """
draft = cb.empty(1000)
draft.numpy()[:] = 7

def use():
    for use in (draft.numpy, draft.freeze, lambda: memoryview(draft)):
        try:
            use()
        except ValueError as refused:
            print(str(refused).partition(",")[0], flush=True)
    print(draft.shape, flush=True)
    draft.release()

join(fork(use))
draft.numpy()[1:] = 8
print(draft.freeze().numpy().sum())
""",
    )
    assert output == ["this Draft is of the process that this one was forked from"] * 3 + ["(1000,)", "7999.0"]
