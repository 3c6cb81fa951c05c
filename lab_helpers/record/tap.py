"""The tap: a small TCP proxy between a client and its node, which keeps what passes while asked to.

It is a process of its own, so that it takes nothing from the client's speed but the way through one more socket, and it
ends with the process that made it. Nothing is decoded before somebody reads the :class:`Capture`.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from lab_helpers.errors import LabsError
from lab_helpers.record.capture import Capture, Chunk
from lab_helpers.record.tap_process import LENGTH, UNKNOWN_HOST
from lab_helpers.record.tap_recording import (
    DEFAULT_LIMITS,
    FROM_CLIENT,
    NUMBER,
    PIECE,
    PRELUDE,
    RESET,
    SUMMARY,
    Limits,
)

PACKAGE = Path(__file__).parents[1]
PROGRAM = """
import sys, types
package = types.ModuleType("lab_helpers")
package.__path__ = [sys.argv.pop(1)]
sys.modules["lab_helpers"] = package
from lab_helpers.record.tap_process import main
main()
"""
"""Imports the process's own modules and leaves out the package's front, which takes ten times as long."""

START_WITHIN = 20.0
"""Seconds for the process to start; it takes a tenth of one, but the machine may be busy."""
ANSWER_WITHIN = 20.0
"""Seconds without a byte of an answer after which the process counts as hung."""


class Tap:
    """Passes connections on to a broker, and records them.

    Parameters
    ----------
    target
        Where to, as "127.0.0.1:5672".
    limits
        How much memory may go into what is kept.

    Raises
    ------
    LabsError
        The process could not be started, or the target's name is not known.
    """

    def __init__(self, target: str, limits: Limits = DEFAULT_LIMITS) -> None:
        host, _, port = target.rpartition(":")
        if not host or not port.isdecimal():
            raise LabsError(f"{target!r} is no address of a broker.", remedy='Write it as "127.0.0.1:5672".')
        arguments = [str(PACKAGE), host.strip("[]"), port, str(os.getpid()), json.dumps(limits)]
        try:
            self._process = subprocess.Popen(
                # Isolated and without site-packages: it starts faster, and nothing of the learner's gets in.
                [sys.executable, "-I", "-S", "-c", PROGRAM, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                # An own session: Jupyter's interrupt is for the cell.
                start_new_session=True,
            )
        except OSError as error:
            raise LabsError(
                f"The recorder could not be started: {error}.", remedy="Mend that, and make the Lab again."
            ) from error
        self._end = weakref.finalize(self, end, self._process, os.getpid())
        # One command after the other, whichever thread asks; and an interrupt of a cell cannot tear an answer apart.
        self._line = ThreadPoolExecutor(1, thread_name_prefix="tap")
        try:
            answer = self._line.submit(self._receive, START_WITHIN).result()
        except BaseException:
            self.close()
            if self._process.returncode == UNKNOWN_HOST:
                raise LabsError(f"There is no host {host!r}.", remedy="Mend the broker's address.") from None
            raise
        self.address = f"127.0.0.1:{int(answer)}"
        """Where clients connect to, as "127.0.0.1:40123"."""

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def start_recording(self) -> float:
        """Keep what passes from now on; a recording that was begun before is forgotten.

        Returns
        -------
        float
            The moment on the clock of ``time.monotonic`` from which the capture counts its times.

        Raises
        ------
        LabsError
            The process has ended.
        """
        return float(json.loads(self._ask("start")))

    def stop_recording(self) -> Capture:
        """End the recording once all is quiet, after 30 ms without a byte or one second, and give it.

        The calling thread waits meanwhile: an event loop in it does nothing.

        Raises
        ------
        LabsError
            The process has ended; what it had recorded is gone.
        """
        return capture(self._ask("stop"))

    def close(self) -> None:
        """End the process, and with it every connection through it; a second time does nothing."""
        self._line.shutdown(cancel_futures=True)
        self._end()

    def _ask(self, command: str) -> bytes:
        """Send a command and wait for its answer."""
        try:
            answer = self._line.submit(self._exchange, command)
        except RuntimeError:  # it was closed
            self._gone()
        return answer.result()

    def _exchange(self, command: str) -> bytes:
        pipe = self._process.stdin
        try:
            if pipe is None or pipe.closed:
                self._gone()
            pipe.write(json.dumps(command).encode() + b"\n")
        except OSError:
            self._gone()
        return self._receive(ANSWER_WITHIN)

    def _receive(self, patience: float) -> bytes:
        """Read one answer."""
        (size,) = LENGTH.unpack(self._read(LENGTH.size, patience))
        return self._read(size, patience)

    def _read(self, size: int, patience: float) -> bytes:
        """Read so many bytes from the process, as long as some come within ``patience`` seconds."""
        pipe = self._process.stdout
        if pipe is None or pipe.closed:
            self._gone()
        parts = bytearray()
        poller = select.poll()
        poller.register(pipe.fileno(), select.POLLIN)
        while len(parts) < size:
            if not poller.poll(patience * 1000):
                self._process.kill()
                self._gone("did not answer any more")
            part = pipe.read(min(size - len(parts), 1024 * 1024))
            if not part:
                self._gone()
            parts += part
        return bytes(parts)

    def _gone(self, how: str = "has ended") -> NoReturn:
        raise LabsError(
            f"The process that records the lab's connections {how}.",
            meaning="The connections through it are closed, and what it had recorded is gone.",
            remedy="Run the lab's first cell again: it makes the Lab, and with it another recorder.",
        )


def end(process: subprocess.Popen[bytes], maker: int) -> None:
    """End the process: it goes by itself when its pipe is closed. A fork of its maker must leave it alone."""
    if os.getpid() != maker:
        return
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    try:
        process.wait(2.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def capture(packed: bytes) -> Capture:
    """Read a recording as the process handed it over."""
    lost, count = SUMMARY.unpack_from(packed)
    at = SUMMARY.size
    prelude: dict[int, list[Chunk]] = {}
    for _ in range(count):
        (number,) = NUMBER.unpack_from(packed, at)
        prelude[number] = []
        at += NUMBER.size
    chunks: list[Chunk] = []
    while at < len(packed):
        moment, connection, flags, size = PIECE.unpack_from(packed, at)
        at += PIECE.size
        data = packed[at : at + size]
        at += size
        chunk = Chunk(moment, connection, bool(flags & FROM_CLIENT), data, bool(flags & RESET))
        (prelude[connection] if flags & PRELUDE else chunks).append(chunk)
    return Capture(tuple(chunks), {number: tuple(before) for number, before in prelude.items()}, lost)
