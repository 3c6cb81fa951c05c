"""The tap's own process: one loop for the connections, the commands and the answers.

:mod:`lab_helpers.record.tap` starts it, and it imports the standard library only, so that it starts at once.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain

from lab_helpers.record.tap_poller import IN, OUT, Poller
from lab_helpers.record.tap_recording import Limits, Recording
from lab_helpers.record.tap_relay import Address, Relay

LENGTH = struct.Struct("<Q")
"""Stands before every answer: how many bytes it has."""
UNKNOWN_HOST = 3
"""Exit status where the target's name has no address."""

BATCH = 64 * 1024
"""About how many bytes of a recording are handed over between two looks at the connections."""
QUIET = 0.03
"""Seconds without a byte that end a recording."""
QUIET_WITHIN = 1.0
"""Seconds after which it ends all the same."""
PARENT_CHECK = 1.0
"""Seconds between two looks whether the parent still lives: a child that it forked may hold its end of the pipe."""


class Process:
    """Reads commands from the standard input, and answers on the standard output.

    Parameters
    ----------
    addresses
        The target's.
    limits
        The bounds of what is kept.
    parent
        The process with which this one ends.
    """

    def __init__(self, addresses: Sequence[Address], limits: Limits, parent: int) -> None:
        self._parent = parent
        self._recording = Recording(limits)
        self._poller = Poller()
        self._relay = Relay(addresses, self._recording, self._poller)
        self._commands, self._answers = sys.stdin.fileno(), sys.stdout.fileno()
        os.set_blocking(self._commands, False)
        os.set_blocking(self._answers, False)
        self._poller.register(self._commands, IN)
        self._half_command = b""
        self._outgoing: Iterator[bytes] | None = None
        self._unsent = b""
        self._stopping_since: float | None = None

    def run(self) -> None:
        """Work until the parent is gone or has closed the pipe."""
        self._answer(self._relay.listener.getsockname()[1])
        checked = time.monotonic()
        while True:
            now = time.monotonic()
            if now - checked >= PARENT_CHECK:
                checked = now
                self._relay.accept_again()
                if os.getppid() != self._parent:
                    return
            wait = PARENT_CHECK if self._stopping_since is None else self._stop_when_quiet(now, self._stopping_since)
            events = self._poller.wait(wait)
            if self._commands in events and not self._read_commands():
                return
            if self._answers in events:
                self._send_some()
            self._relay.handle(events)

    def _read_commands(self) -> bool:
        """Do what is asked for; False at the end of the pipe, which is the end of the tap."""
        try:
            data = os.read(self._commands, 4096)
        except BlockingIOError:
            return True
        *lines, self._half_command = (self._half_command + data).split(b"\n")
        for line in lines:
            if json.loads(line) == "start":
                self._answer(self._recording.begin())
            else:
                self._stopping_since = time.monotonic()
        return bool(data)

    def _stop_when_quiet(self, now: float, since: float) -> float:
        """End the recording if it is time to; give the seconds until the next look."""
        due = min(max(since, self._recording.latest) + QUIET, since + QUIET_WITHIN)
        if now < due:
            return due - now
        self._stopping_since = None
        size, packed = self._recording.end()
        self._send(chain((LENGTH.pack(size),), packed))
        return PARENT_CHECK

    def _answer(self, value: float) -> None:
        """Answer with a number."""
        text = json.dumps(value).encode()
        self._send(iter((LENGTH.pack(len(text)), text)))

    def _send(self, pieces: Iterator[bytes]) -> None:
        """Hand something over, while connections go on."""
        if self._outgoing is None:
            self._poller.register(self._answers, OUT)
        self._outgoing = pieces if self._outgoing is None else chain(self._outgoing, pieces)

    def _send_some(self) -> None:
        """Write some of what is to be handed over."""
        if not self._unsent and self._outgoing is not None:
            size = 0
            batch = []
            while size < BATCH and (piece := next(self._outgoing, None)) is not None:
                batch.append(piece)
                size += len(piece)
            self._unsent = b"".join(batch)
        if not self._unsent:
            self._outgoing = None
            self._poller.unregister(self._answers)
            return
        with suppress(BlockingIOError):
            self._unsent = self._unsent[os.write(self._answers, self._unsent) :]


def main() -> None:
    """Run the tap for ``host port parent limits``: the parent's process id, and :class:`Limits` as JSON."""
    host, port, parent, limits = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(ValueError, OSError):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except OSError:
        sys.exit(UNKNOWN_HOST)
    addresses = [(family, address) for family, *_, address in found]
    with suppress(BrokenPipeError):
        Process(addresses, Limits(*json.loads(limits)), int(parent)).run()
