"""Programs that meet by a name, in processes of their own."""

import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from conftest import left
from programs import Program, Raised

import crossbuf as cb

NUMBERS = count()


@pytest.fixture
def name() -> str:
    return f"test {os.getpid()} {next(NUMBERS)}"


@pytest.fixture
def publisher(name: str) -> Iterator[Program]:
    """A program with a service that has a bit of everything."""
    with Program(name) as program:
        program.run("service = cb.publish(name); tx, rx = service.channel('frames', 8); answers = service.channel('answers')[1]")
        program.run("background = service.share('background', b'background')")
        yield program


@pytest.fixture
def client(name: str, publisher: Program) -> Iterator[Program]:
    with Program(name) as program:
        program.run("camera = cb.connect(name)")
        yield program


def eventually(condition: Callable[[], bool]) -> None:
    """What another process's end brings about needs a moment, on a machine that is busy a longer one."""
    while not condition():
        time.sleep(0.01)


def test_arrays_go_there_and_answers_come_back(publisher: Program, client: Program) -> None:
    client.run("frames = camera.receiver('frames'); answers = camera.sender('answers')")
    for number in range(20):
        publisher.run(f"tx.send(cb.share(bytes([{number}]) * 100_000))")
        client.run("answers.send(frames.recv()[-1])")
        assert publisher.run("answers.recv()") == number
    assert client.run("camera.array('background').tobytes().decode()") == "background"


def test_nothing_is_copied(publisher: Program, client: Program) -> None:
    before = publisher.run("cb.statistics().copied")
    client.run("array = camera.array('background'); frames = camera.receiver('frames')")
    publisher.run("tx.send([background, background[2:4]])")
    assert client.run("[part.tobytes().decode() for part in frames.recv()]") == ["background", "ck"]
    assert publisher.run("cb.statistics().copied") == before
    assert client.run("cb.statistics().copied") == 0


def test_clients_share_the_work_and_see_each_other(publisher: Program, client: Program, name: str) -> None:
    receiver = cb.connect(name).receiver("frames")
    client.run("frames = camera.receiver('frames'); tx = camera.sender('frames')")
    client.run("tx.send('from the other client')")
    assert receiver.recv() == "from the other client"
    publisher.run("for number in range(8): tx.send(number)")
    mine = [receiver.recv() for _ in range(5)]
    assert sorted(mine + client.run("[frames.recv() for _ in range(3)]")) == list(range(8))
    publisher.run("for number in range(8): tx.send(number)")
    with pytest.raises(Raised, match="Full"):
        publisher.run("tx.send('one too many', timeout=0)")
    assert publisher.run("rx.statistics().queued") == 8
    receiver.close()


def test_a_name_belongs_to_one_service(publisher: Program, name: str) -> None:
    with pytest.raises(cb.ServiceError, match="another service of this user has it"):
        cb.publish(name)
    with pytest.raises(Raised, match=r"ServiceError.*another service of this user has it"):
        publisher.run("cb.publish(name)")
    with pytest.raises(LookupError, match="background"):
        cb.connect(name).array("foreground")


@pytest.mark.parametrize(("bad", "why"), [("", "0 bytes"), ("x" * 65, "65 bytes"), ("ä" * 33, "66 bytes")])
def test_names_have_1_to_64_bytes(publisher: Program, name: str, bad: str, why: str) -> None:
    connection = cb.connect(name)
    for call in (cb.publish, cb.connect, connection.sender, connection.receiver, connection.array):
        with pytest.raises(cb.ServiceError, match=why):
            call(bad)
    for thing in ("channel({!r})", "share({!r}, b'')"):
        with pytest.raises(Raised, match=f"ServiceError.*{why}"):
            publisher.run("service." + thing.format(bad))
    for long in ("x" * 64, "a/b", "\0", "ä" * 32):
        with cb.publish(long) as service:
            assert cb.connect(long).name == service.name == long


def test_names_are_texts(name: str) -> None:
    with cb.publish(name) as service:
        for call in (cb.publish, cb.connect, service.channel, lambda name: service.share(name, b"")):
            with pytest.raises(TypeError, match=r"^name=7 is not a str$"):
                call(7)


def test_errors_say_what_there_is(publisher: Program, name: str) -> None:
    with pytest.raises(cb.ServiceError, match="no program of this user has published it"):
        cb.connect(name + "?")
    connection = cb.connect(name)
    there = 'array "background", channel "answers", channel "frames"'
    for find, thing in ((connection.receiver, "channel"), (connection.sender, "channel"), (connection.array, "array")):
        with pytest.raises(cb.ServiceError, match=f'"nothing".*no {thing} of that name; it has {there}$'):
            find("nothing")
    with pytest.raises(cb.ServiceError, match=f"no array of that name; it has {there}"):
        connection.array("frames")
    with pytest.raises(cb.ServiceError, match=f"no channel of that name; it has {there}"):
        connection.sender("background")
    publisher.run("for number in range(100): service.channel(str(number))")
    with pytest.raises(cb.ServiceError, match=r"and 83 more$"):
        connection.array("frames")


def test_a_name_within_a_service_belongs_to_one_thing(name: str) -> None:
    with cb.publish(name) as service:
        service.channel("a")
        with pytest.raises(cb.ServiceError, match='has channel "a" already'):
            service.channel("a")
        with pytest.raises(cb.ServiceError, match='has channel "a" already'):
            service.share("a", b"")
    with pytest.raises(cb.ServiceError, match="is closed"):
        service.channel("b")


def test_a_publisher_that_is_killed(publisher: Program, client: Program, name: str) -> None:
    client.run("frames = camera.receiver('frames'); answers = camera.sender('answers'); background = camera.array('background')")
    publisher.run("tx.send(background)")
    client.run("taken = frames.recv()")
    client.begin("frames.recv()")
    publisher.kill()
    # The name is free at once.
    with cb.publish(name) as service:
        service.channel("frames")
        with pytest.raises(Raised, match=f"Broken.*{publisher.pid}"):
            client.answer()
        with pytest.raises(Raised, match="Broken"):
            client.run("answers.send(1)")
        assert client.run("[taken.tobytes().decode(), background.tobytes().decode()]") == ["background"] * 2
        # The connection was to the other one.
        with pytest.raises(Raised, match=f"StaleHandle.*{name}.*{publisher.pid}.*has ended"):
            client.run("again = camera.receiver('frames')")
        client.run("again = cb.connect(name).receiver('frames')")
    with pytest.raises(cb.ServiceError, match="no program of this user has published it"):
        cb.connect(name)


def test_a_publisher_that_ends_in_peace_closes_all(publisher: Program, client: Program) -> None:
    client.run("frames = camera.receiver('frames')")
    client.begin("list(frames)")
    eventually(lambda: publisher.run("rx.statistics().waiting_receivers") == 1)
    publisher.__exit__(None, None, None)
    assert client.answer() == []
    with pytest.raises(Raised, match="Broken"):
        client.run("frames.recv()")


def test_clients_that_are_killed(publisher: Program, name: str) -> None:
    receiver = cb.connect(name).receiver("frames")
    mine = {"pid": os.getpid(), "leased": 0, "ends": 1, "backlog": 0}
    for waiting in (False, True):
        with Program(name) as client:
            client.run("camera = cb.connect(name); frames = camera.receiver('frames'); tx = camera.sender('answers')")
            client.run("background = camera.array('background')")
            processes = {seen["pid"]: seen for seen in publisher.run("[seen._asdict() for seen in cb.processes()]")}
            assert processes == {os.getpid(): mine, client.pid: {"pid": client.pid, "leased": 1, "ends": 2, "backlog": 0}}
            if waiting:
                client.begin("frames.recv()")
                eventually(lambda: publisher.run("rx.statistics().waiting_receivers") == 1)
            client.kill()
        publisher.run("tx.send('next')")
        assert receiver.recv() == "next"
        eventually(lambda: publisher.run("[seen._asdict() for seen in cb.processes()]") == [mine])
        eventually(lambda: publisher.run("[tx.statistics().receivers, cb.statistics().blocks]") == [3, 1])
    receiver.close()


def test_a_closed_service_ends_its_channels_once_the_publisher_closes_its_ends(publisher: Program, client: Program, name: str) -> None:
    client.run("frames = camera.receiver('frames'); answers = camera.sender('answers')")
    client.begin("list(frames)")
    publisher.run("service.close(); assert service.closed")
    publisher.run("tx.send('still open'); tx.send('the last'); tx.close(); answers.close()")
    assert client.answer() == ["still open", "the last"]
    with pytest.raises(Raised, match="Ended"):
        client.run("frames.recv()")
    with pytest.raises(Raised, match="Broken"):
        client.run("answers.send(1)")
    with pytest.raises(Raised, match=f"StaleHandle.*{name}.*closed"):
        client.run("again = camera.receiver('frames')")
    with pytest.raises(cb.ServiceError, match="no program"):
        cb.connect(name)
    publisher.run("again = cb.publish(name); again.share('background', b'another')")
    assert client.run("camera.array('background').tobytes().decode()") == "another"


def test_a_service_lives_as_long_as_its_object(name: str) -> None:
    service = cb.publish(name)
    with pytest.raises(cb.ServiceError, match="has it"):
        cb.publish(name)
    del service
    with cb.publish(name) as service:
        assert not service.closed
        assert service.name == name
    assert service.closed
    service.close()


def test_texts(publisher: Program, name: str) -> None:
    connection = cb.connect(name)
    assert repr(connection) == f'<crossbuf.Connection "{name}" pid={publisher.pid}>'
    assert (connection.name, connection.pid) == (name, publisher.pid)
    assert publisher.run("repr(service)") == f'<crossbuf.Service "{name}" array "background" channel "answers" channel "frames">'
    assert publisher.run("service.close() or repr(service)") == f'<closed crossbuf.Service "{name}">'


def test_a_service_of_this_process(name: str, elsewhere: Callable[..., None]) -> None:
    arena = cb.Arena(1 << 20)
    with cb.publish(name, arena=arena) as service, service.channel("answers")[1] as answers:
        tx, rx = service.channel("frames", 2)
        array = service.share("background", b"abc")
        assert cb.connect(name).array("background").address == array.address
        elsewhere(
            f"""
import crossbuf
connection = crossbuf.connect({name!r})
assert connection.array("background").address == {array.address}
connection.sender("answers").send(connection.pid)
"""
        )
        assert answers.recv() == os.getpid()
        tx.close()
        rx.close()


def test_copies_go_into_the_arena_of_the_service(name: str) -> None:
    numpy = pytest.importorskip("numpy")
    arena = cb.Arena(1 << 24)
    with cb.publish(name, arena=arena) as service:
        service.share("background", numpy.ones(1000))
        assert arena.statistics().blocks == 1
        tx, rx = service.channel("frames")
        tx.send(numpy.ones(1000))
        assert arena.statistics().blocks == 2
        with Program(name) as client:
            client.run("frames = cb.connect(name).receiver('frames')")
            assert client.run("frames.recv().sum().item()") == 1000
            # Too long for a packet.
            before = cb.statistics().allocations, arena.statistics().allocations
            tx.send("x" * 1_000_000)
            assert client.run("len(frames.recv())") == 1_000_000
            assert (cb.statistics().allocations, arena.statistics().allocations) == (before[0], before[1] + 1)
            eventually(lambda: arena.statistics().blocks <= 2)
        tx.close()
        rx.close()
    eventually(lambda: arena.statistics().blocks == 0)
    with pytest.raises(TypeError, match=r"not a crossbuf\.Arena"):
        cb.publish(name, arena=7)  # type: ignore[arg-type]


def test_dtypes_that_are_longer_than_a_packet_travel_in_messages(name: str) -> None:
    numpy = pytest.importorskip("numpy")
    array = cb.share(numpy.zeros(2, [(f"field {number}", "f8") for number in range(4000)]))
    with cb.publish(name) as service:
        with pytest.raises(cb.NotShareable, match="send the array in a message"):
            service.share("array", array)
        with pytest.raises(cb.NotShareable, match="send the array in a message"):
            pickle.dumps(array)
        tx, rx = service.channel("frames")
        with Program(name) as client:
            client.run("frames = cb.connect(name).receiver('frames')")
            tx.send([array, array.handle()])
            assert client.run("received = frames.recv()") is None
            assert client.run("received[0].shape") == [2]
            with pytest.raises(Raised, match="NotShareable"):
                client.run("cb.open(received[1])")
            client.run("frames.close()")
        tx.close()
        rx.close()
    array.release()


def test_connecting_leaves_nothing(publisher: Program, name: str) -> None:
    def once() -> None:
        connection = cb.connect(name)
        with connection.receiver("frames"), connection.sender("answers") as tx, connection.array("background") as array:
            assert array.tobytes() == b"background"
            tx.send(1)

    once()
    here, there = left(), "[len(__import__('os').listdir('/proc/self/fd')), cb.statistics().blocks, answers.statistics().senders]"
    before = publisher.run(there)
    for _ in range(100):
        once()
    assert left() == here
    eventually(lambda: publisher.run(there) == before)


def test_publishing_leaves_nothing(name: str) -> None:
    def once() -> None:
        with cb.publish(name) as service:
            tx, rx = service.channel("frames")
            service.share("background", b"background").release()
            with pytest.raises(cb.ServiceError):
                service.channel("frames")
            tx.close()
            rx.close()

    once()
    before = left()
    for _ in range(100):
        once()
    assert left() == before


def test_a_forked_child_has_no_part_in_the_service(publisher: Program, client: Program, name: str) -> None:
    publisher.run(
        """
import os
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    os.write(writing, repr((service.closed, repr(service))).encode())
    service.close()
    own = cb.publish(name + " of the child")
    os.write(writing, b" " + str(cb.connect(name).pid).encode())
    os._exit(0)
os.waitpid(child, 0)
"""
    )
    seen = publisher.run("os.read(reading, 1000).decode()")
    assert seen == f"""(True, '<closed crossbuf.Service "{name}">') {publisher.pid}"""
    assert client.run("camera.array('background').tobytes().decode()") == "background"
    # The child has closed its parent's sockets when `fork` returns there.
    publisher.run("child = os.fork()\nif child == 0: os.write(writing, b'up') and __import__('time').sleep(100)")
    assert publisher.run("os.read(reading, 2).decode()") == "up"
    child = publisher.run("child")
    try:
        publisher.kill()
        with cb.publish(name), pytest.raises(Raised, match="StaleHandle"):
            client.run("camera.array('background')")
    finally:
        os.kill(child, signal.SIGKILL)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_is_not_believed(name: str) -> None:
    pretender = f"""
import os, socket
os.setuid(65534)
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind("\\0crossbuf/0/{name}")
listener.listen()
print("ready", flush=True)
listener.accept()
"""
    process = subprocess.Popen([sys.executable, "-c", pretender], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    with pytest.raises(PermissionError, match="belongs to user 65534"):
        cb.connect(name)
    process.kill()
    process.communicate()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_is_told_why(publisher: Program, name: str) -> None:
    stranger = f"""
import os, socket
os.setuid(65534)
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as talk:
    talk.connect("\\0crossbuf/0/{name}")
    print(talk.recv(1000)[32:].decode(), talk.recv(1000))
"""
    told = subprocess.run([sys.executable, "-c", stranger], capture_output=True, text=True, check=True).stdout
    assert told == "this process belongs to user 0, and you are user 65534: only the same user is served b''\n"


def test_whoever_publishes_nonsense_is_refused(name: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(f"\0crossbuf/{os.geteuid()}/{name}")
        listener.listen()
        for answer, why in ((b"nonsense", "ends within a header"), (b"x" * 100_000, "no crossbuf"), (b"", "no program")):
            other = subprocess.Popen(
                [sys.executable, "-c", f"import crossbuf\ntry: crossbuf.connect({name!r})\nexcept Exception as e: print(e)"],
                stdout=subprocess.PIPE,
                text=True,
            )
            with listener.accept()[0] as talk:
                talk.send(answer)
            assert why in other.communicate()[0]


def test_tickets_are_listed_until_they_are_redeemed() -> None:
    cb.drop_tickets()
    array = cb.share(bytes(1000))
    pickled, line = pickle.dumps(array), sys._getframe().f_lineno
    tx, rx = cb.channel()
    end = pickle.dumps(tx)
    first, second = cb.tickets()
    assert (first.nbytes, first.site) == (1000, f"{__file__}:{line}")
    assert (second.nbytes, second.site) == (0, f"{__file__}:{line + 2}")
    assert first.age > second.age > 0
    assert first.age < 60
    pickle.loads(pickled).release()
    assert cb.tickets()[0].nbytes == 0
    pickle.loads(end).close()
    assert cb.tickets() == []
    tx.close()
    rx.close()


def test_tickets_that_were_dropped_are_stale(nothing_waits: None) -> None:
    before = cb.statistics().blocks
    pickled = pickle.dumps(cb.share(bytes(1000)))
    assert cb.statistics().blocks == before + 1
    assert cb.drop_tickets(older_than=60) == 0
    assert cb.drop_tickets(float("inf")) == 0
    time.sleep(0.01)
    assert cb.drop_tickets(0.01) == 1
    assert cb.drop_tickets() == 0
    assert cb.statistics().blocks == before
    with pytest.raises(cb.StaleHandle, match="dropped"):
        pickle.loads(pickled)


@pytest.mark.parametrize("bad", [-1, float("nan")])
def test_tickets_have_ages(bad: float) -> None:
    with pytest.raises(ValueError, match="no age"):
        cb.drop_tickets(bad)
