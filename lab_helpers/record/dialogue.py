"""The state of a connection between a client and the broker: its channels, and what each of them waits for."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TypeVar

from pamqp import base

from lab_helpers.record.content import Content, Envelope
from lab_helpers.record.matching import Copy, Tracked

T = TypeVar("T")

NOTHING = Envelope.of({})


@dataclass(frozen=True)
class Consumer:
    """A consumer on a channel; ``queue`` is empty where its beginning was not seen."""

    connection: int
    channel: int
    tag: str
    queue: str = ""
    auto_ack: bool = False


@dataclass
class Assembly:
    """A method whose content is on its way."""

    method: base.Frame
    size: int = 0
    envelope: Envelope = NOTHING
    parts: list[bytes] = field(default_factory=list)
    received: int = 0


@dataclass
class Channel:
    """One channel, from its opening to its closing; number 0 is the connection itself."""

    number: int
    pending: deque[base.Frame] = field(default_factory=deque)
    """What the client asked and the broker has not answered."""
    last_queue: str = ""
    """The queue declared last, which an empty queue name stands for (section 1.7.2 of the specification)."""
    next_tag: int | None = None
    """The number of the next publish; None without confirms."""
    unconfirmed: dict[int, Tracked] = field(default_factory=dict)
    mandatory: dict[tuple[str, str, tuple[bytes, str]], deque[Tracked]] = field(default_factory=dict)
    """The mandatory messages that may still be returned."""
    consumers: dict[str, Consumer] = field(default_factory=dict)
    unsettled: dict[int, Copy] = field(default_factory=dict)
    """The deliveries that wait for the client's word, by their delivery tags, in order."""
    incoming: dict[bool, Assembly] = field(default_factory=dict)
    """The content that is on its way from the client (True) and from the broker (False)."""

    def take_tags(self, tag: int, *, multiple: bool) -> list[Copy]:
        """The deliveries that a settlement names: they are settled now."""
        return taken(self.unsettled, tag, multiple=multiple)

    def take_confirmed(self, tag: int, *, multiple: bool) -> list[Tracked]:
        """The publishes that a confirm names: they are settled now."""
        return taken(self.unconfirmed, tag, multiple=multiple)

    def take_all(self) -> list[Copy]:
        """Every delivery that waits for a word that will not come."""
        copies = list(self.unsettled.values())
        self.unsettled.clear()
        return copies

    def take_returned(self, exchange: str, key: str, content: Content) -> Tracked | None:
        """The mandatory publish that the broker gives back."""
        waiting = self.mandatory.get((exchange, key, content.identity))
        while waiting:
            message = waiting.popleft()
            # The return comes before the confirm: what is confirmed stays where it was routed.
            if not message.confirmed:
                return message
        return None

    def queue(self, name: str) -> str:
        """A queue as a method names it."""
        return name or self.last_queue


def taken(waiting: dict[int, T], tag: int, *, multiple: bool) -> list[T]:
    """Take what a tag names out of what waits; with ``multiple`` all up to it, and tag 0 means all there is."""
    if not multiple:
        return [waiting.pop(tag)] if tag in waiting else []
    tags = list(takewhile(lambda number: not tag or number <= tag, waiting))
    return [waiting.pop(number) for number in tags]


@dataclass
class Connection:
    """One connection of a client."""

    number: int
    name: str = ""
    channels: dict[int, Channel] = field(default_factory=dict)
    vhost: str = ""
    user: str = ""
    product: str = ""
    heartbeat: int = 0
    frame_max: int = 0
    channel_max: int = 0
    is_closed: bool = False
    """Whether somebody closed it properly, or its end was told."""

    def channel(self, number: int) -> Channel:
        """A channel, also one whose opening was not seen."""
        if number not in self.channels:
            self.channels[number] = Channel(number)
        return self.channels[number]

    def take_all(self) -> list[Copy]:
        """Every delivery of this connection that waits for a word that will not come."""
        return [copy for channel in self.channels.values() for copy in channel.take_all()]
