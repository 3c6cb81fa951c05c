"""What the judge sees on a real broker, and what it leaves there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from lab_helpers.broker import vhost
from lab_helpers.broker.features import parsed
from lab_helpers.broker.management import path
from lab_helpers.broker.waiting import wait_until
from lab_helpers.cluster import Cluster
from lab_helpers.errors import LabsError
from lab_helpers.exercises import Bench, Difference, Exercise, Outcome, Probe, Verdict, queue, routes
from lab_helpers.exercises.judge import ANSWER_WITHIN, judge
from lab_helpers.exercises.probe import PublishRefusedError
from lab_helpers.settings import NODES

BODIES = [b"m0", b"m1", b"m2"]
KINDS = ["classic", "quorum"]


@dataclass(frozen=True)
class Place:
    """A virtual host, its bench, and a channel that publishes with confirms."""

    cluster: Cluster
    bench: Bench
    channel: BlockingChannel

    def filled(self, kind: str, name: str = "q") -> None:
        """Declare a queue and publish the messages to it."""
        self.channel.queue_declare(name, durable=True, arguments={"x-queue-type": kind})
        for body in BODIES:
            self.channel.basic_publish("", name, body, pika.BasicProperties(delivery_mode=2, headers={"n": 1}))


@pytest.fixture
def place(cluster: Cluster) -> Iterator[Place]:
    name = "judge.bench"
    nodes = cluster.managements()
    password = vhost.make_afresh(nodes, name)
    try:
        connection = pika.BlockingConnection(pika.URLParameters(cluster.amqp_url(name, name, password)))
        channel = connection.channel()
        channel.confirm_delivery()
        yield Place(cluster, Bench(cluster, nodes, name), channel)
        # One test deletes the virtual host, and with it the connection.
        with suppress(AMQPError):
            connection.close()
    finally:
        vhost.remove(nodes[0], name)


@pytest.mark.parametrize("kind", KINDS)
def test_a_look_leaves_the_messages_in_their_order(place: Place, kind: str) -> None:
    place.filled(kind)
    for _ in range(5):
        seen = place.bench.again().messages("q")
        assert [message.body for message in seen] == BODIES
        assert {message.properties["delivery_mode"] for message in seen} == {2}
        assert all(message.properties["headers"]["n"] == 1 for message in seen)
        # The bench keeps what it knows of an unchanged queue, so each round starts without.
        place.bench._kept.clear()
    assert place.channel.queue_declare("q", passive=True).method.message_count == len(BODIES)


def test_looks_never_reach_the_delivery_limit(place: Place) -> None:
    """On 4.3 a look counts for no limit; before it does, and the limit that there is from 4.0 on is 20."""
    version = parsed(place.cluster.status().version)
    looks = 25 if version >= (4, 3) or version < (4, 0) else 15
    place.filled("quorum")
    for _ in range(looks):
        place.bench._kept.clear()
        assert len(place.bench.again().messages("q")) == len(BODIES)


def test_a_queue_that_has_not_changed_is_read_once_in_a_check(place: Place) -> None:
    place.filled("quorum")
    wrong = Exercise(
        name="x",
        attempted=(queue("q").exists(),),
        expect=(queue("q").holds([b"other", b"bodies", b"here"]),),
        passed="All.",
        hints=("a", "b"),
        wrong=(),
    )
    assert judge(wrong, place.bench).outcome is Outcome.INCORRECT
    _, properties, _ = place.channel.basic_get("q")
    counts = properties.headers.get("x-acquired-count", properties.headers.get("x-delivery-count"))
    assert counts == 1


def test_an_internal_exchange_takes_no_publishes(place: Place) -> None:
    place.channel.exchange_declare("inner", "fanout", durable=True, internal=True)
    with pytest.raises(PublishRefusedError, match="403 ACCESS_REFUSED"):
        place.bench.routes("inner", [Probe("a")])
    difference = routes("inner", {"a": {"q"}})(place.bench)
    assert isinstance(difference, Difference)
    assert "403" in difference.message


def test_an_alternate_exchange_given_by_a_policy(place: Place) -> None:
    place.channel.exchange_declare("first", "direct", durable=True)
    place.channel.exchange_declare("rest", "fanout", durable=True)
    place.channel.queue_declare("q", durable=True)
    place.channel.queue_bind("q", "rest")
    policy = {"pattern": "^first$", "apply-to": "exchanges", "definition": {"alternate-exchange": "rest"}}
    place.cluster.managements()[0].put(path("policies", place.bench.vhost, "ae"), policy)
    assert place.bench.routes("first", [Probe("a")]) == [frozenset({"q"})]


def test_the_copy_is_gone_after_a_check(place: Place) -> None:
    place.channel.exchange_declare("first", "direct", durable=True)
    place.bench.routes("first", [Probe("a")])
    names = [one["name"] for one in place.cluster.managements()[0].get("/vhosts")]
    assert not [name for name in names if name.startswith(f"{place.bench.vhost}.")]


def test_the_members_of_the_cluster(place: Place) -> None:
    place.cluster["rmq3"].ctl("stop_app")
    without = {"rmq1": True, "rmq2": True, "rmq3": False}
    wait_until(lambda: place.bench.members() == without, seconds=30, what="RabbitMQ to be down on one member")
    place.cluster["rmq3"].ctl("start_app")
    wait_until(lambda: all(place.bench.members().values()), seconds=30, what="all three to run")
    assert list(place.bench.members()) == list(NODES)


def test_a_virtual_host_that_is_gone(place: Place) -> None:
    def check(bench: Bench) -> Verdict:
        raise AssertionError(bench.topology())

    place.cluster.managements()[0].delete(path("vhosts", place.bench.vhost))
    verdict = judge(Exercise(name="x", check=check, hints=("a", "b"), wrong=()), place.bench)
    assert verdict.outcome is Outcome.ENVIRONMENT
    assert "virtual host is gone" in verdict.message


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_queue_of_a_node_that_is_down_is_not_asked(place: Place, how: str) -> None:
    """4.3 answers for a classic queue of a killed node after a minute; the check has two seconds."""
    declaration = {"durable": True, "arguments": {"x-queue-type": "classic"}}
    place.cluster.managements()[2].put(path("queues", place.bench.vhost, "q"), declaration)
    assert place.bench.placements()["q"].leader == "rmq3"
    getattr(place.cluster["rmq3"], how)()
    try:
        wait_until(lambda: place.bench.placements()["q"].leader == "", seconds=30, what="the others to notice")
        began = time.monotonic()
        holds = Exercise(
            name="x",
            attempted=(queue("q").exists(),),
            expect=(queue("q").holds([b"m"]),),
            passed="All.",
            hints=("a", "b"),
            wrong=(),
        )
        verdict = judge(holds, place.bench.again())
        assert "its node is down" in verdict.message
        with pytest.raises(LabsError, match="lives on a node that is down"):
            place.bench.again().messages("q")
        assert time.monotonic() - began < ANSWER_WITHIN
    finally:
        place.cluster.heal()
