"""Each situation of the protocol, in a made-up capture, and what the story says of it."""

from __future__ import annotations

from typing import Any

import pytest
from pamqp import base
from pamqp.commands import Basic, Confirm, Exchange, Queue, Tx
from pamqp.commands import Channel as ChannelClass
from pamqp.commands import Connection as ConnectionClass

from lab_helpers.record import events
from lab_helpers.record.capture import Capture, Chunk
from lab_helpers.record.events import Event, FrameKind, Settlement, Side
from lab_helpers.record.reading import read
from lab_helpers.record.story import Story
from tests.unit.conversations import GEN, HEARTBEAT, PIKA_TAG, Conversation, bytes_of, content, opened


def last(story: Story) -> Event:
    return story.events[-1]


def values(event: Event) -> dict[str, Any]:
    """An event's own fields."""
    return {name: value for name, value in vars(event).items() if name not in ("at", "connection", "channel")}


# --- Connections and channels


def test_a_connection_opens() -> None:
    story = opened().story()
    assert [type(event) for event in story.events] == [events.ConnectionOpened, events.ChannelOpened]
    assert values(story.events[0]) == {
        "vhost": "04",
        "user": "shop",
        "product": "Pika",
        "heartbeat": 30,
        "frame_max": 131072,
        "channel_max": 2047,
    }
    assert (story.events[0].connection, story.events[0].channel) == ("client 1", 0)
    assert (story.events[1].connection, story.events[1].channel) == ("client 1", 1)


def test_a_hidden_response_tells_no_user() -> None:
    story = opened(response="*" * 12).story()
    assert story.of(events.ConnectionOpened)[0].user == ""


def test_no_frame_has_a_password() -> None:
    made = opened()
    made.client(ConnectionClass.SecureOk("secret"), ConnectionClass.UpdateSecret("secret", "rotation"), channel=0)
    story = made.story()
    assert {"connection.start-ok", "connection.secure-ok", "connection.update-secret"} <= {f.name for f in story.frames}
    assert "secret" not in story.to_json().replace("update-secret", "")


@pytest.mark.parametrize("side", [Side.CLIENT, Side.BROKER])
def test_a_connection_is_closed(side: Side) -> None:
    made = opened()
    say = made.client if side is Side.CLIENT else made.broker
    answer = made.broker if side is Side.CLIENT else made.client
    say(ConnectionClass.Close(320, "CONNECTION_FORCED - bye", 0, 0), channel=0)
    answer(ConnectionClass.CloseOk(), channel=0)
    made.end()
    made.end(from_client=False)
    [closed] = made.story().of(events.ConnectionClosed)
    assert values(closed) == {"by": side, "code": 320, "text": "CONNECTION_FORCED - bye"}


@pytest.mark.parametrize(("reset", "text"), [(True, "reset"), (False, "")])
def test_a_connection_ends_without_a_close(reset: bool, text: str) -> None:
    made = opened()
    made.end(reset=reset)
    made.end(from_client=False)
    [closed] = made.story().of(events.ConnectionClosed)
    assert values(closed) == {"by": Side.NETWORK, "code": 0, "text": text}


def test_a_channel_is_closed_and_its_number_used_again() -> None:
    made = opened()
    made.confirms()
    made.publish(b"a")
    made.broker(ChannelClass.Close(404, "NOT_FOUND - no exchange 'shop'", 60, 40))
    made.client(ChannelClass.CloseOk())
    made.open_channel()
    made.publish(b"b")
    story = made.story()
    [closed] = story.closes(Side.BROKER)
    assert (closed.code, closed.text, closed.channel) == (404, "NOT_FOUND - no exchange 'shop'", 1)
    assert [event.tag for event in story.published()] == [1, None]


@pytest.mark.parametrize(
    ("method", "channel", "blocked", "reason"),
    [
        (ConnectionClass.Blocked("low on memory"), 0, True, "low on memory"),
        (ConnectionClass.Unblocked(), 0, False, ""),
        (ChannelClass.Flow(active=False), 1, True, "channel.flow"),
        (ChannelClass.Flow(active=True), 1, False, "channel.flow"),
    ],
)
def test_publishing_is_held(method: base.Frame, channel: int, blocked: bool, reason: str) -> None:
    made = opened()
    made.broker(method, channel=channel)
    assert values(last(made.story())) == {"blocked": blocked, "reason": reason}


# --- Topology

ANSWERS: list[tuple[base.Frame, base.Frame, type[Event], dict[str, Any]]] = [
    (
        Exchange.Declare(exchange="shop", exchange_type="topic", durable=True, arguments={"alternate-exchange": "x"}),
        Exchange.DeclareOk(),
        events.ExchangeDeclared,
        {
            "name": "shop",
            "type": "topic",
            "durable": True,
            "passive": False,
            "arguments": {"alternate-exchange": "x"},
        },
    ),
    (Exchange.Delete(exchange="shop"), Exchange.DeleteOk(), events.Removed, {"what": "exchange", "name": "shop"}),
    (
        Exchange.Bind(destination="b", source="a", routing_key="k", arguments={"x": 1}),
        Exchange.BindOk(),
        events.Bound,
        {
            "source": "a",
            "destination": "b",
            "to_exchange": True,
            "key": "k",
            "arguments": {"x": 1},
            "removed": False,
        },
    ),
    (
        Exchange.Unbind(destination="b", source="a", routing_key="k"),
        Exchange.UnbindOk(),
        events.Bound,
        {"source": "a", "destination": "b", "to_exchange": True, "key": "k", "arguments": {}, "removed": True},
    ),
    (
        Queue.Bind(queue="q", exchange="a", routing_key="k"),
        Queue.BindOk(),
        events.Bound,
        {"source": "a", "destination": "q", "to_exchange": False, "key": "k", "arguments": {}, "removed": False},
    ),
    (
        Queue.Unbind(queue="q", exchange="a", routing_key="k"),
        Queue.UnbindOk(),
        events.Bound,
        {"source": "a", "destination": "q", "to_exchange": False, "key": "k", "arguments": {}, "removed": True},
    ),
    (Queue.Purge(queue="q"), Queue.PurgeOk(3), events.Removed, {"what": "messages", "name": "q"}),
    (Queue.Delete(queue="q"), Queue.DeleteOk(3), events.Removed, {"what": "queue", "name": "q"}),
    (
        Queue.Declare(queue="q", durable=True, passive=True),
        Queue.DeclareOk("q", 0, 0),
        events.QueueDeclared,
        {
            "name": "q",
            "durable": True,
            "exclusive": False,
            "auto_delete": False,
            "passive": True,
            "arguments": {},
        },
    ),
    (
        Basic.Qos(prefetch_count=5, global_=True),
        Basic.QosOk(),
        events.PrefetchSet,
        {"count": 5, "is_global": True},
    ),
    (Tx.Select(), Tx.SelectOk(), events.TransactionStep, {"step": "select"}),
    (Tx.Commit(), Tx.CommitOk(), events.TransactionStep, {"step": "commit"}),
    (Tx.Rollback(), Tx.RollbackOk(), events.TransactionStep, {"step": "rollback"}),
    (Confirm.Select(), Confirm.SelectOk(), events.ConfirmsSelected, {}),
    (
        Basic.Consume(queue="q", consumer_tag="w", exclusive=True),
        Basic.ConsumeOk("w"),
        events.Consuming,
        {"queue": "q", "consumer": "w", "auto_ack": False, "exclusive": True},
    ),
    (Basic.Cancel("w"), Basic.CancelOk("w"), events.Cancelled, {"consumer": "w", "by": Side.CLIENT}),
    (Basic.Get(queue="q"), Basic.GetEmpty(), events.NothingToGet, {"queue": "q"}),
    (Basic.Recover(requeue=True), Basic.RecoverOk(), events.Recovered, {"messages": (), "queues": ()}),
]


@pytest.mark.parametrize(("request_", "answer", "kind", "expected"), ANSWERS, ids=lambda one: getattr(one, "name", ""))
def test_what_is_asked_is_told_when_it_is_answered(
    request_: base.Frame, answer: base.Frame, kind: type[Event], expected: dict[str, Any]
) -> None:
    made = opened()
    made.client(request_)
    assert not made.story().of(kind)
    made.broker(answer)
    event = last(made.story())
    assert type(event) is kind
    assert values(event) == expected


@pytest.mark.parametrize(
    ("request_", "kind"),
    [(one, kind) for one, _, kind, _ in ANSWERS if hasattr(one, "nowait")],
    ids=lambda one: getattr(one, "name", ""),
)
def test_without_waiting_it_is_told_at_once(request_: base.Frame, kind: type[Event]) -> None:
    request_.nowait = True  # type: ignore[attr-defined]
    try:
        made = opened()
        made.client(request_)
    finally:
        request_.nowait = False  # type: ignore[attr-defined]
    assert type(last(made.story())) is kind


def test_answers_find_their_requests() -> None:
    made = opened()
    made.client(Queue.Declare(queue="a"), Queue.Bind(queue="a", exchange="x"), Queue.Declare(queue="b"))
    made.broker(Queue.DeclareOk("a", 0, 0), Queue.BindOk(), Queue.DeclareOk("b", 0, 0))
    assert [event.name for event in made.story().of(events.QueueDeclared)] == ["a", "b"]


def test_an_empty_name_is_the_queue_declared_last() -> None:
    made = opened()
    made.declare("", answer=GEN, exclusive=True)
    made.client(Queue.Bind(queue="", exchange="shop", routing_key="k"))
    made.broker(Queue.BindOk())
    made.consume("")
    made.client(Basic.Get(queue=""))
    made.broker(Basic.GetEmpty())
    story = made.story()
    name = "queue 1 (server-named)"
    assert story.of(events.QueueDeclared)[0].name == name
    assert story.of(events.Bound)[0].destination == name
    assert story.of(events.Consuming)[0].queue == name
    assert story.of(events.NothingToGet)[0].queue == name
    assert GEN not in story.to_json()


# --- Names


def test_connections_have_the_names_that_clients_chose() -> None:
    made = Conversation()
    for number, name in enumerate(["", "shop", "shop", ""], start=1):
        made.connect(number, name=name)
    assert made.story().connections() == ("client 1", "shop", "shop (2)", "client 2")


def test_a_connection_that_is_only_left_open_changes_no_name() -> None:
    made = Conversation()
    made.connect(1)
    made.record_from_here()
    made.connect(2)
    made.client(HEARTBEAT, channel=0, connection=1)
    story = made.story()
    assert {event.connection for event in story.events} == {"client 1"}
    assert [frame.connection for frame in story.frames if frame.kind is FrameKind.HEARTBEAT] == ["client 2"]


@pytest.mark.parametrize("tag", [PIKA_TAG, "amq.ctag-JzTY20BRgKO-HjmUJj0wLg"])
def test_a_generated_tag_is_replaced_everywhere(tag: str) -> None:
    made = opened()
    made.client(Basic.Consume(queue="q", consumer_tag="" if tag.startswith("amq") else tag))
    made.broker(Basic.ConsumeOk(tag))
    made.deliver(1, b"a", consumer=tag)
    made.broker(Basic.Cancel(tag))
    made.broker(ChannelClass.Close(530, f"NOT_ALLOWED - attempt to reuse consumer tag '{tag}'", 60, 20))
    story = made.story()
    assert story.of(events.Consuming)[0].consumer == "consumer 1"
    assert story.delivered()[0].consumer == "consumer 1"
    assert values(story.of(events.Cancelled)[0]) == {"consumer": "consumer 1", "by": Side.BROKER}
    assert story.closes()[0].text == "NOT_ALLOWED - attempt to reuse consumer tag 'consumer 1'"
    assert tag not in story.to_json()


def test_two_consumers_with_the_same_tag() -> None:
    made = Conversation()
    made.connect(1)
    made.connect(2)
    made.consume("a", "worker", connection=1)
    made.consume("b", "worker", connection=2)
    made.deliver(1, b"x", connection=2)
    story = made.story()
    assert [event.consumer for event in story.of(events.Consuming)] == ["worker", "worker (2)"]
    assert (story.delivered()[0].queue, story.delivered()[0].consumer) == ("b", "worker (2)")


# --- Publishing


def test_publishes_are_counted_in_confirm_mode() -> None:
    made = opened()
    made.publish(b"before")
    made.confirms()
    for text in (b"a", b"b"):
        made.publish(text)
    made.open_channel(2)
    made.confirms(2)
    made.publish(b"c", channel=2)
    story = made.story()
    assert [(event.message, event.tag) for event in story.published()] == [(1, None), (2, 1), (3, 2), (4, 1)]
    assert [story.messages[number].body for number in (1, 2, 3, 4)] == [b"before", b"a", b"b", b"c"]


def test_confirms_count_from_the_clients_asking() -> None:
    made = opened()
    made.client(Confirm.Select(), *content(Basic.Publish(exchange="shop"), b"a"))
    made.broker(Confirm.SelectOk())
    assert made.story().published()[0].tag == 1


@pytest.mark.parametrize(
    ("answers", "confirmed", "refused", "unconfirmed"),
    [
        ([Basic.Ack(2)], (2,), (), (1, 3, 4)),
        ([Basic.Ack(3, True)], (1, 2, 3), (), (4,)),
        ([Basic.Ack(2), Basic.Ack(3, True)], (2, 1, 3), (), (4,)),
        ([Basic.Ack(0, True)], (1, 2, 3, 4), (), ()),
        ([Basic.Nack(1), Basic.Ack(4, True)], (2, 3, 4), (1,), ()),
        ([Basic.Nack(2, True), Basic.Nack(9)], (), (1, 2), (3, 4)),
    ],
)
def test_what_a_confirm_settles(
    answers: list[base.Frame], confirmed: tuple[int, ...], refused: tuple[int, ...], unconfirmed: tuple[int, ...]
) -> None:
    made = opened()
    made.confirms()
    for number in range(4):
        made.publish(b"%d" % number)
    made.broker(*answers)
    story = made.story()
    assert (story.confirmed(), story.refused(), story.unconfirmed()) == (confirmed, refused, unconfirmed)


def test_a_return_is_its_publish() -> None:
    made = opened()
    made.confirms()
    for text in (b"a", b"same", b"same"):
        made.publish(text, mandatory=True)
    made.broker(Basic.Ack(2))
    made.broker(*content(Basic.Return(312, "NO_ROUTE", "shop", "eu"), b"same"), Basic.Ack(3))
    story = made.story()
    [returned] = story.returned()
    assert values(returned) == {
        "message": 3,
        "code": 312,
        "text": "NO_ROUTE",
        "exchange": "shop",
        "routing_key": "eu",
    }
    # The broker's own account, with or without the firehose.
    assert [event.message for event in story.unroutable()] == [3]


def test_contents_of_two_channels_interleave() -> None:
    made = opened()
    made.open_channel(2)
    first = content(Basic.Publish(exchange="a"), b"first body", parts=2)
    second = content(Basic.Publish(exchange="b"), b"2")
    made.client(first[0], channel=1)
    made.client(second[0], channel=2)
    made.client(*first[1:3], channel=1)
    made.client(*second[1:], channel=2)
    made.client(first[3], channel=1)
    story = made.story()
    assert [(event.channel, event.exchange) for event in story.published()] == [(2, "b"), (1, "a")]
    assert [message.body for message in story.messages.values()] == [b"2", b"first body"]


def test_a_frame_for_each_part() -> None:
    made = opened()
    made.client(*content(Basic.Publish(exchange="a"), b"0123456789", {"message_type": "order"}, parts=3))
    frames = made.story().frames[-5:]
    assert [frame.name for frame in frames] == ["basic.publish", "header", "body", "body", "body"]
    assert frames[1].fields == {"body_size": 10, "properties": {"type": "order"}}
    assert [frame.size for frame in frames[2:]] == [4 + 8, 4 + 8, 2 + 8]


# --- Consuming


def test_a_delivery_is_its_publish() -> None:
    made = opened()
    made.consume("books")
    made.publish(b"a")
    made.publish(b"b")
    made.deliver(1, b"b")
    made.deliver(2, b"a")
    story = made.story()
    assert [(event.message, event.queue, event.consumer) for event in story.delivered()] == [
        (2, "books", "worker"),
        (1, "books", "worker"),
    ]
    assert story.unacked() == story.delivered()


def test_equal_messages_are_delivered_first_in_first_out() -> None:
    made = opened()
    made.consume("books")
    made.consume("lyon", "second")
    for _ in range(3):
        made.publish(b"same")
    for tag, consumer in enumerate(["worker", "worker", "second", "worker", "second"], start=1):
        made.deliver(tag, b"same", consumer=consumer)
    found = [(event.queue, event.message) for event in made.story().delivered()]
    assert found == [("books", 1), ("books", 2), ("lyon", 1), ("books", 3), ("lyon", 2)]


def test_a_message_that_nobody_published_here() -> None:
    made = opened()
    made.consume("books")
    made.deliver(1, b"a", properties={"message_id": "7"})
    story = made.story()
    assert story.delivered()[0].message == 1
    assert (story.messages[1].body, story.messages[1].properties) == (b"a", {"message_id": "7"})


def test_other_properties_are_another_message() -> None:
    made = opened()
    made.consume("books")
    made.publish(b"a", properties={"headers": {"region": "eu"}})
    made.publish(b"a", properties={"headers": {"region": "us"}})
    made.deliver(1, b"a", properties={"headers": {"region": "us"}})
    assert made.story().delivered()[0].message == 2


def test_direct_reply_to_is_the_same_message() -> None:
    made = opened()
    made.consume("rpc")
    made.publish(b"ask", exchange="", key="rpc", properties={"reply_to": "amq.rabbitmq.reply-to"})
    made.deliver(1, b"ask", exchange="", key="rpc", properties={"reply_to": "amq.rabbitmq.reply-to.g1AB.cd=="})
    assert [event.message for event in made.story().delivered()] == [1]


@pytest.mark.parametrize(
    ("settlement", "expected"),
    [
        (Basic.Ack(2), (Settlement.ACK, False, (2,))),
        (Basic.Ack(2, True), (Settlement.ACK, False, (1, 2))),
        (Basic.Ack(0, True), (Settlement.ACK, False, (1, 2, 3))),
        (Basic.Nack(2, True, False), (Settlement.NACK, False, (1, 2))),
        (Basic.Nack(3, False, True), (Settlement.NACK, True, (3,))),
        (Basic.Reject(1, True), (Settlement.REJECT, True, (1,))),
        (Basic.Ack(9), (Settlement.ACK, False, ())),
    ],
)
def test_what_a_client_settles(settlement: base.Frame, expected: tuple[Settlement, bool, tuple[int, ...]]) -> None:
    made = opened()
    made.consume("books")
    for number in (1, 2, 3):
        made.deliver(number, b"%d" % number)
    made.client(settlement)
    story = made.story()
    [settled] = story.settled()
    assert (settled.how, settled.requeue, settled.messages) == expected
    assert settled.queues == ("books",) * len(expected[2])
    assert {event.message for event in story.unacked()} == {1, 2, 3} - set(expected[2])


def test_auto_ack_waits_for_nothing() -> None:
    made = opened()
    made.consume("books", auto_ack=True)
    made.deliver(1, b"a")
    story = made.story()
    assert story.delivered()[0].auto_ack
    assert story.unacked() == ()


def test_get() -> None:
    made = opened()
    made.publish(b"a", exchange="", key="books")
    made.client(Basic.Get(queue="books", no_ack=True))
    made.broker(*content(Basic.GetOk(1, False, "", "books", 0), b"a"))
    [got] = made.story().delivered("books")
    assert (got.message, got.consumer, got.auto_ack) == (1, "", True)


BACK: dict[str, list[base.Frame]] = {
    "nack": [Basic.Nack(1, False, True)],
    "reject": [Basic.Reject(1, True)],
    "recover": [Basic.Recover(True)],
    "channel closed": [ChannelClass.Close(200, "", 0, 0)],
    "not seen": [],
}


@pytest.mark.parametrize("how", BACK)
def test_a_redelivery_is_the_same_message(how: str) -> None:
    made = opened()
    made.consume("books")
    for _ in range(2):
        made.publish(b"same")
    made.deliver(1, b"same")
    made.client(*BACK[how])
    if how == "recover":
        made.broker(Basic.RecoverOk())
    if how == "channel closed":
        made.broker(ChannelClass.CloseOk())
        made.open_channel()
        made.consume("books")
    made.deliver(2, b"same", redelivered=True, properties={"headers": {"x-delivery-count": 1}})
    made.deliver(3, b"same")
    assert [event.message for event in made.story().delivered()] == [1, 1, 2]


def test_a_redelivery_to_another_connection() -> None:
    made = Conversation()
    made.connect(1)
    made.connect(2)
    made.consume("books", connection=1)
    made.publish(b"a")
    made.deliver(1, b"a")
    made.end(1, reset=True)
    made.consume("books", "other", connection=2)
    made.deliver(1, b"a", redelivered=True, consumer="other", connection=2)
    story = made.story()
    assert [(event.message, event.connection) for event in story.delivered()] == [(1, "client 1"), (1, "client 2")]


def test_a_stream_delivers_one_message_to_many() -> None:
    made = opened()
    made.consume("log")
    made.consume("log", "second")
    made.publish(b"same", exchange="", key="log")
    made.publish(b"same", exchange="", key="log")
    for tag, (consumer, offset) in enumerate([("worker", 0), ("worker", 1), ("second", 0), ("second", 1)], start=1):
        made.deliver(
            tag, b"same", exchange="", key="log", consumer=consumer, properties={"headers": {"x-stream-offset": offset}}
        )
    assert [event.message for event in made.story().delivered()] == [1, 2, 1, 2]


# --- Before and after


def test_what_was_before_the_recording_gives_its_state_only() -> None:
    made = opened()
    made.confirms()
    made.consume("books")
    made.publish(b"early")
    made.publish(b"late")
    made.deliver(1, b"early")
    made.record_from_here()
    made.broker(Basic.Ack(2, True))
    made.deliver(2, b"late")
    made.client(Basic.Ack(2, True))
    made.publish(b"now")
    story = made.story()
    assert [type(event) for event in story.events] == [
        events.Confirmed,
        events.Delivered,
        events.Settled,
        events.Published,
    ]
    assert [message.body for message in story.messages.values()] == [b"early", b"late", b"now"]
    assert story.of(events.Settled)[0].messages == (1, 2)
    assert (story.published()[0].message, story.published()[0].tag) == (3, 3)
    assert all(frame.at >= 0 for frame in story.frames)


def test_a_recording_that_begins_in_the_middle_of_a_frame() -> None:
    made = Conversation()
    stream = bytes_of(*content(Basic.Deliver("w", 1, False, "shop", "eu"), b"cut \x01\x00\x01\x00 off"))
    made.raw(stream[len(stream) - 12 :], from_client=False)
    for tag in (2, 3):
        made.deliver(tag, b"whole", consumer="w")
    story = made.story()
    assert [(event.delivery_tag, event.consumer) for event in story.delivered()] == [(2, "w"), (3, "w")]
    assert not story.of(events.Opaque)


def test_what_was_lost_is_told() -> None:
    story = read(Capture((), {}, 7))
    assert story.lost_bytes == 7
    assert "not complete" in story.text()


def test_bytes_that_are_no_amqp() -> None:
    made = Conversation()
    made.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 40, from_client=True)
    made.raw(b"\x16\x03\x03\x00\x7a" * 40, from_client=False)
    made.end()
    story = made.story()
    assert [(event.by, event.size) for event in story.of(events.Opaque)] == [(Side.CLIENT, 440), (Side.BROKER, 200)]
    assert [frame.kind for frame in story.frames] == [FrameKind.OPAQUE] * 2


def test_another_version_of_amqp() -> None:
    story = read(
        Capture(
            (
                Chunk(0.1, 1, True, b"AMQP\x03\x01\x00\x00"),
                Chunk(0.2, 1, False, b"AMQP\x03\x01\x00\x00\x00\x00\x00\x1a\x02\x01\x00\x00"),
            )
        )
    )
    assert [(event.by, event.size) for event in story.of(events.Opaque)] == [(Side.CLIENT, 8), (Side.BROKER, 16)]
