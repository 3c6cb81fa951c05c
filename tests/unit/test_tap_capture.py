"""What the tap hands over: order, times, preludes and bounds, from real connections."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from itertools import accumulate, cycle

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab_helpers.broker.waiting import wait_until
from lab_helpers.record.capture import Capture, Chunk
from lab_helpers.record.tap import Tap
from lab_helpers.record.tap_handshake import PROTOCOL_HEADER
from lab_helpers.record.tap_recording import COST, HEARTBEAT_FRAME, FrameEnds, Limits
from tests.unit.tap_ends import Ends, ends, pass_on, receive, reset
from tests.unit.test_tap_handshake import HIDDEN, PASSWORD, STREAM

MIB = 1024 * 1024


@pytest.fixture
def made() -> Iterator[Ends]:
    with ends() as made:
        yield made


def the(made: Ends) -> Tap:
    assert made.tap is not None
    return made.tap


def said(chunks: tuple[Chunk, ...], *, from_client: bool, connection: int = 1) -> bytes:
    return b"".join(c.data for c in chunks if c.from_client is from_client and c.connection == connection)


def outline(chunks: tuple[Chunk, ...]) -> list[tuple[int, str, bytes]]:
    return [(c.connection, "client" if c.from_client else "target", b"reset" if c.reset else c.data) for c in chunks]


def test_order_sides_and_connections(made: Ends) -> None:
    began = the(made).start_recording()
    (client, target), (client2, target2) = made.pair(), made.pair()
    pass_on(client, target, b"one")
    pass_on(target, client, b"two")
    pass_on(client2, target2, b"three")
    target2.close()
    assert client2.recv(1) == b""
    reset(client)
    with pytest.raises(ConnectionResetError):
        target.recv(1)
    capture = the(made).stop_recording()
    assert outline(capture.chunks) == [
        (1, "client", b"one"),
        (1, "target", b"two"),
        (2, "client", b"three"),
        (2, "target", b""),
        (1, "client", b"reset"),
    ]
    times = [chunk.at for chunk in capture.chunks]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] <= time.monotonic() - began
    assert capture.prelude == {}
    assert capture.lost_bytes == 0


def test_a_target_that_refuses_is_a_reset_of_its_side(made: Ends) -> None:
    the(made).start_recording()
    made.listener.close()
    with pytest.raises(ConnectionResetError):
        made.client().recv(1)
    assert outline(the(made).stop_recording().chunks) == [(1, "target", b"reset")]


def test_the_moment_of_the_beginning_is_on_the_same_clock(made: Ends) -> None:
    before = time.monotonic()
    began = the(made).start_recording()
    assert before <= began <= time.monotonic()


def test_nothing_is_kept_outside_a_recording(made: Ends) -> None:
    assert the(made).stop_recording() == Capture()
    client, target = made.pair()
    the(made).start_recording()
    pass_on(client, target, b"inside")
    the(made).stop_recording()
    pass_on(client, target, b"outside")
    assert the(made).stop_recording() == Capture()


def test_the_prelude_of_an_open_connection(made: Ends) -> None:
    first, gone, silent = made.pair(), made.pair(), made.pair()
    pass_on(*first, b"before")
    pass_on(first[1], first[0], b"an answer")
    pass_on(*gone, b"gone")
    for end in gone:
        end.close()
    wait_until(lambda: psutil.Process(the(made).pid).num_fds() == fds_with(made, 2))

    the(made).start_recording()
    pass_on(*first, b"inside")
    pass_on(*silent, b"at last")
    capture = the(made).stop_recording()
    assert outline(capture.chunks) == [(1, "client", b"inside"), (3, "client", b"at last")]
    assert set(capture.prelude) == {1, 3}
    assert outline(capture.prelude[1]) == [(1, "client", b"before"), (1, "target", b"an answer")]
    assert all(chunk.at < 0 for chunk in capture.prelude[1])
    assert capture.prelude[3] == ()

    # What was recorded belongs to the prelude of the next recording.
    pass_on(*first, b"between")
    the(made).start_recording()
    again = the(made).stop_recording()
    assert said(again.prelude[1], from_client=True) == b"beforeinsidebetween"
    assert said(again.prelude[3], from_client=True, connection=3) == b"at last"


def fds_with(made: Ends, connections: int) -> int:
    """How many descriptors the tap has with so many connections: its pipes, its listener, the poller."""
    with ends() as other:
        empty = psutil.Process(the(other).pid).num_fds()
    return empty + 2 * connections


def test_a_connection_that_closes_while_recording_keeps_its_prelude(made: Ends) -> None:
    client, target = made.pair()
    pass_on(client, target, b"before")
    the(made).start_recording()
    client.close()
    assert target.recv(1) == b""
    target.close()
    capture = the(made).stop_recording()
    assert said(capture.prelude[1], from_client=True) == b"before"
    assert outline(capture.chunks) == [(1, "client", b""), (1, "target", b"")]


def test_a_half_closed_side_is_in_the_prelude(made: Ends) -> None:
    client, target = made.pair()
    client.shutdown(socket.SHUT_WR)
    assert target.recv(1) == b""
    the(made).start_recording()
    assert outline(the(made).stop_recording().prelude[1]) == [(1, "client", b"")]


def test_a_prelude_that_is_too_long_is_dropped_for_good() -> None:
    with ends(limits=Limits(prelude=1000)) as made:
        (client, target), other = made.pair(), made.pair()
        pass_on(client, target, b"x" * 400)
        pass_on(target, client, b"y" * 600)
        pass_on(*other, b"short")
        for _ in range(2):
            the(made).start_recording()
            pass_on(client, target, b"still recorded")
            capture = the(made).stop_recording()
            assert set(capture.prelude) == {2}
            assert said(capture.chunks, from_client=True) == b"still recorded"


def test_heartbeats_do_not_use_up_the_prelude() -> None:
    frame = b"\x01\x00\x01\x00\x00\x00\x04\x00\x14\x00\x0a\xce"
    with ends(limits=Limits(prelude=1000)) as made:
        client, target = made.pair()
        pass_on(client, target, PROTOCOL_HEADER)
        pass_on(target, client, frame)
        for _ in range(20):
            pass_on(target, client, HEARTBEAT_FRAME)
        pass_on(target, client, frame)
        the(made).start_recording()
        pass_on(target, client, HEARTBEAT_FRAME)
        capture = the(made).stop_recording()
        assert said(capture.prelude[1], from_client=False) == frame * 2
        assert said(capture.chunks, from_client=False) == HEARTBEAT_FRAME


def test_a_body_that_looks_like_a_heartbeat_stays_in_the_prelude(made: Ends) -> None:
    body = (b"\x03\x00\x01\x00\x00\x00\x09", b"!", HEARTBEAT_FRAME, b"\xce")
    client, target = made.pair()
    for part in body:
        pass_on(target, client, part)
    the(made).start_recording()
    assert said(the(made).stop_recording().prelude[1], from_client=False) == b"".join(body)


@given(sizes=st.lists(st.integers(0, 20), max_size=6), cuts=st.lists(st.integers(1, 9), min_size=1))
def test_frame_ends_are_found_wherever_the_bytes_are_split(sizes: list[int], cuts: list[int]) -> None:
    frames = [PROTOCOL_HEADER] + [struct.pack(">BHI", 3, 1, size) + b"\x08" * size + b"\xce" for size in sizes]
    stream = b"".join(frames)
    boundaries = set(accumulate(map(len, frames)))
    followed, at = FrameEnds(), 0
    for cut in cycle(cuts):
        if at >= len(stream):
            break
        followed.feed(stream[at : at + cut])
        at = min(at + cut, len(stream))
        assert followed.is_between == (at in boundaries)


def test_all_preludes_together_are_bounded() -> None:
    with ends(limits=Limits(preludes=3 * (500 + COST))) as made:
        pairs = [made.pair() for _ in range(4)]
        for pair in pairs:
            pass_on(*pair, b"x" * 500)
        the(made).start_recording()
        assert set(the(made).stop_recording().prelude) == {1, 2, 3}
        for end in pairs[0]:
            end.close()
        # The room of one that closed is free again.
        wait_until(lambda: psutil.Process(the(made).pid).num_fds() == fds_with(made, 3))
        pass_on(*made.pair(), b"x" * 500)
        the(made).start_recording()
        assert set(the(made).stop_recording().prelude) == {2, 3, 5}


def test_a_full_recording_counts_what_it_loses_and_passes_it_on() -> None:
    with ends(limits=Limits(recording=10 * (100 + COST))) as made:
        client, target = made.pair()
        the(made).start_recording()
        for number in range(15):
            pass_on(client, target, bytes([number]) * 100)
        capture = the(made).stop_recording()
        assert [chunk.data[0] for chunk in capture.chunks] == list(range(10))
        assert capture.lost_bytes == 500
        # Nothing small slips in after a gap, and the next recording has room again.
        the(made).start_recording()
        pass_on(client, target, b"x" * 10_000)
        pass_on(client, target, b"small")
        capture = the(made).stop_recording()
        assert capture.chunks == ()
        assert capture.lost_bytes == 10_005
        the(made).start_recording()
        pass_on(client, target, b"small")
        assert said(the(made).stop_recording().chunks, from_client=True) == b"small"


def test_memory_is_bounded_and_given_back() -> None:
    with ends(limits=Limits(recording=4 * MIB)) as made:
        client, target = made.pair()
        pass_on(client, target, b"x" * MIB)
        process = psutil.Process(the(made).pid)
        before = process.memory_info().rss
        the(made).start_recording()
        for _ in range(40):
            sender = threading.Thread(target=client.sendall, args=(b"x" * MIB,))
            sender.start()
            assert len(receive(target, MIB)) == MIB
            sender.join()
        assert process.memory_info().rss - before < 10 * MIB
        capture = the(made).stop_recording()
        kept = sum(len(chunk.data) for chunk in capture.chunks)
        assert 3 * MIB < kept <= 4 * MIB
        assert kept + capture.lost_bytes == 40 * MIB


def test_a_large_body_is_recorded_whole(made: Ends) -> None:
    client, target = made.pair()
    data = os.urandom(16 * MIB)
    the(made).start_recording()
    sender = threading.Thread(target=client.sendall, args=(data,))
    sender.start()
    assert receive(target, len(data)) == data
    sender.join()
    assert said(the(made).stop_recording().chunks, from_client=True) == data


def test_the_last_bytes_of_a_client_are_in(made: Ends) -> None:
    client, target = made.pair()
    for number in range(20):
        the(made).start_recording()
        client.sendall(b"last %d" % number)
        assert said(the(made).stop_recording().chunks, from_client=True) == b"last %d" % number
    assert target.recv(1000)


def test_a_recording_ends_also_where_it_is_never_quiet(made: Ends) -> None:
    client, target = made.pair()
    enough = threading.Event()

    def chatter() -> None:
        while not enough.wait(0.005):
            pass_on(client, target, b"and so on ")

    the(made).start_recording()
    talker = threading.Thread(target=chatter)
    talker.start()
    try:
        began = time.monotonic()
        capture = the(made).stop_recording()
        assert time.monotonic() - began < 10
        assert capture.chunks
    finally:
        enough.set()
        talker.join()


def test_a_recording_begun_again_is_another(made: Ends) -> None:
    client, target = made.pair()
    the(made).start_recording()
    pass_on(client, target, b"first")
    the(made).start_recording()
    pass_on(client, target, b"second")
    capture = the(made).stop_recording()
    assert said(capture.chunks, from_client=True) == b"second"
    assert said(capture.prelude[1], from_client=True) == b"first"


@pytest.mark.parametrize("size", [1, 7, 100, len(STREAM)])
def test_credentials_pass_and_are_not_kept(made: Ends, size: int) -> None:
    (client, target), (client2, target2) = made.pair(), made.pair()
    parts = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    for part in parts:
        pass_on(client, target, part)
    the(made).start_recording()
    for part in parts:
        pass_on(client2, target2, part)
    capture = the(made).stop_recording()
    # A heartbeat that comes alone is left out there.
    kept = said(capture.prelude[1], from_client=True).replace(HEARTBEAT_FRAME, b"")
    assert kept == HIDDEN.replace(HEARTBEAT_FRAME, b"")
    assert said(capture.chunks, from_client=True, connection=2) == HIDDEN


def test_credentials_of_a_login_that_breaks_off_are_not_kept(made: Ends) -> None:
    the(made).start_recording()
    client, target = made.pair()
    upto = STREAM.index(PASSWORD) + 6
    pass_on(client, target, STREAM[:upto])
    client.close()
    assert target.recv(1) == b""
    capture = the(made).stop_recording()
    got = said(capture.chunks, from_client=True)
    assert len(got) == upto
    assert PASSWORD[:4] not in got


def test_several_threads_may_ask(made: Ends) -> None:
    client, target = made.pair()
    problems: list[BaseException] = []

    def ask() -> None:
        try:
            for _ in range(5):
                the(made).start_recording()
                the(made).stop_recording()
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    the(made).start_recording()
    pass_on(client, target, b"in order")
    assert said(the(made).stop_recording().chunks, from_client=True) == b"in order"
