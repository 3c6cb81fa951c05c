"""Frames from bytes: however they are cut, whatever they are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pamqp import base, commands, frame
from pamqp.commands import Basic, Queue
from pamqp.commands import Channel as ChannelClass

from lab_helpers.record.capture import Capture, Chunk
from lab_helpers.record.events import FrameKind
from lab_helpers.record.frames import PROTOCOL_HEADER, Piece, decode
from lab_helpers.record.plain import METHOD_NAMES, METHODS
from lab_helpers.record.reading import read
from lab_helpers.record.story import Story
from tests.unit.conversations import HEARTBEAT, Conversation, bytes_of, content

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CUT = b"\x00\x01\x02\x03\xce AMQP"
"""Bytes that look like parts of frames."""


def pieces(data: bytes, *, from_client: bool = False) -> list[Piece]:
    return decode(Capture((Chunk(0.0, 1, from_client, data),)))


def kinds(data: bytes) -> list[FrameKind | None]:
    return [piece.kind for piece in pieces(data)]


# --- Any conversation, cut anywhere

tags = st.integers(0, 4)
texts = st.sampled_from(["", "a", "shop", "amq.gen-abc", "größe"])
bodies = st.binary(max_size=40) | st.sampled_from([b"", b"same", CUT * 3])
tables = st.dictionaries(
    texts, st.none() | st.booleans() | st.integers(-(2**40), 2**40) | texts | st.lists(texts), max_size=3
)
properties = st.fixed_dictionaries(
    {}, optional={"headers": tables, "delivery_mode": st.sampled_from([1, 2]), "message_id": texts, "reply_to": texts}
)
with_content = st.builds(
    content,
    st.builds(Basic.Publish, exchange=texts.filter(str.isascii), routing_key=texts, mandatory=st.booleans())
    | st.builds(Basic.Deliver, texts, tags, st.booleans(), texts.filter(str.isascii), texts)
    | st.builds(Basic.Return, st.just(312), st.just("NO_ROUTE"), texts.filter(str.isascii), texts)
    | st.builds(Basic.GetOk, tags, st.booleans(), texts.filter(str.isascii), texts, tags),
    bodies,
    properties,
    st.integers(1, 3),
)
without_content = st.one_of(
    st.builds(Basic.Ack, tags, st.booleans()),
    st.builds(Basic.Nack, tags, st.booleans(), st.booleans()),
    st.builds(Basic.Reject, tags, st.booleans()),
    st.builds(Basic.Consume, st.just(0), texts.filter(str.isascii), texts, no_ack=st.booleans()),
    st.builds(Basic.ConsumeOk, texts),
    st.builds(Queue.DeclareOk, texts.filter(str.isascii), tags, tags),
    st.builds(ChannelClass.Close, st.just(404), texts, tags, tags),
    st.sampled_from([method() for method in METHODS if not method.__slots__] + [HEARTBEAT]),
    st.sampled_from([Queue.Declare(), commands.Confirm.Select(), Basic.Get(), Basic.Recover(), ChannelClass.Open()]),
).map(lambda one: (one,))
sayings = st.lists(
    st.tuples(st.integers(1, 2), st.booleans(), st.integers(0, 2), with_content | without_content), max_size=12
)


def said(saying: tuple[int, bool, int, tuple[frame.FrameTypes, ...]], at: float = 0.0) -> Chunk:
    connection, from_client, channel, frames = saying
    return Chunk(at, connection, from_client, bytes_of(*frames, channel=channel))


@QUICK
@given(sayings, st.data())
def test_any_cut_of_any_frames_gives_the_same_story(
    saying: list[tuple[int, bool, int, tuple[frame.FrameTypes, ...]]], data: st.DataObject
) -> None:
    whole: list[Chunk] = []
    for connection in (1, 2):
        whole.append(Chunk(0.0, connection, True, PROTOCOL_HEADER))
        whole.append(Chunk(0.0, connection, False, bytes_of(commands.Connection.Start(), channel=0)))
    whole += [said(one) for one in saying]
    cut: list[Chunk] = []
    for chunk in whole:
        places = sorted(data.draw(st.sets(st.integers(1, max(1, len(chunk.data) - 1)), max_size=4)))
        for start, end in zip([0, *places], [*places, len(chunk.data)], strict=True):
            if chunk.data[start:end]:
                cut.append(Chunk(0.0, chunk.connection, chunk.from_client, chunk.data[start:end]))
    story = read(Capture(tuple(whole)))
    assert read(Capture(tuple(cut))) == story
    assert len(story.frames) == 4 + sum(len(frames) for *_, frames in saying)
    assert not [one for one in story.frames if one.kind is FrameKind.OPAQUE]
    assert Story.from_json(story.to_json()) == story


def test_byte_by_byte() -> None:
    made = Conversation()
    made.connect()
    made.publish(b"a")
    single = [
        Chunk(chunk.at, chunk.connection, chunk.from_client, chunk.data[at : at + 1])
        for chunk in made.chunks
        for at in range(len(chunk.data))
    ]
    assert read(Capture(tuple(single))) == made.story()


@QUICK
@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=60) | st.sampled_from([CUT, PROTOCOL_HEADER])), max_size=8))
def test_random_bytes_never_raise(parts: list[tuple[bool, bytes]]) -> None:
    story = read(Capture(tuple(Chunk(n / 10, 1, from_client, data) for n, (from_client, data) in enumerate(parts))))
    assert Story.from_json(story.to_json()) == story
    story.text()


@QUICK
@given(st.sampled_from(METHODS), st.binary(max_size=60), st.integers(0, 2))
def test_random_arguments_never_raise(method: type[base.Frame], arguments: bytes, channel: int) -> None:
    payload = method.index.to_bytes(4, "big") + arguments
    data = b"\x01" + channel.to_bytes(2, "big") + len(payload).to_bytes(4, "big") + payload + b"\xce"
    for from_client in (True, False):
        start = PROTOCOL_HEADER if from_client else bytes_of(commands.Connection.Start(), channel=0)
        story = read(Capture((Chunk(0.0, 1, from_client, start + data + bytes_of(HEARTBEAT)),)))
        # What cannot be decoded takes nothing of what comes after it.
        assert [one.kind for one in story.frames][-1] is FrameKind.HEARTBEAT
        assert len(story.frames) == 3
        assert Story.from_json(story.to_json()) == story


@QUICK
@given(st.binary(max_size=60), st.binary(max_size=20))
def test_random_headers_never_raise(rest: bytes, before: bytes) -> None:
    payload = b"\x00\x3c\x00\x00" + before + rest
    data = b"\x02\x00\x01" + len(payload).to_bytes(4, "big") + payload + b"\xce"
    start = PROTOCOL_HEADER + bytes_of(Basic.Publish(exchange="x"))
    assert len(read(Capture((Chunk(0.0, 1, True, start + data),))).frames) == 3


# --- Beginnings and ends


def test_every_method_has_the_protocols_name() -> None:
    assert METHOD_NAMES[Basic.GetOk] == "basic.get-ok"
    assert METHOD_NAMES[commands.Connection.UpdateSecret] == "connection.update-secret"
    assert METHOD_NAMES[Basic.RecoverAsync] == "basic.recover-async"
    assert len(set(METHOD_NAMES.values())) == len(METHODS)


def test_an_incomplete_frame_at_the_end_is_left_out() -> None:
    whole = bytes_of(commands.Connection.Start(), Basic.Ack(1), channel=0)
    for length in range(len(whole) - 20, len(whole)):
        assert kinds(whole[:length]) == [FrameKind.METHOD]


def test_garbage_between_frames() -> None:
    start = bytes_of(commands.Connection.Start(), channel=0)
    frames = bytes_of(Basic.Ack(1), Basic.Ack(2), Basic.Ack(3))
    found = pieces(start + b"no frame" + frames)
    assert [piece.kind for piece in found] == [FrameKind.METHOD, FrameKind.OPAQUE, *[FrameKind.METHOD] * 3]
    assert found[1].size == 8


@pytest.mark.parametrize("lost", range(1, 60))
def test_a_stream_whose_beginning_is_lost(lost: int) -> None:
    first = bytes_of(*content(Basic.Deliver("w", 1, False, "shop", "eu"), CUT * 3))
    rest = bytes_of(*[Basic.Ack(number) for number in range(1, 5)])
    found = pieces(first[-lost:] + rest)
    assert [piece.value.delivery_tag for piece in found if isinstance(piece.value, Basic.Ack)] == [1, 2, 3, 4]
    assert FrameKind.OPAQUE not in [piece.kind for piece in found]


def test_a_frame_stands_where_its_last_byte_came() -> None:
    data = PROTOCOL_HEADER + bytes_of(Basic.Ack(1)) + bytes_of(Basic.Ack(2))
    chunks = (Chunk(0.1, 1, True, data[:20]), Chunk(0.2, 1, True, data[20:40]), Chunk(0.3, 1, True, data[40:]))
    assert [piece.at for piece in decode(Capture(chunks))] == [0.1, 0.2, 0.3]


def test_the_end_of_a_stream() -> None:
    chunks = (Chunk(0.1, 1, True, PROTOCOL_HEADER), Chunk(0.2, 1, True, b"", reset=True))
    assert [(piece.kind, piece.value) for piece in decode(Capture(chunks))][-1] == (None, True)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"\xff\xfe", "fffe"),
        ("größe", "größe"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        ({"a": [1, {"b": b"x"}]}, {"a": [1, {"b": "x"}]}),
    ],
)
def test_values_that_json_cannot_hold(value: Any, shown: Any) -> None:
    from lab_helpers.record.plain import plain

    assert plain(value) == shown
