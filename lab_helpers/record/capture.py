"""What the tap hands over: the bytes that passed, piece by piece, not yet read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Chunk:
    """Bytes as one read of a socket gave them; where they are cut means nothing."""

    at: float
    """Seconds since the recording began; negative for what passed before it."""
    connection: int
    """The connection's number in this tap, from 1, in the order of arrival."""
    from_client: bool
    data: bytes
    """Empty where this side ended its stream."""
    reset: bool = False
    """Whether this side ended it with a reset instead of a proper end."""


@dataclass(frozen=True)
class Capture:
    """Everything that passed while the tap recorded, in order, and what it takes to understand it.

    Of a connection that was open before the recording began, ``prelude`` has the bytes from its start, so that
    channel modes and consumers made earlier are known. Where they were too many to keep, ``prelude`` has nothing
    for it, and the chunks may begin in the middle of a frame.
    """

    chunks: tuple[Chunk, ...] = ()
    prelude: Mapping[int, tuple[Chunk, ...]] = field(default_factory=dict)
    lost_bytes: int = 0
    """Bytes that passed after the memory for the recording was full."""
