"""What exists in a virtual host now: exchanges, bindings and queues, as plain data."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lab_helpers.broker.management import Json, Management, columns, path
from lab_helpers.broker.waiting import LONGEST_PAUSE
from lab_helpers.errors import BrokerUnreachableError

DEFAULT_EXCHANGE = ""
"""The exchange without a name; every queue is bound to it by its own name."""
PREDECLARED = "amq."
"""What the names of a virtual host's predeclared exchanges begin with."""
FIREHOSE_QUEUE = "labs.firehose"
"""What the names of the queues begin with that recordings make for themselves."""
AGREE_WITHIN = 2.0
"""Seconds for the nodes to show the same metadata; with Khepri a follower's view may lag a little."""

Arguments = Mapping[str, Json]


@dataclass(frozen=True, order=True)
class Exchange:
    """One exchange; ``type`` is "direct", "fanout", "topic", "headers" or a plugin's own."""

    name: str
    type: str
    durable: bool
    auto_delete: bool = False
    internal: bool = False
    arguments: Arguments = field(default_factory=dict, compare=False)


@dataclass(frozen=True, order=True)
class Queue:
    """One queue; ``type`` is "classic", "quorum" or "stream".

    ``messages`` counts the messages ready to be delivered and ``consumers`` the consumers;
    both are None where the queue could not be asked (``is_down``, or it is another connection's own).
    """

    name: str
    type: str
    durable: bool
    exclusive: bool = False
    auto_delete: bool = False
    arguments: Arguments = field(default_factory=dict, compare=False)
    messages: int | None = field(default=None, compare=False)
    consumers: int | None = field(default=None, compare=False)
    is_down: bool = field(default=False, compare=False)
    """Whether its node is down, so that nobody can use it now."""


@dataclass(frozen=True, order=True)
class Binding:
    """One binding from an exchange to a queue or to another exchange."""

    source: str
    destination: str
    to_exchange: bool
    key: str
    """The binding key."""
    arguments: Arguments = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Topology:
    """A snapshot of one virtual host, each part sorted by name."""

    vhost: str
    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]

    def exchange(self, name: str) -> Exchange | None:
        """The exchange of that name, or None."""
        return next((exchange for exchange in self.exchanges if exchange.name == name), None)

    def queue(self, name: str) -> Queue | None:
        """The queue of that name, or None."""
        return next((queue for queue in self.queues if queue.name == name), None)

    def bindings_of(self, source: str) -> tuple[Binding, ...]:
        """The bindings whose source is this exchange."""
        return tuple(binding for binding in self.bindings if binding.source == source)

    def keys(self, source: str, destination: str) -> tuple[str, ...]:
        """The binding keys between an exchange and a queue, sorted."""
        return tuple(sorted(b.key for b in self.bindings_of(source) if b.destination == destination))

    def declared(self, *, default_exchange: bool = False) -> Topology:
        """This snapshot without what every virtual host has from the start.

        The predeclared ``amq.*`` exchanges stay where something is bound to them; the default
        exchange, with its implicit bindings, only if ``default_exchange`` is true. The queue of a
        recording that runs is left out.
        """
        bindings = [b for b in self.bindings if not b.destination.startswith(FIREHOSE_QUEUE)]
        bound = {b.source for b in bindings} | {b.destination for b in bindings if b.to_exchange}

        def shown(name: str) -> bool:
            if name == DEFAULT_EXCHANGE:
                return default_exchange
            return not name.startswith(PREDECLARED) or name in bound

        return replace(
            self,
            exchanges=tuple(exchange for exchange in self.exchanges if shown(exchange.name)),
            queues=tuple(queue for queue in self.queues if not queue.name.startswith(FIREHOSE_QUEUE)),
            bindings=tuple(binding for binding in bindings if shown(binding.source)),
        )


Depths = Callable[[Sequence[str]], Mapping[str, tuple[int, int]]]
"""Asks queues by name; answers (messages ready, consumers) for those that could be asked."""


def read(management: Management, vhost: str) -> Topology:
    """Read a snapshot from one node, without queue depths (the API's own are seconds old)."""
    exchanges = management.get(
        path("exchanges", vhost)
        + columns(["name", "type", "durable", "auto_delete", "internal", "arguments"])
        + "&disable_stats=true"
    )
    queues = management.get(path("queues", vhost) + "?disable_stats=true")
    bindings = management.get(path("bindings", vhost))
    return Topology(
        vhost,
        tuple(
            sorted(
                Exchange(e["name"], e["type"], e["durable"], e["auto_delete"], e["internal"], e["arguments"])
                for e in exchanges
            )
        ),
        tuple(sorted(queue_from(q) for q in queues)),
        tuple(sorted((binding_from(b) for b in bindings), key=binding_order)),
    )


def queue_from(answer: Json) -> Queue:
    """Make a :class:`Queue` from the API's answer."""
    return Queue(
        answer["name"],
        # A queue whose type is not told separately carries it as its argument, or is classic.
        answer.get("type") or answer["arguments"].get("x-queue-type", "classic"),
        answer["durable"],
        bool(answer.get("exclusive")),
        answer["auto_delete"],
        # The type has a field of its own.
        {name: value for name, value in answer["arguments"].items() if name != "x-queue-type"},
        is_down=answer.get("state") == "down",
    )


def binding_from(answer: Json) -> Binding:
    """Make a :class:`Binding` from the API's answer."""
    return Binding(
        answer["source"],
        answer["destination"],
        answer["destination_type"] == "exchange",
        answer["routing_key"],
        answer["arguments"],
    )


def binding_order(binding: Binding) -> tuple[str, ...]:
    """Sort bindings by their ends, then key, then arguments: headers bindings differ in these only."""
    return binding.source, binding.destination, binding.key, repr(sorted(binding.arguments.items()))


def snapshot(nodes: Sequence[Management], vhost: str, depths: Depths | None = None) -> Topology:
    """Read a snapshot on which the nodes agree.

    Parameters
    ----------
    nodes
        The management API of each node; those that do not answer are passed over.
    vhost
        The virtual host to read.
    depths
        Asks the queues for their depth; without it ``messages`` and ``consumers`` are None.

    Raises
    ------
    BrokerUnreachableError
        No node answered.
    """
    deadline = time.monotonic() + AGREE_WITHIN
    while True:
        views = read_all(nodes, vhost)
        if all(view == views[0] for view in views) or time.monotonic() > deadline:
            break
        time.sleep(LONGEST_PAUSE / 10)
    topology = views[0]
    if depths is None:
        return topology
    # A classic queue of a node that was killed lets whoever asks for it wait a minute (4.3.6), then answers 404.
    known = depths([queue.name for queue in topology.queues if not queue.is_down])
    return replace(
        topology,
        queues=tuple(
            replace(queue, messages=known[queue.name][0], consumers=known[queue.name][1])
            if queue.name in known
            else queue
            for queue in topology.queues
        ),
    )


def read_all(nodes: Sequence[Management], vhost: str) -> list[Topology]:
    """Read a snapshot from every node that answers.

    Raises
    ------
    BrokerUnreachableError
        No node answered.
    """
    views = []
    silent: BrokerUnreachableError | None = None
    for node in nodes:
        try:
            views.append(read(node, vhost))
        except BrokerUnreachableError as error:
            silent = error
    if not views and silent is not None:
        raise silent
    return views
