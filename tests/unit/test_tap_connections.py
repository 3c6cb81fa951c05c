"""Connections through the tap behave as they do without it: each test runs both ways."""

from __future__ import annotations

import errno
import os
import resource
import select
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab_helpers.broker.waiting import wait_until
from lab_helpers.record.tap import Tap
from tests.unit.tap_ends import Ends, ends, pass_on, receive, reset

MIB = 1024 * 1024


@pytest.fixture(params=["direct", "tap"])
def both(request: pytest.FixtureRequest) -> Iterator[Ends]:
    with ends(tapped=request.param == "tap") as made:
        yield made


@pytest.fixture
def tapped() -> Iterator[Ends]:
    with ends() as made:
        yield made


def process(made: Ends) -> psutil.Process:
    assert made.tap is not None
    return psutil.Process(made.tap.pid)


def either(made: Ends, first: str) -> tuple[socket.socket, socket.socket]:
    """The two ends, the named one first."""
    client, target = made.pair()
    return (client, target) if first == "client" else (target, client)


pieces = st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=3000)), max_size=20)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=pieces)
def test_whatever_is_said_arrives_unchanged(tapped: Ends, pieces: list[tuple[bool, bytes]]) -> None:
    client, target = tapped.pair()
    for from_client, data in pieces:
        (client if from_client else target).sendall(data)
    for sender, receiver, told in ((client, target, True), (target, client, False)):
        sender.shutdown(socket.SHUT_WR)
        assert receive(receiver, MIB) == b"".join(data for from_client, data in pieces if from_client is told)
    client.close()
    target.close()


def test_much_at_once_both_ways(both: Ends) -> None:
    client, target = both.pair()
    up, down = os.urandom(16 * MIB), os.urandom(16 * MIB)
    with ThreadPoolExecutor(3) as threads:
        threads.submit(client.sendall, up)
        threads.submit(target.sendall, down)
        got = threads.submit(receive, target, len(up))
        assert receive(client, len(down)) == down
        assert got.result() == up


@pytest.mark.parametrize("first", ["client", "target"])
def test_one_side_ends_and_the_other_goes_on(both: Ends, first: str) -> None:
    ending, other = either(both, first)
    ending.sendall(b"last words")
    ending.shutdown(socket.SHUT_WR)
    assert receive(other, 100) == b"last words"
    pass_on(other, ending, b"an answer")
    pass_on(other, ending, b"x" * MIB)
    other.close()
    assert ending.recv(1) == b""


@pytest.mark.parametrize("first", ["client", "target"])
def test_a_reset_is_a_reset_after_what_was_said(both: Ends, first: str) -> None:
    resetting, other = either(both, first)
    resetting.sendall(b"last words")
    reset(resetting)
    assert receive(other, 10) == b"last words"
    with pytest.raises(ConnectionResetError):
        other.recv(1)


@pytest.mark.parametrize("first", ["client", "target"])
def test_a_reset_after_the_end_of_the_stream(both: Ends, first: str) -> None:
    resetting, other = either(both, first)
    resetting.shutdown(socket.SHUT_WR)
    assert other.recv(1) == b""
    reset(resetting)
    # After an end of stream, Linux calls a reset a broken pipe.
    wait_until(lambda: other.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in (errno.EPIPE, errno.ECONNRESET))


@pytest.mark.parametrize("first", ["client", "target"])
def test_a_close_with_something_unread_is_a_reset(both: Ends, first: str) -> None:
    closing, other = either(both, first)
    other.sendall(b"never read")
    assert select.select([closing], [], [], 10)[0]
    closing.close()
    with pytest.raises(ConnectionResetError):
        other.recv(1)


@pytest.mark.parametrize("first", ["client", "target"])
def test_a_reason_given_before_a_reset_can_be_read_by_one_who_floods(both: Ends, first: str) -> None:
    closing, flooding = either(both, first)
    flooding.setblocking(False)
    flood(flooding)
    closing.sendall(b"connection.close")
    closing.close()
    flooding.settimeout(10)
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        flooding.sendall(b"x" * 100 * MIB)
    assert receive(flooding, 100) == b"connection.close"


def flood(sock: socket.socket) -> int:
    """Send until nothing is taken any more, and give how much was."""
    taken, since = 0, time.monotonic()
    while time.monotonic() - since < 0.3:
        try:
            taken += sock.send(b"x" * 65536)
        except BlockingIOError:
            select.select([], [sock], [], 0.05)
        else:
            since = time.monotonic()
    return taken


@pytest.mark.parametrize("first", ["client", "target"])
def test_a_slow_reader_holds_the_writer(tapped: Ends, first: str) -> None:
    writer, reader = either(tapped, first)
    before = process(tapped).memory_info().rss
    writer.setblocking(False)
    taken = flood(writer)
    assert taken < 40 * MIB  # what the kernel's buffers hold
    assert process(tapped).memory_info().rss - before < 4 * MIB
    writer.settimeout(10)
    writer.shutdown(socket.SHUT_WR)
    assert receive(reader, taken + 1) == b"x" * 65536 * (taken // 65536) + b"x" * (taken % 65536)


def test_a_reader_that_was_reset_while_it_held_the_writer(both: Ends) -> None:
    client, target = both.pair()
    client.setblocking(False)
    flood(client)
    reset(target)
    client.settimeout(10)
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        client.recv(1)


def test_a_writer_that_was_reset_while_it_was_held(tapped: Ends) -> None:
    client, target = tapped.pair()
    client.setblocking(False)
    flood(client)
    busy = process(tapped).cpu_times()
    reset(client)
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 0.3)
    # It waits for the reader, and does not turn in circles meanwhile.
    assert sum(process(tapped).cpu_times()[:2]) - sum(busy[:2]) < 0.15
    with pytest.raises(ConnectionResetError):
        receive(target, 1000 * MIB)


def test_one_slow_reader_holds_no_other_connection(tapped: Ends) -> None:
    slow, _ = tapped.pair()
    slow.setblocking(False)
    flood(slow)
    pass_on(*tapped.pair(), b"quick")


def test_a_target_that_refuses() -> None:
    with ends() as made:
        made.listener.close()
        with pytest.raises(ConnectionResetError):
            made.client().recv(1)
        with pytest.raises(ConnectionResetError):
            made.client().recv(1)
        assert made.tap is not None
        assert made.tap.alive
        capture_is_clean(made.tap)


def capture_is_clean(tap: Tap) -> None:
    tap.start_recording()
    assert not tap.stop_recording().prelude


def test_a_name_with_several_addresses() -> None:
    with ends() as made, socket.create_server(("127.0.0.1", 0)) as listener:
        tap = Tap(f"localhost:{listener.getsockname()[1]}")
        by_name = Ends(listener, tap, made.made)
        try:
            pass_on(*by_name.pair(), b"found")
        finally:
            tap.close()


def test_a_target_that_comes_back(tapped: Ends) -> None:
    address = tapped.listener.getsockname()
    tapped.listener.close()
    with pytest.raises(ConnectionResetError):
        tapped.client().recv(1)
    with socket.create_server(address) as listener:
        pass_on(*Ends(listener, tapped.tap, tapped.made).pair(), b"back")


def test_a_thousand_connections_leave_nothing_behind(tapped: Ends) -> None:
    pass_on(*tapped.pair(), b"first")
    before = process(tapped).num_fds()
    for number in range(1000):
        client, target = tapped.pair()
        pass_on(client, target, b"hello")
        closing, other = ((client, target), (target, client))[number % 2]
        if number % 3:
            closing.close()
            assert other.recv(1) == b""
            other.close()
        else:
            reset(closing)
            with pytest.raises(ConnectionResetError):
                other.recv(1)
            other.close()
    wait_until(lambda: process(tapped).num_fds() == before)
    assert process(tapped).num_threads() == 1


def test_many_connections_at_once(tapped: Ends) -> None:
    pairs = [tapped.pair() for _ in range(200)]
    for number, (client, target) in enumerate(pairs):
        pass_on(client, target, b"from %d" % number)
        pass_on(target, client, b"to %d" % number)


def test_it_may_have_as_many_descriptors_as_the_system_gives(tapped: Ends) -> None:
    soft, hard = process(tapped).rlimit(psutil.RLIMIT_NOFILE)
    assert soft == hard == resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def test_without_descriptors_new_connections_wait(tapped: Ends) -> None:
    kept = tapped.pair()
    some = process(tapped)
    hard = some.rlimit(psutil.RLIMIT_NOFILE)[1]
    some.rlimit(psutil.RLIMIT_NOFILE, (some.num_fds() + 2, hard))
    second = tapped.pair()
    waiting = tapped.client()
    tapped.listener.settimeout(0.3)
    with pytest.raises(TimeoutError):
        tapped.listener.accept()
    pass_on(*kept, b"still here")
    tapped.listener.settimeout(10)
    for end in second:
        end.close()
    target, _ = tapped.listener.accept()
    tapped.made.append(target)
    pass_on(waiting, target, b"at last")
