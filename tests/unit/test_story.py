"""A story: its queries, its JSON and its words."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pamqp.commands import Basic
from pamqp.commands import Channel as ChannelClass
from pamqp.commands import Connection as ConnectionClass

from lab_helpers.broker.topology import Binding, Exchange, Queue, Topology
from lab_helpers.errors import LabsError
from lab_helpers.record.capture import Capture
from lab_helpers.record.events import EVENTS, Event, Frame, FrameKind, Message, Settlement, Side
from lab_helpers.record.reading import read
from lab_helpers.record.routing import Trace
from lab_helpers.record.story import Story
from lab_helpers.record.words import NOTHING, in_order
from tests.unit.conversations import GEN, Conversation, content, death, opened

# --- JSON

texts = st.text(max_size=5)
numbers = st.integers(-(2**60), 2**60)
plain_values = st.recursive(
    st.none() | st.booleans() | numbers | texts | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
tables = st.dictionaries(texts, plain_values, max_size=3)
BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "float": st.floats(0, 100),
    "int": numbers,
    "str": texts,
    "bool": st.booleans(),
    "int | None": st.none() | numbers,
    "Table": tables,
    "Side": st.sampled_from(Side),
    "Settlement": st.sampled_from(Settlement),
    "FrameKind": st.sampled_from(FrameKind),
    "tuple[int, ...]": st.lists(numbers, max_size=3).map(tuple),
    "tuple[str, ...]": st.lists(texts, max_size=3).map(tuple),
    "tuple[str, ...] | None": st.none() | st.lists(texts, max_size=3).map(tuple),
}


def any_of(kind: type[Any]) -> st.SearchStrategy[Any]:
    return st.builds(kind, **{one.name: BY_TYPE[str(one.type)] for one in fields(kind)})


topologies = st.builds(
    Topology,
    texts,
    st.lists(st.builds(Exchange, texts, texts, st.booleans(), arguments=tables), max_size=2).map(tuple),
    st.lists(st.builds(Queue, texts, texts, st.booleans(), messages=st.none() | numbers), max_size=2).map(tuple),
    st.lists(st.builds(Binding, texts, texts, st.booleans(), texts, arguments=tables), max_size=2).map(tuple),
)
stories = st.builds(
    Story,
    st.lists(st.one_of([any_of(kind) for kind in EVENTS.values()]), max_size=4).map(tuple),
    st.lists(any_of(Frame), max_size=3).map(tuple),
    st.dictionaries(st.integers(1, 9), st.builds(Message, st.binary(max_size=9), tables), max_size=3),
    st.none() | topologies,
    st.integers(0, 2**40),
)


@settings(max_examples=60, deadline=None)
@given(stories)
def test_json_reads_back_equal(story: Story) -> None:
    assert Story.from_json(story.to_json()) == story


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"format": 1}', '{"format": 99}', '{"format": 1, "events": 3}']
)
def test_what_is_no_story_is_refused(text: str) -> None:
    with pytest.raises(LabsError):
        Story.from_json(text)


# --- Queries


def test_an_empty_story() -> None:
    story = Story()
    assert (story.published(), story.unacked(), story.closes(), story.connections()) == ((), (), (), ())
    assert story.text() == NOTHING


def test_queries() -> None:
    made = opened()
    made.confirms()
    made.consume("books")
    for number in (1, 2, 3):
        made.publish(b"%d" % number, exchange="shop" if number < 3 else "")
        made.deliver(number, b"%d" % number, exchange="shop" if number < 3 else "")
    made.broker(Basic.Ack(1), Basic.Nack(2))
    made.client(Basic.Ack(1), Basic.Reject(2, True))
    made.broker(ChannelClass.Close(406, "PRECONDITION_FAILED", 60, 80))
    story = made.story()
    assert [event.message for event in story.published("shop")] == [1, 2]
    assert (story.confirmed(), story.refused(), story.unconfirmed()) == ((1,), (2,), (3,))
    assert [event.message for event in story.delivered("books")] == [1, 2, 3]
    assert story.delivered("lyon") == ()
    assert story.acked() == (1,)
    assert [event.messages for event in story.settled(Settlement.REJECT)] == [(2,)]
    assert [event.message for event in story.unacked()] == [3]
    assert [event.code for event in story.closes(Side.BROKER)] == [406]
    assert story.closes(Side.CLIENT) == ()
    assert story.fate(3) == "-> the default exchange, key eu: not confirmed; delivered to worker from books; not acked"
    with pytest.raises(LabsError, match="no message 4"):
        story.fate(4)


def test_tags_of_an_earlier_channel_stay_unacked() -> None:
    made = opened()
    made.consume("books")
    made.deliver(1, b"a")
    made.client(ChannelClass.Close(200, "", 0, 0))
    made.broker(ChannelClass.CloseOk())
    made.open_channel()
    made.consume("books")
    made.deliver(1, b"b")
    made.client(Basic.Ack(1))
    assert [event.message for event in made.story().unacked()] == [1]


def test_a_topology_gets_the_friendly_names() -> None:
    made = opened()
    made.declare("", answer=GEN)
    topology = Topology(
        "04",
        (),
        (Queue("a", "classic", durable=True), Queue(GEN, "classic", durable=False)),
        (Binding("shop", GEN, to_exchange=False, key=GEN),),
    )
    story = read(made.capture, topology=topology)
    name = "queue 1 (server-named)"
    assert story.topology is not None
    assert [queue.name for queue in story.topology.queues] == ["a", name]
    assert (story.topology.bindings[0].destination, story.topology.bindings[0].key) == (name, name)


# --- Words


def shop() -> tuple[Conversation, list[Trace]]:
    """A publisher and a consumer, each on its own connection."""
    made = Conversation()
    made.connect(1, name="publisher")
    made.connect(2)
    made.confirms()
    made.consume("books", connection=2)
    for number in (1, 2, 3):
        made.publish(b"order %d" % number)
    made.publish(b"lost", key="none", mandatory=True)
    made.broker(Basic.Ack(3, True))
    made.broker(*content(Basic.Return(312, "NO_ROUTE", "shop", "none"), b"lost"), Basic.Ack(4))
    made.deliver(1, b"order 1", connection=2)
    made.deliver(2, b"order 2", connection=2)
    made.client(Basic.Ack(1), Basic.Nack(2, False, True), connection=2)
    made.deliver(3, b"order 2", connection=2, redelivered=True)
    made.client(Basic.Reject(3, False), connection=2)
    made.deliver(
        4,
        b"order 3",
        connection=2,
        exchange="dlx",
        properties={"headers": {"x-death": [death("lyon", "expired")]}},
    )
    made.broker(ChannelClass.Close(406, "PRECONDITION_FAILED - unknown delivery tag 99", 60, 80), connection=2)
    made.end(1, reset=True)
    traces = [Trace("shop", ("eu",), ("books", "lyon"), channel=1, body=b"order %d" % number) for number in (1, 2, 3)]
    return made, [*traces, Trace("shop", ("none",), (), channel=1, body=b"lost")]


WORDS = """\
client 1: worker consumes from books
client 1: channel closed by the broker: 406 PRECONDITION_FAILED - unknown delivery tag 99
publisher: connection lost
publisher: publisher confirms on
message 1 `order 1` -> exchange shop, key eu: routed to books, lyon; confirmed; delivered to worker from books; acked
message 2 `order 2` -> exchange shop, key eu: routed to books, lyon; confirmed; delivered to worker from books; \
nacked and requeued; delivered to worker from books again; rejected, not requeued
message 3 `order 3` -> exchange shop, key eu: routed to books, lyon; confirmed; dead-lettered from lyon (expired); \
delivered to worker from books; not acked
message 4 `lost` -> exchange shop, key none: routed to no queue; returned: 312 NO_ROUTE; confirmed"""


def test_words() -> None:
    made, traces = shop()
    assert made.story(traces).text() == WORDS


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_words_do_not_tell_which_direction_was_faster(data: st.DataObject) -> None:
    made, traces = shop()
    # The consumer's connection against the publisher's: any interleaving after the publishes.
    first = next(n for n, chunk in enumerate(made.chunks) if b"lost" in chunk.data) + 1
    rest = made.chunks[first:]
    places = data.draw(st.permutations([chunk.connection for chunk in rest]))
    by_connection = {number: [chunk for chunk in rest if chunk.connection == number] for number in (1, 2)}
    mixed = [by_connection[number].pop(0) for number in places]
    story = read(Capture((*made.chunks[:first], *mixed)), traces)
    assert story.text() == WORDS


def test_long_runs_share_a_line() -> None:
    made = opened()
    for number in range(1, 13):
        made.publish(b"order %d" % number)
    made.publish(b"other", key="us")
    assert made.story().text().splitlines() == [
        "messages 1 to 12 `order 1` … `order 12` -> exchange shop, key eu: nothing more was said of it",
        "message 13 `other` -> exchange shop, key us: nothing more was said of it",
    ]


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"", "``"),
        ("größe".encode(), "`größe`"),
        (b"a\n  b", "`a b`"),
        (b"\xff\x00", "(2 bytes)"),
        (b"a\x00b", "(3 bytes)"),
        (b"x" * 50, f"`{'x' * 39}…`"),
    ],
)
def test_bodies_in_words(body: bytes, shown: str) -> None:
    made = opened()
    made.publish(body)
    assert made.story().text().startswith(f"message 1 {shown} -> ")


def test_what_matters_of_a_connection() -> None:
    made = opened()
    made.client(Basic.Qos(prefetch_count=1))
    made.broker(Basic.QosOk())
    made.consume("books")
    made.broker(Basic.Cancel("worker"))
    made.broker(ConnectionClass.Blocked("low on memory"), channel=0)
    made.broker(ConnectionClass.Close(320, "CONNECTION_FORCED - bye", 0, 0), channel=0)
    assert made.story().text().splitlines() == [
        "client 1: publishing halted: low on memory",
        "client 1: connection closed by the broker: 320 CONNECTION_FORCED - bye",
        "client 1: prefetch 1",
        "client 1: worker consumes from books",
        "client 1: worker cancelled by the broker",
    ]


def test_a_proper_end_is_not_worth_a_word() -> None:
    made = opened()
    made.client(ChannelClass.Close(200, "Normal shutdown", 0, 0))
    made.client(ConnectionClass.Close(200, "Normal shutdown", 0, 0), channel=0)
    assert made.story().text() == NOTHING


def test_names_in_order() -> None:
    names = ["client 10", "shop", "client 9", "9", "client"]
    assert sorted(names, key=in_order) == ["9", "client", "client 9", "client 10", "shop"]


def test_every_event_has_a_kind() -> None:
    assert all(issubclass(kind, Event) for kind in EVENTS.values())
    assert "Recovered" in EVENTS
