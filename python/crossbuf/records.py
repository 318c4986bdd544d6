"""What ``statistics()`` and ``isolation.status()`` return: frozen records of one moment."""

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


class IsolatedModule(NamedTuple):
    """An extension module that an interpreter has loaded from a private copy."""

    name: str
    path: str
    """Where the original lies."""
    bytes: int
    """The size of the copy."""


class IsolationStatus(NamedTuple):
    """What `crossbuf.isolation` does in one interpreter."""

    interpreter: int
    packages: dict[str, str]
    """The versions of the packages that are enabled."""
    modules: tuple[IsolatedModule, ...]
    """What was loaded from copies, in that order."""
    bytes: int
    """The size of all copies."""
