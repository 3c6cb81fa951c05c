"""Dead letters: the same message on its way from queue to queue, and each hop told once."""

from __future__ import annotations

from typing import Any

import pytest
from pamqp.commands import Basic

from lab_helpers.record import events
from lab_helpers.record.content import Content, Envelope
from lab_helpers.record.routing import Routing, Trace
from lab_helpers.record.story import Story
from tests.unit.conversations import Conversation, death, opened


def hops(story: Story) -> list[tuple[int, str, str, int]]:
    return [(event.message, event.queue, event.reason, event.count) for event in story.of(events.DeadLettered)]


def headers(*deaths: dict[str, Any], **own: Any) -> dict[str, Any]:
    first = deaths[-1]
    return {
        "headers": {
            **own,
            "x-death": list(deaths),
            "x-first-death-queue": first["queue"],
            "x-first-death-reason": first["reason"],
            "x-first-death-exchange": first["exchange"],
            "x-last-death-queue": deaths[0]["queue"],
        }
    }


def consuming(*queues: str) -> Conversation:
    """A client with a consumer on each queue, its tag the queue's name."""
    made = opened()
    for queue in queues:
        made.consume(queue, queue)
    return made


def test_a_rejected_message() -> None:
    made = consuming("work", "dead")
    made.publish(b"a", properties={"headers": {"n": 1}, "expiration": "9000"})
    made.publish(b"b")
    made.deliver(1, b"a", consumer="work", properties={"headers": {"n": 1}, "expiration": "9000"})
    made.client(Basic.Reject(1, False))
    made.deliver(2, b"a", consumer="dead", exchange="dlx", properties=headers(death("work", "rejected"), n=1))
    story = made.story()
    assert hops(story) == [(1, "work", "rejected", 1)]
    assert [(event.message, event.queue) for event in story.delivered()] == [(1, "work"), (1, "dead")]
    # Its number keeps the content of its first sight.
    assert story.messages[1].properties == {"headers": {"n": 1}, "expiration": "9000"}


@pytest.mark.parametrize("reason", ["expired", "maxlen", "delivery_limit"])
def test_a_message_that_nobody_rejected(reason: str) -> None:
    made = consuming("dead")
    for _ in range(2):
        made.publish(b"same")
    for tag in (1, 2):
        made.deliver(tag, b"same", consumer="dead", exchange="dlx", properties=headers(death("work", reason)))
    assert hops(made.story()) == [(1, "work", reason, 1), (2, "work", reason, 1)]


def test_of_equal_messages_the_rejected_one_is_dead() -> None:
    made = consuming("work", "dead")
    for tag in (1, 2):
        made.publish(b"same")
        made.deliver(tag, b"same", consumer="work")
    made.client(Basic.Ack(1), Basic.Nack(2, False, False))
    made.deliver(3, b"same", consumer="dead", exchange="dlx", properties=headers(death("work", "rejected")))
    assert hops(made.story()) == [(2, "work", "rejected", 1)]


def test_of_equal_messages_the_one_still_in_the_queue_expires() -> None:
    made = consuming("work", "dead")
    for _ in (1, 2):
        made.publish(b"same")
    made.deliver(1, b"same", consumer="work")
    made.client(Basic.Ack(1))
    made.deliver(2, b"same", consumer="dead", exchange="dlx", properties=headers(death("work", "expired")))
    assert hops(made.story()) == [(2, "work", "expired", 1)]


def test_two_dead_letter_queues_get_the_same_message() -> None:
    made = consuming("dead", "audit")
    made.publish(b"a")
    for tag, queue in enumerate(["dead", "audit"], start=1):
        made.deliver(tag, b"a", consumer=queue, exchange="dlx", properties=headers(death("work", "expired")))
    story = made.story()
    assert hops(story) == [(1, "work", "expired", 1)]
    assert [event.message for event in story.delivered()] == [1, 1]


def test_a_chain_of_two_hops_is_told_in_order() -> None:
    made = consuming("dead")
    made.publish(b"a")
    made.deliver(
        1,
        b"a",
        consumer="dead",
        exchange="dlx2",
        properties=headers(death("retry", "expired", exchange="dlx"), death("work", "maxlen")),
    )
    assert hops(made.story()) == [(1, "work", "maxlen", 1), (1, "retry", "expired", 1)]


def test_a_retry_loop_stays_one_message() -> None:
    made = consuming("work")
    made.publish(b"a")
    made.deliver(1, b"a", consumer="work")
    for times in (1, 2, 3):
        made.client(Basic.Reject(times, False))
        made.deliver(
            times + 1,
            b"a",
            consumer="work",
            properties=headers(
                death("retry", "expired", exchange="dlx", count=times), death("work", "rejected", count=times)
            ),
        )
    story = made.story()
    assert {event.message for event in story.delivered()} == {1}
    assert hops(story) == [
        (1, queue, reason, times)
        for times in (1, 2, 3)
        for queue, reason in (("work", "rejected"), ("retry", "expired"))
    ]


def test_a_message_published_again_with_its_headers_is_new() -> None:
    made = consuming("work", "dead")
    made.publish(b"a")
    dead = headers(death("work", "expired"))
    made.deliver(1, b"a", consumer="dead", exchange="dlx", properties=dead)
    made.publish(b"a", properties=dead)
    made.deliver(2, b"a", consumer="work", properties=dead)
    story = made.story()
    assert [event.message for event in story.delivered()] == [1, 2]
    assert hops(story) == [(1, "work", "expired", 1)]


def test_a_dead_letter_from_before_the_recording() -> None:
    made = consuming("dead")
    made.deliver(1, b"a", consumer="dead", exchange="dlx", properties=headers(death("work", "expired", count=2)))
    assert hops(made.story()) == [(1, "work", "expired", 2)]


@pytest.mark.parametrize(
    "written", ["text", [1], [{"reason": "expired"}], [{"queue": "q", "count": "x"}], {"queue": 1}]
)
def test_what_a_client_may_write_there(written: Any) -> None:
    made = consuming("work")
    made.deliver(1, b"a", consumer="work", properties={"headers": {"x-death": written}})
    assert len(made.story().delivered()) == 1


# --- Routing


def trace(body: bytes, *queues: str, **other: Any) -> Trace:
    return Trace("shop", ("eu",), queues, channel=1, body=body, **other)


def test_publishes_get_their_routes() -> None:
    made = opened()
    for body in (b"a", b"b", b"a", b"c"):
        made.publish(body)
    traces = [trace(b"b"), trace(b"a", "lyon", "books"), trace(b"a")]
    story = made.story(traces)
    assert [event.queues for event in story.published()] == [("books", "lyon"), (), (), None]
    assert [event.message for event in story.unroutable()] == [2, 3]


def test_a_route_narrows_whose_delivery_it_is() -> None:
    made = consuming("lyon")
    made.publish(b"same")
    made.publish(b"same")
    made.deliver(1, b"same", consumer="lyon")
    story = made.story([trace(b"same", "books"), trace(b"same", "lyon")])
    assert story.delivered()[0].message == 2


def test_properties_tell_traces_apart() -> None:
    made = opened()
    for region in ("eu", "us"):
        made.publish(b"a", properties={"headers": {"region": region}, "message_type": "order"})
    traces = [
        trace(b"a", region, properties={"type": "order", "headers": {"region": region}}) for region in ("us", "eu")
    ]
    assert [event.queues for event in made.story(traces).published()] == [("eu",), ("us",)]


def test_the_default_exchange_may_name_queues_that_are_not_there() -> None:
    made = opened()
    made.publish(b"a", exchange="", key="books")
    made.declare("books", durable=True)
    made.publish(b"b", exchange="", key="books")
    made.publish(b"c", exchange="", key="old")
    traces = [
        Trace("", (key,), (key,), channel=1, body=body)
        for key, body in [("books", b"a"), ("books", b"b"), ("old", b"c")]
    ]
    assert [event.queues for event in made.story(traces, existing=["old"]).published()] == [(), ("books",), ("old",)]
    assert [event.queues for event in made.story(traces).published()] == [("books",), ("books",), ("old",)]


def test_without_a_firehose_nothing_is_known() -> None:
    content = Content(b"a", Envelope.of({}))
    assert Routing(None).of("shop", "eu", content, 1) is None
    assert Routing([Trace("shop", ("eu",), None, channel=1, body=b"a")]).of("shop", "eu", content, 1) is None
