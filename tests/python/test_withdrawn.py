"""Messages by number: posted, looked for, taken back. And channels that copy into an arena of their own."""

import threading
from collections.abc import Iterator

import pytest

import crossbuf as cb

np = pytest.importorskip("numpy")
pytestmark = pytest.mark.usefixtures("nothing_left")

type Ends = tuple[cb.Sender, cb.Receiver]


@pytest.fixture
def ends() -> Iterator[Ends]:
    tx, rx = cb.channel()
    with tx, rx:
        yield tx, rx


def test_a_message_is_taken_back_once(ends: Ends) -> None:
    tx, rx = ends
    numbers = [tx._post(text) for text in "abc"]
    assert len(set(numbers)) == 3
    assert tx._holds(numbers[1])
    assert tx._withdraw(numbers[1])
    assert not tx._withdraw(numbers[1])
    assert not tx._holds(numbers[1])
    assert [rx.recv_nowait(), rx.recv_nowait(), rx.qsize()] == ["a", "c", 0]
    assert not tx._withdraw(numbers[0])


def test_receivers_learn_the_number(ends: Ends) -> None:
    tx, rx = ends
    number = tx._post(("message", 1))
    assert rx._take() == (number, True, ("message", 1))


def test_what_cannot_be_read_comes_as_its_error(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    tx, rx = ends
    number = tx._post(Lost())
    monkeypatch.delitem(globals(), "Lost")
    taken, readable, error = rx._take()
    assert (taken, readable) == (number, False)
    assert isinstance(error, AttributeError)
    assert "Lost" in str(error)


class Lost:
    pass


def test_numbers_of_other_channels_and_none_at_all(ends: Ends) -> None:
    tx, _ = ends
    number = tx._post(1)
    assert not tx._withdraw(number + 1)
    with pytest.raises(OverflowError):
        tx._withdraw(-1)
    with pytest.raises(TypeError):
        tx._withdraw("1")
    assert tx._withdraw(number)


def test_room_is_made_for_senders_that_wait() -> None:
    tx, rx = cb.channel(1)
    number = tx._post("first")
    waiting = threading.Thread(target=tx.send, args=("second",))
    waiting.start()
    while not rx.statistics().waiting_senders:
        pass
    assert tx._withdraw(number)
    waiting.join(60)
    assert not waiting.is_alive()
    assert rx.recv_nowait() == "second"
    tx.close()
    rx.close()


def test_either_the_receiver_or_who_takes_it_back_has_it(ends: Ends) -> None:
    tx, rx = ends
    received: list[int] = []
    receiver = threading.Thread(target=lambda: received.extend(rx))
    receiver.start()
    withdrawn = [n for n in range(5000) if tx._withdraw(tx._post(n))]
    tx.close()
    receiver.join(60)
    assert sorted(received + withdrawn) == list(range(5000))


def test_what_is_withdrawn_is_freed(ends: Ends) -> None:
    tx, _ = ends
    array = cb.share(bytes(1000))
    number = tx._post([array, {"deep": array}])
    blocks = cb.statistics().blocks
    array.release()
    assert cb.statistics().blocks == blocks
    assert tx._withdraw(number)
    assert cb.statistics().blocks == blocks - 1


class TestArena:
    def test_arrays_in_messages_are_copied_there(self) -> None:
        arena = cb.Arena(1 << 20)
        tx, rx = cb.channel(arena=arena)
        with tx, rx:
            tx.send({"a": np.arange(1000)})
            tx.clone().send(np.arange(10))
            assert arena.statistics().copied == 8080
            assert rx.recv()["a"].sum() == 499_500
            rx.recv()
            with pytest.raises(cb.ArenaFull):
                tx.send(np.zeros(1 << 20))
            assert rx.qsize() == 0
        arena.close()

    def test_only_arenas_are_taken(self) -> None:
        with pytest.raises(TypeError, match=r"arena=1 is not a crossbuf.Arena"):
            cb.channel(arena=1)
        cb.channel(arena=None)
