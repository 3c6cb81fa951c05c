"""What the tap's process keeps, in bounds, and the form in which it hands it over.

The tap's process imports this: standard library only.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lab_helpers.record.tap_handshake import FRAME, FRAME_END, HEARTBEAT, PROTOCOL_HEADER

SUMMARY = struct.Struct("<QI")
"""Begins a recording: its lost bytes, and how many connections it has a prelude of, whose numbers follow."""
NUMBER = struct.Struct("<I")
PIECE = struct.Struct("<dIBI")
"""Stands before the bytes of a piece: seconds since the recording began, connection, flags, how many bytes."""
FROM_CLIENT, RESET, PRELUDE = 1, 2, 4
"""The flags."""

HEARTBEAT_FRAME = FRAME.pack(HEARTBEAT, 0, 0) + bytes([FRAME_END])
"""The whole of a heartbeat: https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf section 4.2.7."""

COST = 160
"""Bytes of memory that a piece takes beside its data."""


class Limits(NamedTuple):
    """How much memory, in bytes, may go into what is kept."""

    recording: int = 64 * 1024 * 1024
    prelude: int = 256 * 1024
    """Of one connection, both directions together."""
    preludes: int = 32 * 1024 * 1024
    """Of all connections together."""


DEFAULT_LIMITS = Limits()


class Piece(NamedTuple):
    """Some bytes that passed, at a moment of the clock of ``time.monotonic``."""

    at: float
    connection: int
    flags: int
    data: bytes

    @property
    def cost(self) -> int:
        """Bytes of memory that keeping it takes."""
        return len(self.data) + COST


class FrameEnds:
    """Follows where the frames of one direction end, reading nothing but their sizes."""

    def __init__(self) -> None:
        self._head = b""
        self._missing = 0

    @property
    def is_between(self) -> bool:
        """Whether what was fed so far ends with a whole frame; for what is no AMQP this says nothing."""
        return not self._head and not self._missing

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        at = 0
        while at < len(data):
            if self._missing:
                at += (step := min(self._missing, len(data) - at))
                self._missing -= step
                continue
            part = data[at : at + FRAME.size - len(self._head)]
            at += len(part)
            self._head += part
            if len(self._head) == FRAME.size:
                # The protocol header has no size; with the frame's end, both are one byte longer than this.
                size = 0 if PROTOCOL_HEADER.startswith(self._head) else FRAME.unpack(self._head)[2]
                self._missing = size + 1
                self._head = b""


class Prelude:
    """What is kept of one connection from its start, without its heartbeats: an idle one would grow for ever."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.cost = 0
        self._ends = {0: FrameEnds(), FROM_CLIENT: FrameEnds()}

    def add(self, piece: Piece) -> int:
        """Keep a piece, and give the bytes of memory that it takes."""
        ends = self._ends[piece.flags & FROM_CLIENT]
        # Eight bytes like these may also stand in a message's body.
        if piece.data == HEARTBEAT_FRAME and ends.is_between:
            return 0
        ends.feed(piece.data)
        self.pieces.append(piece)
        self.cost += piece.cost
        return piece.cost


class Recording:
    """What is kept of all connections: of each the beginning, always, and everything while it is asked for.

    Parameters
    ----------
    limits
        The bounds in memory. A connection that goes over its prelude's is left out of later recordings' preludes.
    """

    def __init__(self, limits: Limits) -> None:
        self.is_on = False
        self.latest = 0.0
        """When something passed last, while on."""
        self._limits = limits
        self._open: dict[int, Prelude] = {}
        self._open_cost = 0
        self._forget()

    def _forget(self) -> None:
        self._began = time.monotonic()
        self._pieces: list[Piece] = []
        self._preludes: dict[int, tuple[Piece, ...]] = {}
        self._cost = 0
        self._lost = 0

    def begin(self) -> float:
        """Keep everything from now on, and forget what was kept before; give the moment."""
        self._forget()
        self._preludes = {number: tuple(prelude.pieces) for number, prelude in self._open.items()}
        self.is_on = True
        return self._began

    def end(self) -> tuple[int, Iterator[bytes]]:
        """Stop, and give what was kept: how many bytes it takes, and then those."""
        pieces = [piece for prelude in self._preludes.values() for piece in prelude] + self._pieces
        first = len(pieces) - len(self._pieces)
        head = SUMMARY.pack(self._lost, len(self._preludes)) + b"".join(map(NUMBER.pack, self._preludes))
        size = len(head) + len(pieces) * PIECE.size + sum(len(piece.data) for piece in pieces)
        packed = written(head, pieces, first, self._began)
        self.is_on = False
        self._forget()
        return size, packed

    def opened(self, connection: int) -> None:
        """A new connection: keep its beginning."""
        self._open[connection] = Prelude()

    def closed(self, connection: int) -> None:
        """A connection is gone, and with it the use of its beginning."""
        if (prelude := self._open.pop(connection, None)) is not None:
            self._open_cost -= prelude.cost

    def wants(self, connection: int) -> bool:
        """Whether anything is kept of this connection now."""
        return self.is_on or connection in self._open

    def add(self, connection: int, flags: int, data: bytes) -> None:
        """Keep these bytes if there is room; none stand for the end of a stream."""
        piece = Piece(time.monotonic(), connection, flags, data)
        if (prelude := self._open.get(connection)) is not None:
            self._open_cost += prelude.add(piece)
            if prelude.cost > self._limits.prelude or self._open_cost > self._limits.preludes:
                self.closed(connection)
        if self.is_on:
            self.latest = piece.at
            self._cost += piece.cost
            # Once full for ever full: a gap in the middle could not be read.
            if self._cost > self._limits.recording:
                self._lost += len(data)
            else:
                self._pieces.append(piece)


def written(head: bytes, pieces: Iterable[Piece], preludes: int, began: float) -> Iterator[bytes]:
    """A recording in the form in which it is handed over; the first ``preludes`` pieces are from before it."""
    yield head
    for index, piece in enumerate(pieces):
        flags = piece.flags | PRELUDE if index < preludes else piece.flags
        yield PIECE.pack(piece.at - began, piece.connection, flags, len(piece.data))
        yield piece.data
