"""What ``statistics()``, ``processes()``, ``tickets()`` and ``isolation.status()`` return: frozen records of one moment."""

from typing import NamedTuple


class ArenaStatistics(NamedTuple):
    """What an arena holds. All sizes are in bytes."""

    blocks: int
    """Live blocks: memory that some Array, view or message still refers to."""
    used: int
    """What live blocks occupy, rounded up to allocation units."""
    resident: int
    """Memory backed by pages, live or kept for reuse."""
    budget: int
    """What live blocks may occupy."""
    largest: int
    """The largest block that would succeed now."""
    peak: int
    """The most that live blocks ever occupied."""
    allocations: int
    """Blocks ever made."""
    copied: int
    """Bytes ever copied in."""


class ChannelStatistics(NamedTuple):
    """What a channel holds."""

    capacity: int | None
    """Messages it takes before ``send`` waits: 0 is a rendezvous, None has no bound."""
    queued: int
    """Messages sent and not yet received."""
    senders: int
    """Open Senders."""
    receivers: int
    """Open Receivers."""
    waiting_senders: int
    """Calls of ``send`` that wait for room."""
    waiting_receivers: int
    """Calls of ``recv`` that wait for a message."""
    sent: int
    """Messages ever sent."""
    received: int
    """Messages ever received."""


class ProcessStatistics(NamedTuple):
    """What another process has of this one."""

    pid: int
    leased: int
    """Blocks of this process that it reads."""
    ends: int
    """Channel ends that it has, of channels that live in this process."""
    backlog: int
    """Packets that wait for it to read. More than a few for long: it was stopped, or is busy."""


class Ticket(NamedTuple):
    """A pickled Array or channel end that nobody has unpickled. It keeps its Array alive."""

    age: float
    """Seconds since it was pickled."""
    nbytes: int
    """Bytes of the Array; 0 for a channel end."""
    site: str
    """File and line where it was pickled."""


class IsolatedModule(NamedTuple):
    """An extension module that an interpreter has loaded from a private copy."""

    name: str
    path: str
    """Where the original lies."""
    bytes: int
    """The size of the file that was copied; the code in it is shared again once it is loaded."""


class IsolationStatus(NamedTuple):
    """What `crossbuf.isolation` does in one interpreter."""

    interpreter: int
    packages: dict[str, str]
    """The versions of the packages that are enabled."""
    modules: tuple[IsolatedModule, ...]
    """What was loaded from copies, in that order."""
    bytes: int
    """The size of all files that were copied. It is more than the memory that they take."""
