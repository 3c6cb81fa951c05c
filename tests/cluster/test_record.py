"""Recordings of real conversations: pika and aio-pika, through the tap, with the firehose."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import aio_pika
import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ChannelClosedByBroker, NackError, UnroutableError

from lab_helpers.broker import vhost
from lab_helpers.broker.management import Management, ManagementAddress, path
from lab_helpers.broker.waiting import wait_until
from lab_helpers.cluster import Cluster
from lab_helpers.errors import LabsError
from lab_helpers.record import events
from lab_helpers.record.events import Settlement, Side
from lab_helpers.record.recorder import Recorder
from lab_helpers.record.story import Story
from lab_helpers.record.tap import Tap

VHOST = "test-record"


@dataclass
class Desk:
    """A recorder and the URL that it records."""

    recorder: Recorder
    url: str
    nodes: list[Management]
    notices: list[str]

    def story(self, say: Callable[[BlockingChannel], None]) -> Story:
        """Record what is said on one pika connection; whatever the broker answers to it."""
        self.recorder.start()
        try:
            with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
                say(connection.channel())
        except AMQPError:
            pass
        finally:
            story = self.recorder.stop()
        return story


def tracing(nodes: list[Management]) -> list[bool]:
    return [node.get(path("vhosts", VHOST))["tracing"] for node in nodes]


@pytest.fixture
def desk(cluster: Cluster) -> Iterator[Desk]:
    nodes = cluster.managements()
    password = vhost.make_afresh(nodes, VHOST)
    url = cluster.amqp_url(VHOST, VHOST, password)
    front = cluster.engine.amqp()
    tap = Tap(front)
    notices: list[str] = []
    try:
        yield Desk(
            Recorder(tap, nodes, VHOST, lambda: url, notices.append), url.replace(front, tap.address), nodes, notices
        )
        assert not any(tracing(nodes))
        assert notices == []
    finally:
        tap.close()
        vhost.remove(nodes[0], VHOST)
        for node in nodes:
            node.close()


def fetched(channel: BlockingChannel, queue: str) -> Any:
    """The next message of a queue, once it has one."""

    def get() -> Any:
        method, _, _ = channel.basic_get(queue)
        return method

    return wait_until(get, what=f"a message in {queue}")


def facts(story: Story, *kinds: type[events.Event]) -> list[tuple[Any, ...]]:
    """The events of these kinds as tuples: kind, and what identifies it."""
    shown = []
    for event in story.events:
        if isinstance(event, kinds):
            known = vars(event)
            keys = ("message", "messages", "queue", "queues", "consumer", "reason", "how", "code")
            shown.append((type(event).__name__, *[known[key] for key in keys if key in known]))
    return shown


# --- pika


def test_routes_confirms_and_deliveries(desk: Desk) -> None:
    def say(channel: BlockingChannel) -> None:
        channel.exchange_declare("shop", "topic", durable=True)
        for queue, key in [("books", "book.#"), ("lyon", "*.lyon")]:
            channel.queue_declare(queue, durable=True)
            channel.queue_bind(queue, "shop", key)
        channel.confirm_delivery()
        for key in ("book.lyon", "book.paris", "toy.paris"):
            channel.basic_publish("shop", key, key.encode(), pika.BasicProperties(headers={"n": 1}, timestamp=1))
        for _ in range(2):
            channel.basic_ack(fetched(channel, "books").delivery_tag)
        fetched(channel, "lyon")

    story = desk.story(say)
    assert [event.queues for event in story.published()] == [("books", "lyon"), ("books",), ()]
    assert story.confirmed() == (1, 2, 3)
    assert [(event.message, event.queue) for event in story.delivered()] == [(1, "books"), (2, "books"), (1, "lyon")]
    assert story.acked() == (1, 2)
    assert [event.message for event in story.unacked()] == [1]
    assert story.topology is not None
    assert [queue.name for queue in story.topology.queues] == ["books", "lyon"]
    assert [exchange.name for exchange in story.topology.exchanges] == ["shop"]
    assert Story.from_json(story.to_json()) == story


def test_nothing_there_and_given_back(desk: Desk) -> None:
    def say(channel: BlockingChannel) -> None:
        channel.confirm_delivery()
        channel.basic_publish("", "nowhere", b"a")
        with pytest.raises(UnroutableError):
            channel.basic_publish("", "nowhere", b"b", mandatory=True)

    story = desk.story(say)
    assert [event.queues for event in story.published()] == [(), ()]
    assert [(event.message, event.code) for event in story.returned()] == [(2, 312)]


def test_a_full_queue_refuses(desk: Desk) -> None:
    def say(channel: BlockingChannel) -> None:
        channel.queue_declare("full", durable=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
        channel.confirm_delivery()
        channel.basic_publish("", "full", b"a")
        with pytest.raises(NackError):
            channel.basic_publish("", "full", b"b")

    story = desk.story(say)
    assert (story.confirmed(), story.refused()) == ((1,), (2,))


def test_requeued_and_rejected(desk: Desk) -> None:
    def say(channel: BlockingChannel) -> None:
        channel.queue_declare("dead", durable=True)
        channel.queue_declare(
            "work", durable=True, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
        )
        channel.basic_publish("", "work", b"a", pika.BasicProperties(headers={"n": 1}))
        channel.basic_nack(fetched(channel, "work").delivery_tag, requeue=True)
        channel.basic_reject(fetched(channel, "work").delivery_tag, requeue=False)
        channel.basic_ack(fetched(channel, "dead").delivery_tag)

    story = desk.story(say)
    assert facts(story, events.Delivered, events.Settled, events.DeadLettered) == [
        ("Delivered", 1, "work", ""),
        ("Settled", (1,), ("work",), Settlement.NACK),
        ("Delivered", 1, "work", ""),
        ("Settled", (1,), ("work",), Settlement.REJECT),
        ("DeadLettered", 1, "work", "rejected"),
        ("Delivered", 1, "dead", ""),
        ("Settled", (1,), ("dead",), Settlement.ACK),
    ]
    # Whether a dead letter keeps the flag is the broker's: 4.3 does, 3.10 does not.
    assert [event.redelivered for event in story.delivered("work")] == [False, True]
    assert list(story.messages) == [1]


@pytest.mark.parametrize(
    ("arguments", "reason", "dead"),
    [({"x-message-ttl": 50}, "expired", [1, 2]), ({"x-max-length": 1}, "maxlen", [1])],
)
@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_dead_letters(desk: Desk, kind: str, arguments: dict[str, int], reason: str, dead: list[int]) -> None:
    def say(channel: BlockingChannel) -> None:
        channel.queue_declare("dead", durable=True)
        channel.exchange_declare("dlx", "fanout", durable=True)
        channel.queue_bind("dead", "dlx")
        own = {"x-dead-letter-exchange": "dlx", "x-queue-type": kind, **arguments}
        channel.queue_declare("work", durable=True, arguments=own)
        for body in (b"a", b"b"):
            channel.basic_publish("", "work", body)
        for _ in dead:
            fetched(channel, "dead")

    story = desk.story(say)
    assert [(event.message, event.queue, event.reason) for event in story.of(events.DeadLettered)] == [
        (number, "work", reason) for number in dead
    ]
    assert [(event.message, event.queue) for event in story.delivered()] == [(number, "dead") for number in dead]


def test_the_queue_of_a_consumer_is_deleted(desk: Desk) -> None:
    def say(channel: BlockingChannel) -> None:
        name = channel.queue_declare("", exclusive=True).method.queue
        channel.basic_consume(name, lambda *_: None)
        channel.queue_delete(name)
        # pika cancels again at the close what it does not know to be cancelled.
        wait_until(lambda: channel.connection.process_data_events(0.05) or not channel.consumer_tags)

    story = desk.story(say)
    name = "queue 1 (server-named)"
    assert facts(story, events.Consuming, events.Cancelled) == [
        ("Consuming", name, "consumer 1"),
        ("Cancelled", "consumer 1"),
    ]
    assert story.of(events.Cancelled)[0].by is Side.BROKER
    assert [(event.what, event.name) for event in story.of(events.Removed)] == [("queue", name)]
    assert "amq.gen" not in story.to_json()
    assert "ctag" not in story.to_json()


def unknown_exchange(channel: BlockingChannel) -> None:
    channel.basic_publish("missing", "k", b"a")


def unknown_tag(channel: BlockingChannel) -> None:
    channel.basic_ack(99)


@pytest.mark.parametrize(("mistake", "code"), [(unknown_exchange, 404), (unknown_tag, 406)])
def test_the_broker_closes_the_channel(desk: Desk, mistake: Callable[[BlockingChannel], None], code: int) -> None:
    def say(channel: BlockingChannel) -> None:
        mistake(channel)
        with pytest.raises(ChannelClosedByBroker):
            channel.queue_declare("books", durable=True)

    story = desk.story(say)
    [closed] = story.closes(Side.BROKER)
    assert (closed.code, closed.channel) == (code, 1)
    assert closed.text in story.text()


def test_a_cell_that_raises_has_its_story(desk: Desk) -> None:
    def say(channel: BlockingChannel) -> None:
        channel.queue_declare("books", durable=True)
        raise AMQPError

    assert [event.name for event in desk.story(say).of(events.QueueDeclared)] == ["books"]


def test_the_same_program_has_the_same_words(desk: Desk) -> None:
    def say(channel: BlockingChannel) -> None:
        name = channel.queue_declare("", exclusive=True).method.queue
        channel.confirm_delivery()
        for body in (b"a", b"b"):
            channel.basic_publish("", name, body)
            fetched(channel, name)

    first, second = desk.story(say), desk.story(say)
    assert first.text() == second.text()
    assert "message 2 `b` -> the default exchange, key queue 1 (server-named): routed to queue 1" in first.text()


def test_what_was_open_before(desk: Desk) -> None:
    with pika.BlockingConnection(pika.URLParameters(desk.url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("books", durable=True)
        channel.basic_publish("", "books", b"a")
        for body in (b"b", b"c"):
            desk.recorder.start()
            channel.basic_publish("", "books", body)
            story = desk.recorder.stop()
            assert [(event.message, event.queues) for event in story.published()] == [(1, ("books",))]
            assert story.confirmed() == (1,)
            assert story.messages[1].body == body


def test_one_recording_at_a_time(desk: Desk) -> None:
    desk.recorder.start()
    with pytest.raises(LabsError, match="runs already"):
        desk.recorder.start()
    desk.recorder.stop()
    with pytest.raises(LabsError, match="No recording runs"):
        desk.recorder.stop()


# --- The firehose


def test_the_virtual_host_keeps_what_it_says_of_itself(desk: Desk) -> None:
    before = [node.get(path("vhosts", VHOST))["description"] for node in desk.nodes]
    desk.recorder.start()
    assert all(tracing(desk.nodes))
    desk.recorder.stop()
    assert not any(tracing(desk.nodes))
    assert [node.get(path("vhosts", VHOST))["description"] for node in desk.nodes] == before != [""] * len(before)


def test_without_the_right_to_trace(desk: Desk, cluster: Cluster) -> None:
    parameters = pika.URLParameters(desk.url).credentials
    limited = [Management(ManagementAddress(node.address.url, VHOST, parameters.password)) for node in desk.nodes]
    desk.recorder._nodes = limited
    for _ in range(2):
        story = desk.story(lambda channel: channel.basic_publish("", "nowhere", b"a"))
        assert [event.queues for event in story.published()] == [None]
    assert len(desk.notices) == 1
    assert "tracing cannot be used" in desk.notices.pop()
    for node in limited:
        node.close()


# --- aio-pika


async def several_consumers(url: str) -> None:
    publisher = await aio_pika.connect(url, client_properties={"connection_name": "publisher"})
    consumer = await aio_pika.connect(url, client_properties={"connection_name": "consumer"})
    async with publisher, consumer:
        channel = await publisher.channel()
        exchange = await channel.declare_exchange("shop", "fanout", durable=True)
        reader = await consumer.channel()
        await reader.set_qos(5)
        queue = await reader.declare_queue("books", durable=True)
        await queue.bind("shop")
        await asyncio.gather(*[exchange.publish(aio_pika.Message(b"%d" % n), "") for n in range(20)])
        async with queue.iterator() as messages:
            number = 0
            async for message in messages:
                await message.ack()
                number += 1
                if number == 20:
                    break


def test_aio_pika_on_two_connections(desk: Desk) -> None:
    desk.recorder.start()
    try:
        asyncio.run(asyncio.wait_for(several_consumers(desk.url), 20))
    finally:
        story = desk.recorder.stop()
    everything = tuple(range(1, 21))
    assert tuple(event.message for event in story.published()) == everything
    assert {event.queues for event in story.published()} == {("books",)}
    assert sorted(story.confirmed()) == list(everything)
    assert [event.message for event in story.delivered("books")] == list(everything)
    assert story.acked() == everything
    assert {event.connection for event in story.published()} == {"publisher"}
    assert {event.connection for event in story.delivered()} == {"consumer"}
    assert {event.consumer for event in story.delivered()} == {"consumer 1"}


# --- The broker goes away


def test_a_node_dies_meanwhile(desk: Desk, cluster: Cluster) -> None:
    desk.recorder.start()
    connection = pika.BlockingConnection(pika.URLParameters(desk.url))
    channel = connection.channel()
    channel.queue_declare("books", durable=True, arguments={"x-queue-type": "quorum"})
    channel.basic_publish("", "books", b"a")
    try:
        for node in cluster:
            node.kill()
        with pytest.raises(AMQPError):
            connection.process_data_events(10)
        story = desk.recorder.stop()
    finally:
        cluster.heal()
    assert [event.message for event in story.published()] == [1]
    assert [event.by for event in story.closes()] == [Side.NETWORK]
    assert story.topology is None
    desk.notices.clear()
