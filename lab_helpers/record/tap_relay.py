"""Connections through the tap: bytes, ends, resets and back-pressure pass as they would without it.

The tap's process imports this: standard library only.

It is not built on asyncio: there a write that fails throws away what the same side had sent before, and a reset that
follows an end of stream goes unseen. A client would miss the broker's reason for a close.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from lab_helpers.record.tap_handshake import Handshake
from lab_helpers.record.tap_poller import HAS_EPOLL, IN, OUT, Poller
from lab_helpers.record.tap_recording import FROM_CLIENT, RESET, Recording

READ_SIZE = 256 * 1024
"""The most bytes that are read at once, and so the most that wait for a slow reader, per direction."""

Address = tuple[socket.AddressFamily, Any]
"""A family and an address of it, as ``getaddrinfo`` gives them."""
ABORT = struct.pack("ii", 1, 0)
"""SO_LINGER's value for an end by reset."""


class Stream:
    """One side of a connection: its socket, what it sent and what waits to be written to it."""

    def __init__(self, connection: int, sock: socket.socket, flags: int) -> None:
        sock.setblocking(False)
        with suppress(OSError):  # one that is gone already
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection = connection
        self.socket = sock
        self.fd = sock.fileno()
        self.flags = flags
        self.peer = self
        self.handshake = Handshake() if flags & FROM_CLIENT else None
        self.pending = b""
        self.asked: int | None = None
        """The events that are asked for; None while it is not watched."""
        self.is_connecting = False
        self.untried: Sequence[Address] = ()
        """Where else to connect to, should the target refuse."""
        self.has_ended = False
        """It sends no more."""
        self.is_finished = False
        """It was told that its peer sends no more."""
        self.is_deaf = False
        """Nothing can be written to it any more; it may still have sent something."""
        self.is_reset = False

    @property
    def may_be_read(self) -> bool:
        """Whether to read on: only when what it sent before is on its way."""
        peer = self.peer
        return not (self.has_ended or self.is_reset or peer.pending or peer.is_deaf or peer.is_connecting)


class Relay:
    """Takes connections and passes each on to the target.

    Parameters
    ----------
    addresses
        The target's, in the order in which they are tried.
    recording
        Told of everything that passes.
    poller
        Asked for events here; whoever waits on it hands them to :meth:`handle`.
    """

    def __init__(self, addresses: Sequence[Address], recording: Recording, poller: Poller) -> None:
        self.streams: dict[int, Stream] = {}
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.listener.setblocking(False)
        self._addresses = addresses
        self._recording = recording
        self._poller = poller
        self._poller.register(self.listener.fileno(), IN)
        self._opened = 0
        self._buffer = memoryview(bytearray(READ_SIZE))
        self._is_full = False
        """Whether there was no descriptor for another connection."""

    def handle(self, events: dict[int, int]) -> None:
        """Do what these events allow."""
        for fd, event in events.items():
            stream = self.streams.get(fd)
            if stream is not None:
                self._move(stream, event)
        # Descriptors are given again, so new connections come only after all events of the old ones.
        if self.listener.fileno() in events:
            self._accept()

    def _move(self, stream: Stream, event: int) -> None:
        """Connect, write or read, as this event allows."""
        if stream.is_connecting:
            self._connected(stream)
            return
        if event & OUT and stream.pending:
            self._write(stream)
        if event & ~OUT and self.streams.get(stream.fd) is stream:
            if stream.may_be_read:
                self._read(stream)
            elif stream.has_ended:
                if HAS_EPOLL:
                    self._lose(stream)
            elif not stream.pending:
                # It is gone, but its peer has not taken yet what it sent: look again then.
                self._watch(stream, None)

    def _watch(self, stream: Stream, events: int | None) -> None:
        """Ask for these events; 0 still tells of a reset, and None of nothing."""
        if events == stream.asked:
            return
        if events is None:
            self._poller.unregister(stream.fd)
        elif stream.asked is None:
            self._poller.register(stream.fd, events)
        else:
            self._poller.modify(stream.fd, events)
        stream.asked = events

    def _update(self, *streams: Stream) -> None:
        """Ask for the events that each can use now."""
        for stream in streams:
            events = (IN if stream.may_be_read else 0) | (OUT if stream.pending or stream.is_connecting else 0)
            # Both directions over looks like a reset; and outside Linux, so does one.
            over = stream.has_ended and (stream.is_finished or not HAS_EPOLL)
            if stream.is_reset or (over and not events):
                self._watch(stream, None)
            else:
                self._watch(stream, events)

    def _accept(self) -> None:
        """Take new connections, and begin one to the target for each."""
        while not self._is_full:
            try:
                client, _ = self.listener.accept()
            except BlockingIOError:
                return
            except ConnectionError:
                continue  # gone before it was accepted
            except OSError:
                self._accept_later()
                return
            self._opened += 1
            self._recording.opened(self._opened)
            stream = Stream(self._opened, client, FROM_CLIENT)
            self.streams[stream.fd] = stream
            self._dial(stream, self._addresses)

    def _accept_later(self) -> None:
        """There is no descriptor left: let new connections wait until another one has closed."""
        if not self._is_full:
            self._is_full = True
            self._poller.unregister(self.listener.fileno())

    def accept_again(self) -> None:
        """Take new connections again, if they had to wait."""
        if self._is_full:
            self._is_full = False
            self._poller.register(self.listener.fileno(), IN)

    def _dial(self, client: Stream, addresses: Sequence[Address]) -> None:
        """Begin to connect to the first of these addresses for a client."""
        family, address = addresses[0]
        try:
            sock = socket.socket(family)
        except OSError:
            self._accept_later()
            self._lose(client)
            return
        target = Stream(client.connection, sock, 0)
        target.peer, client.peer = client, target
        target.untried = addresses[1:]
        target.is_connecting = True
        self.streams[target.fd] = target
        if sock.connect_ex(address) in (0, errno.EINPROGRESS):
            self._update(target, client)
        else:
            self._connected(target)

    def _connected(self, target: Stream) -> None:
        """The target has answered, or refused."""
        if not was_refused(target.socket):
            target.is_connecting = False
            self._update(target, target.peer)
        elif target.untried:
            self._watch(target, None)
            del self.streams[target.fd]
            target.socket.close()
            client = target.peer
            client.peer = client
            self._dial(client, target.untried)
        else:
            self._lose(target)

    def _read(self, stream: Stream) -> None:
        """Read once, pass it on as far as the peer takes it, and keep it."""
        try:
            size = stream.socket.recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError:
            self._lose(stream)
            return
        if not size:
            self._ended(stream)
            return
        peer = stream.peer
        data = self._buffer[:size]
        # On with it first: what is done before costs the client time.
        try:
            sent = peer.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            sent = None
        if stream.handshake is not None or self._recording.wants(stream.connection):
            self._keep(stream, bytes(data))
        if sent is None:
            self._deafen(peer)
        elif sent < size:
            peer.pending = bytes(data[sent:])
            self._update(stream, peer)

    def _write(self, stream: Stream) -> None:
        """Write on what the stream did not take at once."""
        try:
            sent = stream.socket.send(stream.pending)
        except BlockingIOError:
            return
        except OSError:
            self._deafen(stream)
            return
        stream.pending = stream.pending[sent:]
        if stream.pending:
            return
        if stream.peer.is_reset:
            self._close(stream)
        elif stream.peer.has_ended:
            self._finish(stream)
        else:
            self._update(stream, stream.peer)

    def _keep(self, stream: Stream, data: bytes) -> None:
        """Keep bytes that were read, without credentials."""
        if stream.handshake is not None:
            data = stream.handshake.feed(data)
            if stream.handshake.is_over:
                stream.handshake = None
        if data and self._recording.wants(stream.connection):
            self._recording.add(stream.connection, stream.flags, data)

    def _keep_end(self, stream: Stream, flags: int = 0) -> None:
        """Keep that a stream has ended."""
        if stream.handshake is not None and (rest := stream.handshake.rest()):
            self._recording.add(stream.connection, stream.flags, rest)
        self._recording.add(stream.connection, stream.flags | flags, b"")

    def _ended(self, stream: Stream) -> None:
        """A stream has come to its end: tell the peer, after all that was sent before."""
        if stream.is_deaf:
            # What a socket reports once only, the write that failed has used up.
            self._lose(stream)
            return
        stream.has_ended = True
        self._keep_end(stream)
        if stream.peer.pending:
            self._update(stream, stream.peer)
        else:
            self._finish(stream.peer)

    def _finish(self, stream: Stream) -> None:
        """Tell a stream that its peer sends no more."""
        with suppress(OSError):  # it is gone: reading it will tell
            stream.socket.shutdown(socket.SHUT_WR)
        stream.is_finished = True
        if stream.peer.is_finished:
            self._close(stream)
        else:
            self._update(stream, stream.peer)

    def _deafen(self, stream: Stream) -> None:
        """A write has failed: take what the stream had sent before, to its end."""
        stream.is_deaf = True
        stream.pending = b""
        if stream.has_ended:
            self._lose(stream)
        else:
            self._update(stream, stream.peer)

    def _lose(self, stream: Stream) -> None:
        """A stream was reset: so is its peer, after all that was sent before."""
        if stream.is_reset:
            return
        self._keep_end(stream, RESET)
        stream.is_reset = stream.is_deaf = True
        stream.pending = b""
        if stream.peer.pending:
            self._update(stream, stream.peer)
        else:
            self._close(stream)

    def _close(self, stream: Stream) -> None:
        """Forget a connection; where one side was reset, reset the other."""
        for side in {stream, stream.peer}:
            self._watch(side, None)
            del self.streams[side.fd]
            if stream.is_reset or stream.peer.is_reset:
                with suppress(OSError):
                    side.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
            side.socket.close()
        self._recording.closed(stream.connection)
        self.accept_again()


def was_refused(sock: socket.socket) -> bool:
    """Whether a connection has not come about.

    ``SO_ERROR`` would not do: one that came about and was reset since may still have something to read.
    """
    try:
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return False
