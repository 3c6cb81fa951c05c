"""The steps of a flow and what moves in each: what flow.js plays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Move:
    """One message, or a word about it, on its way along ``path`` (ids); a path of one id: it happens there.

    ``look`` says what it is. "message", "returned", "requeued" and "dead-lettered" carry the message itself,
    "confirmed", "refused", "acked" and "rejected" a word about it; at "dropped", "unknown" and "removed" nothing moves.
    """

    message: int
    path: tuple[str, ...]
    look: str = "message"
    stays: bool = False
    """Whether the message then waits where the path ends."""


@dataclass
class Step:
    """One thing that happened; ``depths`` are the queues whose depth it changed, with the messages ready now."""

    kind: str
    caption: str
    moves: list[Move] = field(default_factory=list)
    depths: dict[str, int] = field(default_factory=dict)

    def data(self) -> dict[str, Any]:
        """The step as plain JSON."""
        return {
            "kind": self.kind,
            "caption": self.caption,
            "moves": [
                {"message": move.message, "path": list(move.path), "look": move.look, "stays": move.stays}
                for move in self.moves
            ],
            "depths": self.depths,
        }
