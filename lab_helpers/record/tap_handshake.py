"""The beginning of a client's stream, read only to keep its credentials out of what is kept.

The tap's process imports this: standard library only.
"""

from __future__ import annotations

import struct

PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
"""How AMQP 0-9-1 begins: https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf section 4.2.2."""
FRAME = struct.Struct(">BHI")
"""A frame's type, channel and payload size: section 4.2.3."""
METHOD, HEARTBEAT, FRAME_END = 1, 8, 0xCE
START_OK, SECURE_OK, OPEN = (struct.pack(">HH", 10, method) for method in (11, 21, 40))
ARGUMENTS = FRAME.size + 4
"""Where a method's arguments begin in its frame."""
LARGEST_FRAME = 128 * 1024
"""Bytes; brokers accept far less before the sizes are agreed on."""


class Handshake:
    """Reads a client's stream up to its ``connection.open``, and hides its credentials in what may be kept of it.

    Those are the ``response`` of ``connection.start-ok`` and of ``connection.secure-ok``
    (https://www.rabbitmq.com/amqp-0-9-1-reference#connection.start-ok). Each of their bytes becomes an asterisk. What
    begins as AMQP and cannot be read as a handshake is hidden whole: credentials may be anywhere in it.
    """

    def __init__(self) -> None:
        self.is_over = False
        """Whether nothing more has to be hidden."""
        self._held = bytearray()
        self._has_header = False
        self._is_unreadable = False

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the stream, and give those that may be kept now: whole frames, perhaps none yet."""
        self._held += data
        kept = bytearray()
        if not self._has_header:
            kept += self._take_header()
        while self._has_header and not (self.is_over or self._is_unreadable) and (frame := self._take_frame()):
            kept += frame
        if self.is_over:
            kept += self._held
            self._held.clear()
        elif self._is_unreadable:
            kept += self.rest()
        return bytes(kept)

    def rest(self) -> bytes:
        """What is held and was not given yet, hidden: for the end of the stream."""
        hidden = b"*" * len(self._held)
        self._held.clear()
        return hidden

    def _take_header(self) -> bytes:
        """The protocol header, once it is whole. What does not begin as AMQP has nothing to hide."""
        header = bytes(self._held[:8])
        if not header.startswith(PROTOCOL_HEADER[:4]) and not PROTOCOL_HEADER.startswith(header):
            self.is_over = True
            return b""
        if len(header) < 8:
            return b""
        del self._held[:8]
        self._has_header = True
        # Other versions of AMQP have their credentials elsewhere.
        self._is_unreadable = header != PROTOCOL_HEADER
        return header

    def _take_frame(self) -> bytes:
        """The next frame, once it is whole, its credentials hidden."""
        if len(self._held) < FRAME.size:
            return b""
        kind, _, size = FRAME.unpack_from(self._held)
        end = FRAME.size + size
        if kind not in (METHOD, HEARTBEAT) or size > LARGEST_FRAME:
            self._is_unreadable = True
            return b""
        if len(self._held) <= end:
            return b""
        if self._held[end] != FRAME_END:
            self._is_unreadable = True
            return b""
        frame = bytes(self._held[: end + 1])
        del self._held[: end + 1]
        method = frame[FRAME.size : ARGUMENTS]
        self.is_over = method == OPEN
        if method not in (START_OK, SECURE_OK):
            return frame
        first, after = response(frame, end, is_start_ok=method == START_OK)
        return frame[:first] + b"*" * (after - first) + frame[after:]


def response(frame: bytes, end: int, *, is_start_ok: bool) -> tuple[int, int]:
    """Where the ``response`` stands in a start-ok or secure-ok; all of the arguments where they do not add up."""
    at = ARGUMENTS
    try:
        if is_start_ok:
            at += 4 + int.from_bytes(frame[at : at + 4], "big")  # client-properties, a table
            at += 1 + frame[at]  # mechanism, a short string
        first = at + 4
        after = first + int.from_bytes(frame[at:first], "big")
        last = after + 1 + frame[after] if is_start_ok else after  # locale, a short string
    except IndexError:
        return ARGUMENTS, end
    return (first, after) if last == end else (ARGUMENTS, end)
