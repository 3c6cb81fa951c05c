"""The judge's word on routing against what the broker did with the same message, for any topology."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pika
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pika.adapters.blocking_connection import BlockingChannel

from lab_helpers.broker import vhost
from lab_helpers.cluster import Cluster
from lab_helpers.exercises import Bench, Probe

EXAMPLES = 7
"""Topologies for each type of exchange, each with three to six messages: about five seconds a type."""
QUEUES = ("one", "two", "three")
KEYS = st.sampled_from(["", "a", "b", "A", "a.b", "b.a", "a.b.c", "a..b", "orders.a"])
PATTERNS = st.sampled_from(["", "a", "b", "a.b", "#", "*", "a.*", "*.b", "#.b", "a.#", "a.*.c", "#.a.#", "*.*"])
NAMES = st.sampled_from(["h", "g", "x-h"])
VALUES = st.sampled_from([1, 0, "1", "a", True, False])
HEADERS = st.dictionaries(NAMES, VALUES, max_size=3)
MATCHES = st.sampled_from(["all", "any", "all-with-x", "any-with-x", None])


@dataclass(frozen=True)
class Made:
    """A topology: the exchange in question, a second one beside it, and the bindings from each of the two."""

    type: str
    second: str
    bindings: tuple[tuple[str, str, str, dict[str, Any]], ...]
    """Source, destination, key, arguments; the destination is a queue or "second"."""
    alternate: bool
    internal: bool
    """Whether the second exchange takes no publishes from clients."""
    probes: tuple[tuple[str, dict[str, Any]], ...] = field(default=())


@st.composite
def arguments(draw: st.DrawFn) -> dict[str, Any]:
    # A header of the binding without a value means that the header must be there.
    wanted = draw(st.dictionaries(NAMES, st.one_of(VALUES, st.none()), max_size=2))
    match = draw(MATCHES)
    return wanted if match is None else {**wanted, "x-match": match}


@st.composite
def topologies(draw: st.DrawFn, type_: str) -> Made:
    second = draw(st.sampled_from(["direct", "topic", "fanout", "headers"]))

    def binding(source: str, kind: str) -> tuple[str, str, str, dict[str, Any]]:
        destination = draw(st.sampled_from((*QUEUES, "second") if source == "first" else QUEUES))
        return source, destination, draw(PATTERNS), draw(arguments()) if kind == "headers" else {}

    bindings = [binding("first", type_) for _ in range(draw(st.integers(1, 5)))]
    bindings += [binding("second", second) for _ in range(draw(st.integers(0, 3)))]
    probes = draw(st.lists(st.tuples(KEYS, HEADERS), min_size=3, max_size=6, unique_by=repr))
    return Made(type_, second, tuple(bindings), draw(st.booleans()), draw(st.booleans()), tuple(probes))


@dataclass(frozen=True)
class Place:
    """A virtual host for the examples: its bench, and a channel that publishes with confirms."""

    bench: Bench
    channel: BlockingChannel

    @contextmanager
    def holding(self, made: Made) -> Iterator[None]:
        """The topology for a while."""
        channel = self.channel
        channel.exchange_declare("second", made.second, durable=True, internal=made.internal)
        more = {"alternate-exchange": "second"} if made.alternate else {}
        channel.exchange_declare("first", made.type, durable=True, arguments=more)
        for queue in QUEUES:
            channel.queue_declare(queue, durable=True)
        try:
            for source, destination, key, table in made.bindings:
                if destination == "second":
                    channel.exchange_bind("second", source, key, table)
                else:
                    channel.queue_bind(destination, source, key, table)
            yield
        finally:
            for queue in QUEUES:
                channel.queue_delete(queue)
            channel.exchange_delete("first")
            channel.exchange_delete("second")

    def published(self, key: str, headers: dict[str, Any]) -> frozenset[str]:
        """Publish one message in the virtual host itself, and see where it is."""
        self.channel.basic_publish("first", key, b"", pika.BasicProperties(headers=headers))
        return frozenset(q for q in QUEUES if self.channel.basic_get(q, auto_ack=True)[0] is not None)


@pytest.fixture(scope="module")
def place(engine_cluster: Cluster) -> Iterator[Place]:
    name = "judge.routing"
    nodes = engine_cluster.managements()
    password = vhost.make_afresh(nodes, name)
    try:
        url = engine_cluster.amqp_url(name, name, password)
        with closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            yield Place(Bench(engine_cluster, nodes, name), channel)
    finally:
        vhost.remove(nodes[0], name)


@pytest.mark.parametrize("type_", ["direct", "topic", "fanout", "headers"])
def test_the_verdict_on_routing_is_what_the_broker_does(place: Place, type_: str) -> None:
    # A failing example is reported as it was found: to make each one smaller would take minutes on a real broker.
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(topologies(type_))
    def compare(made: Made) -> None:
        with place.holding(made):
            did = [place.published(key, headers) for key, headers in made.probes]
            bench = place.bench.again()
            said = bench.routes("first", [Probe(key, tuple(head.items())) for key, head in made.probes])
            assert said == did
            # The judge's messages reached none of the queues that it asked about.
            depths = {queue.name: queue.messages for queue in bench.again().topology().queues}
            assert depths == dict.fromkeys(QUEUES, 0)

    compare()
