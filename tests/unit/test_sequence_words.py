"""A sequence chart in words: exact, the same each time, and with long runs told once."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from lab_helpers.draw.folding import LONG_RUN, MOST_STEPS
from lab_helpers.draw.sequence import FULL, NOTHING, sequence_picture
from lab_helpers.record.events import FrameKind
from lab_helpers.record.story import Story
from tests.unit.recordings import Tape, session

WHOLE = """\
client 1 -> broker  protocol header AMQP 0-9-1
client 1 <- broker  ch 0  connection.start
client 1 -> broker  ch 0  connection.start-ok mechanism=PLAIN locale=en_US
client 1 <- broker  ch 0  connection.tune channel-max=2047 frame-max=131072 heartbeat=60
client 1 -> broker  ch 0  connection.tune-ok channel-max=2047 frame-max=131072 heartbeat=60
client 1 -> broker  ch 0  connection.open vhost=02
client 1 <- broker  ch 0  connection.open-ok
client 1 -> broker  ch 1  channel.open
client 1 <- broker  ch 1  channel.open-ok
client 1 -> broker  ch 1  queue.declare queue=orders durable x-max-length=3 x-queue-type=quorum
client 1 <- broker  ch 1  queue.declare-ok queue=orders message-count=0 consumer-count=0
client 1 -> broker  ch 1  confirm.select
client 1 <- broker  ch 1  confirm.select-ok
client 1 -> broker  ch 1  basic.publish exchange=shop.orders key=order.eu
client 1 -> broker  ch 1    header 7 bytes delivery-mode=2 content-type=text/plain x-trace=7 message-id
client 1 -> broker  ch 1    body 7 bytes
client 1 <- broker  ch 1  basic.ack delivery-tag=1
client 1 -> broker  ch 1  basic.publish exchange=(default) key=nowhere mandatory
client 1 -> broker  ch 1    header 1 byte
client 1 -> broker  ch 1    body 1 byte
client 1 <- broker  ch 1  basic.return 312 NO_ROUTE exchange=(default) key=nowhere
client 1 <- broker  ch 1    header 1 byte
client 1 <- broker  ch 1    body 1 byte
client 1 <- broker  ch 1  basic.ack delivery-tag=2
client 1 -> broker  ch 1  basic.get queue=orders
client 1 <- broker  ch 1  basic.get-ok delivery-tag=1 exchange=(default) key=orders message-count=0
client 1 <- broker  ch 1    header 7 bytes delivery-mode=2
client 1 <- broker  ch 1    body 7 bytes
client 1 -> broker  ch 1  basic.nack delivery-tag=1 requeue
client 1 -> broker  ch 2  channel.open
client 1 <- broker  ch 2  channel.open-ok
client 1 -> broker  ch 2  queue.declare queue=none passive
client 1 <- broker  ch 2  channel.close 404 NOT_FOUND - no queue 'none'
client 1 -> broker  ch 2  channel.close-ok
client 1 -> broker  ch 0  connection.close
client 1 <- broker  ch 0  connection.close-ok"""


def words(tape: Tape, **options: Any) -> list[str]:
    return sequence_picture(tape.story(), **options).text.splitlines()


# --- What is said


def test_a_whole_session() -> None:
    assert sequence_picture(session()).text == WHOLE


def test_without_frames_a_message_is_one_line_and_the_handshake_is_counted() -> None:
    lines = sequence_picture(session(), frames=False).text.splitlines()
    assert lines[:2] == [
        "client 1 -> broker  ch 0  connection.open vhost=02 after a handshake of 5 frames",
        "client 1 <- broker  ch 0  connection.open-ok",
    ]
    assert "client 1 -> broker  ch 1  basic.publish exchange=shop.orders key=order.eu 7 bytes" in lines
    assert "client 1 <- broker  ch 1  basic.return 312 NO_ROUTE exchange=(default) key=nowhere 1 byte" in lines
    assert not any("header" in line or "body" in line for line in lines)


def test_a_handshake_that_fails_is_told_without_frames_too() -> None:
    tape = Tape().on(0).add(FrameKind.PROTOCOL_HEADER, "protocol header", said=True).hear("connection.start")
    tape.say("connection.start-ok", mechanism="PLAIN").hear(
        "connection.close", reply_code=403, reply_text="ACCESS_REFUSED"
    )
    assert words(tape, frames=False) == [
        "client 1 -> broker  protocol header AMQP 0-9-1",
        "client 1 <- broker  ch 0  connection.start",
        "client 1 -> broker  ch 0  connection.start-ok mechanism=PLAIN",
        "client 1 <- broker  ch 0  connection.close 403 ACCESS_REFUSED",
    ]


def test_nothing_was_recorded() -> None:
    assert sequence_picture(Story()).text == NOTHING
    assert sequence_picture(Story(), title="Lost").text == f"Lost\n{NOTHING}"


def test_heartbeats_alone_are_nothing_in_words() -> None:
    tape = Tape().on(0).add(FrameKind.HEARTBEAT, "heartbeat", said=True)
    assert words(tape) == [NOTHING]


def test_a_full_memory_is_said() -> None:
    assert sequence_picture(Tape().open().story(lost_bytes=5)).text.splitlines()[-1] == FULL


def test_bytes_that_are_no_amqp() -> None:
    tape = Tape().on(0).add(FrameKind.OPAQUE, "opaque", said=True, size=517)
    tape.add(FrameKind.OPAQUE, "opaque", said=False, size=1)
    assert words(tape) == [
        "client 1 -> broker  517 bytes, not AMQP 0-9-1",
        "client 1 <- broker  1 byte, not AMQP 0-9-1",
    ]


def test_a_broken_connection_is_told_where_it_broke() -> None:
    tape = Tape().open().publish(b"x").lose()
    tape.on(client="client 2").open()
    lines = words(tape)
    assert lines.index("client 1 -x- broker  the connection is lost") == 12
    assert lines[13] == "client 2 -> broker  protocol header AMQP 0-9-1"


def test_a_message_without_a_body_and_one_of_several_frames() -> None:
    tape = Tape().publish().publish(b"a" * 100, b"b" * 50, b"c")
    assert [line.partition("ch 1")[2].strip() for line in words(tape)] == [
        "basic.publish exchange=shop.orders key=order.eu",
        "header 0 bytes",
        "basic.publish exchange=shop.orders key=order.eu",
        "header 151 bytes",
        "body × 3 151 bytes",
    ]
    assert words(tape, frames=False)[1].endswith("key=order.eu 151 bytes")


def test_channels_that_take_turns_stay_apart() -> None:
    tape = Tape().on(1).say("basic.publish", exchange="a", routing_key="k")
    tape.on(2).say("basic.publish", exchange="b", routing_key="k")
    tape.on(1).content(b"1").on(2).content(b"22")
    assert [line.split("  ", 1)[1] for line in words(tape)] == [
        "ch 1  basic.publish exchange=a key=k",
        "ch 2  basic.publish exchange=b key=k",
        "ch 1  header 1 byte",
        "ch 1    body 1 byte",
        "ch 2  header 2 bytes",
        "ch 2    body 2 bytes",
    ]
    assert [line.split("  ", 1)[1] for line in words(tape, frames=False)] == [
        "ch 1  basic.publish exchange=a key=k 1 byte",
        "ch 2  basic.publish exchange=b key=k 2 bytes",
    ]


# --- What differs from run to run


def test_what_a_program_made_up_is_left_out() -> None:
    tape = Tape().say(
        "basic.consume", queue="amq.gen-JzTY20BRgKO3kNcs4UrwLw", consumer_tag="ctag1.0123456789abcdef0123456789abcdef"
    )
    tape.publish(
        b"x",
        correlation_id="1",
        timestamp="2026-01-01T00:00:00",
        reply_to="0f8fad5b-d9cb-469f-a165-70867728950e",
        headers={"x-death": [{"queue": "orders", "count": 1, "time": "2026-01-01T00:00:00+00:00"}]},
    )
    lines = words(tape)
    assert lines[0] == "client 1 -> broker  ch 1  basic.consume queue=amq.gen-… consumer=ctag1.…"
    assert lines[2].endswith(
        "header 1 byte correlation-id timestamp reply-to=… x-death=[{count=1, queue=orders, time=…}]"
    )


def test_the_words_tell_nothing_of_the_machine() -> None:
    text = sequence_picture(session()).text
    assert not any(word in text for word in ("RabbitMQ", "4.3.6", "Python", "AMQPLAIN"))


# --- Folding


def test_equal_steps_are_told_once() -> None:
    tape = Tape()
    for number in range(48):
        tape.publish(b"x" * (number % 3 + 1))
    assert words(tape, frames=False) == [
        "client 1 -> broker  ch 1  basic.publish exchange=shop.orders key=order.eu 1…3 bytes × 48"
    ]
    assert words(tape) == [
        "client 1 -> broker  ch 1  basic.publish exchange=shop.orders key=order.eu × 48",
        "client 1 -> broker  ch 1    header 1…3 bytes × 48",
        "client 1 -> broker  ch 1    body 1…3 bytes × 48",
    ]


def test_a_repeating_pattern_is_told_once() -> None:
    tape = Tape().open()
    for number in range(1, 49):
        tape.publish(b"x").ack(number)
    assert words(tape.close(), frames=False)[4:] == [
        "48 times:",
        "    client 1 -> broker  ch 1  basic.publish exchange=shop.orders key=order.eu 1 byte",
        "    client 1 <- broker  ch 1  basic.ack delivery-tag=1…48",
        "client 1 -> broker  ch 0  connection.close",
        "client 1 <- broker  ch 0  connection.close-ok",
    ]


@pytest.mark.parametrize(("number", "lines"), [(LONG_RUN - 1, LONG_RUN - 1), (LONG_RUN, 1)])
def test_short_runs_are_not_folded(number: int, lines: int) -> None:
    tape = Tape()
    for _ in range(number):
        tape.publish(b"x")
    assert len(words(tape, frames=False)) == lines


def test_steps_that_say_something_else_are_not_folded() -> None:
    tape = Tape()
    for number in range(LONG_RUN * 2):
        tape.publish(b"x", key=f"order.{number}")
    assert len(words(tape, frames=False)) == LONG_RUN * 2


def test_what_comes_in_no_order_is_folded_if_there_is_too_much_of_it() -> None:
    tape = Tape().open()
    order = Random(1)  # noqa: S311
    for number in range(1, 301):
        tape.publish(b"x", key=order.choice(["order.eu", "order.us", "order.asia"]))
        if number == 300 or order.random() < 0.3:
            tape.ack(number, multiple=True)
    acks = sum(frame.name == "basic.ack" for frame in tape.frames)
    first, *_ = (frame.fields["delivery_tag"] for frame in tape.frames if frame.name == "basic.ack")
    assert words(tape.close(), frames=False)[4:7] == [
        "in any order:",
        "    client 1 -> broker  ch 1  basic.publish exchange=shop.orders key=(3 different) 1 byte × 300",
        f"    client 1 <- broker  ch 1  basic.ack delivery-tag={first}…300 multiple × {acks}",
    ]


def test_many_different_steps_lose_their_middle() -> None:
    tape = Tape()
    for number in range(500):
        tape.on(number + 1).say(f"queue.thing{number}")
    lines = words(tape)
    assert len(lines) == MOST_STEPS + 1
    assert lines[40] == f"… {500 - MOST_STEPS} steps more …"
    assert (lines[0][-7:], lines[-1][-8:]) == (".thing0", "thing499")


def test_two_hundred_channels_are_told_as_one() -> None:
    tape = Tape()
    for number in range(1, 201):
        tape.on(number).say("channel.open").hear("channel.open-ok")
    assert words(tape) == [
        "in any order:",
        "    client 1 -> broker  ch 1…200  channel.open × 200",
        "    client 1 <- broker  ch 1…200  channel.open-ok × 200",
    ]


def test_many_connections_share_a_line() -> None:
    tape = Tape()
    for number in range(1, 101):
        tape.on(1, f"client {number}").open().close()
    lines = words(tape, frames=False)
    assert lines[18:] == [
        "97 times:",
        "    client 4 … client 100 -> broker  ch 0  connection.open vhost=02 after a handshake of 5 frames",
        "    client 4 … client 100 <- broker  ch 0  connection.open-ok",
        "    client 4 … client 100 -> broker  ch 1  channel.open",
        "    client 4 … client 100 <- broker  ch 1  channel.open-ok",
        "    client 4 … client 100 -> broker  ch 0  connection.close",
        "    client 4 … client 100 <- broker  ch 0  connection.close-ok",
    ]


# --- Names


def test_names_are_whole_and_stay_on_their_line() -> None:
    long, nasty = "x" * 300, "a<b>&\"'\\\nnext\x07"
    tape = Tape().on(client=nasty).publish(b"x", key=long)
    lines = words(tape)
    assert len(lines) == 3
    assert lines[0] == f"a<b>&\"'\\\\nnext\\x07 -> broker  ch 1  basic.publish exchange=shop.orders key={long}"
