"""Both ends of connections through a tap, held by one test: no server runs beside it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lab_helpers.record.tap import Tap
from lab_helpers.record.tap_recording import DEFAULT_LIMITS, Limits

TIMEOUT = 20.0
"""Seconds after which a test gives up on a socket."""


@dataclass
class Ends:
    """A target that a test plays itself, and a tap before it, or none: what a tap must not change is tried on both."""

    listener: socket.socket
    tap: Tap | None
    made: list[socket.socket] = field(default_factory=list)

    def client(self) -> socket.socket:
        """Connect as a client does."""
        address = self.tap.address if self.tap else f"127.0.0.1:{self.listener.getsockname()[1]}"
        host, _, port = address.partition(":")
        return self._with_timeout(socket.create_connection((host, int(port)), TIMEOUT))

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """A connection: the client's end, and the target's."""
        client = self.client()
        return client, self._with_timeout(self.listener.accept()[0])

    def _with_timeout(self, sock: socket.socket) -> socket.socket:
        sock.settimeout(TIMEOUT)
        self.made.append(sock)
        return sock


@contextmanager
def ends(*, tapped: bool = True, limits: Limits = DEFAULT_LIMITS) -> Iterator[Ends]:
    """A target, with a tap before it unless told otherwise."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        listener.settimeout(TIMEOUT)
        tap = Tap(f"127.0.0.1:{listener.getsockname()[1]}", limits) if tapped else None
        made = Ends(listener, tap)
        try:
            yield made
        finally:
            for sock in made.made:
                sock.close()
            if tap:
                tap.close()


def reset(sock: socket.socket) -> None:
    """Close with a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def receive(sock: socket.socket, size: int) -> bytes:
    """Receive so many bytes, or fewer if the stream ends before."""
    got = bytearray()
    while len(got) < size and (part := sock.recv(min(size - len(got), 1 << 20))):
        got += part
    return bytes(got)


def pass_on(sender: socket.socket, receiver: socket.socket, data: bytes) -> None:
    """Send and receive, so that it has passed for certain."""
    sender.sendall(data)
    assert receive(receiver, len(data)) == data
