"""A message's content, and what of it tells whether two are the same message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from lab_helpers.record.events import Table

OFFSET = "x-stream-offset"
"""The header with which a stream delivers; it keeps its messages and delivers them to many."""
BROKERS_OWN = ("x-death", "x-first-death-", "x-last-death-", "x-delivery-count", "x-acquired-count", OFFSET)
"""Headers, or what they begin with, that the broker adds on the way.

https://www.rabbitmq.com/docs/dlx#effects, https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling
"""
BROKER_REMOVES = ("CC", "BCC")
"""Headers that the broker may take away: https://www.rabbitmq.com/docs/sender-selected"""
REPLY_TO = "amq.rabbitmq.reply-to"
"""What a client writes for direct reply-to; the broker puts an address of its own in its place."""


class Death(NamedTuple):
    """One entry of an ``x-death`` header: how often a message left a queue, and why."""

    queue: str
    reason: str
    times: int
    exchange: str
    """The exchange by which it had entered the queue."""
    keys: tuple[str, ...]
    """The routing keys with which it had entered the queue."""


Deaths = frozenset[tuple[str, str, int]]
"""How far a message has come: queue, reason and count of each death."""


@dataclass(frozen=True)
class Envelope:
    """A message's properties, and what they tell of its way; equal ones, which are many, are read once."""

    properties: Table
    identity: str
    """The properties that stay the same from publish to the last delivery, in one text."""
    deaths: tuple[Death, ...]
    """What ``x-death`` says, the latest first as the broker writes it."""
    progress: Deaths
    """How far the message has come."""
    offset: int | None
    """Its place in the stream that it was delivered from; None from other queues."""

    @classmethod
    def of(cls, properties: Table) -> Self:
        """Read properties."""
        deaths = deaths_in(properties)
        progress = frozenset((death.queue, death.reason, death.times) for death in deaths)
        offset = properties.get("headers", {}).get(OFFSET)
        return cls(
            properties,
            identity_of(properties),
            deaths,
            progress,
            offset if isinstance(offset, int) else None,
        )


class Content(NamedTuple):
    """A body with its envelope."""

    body: bytes
    envelope: Envelope

    @property
    def identity(self) -> tuple[bytes, str]:
        """Equal for the same message at each place of its way."""
        return self.body, self.envelope.identity

    @property
    def deaths(self) -> tuple[Death, ...]:
        """What ``x-death`` says, the latest first as the broker writes it."""
        return self.envelope.deaths


def identity_of(properties: Table) -> str:
    """The properties that stay the same, in one text.

    The expiration goes with the first dead-lettering, and the firehose writes a timestamp otherwise.
    """
    kept: dict[str, Any] = {}
    for name, value in properties.items():
        if name == "headers":
            headers = {key: one for key, one in value.items() if not is_changed_by_broker(key)}
            if headers:
                kept[name] = json.dumps(headers, sort_keys=True)
        elif name == "reply_to" and str(value).startswith(REPLY_TO):
            kept[name] = REPLY_TO
        elif name not in ("expiration", "timestamp"):
            kept[name] = value
    return repr(sorted(kept.items())) if kept else ""


def is_changed_by_broker(header: str) -> bool:
    """Whether the broker adds or removes this header."""
    return header in BROKER_REMOVES or header.startswith(BROKERS_OWN)


def deaths_in(properties: Table) -> tuple[Death, ...]:
    """The entries of ``x-death``; none where a client wrote something else there."""
    headers = properties.get("headers")
    entries = headers.get("x-death") if isinstance(headers, Mapping) else None
    if not isinstance(entries, list):
        return ()
    return tuple(death_from(entry) for entry in entries if isinstance(entry, Mapping) and "queue" in entry)


def death_from(entry: Table) -> Death:
    """One entry of ``x-death``."""
    count, keys = entry.get("count"), entry.get("routing-keys")
    return Death(
        str(entry["queue"]),
        str(entry.get("reason", "")),
        count if isinstance(count, int) else 1,
        str(entry.get("exchange", "")),
        tuple(map(str, keys)) if isinstance(keys, list) else (),
    )
