"""What the processes of `test_process_deaths` do until they are killed. Each writes down what it has had a hand in."""

import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import puppets
from puppets import Job

import crossbuf

#: Elements of an array: more than a page, so that half written ones would show.
ELEMENTS = 1000
#: Seconds. Survivors wait for one message, or for room, much less: who gives up here would have waited for ever.
PATIENCE = 30


class Diary:
    """Numbers, each written at once and whole: what was written stays written when the writer is killed in the next instant."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)

    def note(self, number: int) -> None:
        os.write(self._file, number.to_bytes(8, "little"))

    def close(self) -> None:
        os.close(self._file)


def entries(path: Path) -> list[int]:
    return np.fromfile(path, "<u8").tolist() if path.exists() else []


def array_of(number: int) -> crossbuf.Array:
    draft = crossbuf.empty(ELEMENTS, "i8")
    draft.numpy()[:] = number
    return draft.freeze()


def check(number: int, array: crossbuf.Array) -> None:
    elements = array.numpy()
    assert len(elements) == ELEMENTS
    wrong = np.flatnonzero(elements != number)
    assert wrong.size == 0, f"message {number}: element {wrong[0]} is {elements[wrong[0]]}"


def numbers(job: Job | None, start: int) -> Iterator[int]:
    number = start
    while job is None or not job.stop.is_set():
        yield number
        number += 1


def make(job: Job | None, sender: crossbuf.Sender, path: str, start: int = 0) -> tuple[int, str]:
    """Sends numbered arrays, notes each that was sent. How many, and the class of what ended it."""
    diary, sent = Diary(path), 0
    try:
        for number in numbers(job, start):
            sender.send((number, array_of(number)), timeout=PATIENCE)
            diary.note(number)
            sent += 1
    except crossbuf.Error as error:
        return sent, type(error).__name__
    finally:
        diary.close()
    return sent, ""


def take(job: Job | None, receiver: crossbuf.Receiver, path: str) -> tuple[int, str]:
    """Receives until there is no more, checks each and notes it."""
    diary, taken = Diary(path), 0
    try:
        while True:
            number, array = receiver.recv(timeout=PATIENCE)
            diary.note(number)
            check(number, array)
            del array
            taken += 1
    except crossbuf.Error as error:
        return taken, type(error).__name__
    finally:
        diary.close()


def take_what_is_there(receiver: str) -> list[int]:
    taken = []
    try:
        while True:
            number, array = puppets.kept[receiver].recv_nowait()
            check(number, array)
            taken.append(number)
    except crossbuf.Empty:
        return taken


def make_large(sender: str, nbytes: int) -> None:
    draft = crossbuf.empty(nbytes, "u1")
    draft.numpy()[:] = 0
    puppets.kept[sender].send(draft.freeze())


def forward(job: Job | None, receiver: crossbuf.Receiver, sender: crossbuf.Sender) -> None:
    """The middle man: what comes goes on."""
    for message in receiver:
        sender.send(message)


def make_one(sender: str) -> None:
    """So that the memory of this process is there, and known at the other end."""
    puppets.kept[sender].send((0, array_of(0)))


def take_one(receiver: str) -> None:
    check(*puppets.kept[receiver].recv())


# The same for processes that do nothing else until they are killed.


def make_for_ever(path: str, sender: bytes, start: int) -> None:
    make(None, pickle.loads(sender), path, start)


def take_for_ever(path: str, receiver: bytes) -> None:
    take(None, pickle.loads(receiver), path)


def forward_for_ever(receiver: bytes, sender: bytes) -> None:
    forward(None, pickle.loads(receiver), pickle.loads(sender))
