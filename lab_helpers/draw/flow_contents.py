"""The messages of a flow as a learner reads them: a short label, properties, headers and the body."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lab_helpers.draw.markup import drawable
from lab_helpers.draw.svg import fitting
from lab_helpers.record.events import Message

LONGEST_BODY = 4096
"""Bytes of a body that are shown."""
ALL_BODIES = 1_000_000
"""Bytes of all bodies together: where there are many messages, each shows less."""
SHORTEST_BODY = 64
LABEL_WIDTH, LABEL_SIZE = 110, 11
"""What a label may take in the drawing, in pixels."""


def messages_data(messages: Mapping[int, Message]) -> list[dict[str, Any]]:
    """All messages, by number, as plain JSON."""
    limit = max(SHORTEST_BODY, min(LONGEST_BODY, ALL_BODIES // max(1, len(messages))))
    return [message_data(number, message, limit) for number, message in sorted(messages.items())]


def message_data(number: int, message: Message, limit: int = LONGEST_BODY) -> dict[str, Any]:
    """One message: a body that is UTF-8 as text, any other in hexadecimal, at most ``limit`` bytes of it."""
    text = readable(message.body)
    shown = message.body[:limit]
    # A character that the limit cuts in two is left out.
    body = shown.decode(errors="ignore") if text is not None else shown.hex(" ")
    cut = len(message.body) > limit
    return {
        "number": number,
        "label": label(message, text),
        "properties": {name: plain(value) for name, value in message.properties.items() if name != "headers"},
        "headers": {str(name): plain(value) for name, value in (message.properties.get("headers") or {}).items()},
        "body": body,
        "encoding": "text" if text is not None else "hex",
        "size": len(message.body),
        "notice": f"the first {limit:,} of {len(message.body):,} bytes" if cut else "",
    }


def readable(body: bytes) -> str | None:
    """A body as text, or None for one that is not meant to be read."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def label(message: Message, text: str | None) -> str:
    """A message's name on its envelope: its id, or else how its body begins."""
    chosen = message.properties.get("message_id") or (text and text[:100].strip())
    if not chosen:
        return f"{len(message.body):,} bytes" if message.body else "(empty)"
    return fitting(drawable(str(chosen)), LABEL_WIDTH, LABEL_SIZE)


def plain(value: Any) -> Any:
    """A value of a field table as JSON."""
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        # JSON has no such numbers.
        return str(value)
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
