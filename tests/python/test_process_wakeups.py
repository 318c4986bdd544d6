"""Who is woken for a message from one process to another: the thread that waits for it, and no other."""

import os
import re
import time
from pathlib import Path

import deaths
import puppets
import pytest
from puppets import Puppet

TRIPS = 2000


def stay_on(processor: int) -> None:
    """Threads that are started from here on stay there, too."""
    os.sched_setaffinity(0, {processor})


def make_trips(sender: str, receiver: str, count: int) -> None:
    for number in range(count):
        puppets.kept[sender].send(number)
        assert puppets.kept[receiver].recv() == number


def naps_of_server() -> int:
    """How often the thread that serves other processes has gone to sleep, and so was woken before."""
    (server,) = (task for task in Path("/proc/self/task").iterdir() if (task / "comm").read_text() == "crossbuf-server\n")
    return int(re.findall(r"^voluntary_ctxt_switches:\s+(\d+)$", (server / "status").read_text(), re.MULTILINE)[0])


@pytest.mark.parametrize("answers_from", ["asker", "answerer"])
@pytest.mark.parametrize("questions_from", ["asker", "answerer"])
def test_on_one_processor_no_server_is_woken_for_a_round_trip(questions_from: str, answers_from: str) -> None:
    """A thread that is woken runs at once there, and answers before the one that woke it can say that it waits. Either process may be the
    host of each channel."""
    processor = min(os.sched_getaffinity(0))
    with Puppet() as asker, Puppet() as answerer:
        puppets_of = {"asker": asker, "answerer": answerer}
        for puppet in puppets_of.values():
            puppet.ask(stay_on, processor)
        make_between(puppets_of[questions_from], "questions", asker, "inbox", answerer)
        make_between(puppets_of[answers_from], "outbox", answerer, "answers", asker)
        answerer.ask(puppets.start, "answering", deaths.forward, "inbox", "outbox")
        asker.ask(make_trips, "questions", "answers", TRIPS)
        before = [puppet.ask(naps_of_server) for puppet in (asker, answerer)]
        begun = time.monotonic()
        asker.ask(make_trips, "questions", "answers", TRIPS)
        naps = [puppet.ask(naps_of_server) - then for puppet, then in zip((asker, answerer), before, strict=True)]
        # It also looks after what is under way, 20 times a second.
        assert max(naps) < TRIPS // 10 + 20 * (time.monotonic() - begun), f"woken {naps} times"


def make_between(host: Puppet, sender: str, of: Puppet, receiver: str, to: Puppet) -> None:
    """A channel from one to the other, which lives in the host."""
    host.ask(puppets.make_channel, sender, receiver)
    end, other = (receiver, to) if host is of else (sender, of)
    other.ask(puppets.keep, end, host.ask(puppets.ticket, end))
    host.ask(puppets.drop, end)
