"""Where the time lines of a sequence chart stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab_helpers.draw.folding import Passage
from lab_helpers.draw.steps import Step

PLACES: dict[int, tuple[float, float, tuple[float, ...]]] = {
    0: (420, 210, ()),
    1: (760, 670, (90,)),
    2: (900, 450, (85, 815)),
    3: (900, 500, (75, 270, 825)),
    4: (900, 450, (70, 250, 650, 830)),
}
"""By the number of clients: the width, the broker's place and the clients', in pixels.

The first clients stand left of the broker and the last ones right of it, so that what a publisher sends and a consumer
gets goes one way.
"""
INDENT = 11
"""Pixels from one channel's lane to the next."""
MOST_CHANNELS = 4
"""As many channels of a client have a lane of their own; the rest shares the last."""


@dataclass(frozen=True)
class Lanes:
    """The places of a chart's time lines."""

    width: float
    broker: float
    clients: dict[str, float]
    channels: dict[tuple[str, int], int]
    """A channel's lane beside its client's line: 0 for channel 0, then from 1."""

    def ends(self, step: Step) -> tuple[float, float]:
        """Where a step's arrow touches the client's line and the broker's, or their channel's lanes."""
        client = self.clients[step.lane]
        inwards = self.inwards(step.lane)
        indent = self.channels[step.lane, step.channels[0]] * INDENT
        # From the middle of a channel's lane to its edge.
        edge = indent + 4 if indent else 0
        return client + inwards * edge, self.broker - inwards * edge * self.mirrored

    @property
    def mirrored(self) -> bool:
        """Whether the channels have lanes at the broker too: where no two clients stand on one side of it."""
        return len(self.clients) <= 2

    def inwards(self, lane: str) -> int:
        """Which way the broker is, seen from a client: 1 to the right, -1 to the left."""
        return 1 if self.clients[lane] < self.broker else -1


def lanes(passages: Sequence[Passage]) -> Lanes:
    """Find the places for what these passages need."""
    steps = [step for passage in passages for step in passage.steps]
    names = list(dict.fromkeys(step.lane for step in steps))
    width, broker, places = PLACES[len(names)]
    channels: dict[tuple[str, int], int] = {}
    for name in names:
        numbers = sorted({step.channels[0] for step in steps if step.lane == name} - {0})
        channels[name, 0] = 0
        channels.update({(name, number): min(at, MOST_CHANNELS) for at, number in enumerate(numbers, start=1)})
    return Lanes(width, broker, dict(zip(names, places, strict=True)), channels)
