"""Which message a delivery is: AMQP gives messages no identity, so it is found by content and by place.

Messages that are equal in everything can stand in for each other; among them the first in is the first out, as queues
have it. What was delivered and came back to its queue goes out again with ``redelivered`` set.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from lab_helpers.record.content import Content, Death, Deaths


@dataclass(eq=False)
class Tracked:
    """One message on its way; ``order`` is that of first sight, preludes included."""

    order: int
    content: Content
    queues: frozenset[str] | None = None
    """Where it was routed; None where not known."""
    confirmed: bool = False
    """Whether its publisher heard that the broker has it."""
    refused: bool = False
    """Whether a publisher heard that a queue did not take it."""
    deaths: dict[tuple[str, str], int] = field(default_factory=dict)
    """How often it left each queue for each reason, as far as the story knows."""

    def new_deaths(self, content: Content) -> tuple[Death, ...]:
        """The deaths that this delivery of it shows and none before did, in the order in which they happened."""
        new = tuple(
            death for death in reversed(content.deaths) if death.times > self.deaths.get((death.queue, death.reason), 0)
        )
        self.deaths.update({(death.queue, death.reason): death.times for death in new})
        return new


@dataclass
class Shelf:
    """What happened to a group's messages at one queue."""

    arrived: set[int] = field(default_factory=set)
    """Those that were delivered from it, by their order."""
    out: dict[int, Tracked] = field(default_factory=dict)
    """Those that a client has and has not settled."""
    back: list[int] = field(default_factory=list)
    """Those that came back to it, as a heap."""
    discarded: list[Tracked] = field(default_factory=list)
    """Those that a client rejected for good, in this order."""


class Group:
    """Messages that cannot be told apart: same exchange, routing key, content and deaths."""

    def __init__(self) -> None:
        self.messages: list[Tracked] = []
        self.by_order: dict[int, Tracked] = {}
        self.shelves: defaultdict[str, Shelf] = defaultdict(Shelf)
        self._passed: dict[Hashable, int] = {}

    def add(self, message: Tracked) -> None:
        """Take in a message, once."""
        if message.order not in self.by_order:
            self.messages.append(message)
            self.by_order[message.order] = message

    def next_from(self, queue: str, *, redelivered: bool) -> Tracked | None:
        """The message that this queue delivers now."""
        shelf = self.shelves[queue]
        if redelivered and (shelf.back or shelf.out):
            return self.by_order[heapq.heappop(shelf.back)] if shelf.back else next(iter(shelf.out.values()))
        fresh = self._first(
            self.messages,
            queue,
            lambda message: (
                message.order in shelf.arrived or (message.queues is not None and queue not in message.queues)
            ),
        )
        if fresh is None and shelf.back:
            return self.by_order[heapq.heappop(shelf.back)]
        return fresh

    def dead_from(self, death: Death, arrived: set[int], place: Hashable) -> Tracked | None:
        """The message that left a queue of this group this way, and has not ``arrived`` at ``place`` yet."""
        shelf = self.shelves[death.queue]

        def is_there(message: Tracked) -> bool:
            return message.order in arrived

        if death.reason == "rejected":
            first = self._first(shelf.discarded, ("rejected", place), is_there)
        else:
            first = self._first(
                self.messages,
                ("not delivered", place),
                lambda message: is_there(message) or message.order in shelf.arrived,
            )
            first = first or next((self.by_order[order] for order in shelf.back if order not in arrived), None)
        return first or self._first(self.messages, ("any", place), is_there)

    def _first(self, messages: list[Tracked], reader: Hashable, is_gone: Callable[[Tracked], bool]) -> Tracked | None:
        """The first message that is not gone, rather one that was not refused. What is gone once stays gone."""
        at = self._passed.get(reader, 0)
        while at < len(messages) and is_gone(messages[at]):
            at += 1
        self._passed[reader] = at
        refused = None
        for message in islice(messages, at, None):
            if not is_gone(message):
                if not message.refused:
                    return message
                refused = refused or message
        return refused


@dataclass(frozen=True)
class Copy:
    """A message as it was delivered from one queue, to be settled."""

    message: Tracked
    queue: str
    group: Group

    @property
    def _shelf(self) -> Shelf:
        return self.group.shelves[self.queue]

    def acknowledge(self) -> None:
        """It is done with."""
        self._shelf.out.pop(self.message.order, None)

    def requeue(self) -> None:
        """It goes back to its queue."""
        if self._shelf.out.pop(self.message.order, None):
            heapq.heappush(self._shelf.back, self.message.order)

    def discard(self) -> None:
        """It was rejected for good: it is dropped or goes to a dead letter exchange."""
        if self._shelf.out.pop(self.message.order, None):
            self._shelf.discarded.append(self.message)


class Messages:
    """All messages of a story, from publish to settlement."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str, tuple[bytes, str], Deaths], Group] = {}
        self._streamed: dict[tuple[str, int], Tracked] = {}
        self._count = 0

    def publish(self, exchange: str, key: str, content: Content, queues: frozenset[str] | None) -> Tracked:
        """Take in a message that a client published."""
        message = self._new(content, queues)
        # A client may publish what it was delivered, with the headers that tell of its deaths.
        message.new_deaths(content)
        self._group(exchange, key, content).add(message)
        return message

    def deliver(self, queue: str, exchange: str, key: str, content: Content, *, redelivered: bool) -> Copy:
        """Find which message is delivered; one that nobody saw published is new."""
        group = self._group(exchange, key, content)
        offset = content.envelope.offset
        message = self._streamed.get((queue, offset)) if offset is not None else None
        if message is None:
            message = group.next_from(queue, redelivered=redelivered)
        if message is None and content.deaths:
            message = self._dead(content, group.shelves[queue].arrived, (queue, exchange, key))
        if message is None:
            message = self._new(content, None)
        if offset is not None:
            self._streamed[queue, offset] = message
        group.add(message)
        shelf = group.shelves[queue]
        shelf.arrived.add(message.order)
        shelf.out[message.order] = message
        return Copy(message, queue, group)

    def _new(self, content: Content, queues: frozenset[str] | None) -> Tracked:
        self._count += 1
        return Tracked(self._count, content, queues)

    def _group(self, exchange: str, key: str, content: Content) -> Group:
        place = (exchange, key, content.identity, content.envelope.progress)
        group = self._groups.get(place)
        if group is None:
            group = self._groups[place] = Group()
        return group

    def _dead(self, content: Content, arrived: set[int], place: tuple[str, str, str]) -> Tracked | None:
        """The message behind a dead letter that is seen for the first time at this place."""
        for death, progress in earlier_places(content.deaths):
            for key in death.keys or ("",):
                group = self._groups.get((death.exchange, key, content.identity, progress))
                found = group.dead_from(death, arrived, (*place, content.envelope.progress)) if group else None
                if found is not None:
                    return found
        return None


def earlier_places(deaths: tuple[Death, ...]) -> Iterator[tuple[Death, Deaths]]:
    """Where a dead letter was before, and how far it had come then: from its latest death back to its publish."""
    counts = {(death.queue, death.reason): death.times for death in deaths}
    for death in deaths:
        counts[death.queue, death.reason] -= 1
        yield death, frozenset((*place, count) for place, count in counts.items() if count > 0)
    # On its second round through a queue the header still tells of the first one, which began with the publish.
    yield deaths[-1], frozenset()
