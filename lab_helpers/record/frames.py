"""From the bytes of a capture to AMQP 0-9-1 frames, in the order in which they were complete.

The form of a frame: https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf section 4.2.
"""

from __future__ import annotations

import gc
import re
import struct
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

from pamqp import base, commands

from lab_helpers.record import plain
from lab_helpers.record.capture import Capture, Chunk
from lab_helpers.record.content import Envelope
from lab_helpers.record.events import FrameKind, Table

PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
ANY_VERSION = re.compile(rb"AMQP(\x00\x00\x09\x01|[\x00\x02\x03]\x01\x00\x00|\x01\x01[\x00\x08\x09\x0a]{2})")
"""How a stream of any version of AMQP begins: 0-9-1, 1.0 (plain, with TLS or SASL), and 0-8 to 0-10."""
FRAME = struct.Struct(">BHI")
"""Type, channel and size of the payload, which an octet FRAME_END follows."""
FRAME_END = 0xCE
HEADER = struct.Struct(">HHQ")
"""Class, weight and body size; property flags and properties follow."""
BASIC = 60
"""The only class whose methods carry content."""
KINDS = {1: FrameKind.METHOD, 2: FrameKind.HEADER, 3: FrameKind.BODY, 8: FrameKind.HEARTBEAT}
LARGEST_PAYLOAD = 0xFFFFFF
"""Bytes. No broker of the labs agrees to larger frames; a larger size shows that these bytes are no frame."""
CANDIDATE = re.compile(rb"[\x01\x02\x03\x08]..\x00", re.DOTALL)
"""What the first four octets of any frame look like."""
SURE = 3
"""This many frames in a row do not stand in a stream by accident."""
UNREADABLE: tuple[type[Exception], ...] = (
    struct.error,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    OSError,
    RecursionError,
)
"""What the decoder may raise for a payload that is not what it should be."""


NOTHING: Table = {}


class ContentHeader(NamedTuple):
    """What a content header says."""

    size: int
    """The body's size in bytes."""
    envelope: Envelope


class Piece(NamedTuple):
    """One frame, or a stretch of bytes that are none, or the end of a stream."""

    at: float
    connection: int
    from_client: bool
    kind: FrameKind | None
    """None for the end of this side's stream."""
    channel: int = 0
    size: int = 0
    """Bytes on the wire."""
    value: Any = None
    """The decoded method, the :class:`ContentHeader`, the body's bytes, or whether the stream ended with a reset."""
    fields: Table = NOTHING


class Span(NamedTuple):
    """Where a frame stands in a stream; ``kind`` is OPAQUE for bytes that are no frame."""

    start: int
    end: int
    kind: FrameKind
    channel: int = 0


@contextmanager
def without_collecting() -> Iterator[None]:
    """Let Python's garbage collector rest: nothing made meanwhile is garbage, and looking takes half of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@without_collecting()
def decode(capture: Capture) -> list[Piece]:
    """Read all frames of a capture, those of its prelude first.

    Each direction of a connection is joined before it is read, so it means nothing how the bytes were cut. A frame
    stands where its last byte came, and a stretch that cannot be read where its first byte came. Nothing is raised,
    whatever the bytes are.
    """
    before = sorted(chain.from_iterable(capture.prelude.values()), key=lambda chunk: chunk.at)
    streams: defaultdict[tuple[int, bool], list[tuple[int, Chunk]]] = defaultdict(list)
    for order, chunk in enumerate(chain(before, capture.chunks)):
        streams[chunk.connection, chunk.from_client].append((order, chunk))
    found = [placed for chunks in streams.values() for placed in pieces(chunks)]
    found.sort(key=lambda placed: placed[0])
    return [piece for _, piece in found]


def pieces(chunks: list[tuple[int, Chunk]]) -> Iterator[tuple[int, Piece]]:
    """The pieces of one direction of a connection, each with the place of its chunk in the capture."""
    data = b"".join(chunk.data for _, chunk in chunks)
    ends = iter(chunks)
    order, chunk = next(ends)
    covered = len(chunk.data)
    for span in spans(data):
        # A stretch without frames is placed by its first byte: its last one may come much later.
        place = span.start + 1 if span.kind is FrameKind.OPAQUE else span.end
        while covered < place:
            order, chunk = next(ends)
            covered += len(chunk.data)
        yield order, piece_of(data, span, chunk)
    for order, chunk in chunks:
        if not chunk.data:
            yield order, Piece(chunk.at, chunk.connection, chunk.from_client, None, value=chunk.reset)


def spans(data: bytes) -> Iterator[Span]:
    """Cut a stream into frames and stretches that are none. An incomplete frame at its end is left out."""
    at = 0
    if ANY_VERSION.match(data):
        at = len(PROTOCOL_HEADER)
        if data[:at] != PROTOCOL_HEADER:
            # Another version of AMQP: all that follows is written in it.
            yield Span(0, len(data), FrameKind.OPAQUE)
            return
        yield Span(0, at, FrameKind.PROTOCOL_HEADER)
    elif not begins_as_a_broker(data):
        # The recording may have begun in the middle of a frame, whose rest is passed over.
        at = next_chain(data, 0)
        if at == len(data):
            at = 0
            if data:
                yield Span(0, len(data), FrameKind.OPAQUE)
            return
    while at < len(data):
        end = frame_end(data, at)
        if end is None:
            return
        if end:
            kind, channel, _ = FRAME.unpack_from(data, at)
            yield Span(at, end, KINDS[kind], channel)
        else:
            end = next_chain(data, at + 1)
            yield Span(at, end, FrameKind.OPAQUE)
        at = end


def begins_as_a_broker(data: bytes) -> bool:
    """Whether a stream begins with ``connection.start``, as a broker's does."""
    return data.startswith(b"\x01\x00\x00") and data[7:11] == b"\x00\x0a\x00\x0a"


def frame_end(data: bytes, at: int) -> int | None:
    """Where the frame at this place ends; 0 where there is none, None where its end has not come."""
    if data[at] not in KINDS:
        return 0
    if len(data) - at < FRAME.size:
        return None
    kind, channel, size = FRAME.unpack_from(data, at)
    if size > LARGEST_PAYLOAD or (kind == 8 and (size or channel)):
        return 0
    end = at + FRAME.size + size
    if end >= len(data):
        return None
    return end + 1 if data[end] == FRAME_END else 0


def next_chain(data: bytes, at: int) -> int:
    """The first place, from this one on, from which frames follow each other; the stream's end where there is none."""
    found = CANDIDATE.search(data, at)
    while found:
        if is_chain(data, found.start()):
            return found.start()
        found = CANDIDATE.search(data, found.start() + 1)
    return len(data)


def is_chain(data: bytes, at: int) -> bool:
    """Whether frames that make sense follow each other here, several of them or up to the stream's end."""
    for count in range(SURE):
        end = frame_end(data, at) if at < len(data) else None
        if end is None:
            return count > 0
        if not end or not makes_sense(data, at):
            return False
        at = end
    return True


def makes_sense(data: bytes, at: int) -> bool:
    """Whether a frame's payload begins as one of its type does."""
    kind = data[at]
    payload = at + FRAME.size
    if kind == 1:
        return int.from_bytes(data[payload : payload + 4], "big") in commands.INDEX_MAPPING
    return kind != 2 or data[payload : payload + 4] == b"\x00\x3c\x00\x00"


def piece_of(data: bytes, span: Span, chunk: Chunk) -> Piece:
    """Decode what stands in a span."""
    size = span.end - span.start
    kind = span.kind
    value: Any = None
    fields = NOTHING
    payload = data[span.start + FRAME.size : span.end - 1]
    try:
        if kind is FrameKind.METHOD:
            value, fields = decoded_method(payload)
        elif kind is FrameKind.HEADER:
            value, fields = decoded_header(payload)
        elif kind is FrameKind.BODY:
            value = payload
    except UNREADABLE:
        kind = FrameKind.OPAQUE
    return Piece(chunk.at, chunk.connection, chunk.from_client, kind, span.channel, size, value, fields)


@lru_cache(maxsize=4096)
def decoded_method(payload: bytes) -> tuple[base.Frame, Table]:
    """A method and its arguments; equal ones, which are many in a capture, are decoded once."""
    kind: type[base.Frame] = commands.INDEX_MAPPING[int.from_bytes(payload[:4], "big")]
    # Without its __init__, which warns of deprecated methods and checks defaults that are overwritten here.
    method = kind.__new__(kind)
    method.unmarshal(payload[4:])
    return method, plain.arguments(method)


def decoded_header(payload: bytes) -> tuple[ContentHeader, Table]:
    """What a content header says, and the same as fields."""
    kind, _, size = HEADER.unpack_from(payload)
    if kind != BASIC:
        raise ValueError(f"no content belongs to class {kind}")
    envelope = decoded_properties(payload[HEADER.size :])
    return ContentHeader(size, envelope), {"body_size": size, "properties": envelope.properties}


@lru_cache(maxsize=4096)
def decoded_properties(data: bytes) -> Envelope:
    """The properties behind a content header's sizes."""
    (flags,) = struct.unpack_from(">H", data)
    if flags & 1:
        raise ValueError("the class has too few properties for a second word of flags")
    found = commands.Basic.Properties()
    found.unmarshal(flags, data[2:])
    return Envelope.of(plain.properties(found))
