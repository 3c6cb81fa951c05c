"""Who takes part in a message flow: publishers, exchanges, queues and consumers, and the links between them.

Shown is what the story touches, and where its messages could have gone by the bindings: not the whole virtual host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain

from lab_helpers.broker.topology import DEFAULT_EXCHANGE, Arguments, Binding, binding_order
from lab_helpers.draw.topology import key_words, shown_name
from lab_helpers.record.events import (
    Bound,
    Consuming,
    DeadLettered,
    Delivered,
    ExchangeDeclared,
    NothingToGet,
    Published,
    QueueDeclared,
    Settled,
)
from lab_helpers.record.story import Story

ConsumerKey = tuple[str, int, str]
"""A consumer's connection, channel and name; no name for ``basic.get``."""


@dataclass(frozen=True)
class Actor:
    """One box of the drawing."""

    id: str
    role: str
    """ "publisher", "exchange", "queue" or "consumer": the column that it stands in."""
    name: str
    kind: str
    """Small print below the name: "topic exchange", "quorum queue" …"""


@dataclass(frozen=True)
class Link:
    """A way that messages may go, by the ids of its ends."""

    source: str
    target: str
    kind: str
    """ "publish", "binding", "implicit" (the default exchange's), "alternate", "dead-letter" or "consume"."""
    label: str = ""


@dataclass
class Cast:
    """All who take part; names are looked up to find ids."""

    publishers: dict[str, Actor] = field(default_factory=dict)
    exchanges: dict[str, Actor] = field(default_factory=dict)
    queues: dict[str, Actor] = field(default_factory=dict)
    consumers: dict[ConsumerKey, Actor] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    _ways: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    @property
    def actors(self) -> list[Actor]:
        """All boxes, column by column."""
        columns = (self.publishers, self.exchanges, self.queues, self.consumers)
        return [actor for column in columns for actor in column.values()]

    def way(self, exchange: str, queue: str) -> tuple[str, ...]:
        """The ids from an exchange to a queue, through other exchanges where bindings lead there; the shortest."""
        ends = self.exchanges[exchange].id, self.queues[queue].id
        if ends not in self._ways:
            self._ways[ends] = self._shortest(*ends) or ends
        return self._ways[ends]

    def _shortest(self, start: str, end: str) -> tuple[str, ...]:
        onward = [link for link in self.links if link.kind in ("binding", "implicit", "alternate")]
        ways: list[tuple[str, ...]] = [(start,)]
        seen = {start}
        for way in ways:
            for link in onward:
                if link.source == way[-1] and link.target not in seen:
                    if link.target == end:
                        return (*way, end)
                    seen.add(link.target)
                    ways.append((*way, link.target))
        return ()


def cast(story: Story) -> Cast:
    """Find out who takes part in a story."""
    return _Casting(story).cast()


class _Casting:
    """The steps from a story to its cast."""

    def __init__(self, story: Story) -> None:
        self.story = story
        topology = story.topology
        made = [event for event in story.of(ExchangeDeclared) if not event.passive]
        self.exchange_types = {event.name: event.type for event in made} | {DEFAULT_EXCHANGE: "direct"}
        self.exchange_arguments: dict[str, Arguments] = {event.name: event.arguments for event in made}
        declared = [event for event in story.of(QueueDeclared) if not event.passive]
        self.queue_arguments: dict[str, Arguments] = {event.name: event.arguments for event in declared}
        self.queue_types = {event.name: str(event.arguments.get("x-queue-type", "classic")) for event in declared}
        bindings = [
            Binding(event.source, event.destination, event.to_exchange, event.key, event.arguments)
            for event in story.of(Bound)
        ]
        if topology:
            self.exchange_types |= {one.name: one.type for one in topology.exchanges}
            self.exchange_arguments |= {one.name: one.arguments for one in topology.exchanges}
            self.queue_types |= {one.name: one.type for one in topology.queues}
            self.queue_arguments |= {one.name: one.arguments for one in topology.queues}
            bindings += topology.bindings
        self.bindings = sorted(
            {binding_order(one): one for one in bindings if one.source != DEFAULT_EXCHANGE}.values(), key=binding_order
        )
        self.dead_letter = {
            queue: str(arguments["x-dead-letter-exchange"])
            for queue, arguments in self.queue_arguments.items()
            if "x-dead-letter-exchange" in arguments
        }
        self.alternate = {
            name: str(arguments["alternate-exchange"])
            for name, arguments in self.exchange_arguments.items()
            if "alternate-exchange" in arguments
        }

    def cast(self) -> Cast:
        made = Cast()
        for number, name in enumerate(dict.fromkeys(event.connection for event in self.story.of(Published))):
            made.publishers[name] = Actor(f"p{number}", "publisher", name, "publisher")
        exchanges, queues = self._reached()
        for number, name in enumerate(exchanges):
            kind = f"{self.exchange_types.get(name, '')} exchange".strip()
            made.exchanges[name] = Actor(f"e{number}", "exchange", shown_name(name), kind)
        for number, name in enumerate(queues):
            made.queues[name] = Actor(f"q{number}", "queue", name, f"{self.queue_types.get(name, '')} queue".strip())
        made.consumers = self._consumers(list(queues))
        made.links = list(dict.fromkeys(chain(self._publishing(made), self._routing(made), self._consuming(made))))
        return made

    def _reached(self) -> tuple[list[str], list[str]]:
        """What is touched, and what bindings and dead-lettering lead to from there."""
        story = self.story
        exchanges = dict.fromkeys(event.exchange for event in story.of(Published))
        queues: dict[str, None] = {}
        for event in story.events:
            if isinstance(event, Published | Settled):
                queues |= dict.fromkeys(event.queues or ())
            elif isinstance(event, Delivered | DeadLettered):
                queues[event.queue] = None
                exchanges.setdefault(event.exchange)
            elif isinstance(event, Consuming | NothingToGet):
                queues[event.queue] = None
            elif isinstance(event, ExchangeDeclared) and event.name != DEFAULT_EXCHANGE:
                exchanges.setdefault(event.name)
            elif isinstance(event, QueueDeclared):
                queues[event.name] = None
        size = -1
        while size != len(exchanges) + len(queues):
            size = len(exchanges) + len(queues)
            for binding in self.bindings:
                if binding.source in exchanges:
                    (exchanges if binding.to_exchange else queues).setdefault(binding.destination)
            exchanges |= {self.alternate[name]: None for name in exchanges if name in self.alternate}
            exchanges |= {self.dead_letter[name]: None for name in queues if name in self.dead_letter}
        # Beside the exchanges that they are bound to, so that links cross little.
        bound = [one.destination for name in exchanges for one in self.bindings if one.source == name]
        return list(exchanges), [*dict.fromkeys(name for name in bound if name in queues), *(set_aside(queues, bound))]

    def _consumers(self, queues: list[str]) -> dict[ConsumerKey, Actor]:
        found: dict[ConsumerKey, tuple[int, str]] = {}
        for event in self.story.events:
            if isinstance(event, Consuming | Delivered):
                key = consumer_key(event)
                # Fetching or not, acknowledged by hand or not: it stands below the name.
                kind = "basic.get" if not event.consumer else "auto-ack" if event.auto_ack else "consumer"
                found.setdefault(key, (queues.index(event.queue), kind))
        names = [name for _, _, name in found]
        made: dict[ConsumerKey, Actor] = {}
        for number, (key, (_, kind)) in enumerate(sorted(found.items(), key=lambda item: item[1][0])):
            connection, channel, name = key
            shown = name if names.count(name) == 1 else f"{name} of {connection}, channel {channel}"
            made[key] = Actor(f"c{number}", "consumer", shown if name else connection, kind)
        return made

    def _publishing(self, made: Cast) -> list[Link]:
        return [
            Link(made.publishers[event.connection].id, made.exchanges[event.exchange].id, "publish")
            for event in self.story.of(Published)
        ]

    def _routing(self, made: Cast) -> list[Link]:
        keys: dict[tuple[str, str], list[str]] = {}
        for binding in self.bindings:
            ends = made.exchanges if binding.to_exchange else made.queues
            if binding.source in made.exchanges and binding.destination in ends:
                pair = made.exchanges[binding.source].id, ends[binding.destination].id
                keys.setdefault(pair, []).append(key_words(binding) if binding.key or binding.arguments else "")
        links = [Link(*pair, "binding", ", ".join(filter(None, words))) for pair, words in keys.items()]
        for event in self.story.events:
            if isinstance(event, Published | Delivered) and event.exchange == DEFAULT_EXCHANGE:
                queues = (event.queue,) if isinstance(event, Delivered) else event.queues or ()
                default = made.exchanges[DEFAULT_EXCHANGE].id
                links += [Link(default, made.queues[queue].id, "implicit") for queue in queues]
        links += arrows(self.alternate, made.exchanges, made.exchanges, "alternate", "alternate")
        return [*links, *arrows(self.dead_letter, made.queues, made.exchanges, "dead-letter", "dead letters")]

    def _consuming(self, made: Cast) -> list[Link]:
        return [
            Link(made.queues[event.queue].id, made.consumers[consumer_key(event)].id, "consume")
            for event in self.story.events
            if isinstance(event, Consuming | Delivered)
        ]


def consumer_key(event: Consuming | Delivered) -> ConsumerKey:
    """Who consumes: a consumer's name is its channel's own, and ``basic.get`` is its connection's."""
    return (event.connection, event.channel, event.consumer) if event.consumer else (event.connection, 0, "")


def set_aside(names: Mapping[str, None], taken: list[str]) -> list[str]:
    """The names that are not taken, in order."""
    return [name for name in names if name not in set(taken)]


def arrows(
    ways: Mapping[str, str], sources: Mapping[str, Actor], targets: Mapping[str, Actor], kind: str, label: str
) -> list[Link]:
    """A link for each pair of names of which both take part."""
    return [
        Link(sources[source].id, targets[target].id, kind, label)
        for source, target in ways.items()
        if source in sources and target in targets
    ]
