"""Two interpreters in a tight echo, while a third opens and closes channels: nothing is lost, doubled or torn."""

import sys
import time
from array import array

import crossbuf

# No NumPy here: the workers import this module, too.

# The thousands of messages of fewer seconds do where all else is as on 3.14.
SECONDS = 10 if sys.version_info[:2] == (3, 14) else 3


def echo(inbox, outbox):
    for message in inbox:
        outbox.send(message)
    return inbox.statistics().received


def churn(stop, seconds):
    """Opens and closes channels, with messages in them and under way through each other."""
    opened = 0
    end = time.monotonic() + seconds
    page = crossbuf.share(bytes(4096))
    while time.monotonic() < end and not stop.qsize():
        sender, receiver = crossbuf.channel(capacity=opened % 3 or None)
        sender.send_nowait([page, receiver.clone(), opened])
        if opened % 2:
            assert receiver.recv_nowait()[2] == opened
        sender.close()
        opened += 1
    return opened


def test_ten_seconds_of_echo(nothing_left):
    there, inbox = crossbuf.channel(capacity=64)
    outbox, back = crossbuf.channel(capacity=64)
    stop, stopped = crossbuf.channel()
    echoer = crossbuf.spawn(echo, inbox, outbox)
    churner = crossbuf.spawn(churn, stopped, SECONDS)
    inbox.close()
    outbox.close()
    draft = crossbuf.empty((64, 1024), "<u4")
    memoryview(draft).cast("B").cast("I")[:] = memoryview(array("I", range(64 * 1024)))
    frames = draft.freeze()

    number = 0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        burst = range(number, number + 1 + number % 64)
        for at in burst:
            there.send((at, frames[at % 64], str(at)))
        for at in burst:
            seen, row, text = back.recv()
            assert (seen, text) == (at, str(at))
            assert row.address == frames.address + at % 64 * 4096
            assert (row[0], row[1023]) == (at % 64 * 1024, at % 64 * 1024 + 1023)
        number = burst.stop
    assert back.qsize() == 0
    there.close()
    stop.send(None)
    assert echoer.join() == number
    assert churner.join() > 0
    assert number > 1000
    frames.release()
    for end_ in (back, stop, stopped):
        end_.close()
