"""Connecting to a broker that is not there, or is no broker: a sentence, within the timeout."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

import pytest

from lab_helpers.broker import amqp
from lab_helpers.errors import BrokerUnreachableError


def refused(port: int) -> BrokerUnreachableError:
    with pytest.raises(BrokerUnreachableError) as caught:
        amqp.connect(f"amqp://labs:s3cret@127.0.0.1:{port}/04")
    assert caught.value.what.startswith(f"No broker accepts AMQP connections at 127.0.0.1:{port} (")
    assert "labs status" in caught.value.remedy
    assert "s3cret" not in str(caught.value)
    return caught.value


def test_nothing_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        refused(bound.getsockname()[1])


def test_a_server_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amqp, "CONNECT_SECONDS", 0.3)
    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        refused(silent.getsockname()[1])
    assert 0.3 <= time.monotonic() - started < 20


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda peer: None, id="hangs-up"),
        pytest.param(lambda peer: peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), id="http"),
        pytest.param(lambda peer: peer.sendall(b"AMQP\x00\x01\x00\x00"), id="amqp-1.0"),
    ],
)
def test_a_server_that_is_no_broker(answer: Callable[[socket.socket], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amqp, "CONNECT_SECONDS", 5.0)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(8)
                answer(peer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            refused(server.getsockname()[1])
        finally:
            thread.join(10)


def test_no_queues_need_no_connection() -> None:
    def url() -> str:
        raise AssertionError

    assert amqp.queue_depths(url)([]) == {}
