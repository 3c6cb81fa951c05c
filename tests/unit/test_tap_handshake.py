"""The credentials of a handshake are never kept, however its bytes arrive."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pamqp import body, commands, frame, header, heartbeat
from pamqp.common import FieldTable

from lab_helpers.record.tap_handshake import LARGEST_FRAME, PROTOCOL_HEADER, Handshake

PASSWORD = b"open sesame!"
RESPONSE = b"\x00learner\x00" + PASSWORD
PROPERTIES: FieldTable = {
    "product": "Pika Python Client Library",
    "capabilities": {"basic.nack": True, "connection.blocked": True},
    "version": "1.4.0",
}


def start_ok(response: bytes = RESPONSE) -> bytes:
    method = commands.Connection.StartOk(PROPERTIES, "PLAIN", response.decode("latin-1"), "en_US")
    return bytes(frame.marshal(method, 0))


def method_frame(payload: bytes) -> bytes:
    return struct.pack(">BHI", 1, 0, len(payload)) + payload + b"\xce"


SECURE_OK = frame.marshal(commands.Connection.SecureOk(RESPONSE.decode()), 0)
TUNE_OK = frame.marshal(commands.Connection.TuneOk(2047, 131072, 60), 0)
OPEN = frame.marshal(commands.Connection.Open("lab"), 0)
HEARTBEAT = frame.marshal(heartbeat.Heartbeat(), 0)
# What follows may look like anything, also like credentials: it is kept as it is.
AFTER = (
    frame.marshal(commands.Channel.Open(), 1)
    + frame.marshal(header.ContentHeader(0, len(PASSWORD)), 1)
    + frame.marshal(body.ContentBody(PASSWORD), 1)
    + start_ok()
)
STREAM = PROTOCOL_HEADER + start_ok() + SECURE_OK + HEARTBEAT + TUNE_OK + OPEN + AFTER
HIDDEN = (
    PROTOCOL_HEADER
    + start_ok(b"*" * len(RESPONSE))
    + SECURE_OK.replace(RESPONSE, b"*" * len(RESPONSE))
    + HEARTBEAT
    + TUNE_OK
    + OPEN
    + AFTER
)


def kept(pieces: list[bytes]) -> bytes:
    handshake = Handshake()
    return b"".join(handshake.feed(piece) for piece in pieces) + handshake.rest()


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(places), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges)]


def test_every_cut_in_two_hides_the_same() -> None:
    for place in range(len(STREAM) + 1):
        assert kept(cut(STREAM, [place])) == HIDDEN


def test_byte_by_byte() -> None:
    assert kept([bytes([byte]) for byte in STREAM]) == HIDDEN


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_cuts_hide_the_same(places: list[int]) -> None:
    assert kept(cut(STREAM, places)) == HIDDEN


def test_a_stream_that_stops_half_way_gives_nothing_away() -> None:
    for place in range(len(STREAM) - len(AFTER)):
        got = kept([STREAM[:place]])
        assert len(got) == place
        assert not any(PASSWORD[:size] in got for size in (4, len(PASSWORD)))


def test_after_the_handshake_nothing_is_held() -> None:
    handshake = Handshake()
    handshake.feed(STREAM)
    assert handshake.is_over
    assert handshake.feed(b"\x01\x00") == b"\x01\x00"


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(start_ok()[:-1] + b"\x00", id="no frame end"),
        pytest.param(b"\x02" + start_ok()[1:], id="another type of frame"),
        pytest.param(struct.pack(">BHI", 1, 0, LARGEST_FRAME + 1) + start_ok()[7:], id="too large"),
        pytest.param(method_frame(start_ok()[7:-2]), id="locale too short"),
        pytest.param(method_frame(start_ok()[7:-1] + b"more"), id="something after the locale"),
        pytest.param(method_frame(struct.pack(">HHI", 10, 11, 2**32 - 1) + RESPONSE), id="properties too long"),
        pytest.param(method_frame(struct.pack(">HH", 10, 11) + RESPONSE), id="no fields"),
        pytest.param(method_frame(struct.pack(">HH", 10, 11)), id="nothing"),
        pytest.param(method_frame(struct.pack(">HHI", 10, 21, 4) + RESPONSE), id="secure-ok too long"),
        pytest.param(method_frame(struct.pack(">HHI", 10, 21, 400) + RESPONSE), id="secure-ok too short"),
        pytest.param(RESPONSE, id="no frame"),
    ],
)
def test_what_cannot_be_parsed_is_hidden(wrong: bytes) -> None:
    stream = PROTOCOL_HEADER + wrong + RESPONSE
    for place in range(len(stream) + 1):
        got = kept(cut(stream, [place]))
        assert len(got) == len(stream)
        assert PASSWORD not in got


@pytest.mark.parametrize("version", [b"AMQP\x03\x01\x00\x00", b"AMQP\x00\x01\x00\x00", b"AMQP\x01\x01\x00\x09"])
def test_other_versions_of_amqp_are_hidden(version: bytes) -> None:
    stream = version + b"PLAIN" + RESPONSE
    for place in range(len(stream) + 1):
        assert kept(cut(stream, [place])) == version + b"*" * len(stream[8:])


@given(st.binary(max_size=200).filter(lambda data: not PROTOCOL_HEADER.startswith(data[:4])), st.integers(0, 200))
def test_what_is_no_amqp_is_kept_as_it_is(data: bytes, place: int) -> None:
    assert kept(cut(data, [min(place, len(data))])) == data


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=60), max_size=8))
def test_garbage_keeps_its_length(pieces: list[bytes]) -> None:
    stream = PROTOCOL_HEADER + b"".join(pieces)
    assert len(kept([PROTOCOL_HEADER, *pieces])) == len(stream)
