"""Tickets: what a pickled Array is. Redeeming one waits for nobody where the memory is mapped already, and nothing of it is lost."""

import pickle
import signal
import time
from typing import Any

import numpy as np
import puppets
import pytest
from puppets import Puppet

import crossbuf as cb

pytestmark = pytest.mark.usefixtures("nothing_waits")


def make_tickets(count: int, length: int) -> list[bytes]:
    """Of arrays that nobody keeps but they: all elements of the one of number n are n."""
    return [pickle.dumps(cb.share(np.full(length, number))) for number in range(count)]


def make_reduced_tickets(count: int) -> list[Any]:
    """The same, as `pickle` gets them: a function, and its argument."""
    return [cb.share(np.full(10, number)).__reduce__() for number in range(count)]


def tickets_and_blocks() -> tuple[int, int]:
    return len(cb.tickets()), puppets.left()["blocks"]


def redeem_while_it_stands_still(other: Puppet, tickets: list[bytes]) -> list[cb.Array]:
    """Whoever stands still answers nothing."""
    other.signal(signal.SIGSTOP)
    try:
        return [pickle.loads(ticket) for ticket in tickets]
    finally:
        other.signal(signal.SIGCONT)


def test_redeeming_does_not_wait_for_an_owner_whose_memory_is_mapped(other: Puppet) -> None:
    first, *tickets = other.ask(make_tickets, 50, 1000)
    mapped = pickle.loads(first)
    arrays = redeem_while_it_stands_still(other, tickets)
    assert [set(array.numpy()) for array in arrays] == [{number} for number in range(1, 50)]
    # The owner hears of each, and keeps the blocks for nothing but these Arrays.
    puppets.until(lambda: other.ask(tickets_and_blocks) == (0, 50), "the owner has not heard of it")
    del mapped, arrays
    puppets.until(lambda: other.ask(tickets_and_blocks) == (0, 0), "the owner keeps what was let go")


def test_a_ticket_may_be_redeemed_again_while_its_array_lives(other: Puppet) -> None:
    (ticket,) = other.ask(make_tickets, 1, 1000)
    once, again = pickle.loads(ticket), pickle.loads(ticket)
    assert once == again
    del once, again
    puppets.until(lambda: other.ask(tickets_and_blocks) == (0, 0), "the owner keeps what was let go")
    # Its memory is mapped, and has room for other arrays by now.
    other.ask(make_tickets, 1, 1000)
    with pytest.raises(cb.StaleHandle, match="the ticket was redeemed before and its array is freed"):
        pickle.loads(ticket)


def test_a_ticket_that_was_altered_is_refused_or_the_array_it_was_made_for(other: Puppet) -> None:
    reduced = other.ask(make_reduced_tickets, 200)
    redeem, [first] = reduced[0]
    mapped = redeem(first)
    # Before it are an address, a counterfoil's place, a kind, an arena's name.
    token = range(16 + 8 + 1 + 16, 16 + 8 + 1 + 16 + 16)
    seen = {"refused": 0, "right": 0}
    for number, (redeem, [(mark, ticket)]) in enumerate(reduced[1 : len(first[1])], start=1):
        # One who asks for a token that nobody has heard of waits until nobody will: that is known from one of its bytes.
        if number in token[1:]:
            continue
        altered = bytearray(ticket)
        altered[number] ^= 1 << number % 8
        try:
            assert set(redeem((mark, bytes(altered))).numpy()) == {number}, f"byte {number} was altered"
            seen["right"] += 1
        except cb.Error:
            seen["refused"] += 1
    # The owner tells where it lies, whatever the ticket says; but the ticket tells whose it is, and which one.
    assert min(seen.values()) > 10, seen
    del mapped
    other.ask(cb.drop_tickets)
    puppets.until(lambda: other.ask(tickets_and_blocks) == (0, 0), "the owner keeps what was let go")


def test_more_tickets_than_can_be_redeemed_without_asking(other: Puppet) -> None:
    tickets = other.ask(make_tickets, 8300, 1)
    assert [pickle.loads(ticket).numpy()[0] for ticket in tickets] == list(range(8300))
    puppets.until(lambda: other.ask(tickets_and_blocks) == (0, 0), "the owner keeps what was let go")


def redeem_and_look(tickets: list[bytes]) -> int:
    """How many of these tickets were good. What they stand for lives no longer than that."""
    good = 0
    for number, ticket in enumerate(tickets):
        try:
            array = pickle.loads(ticket)
        except cb.StaleHandle:
            continue
        good += 1
        assert set(array.numpy()) == {number}, f"array {number} shows {array.numpy()}"
    return good


def test_processes_that_redeem_the_same_tickets_at_once_see_what_they_stand_for_or_nothing(other: Puppet) -> None:
    with Puppet() as second, Puppet() as third:
        redeemers = [second, third]
        for _ in range(30):
            tickets = other.ask(make_tickets, 60, 200)
            for redeemer in redeemers:
                redeemer.tell(redeem_and_look, tickets)
            # What is let go is used again at once.
            other.ask(make_tickets, 60, 200)
            assert sum(redeemer.answer() for redeemer in redeemers) >= 60
            # That some were redeemed is not known yet.
            assert other.ask(cb.drop_tickets) >= 60
        puppets.until(lambda: other.ask(tickets_and_blocks) == (0, 0), "the owner keeps what was let go")


def test_redeemers_die(other: Puppet) -> None:
    for number in range(20):
        tickets = other.ask(make_tickets, 300, 10)
        with Puppet() as victim:
            victim.tell(redeem_and_look, tickets)
            time.sleep(0.003 * number)
            victim.kill()
        other.ask(cb.drop_tickets)
    puppets.until(lambda: other.ask(tickets_and_blocks) == (0, 0), "the owner keeps what the dead had")


def test_a_ticket_of_a_dead_owner_names_its_process(other: Puppet) -> None:
    first, second = other.ask(make_tickets, 2, 1000)
    mapped = pickle.loads(first)
    other.kill()

    said: list[str] = []

    def refused() -> bool:
        # Until its death is heard of here, what it has left is as good as ever.
        try:
            assert set(pickle.loads(second).numpy()) == {1}
        except cb.StaleHandle as error:
            said.append(str(error))
        return bool(said)

    puppets.until(refused, "tickets of the dead are good for ever")
    assert f"pid {other.pid}" in said[0]
    assert set(mapped.numpy()) == {0}
