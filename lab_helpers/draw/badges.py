"""What the arguments of a queue or an exchange mean, in two or three words.

The arguments: https://www.rabbitmq.com/docs/queues#optional-arguments
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

UNITS = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000))
"""Longer units of time, in milliseconds."""
DEAD_LETTER_EXCHANGE = "x-dead-letter-exchange"
DEAD_LETTER_KEY = "x-dead-letter-routing-key"
ALTERNATE_EXCHANGE = "alternate-exchange"


def badges(arguments: Mapping[str, Any]) -> list[str]:
    """A badge for each argument, sorted by the arguments' names: "TTL 60 s", or "x-note=1" for an unknown one."""
    return [badge(name, value) for name, value in sorted(arguments.items())]


def badge(name: str, value: Any) -> str:
    """One argument: "x-max-length=3" is "max 3 messages"."""
    words = MEANINGS.get(name)
    return (words(value) if words else None) or f"{name}={value}"


def duration(milliseconds: int) -> str:
    """A time in the longest unit that holds it without a long fraction: "60 s", "1.5 s", "250 ms", "2 h"."""
    for unit, size in UNITS:
        # A minute reads "60 s", as it is usually written in a lab; from two units on, the longer one.
        if milliseconds >= (2 * size if unit != "s" else size) and milliseconds * 10 % size == 0:
            return f"{milliseconds / size:g} {unit}"
    return f"{milliseconds} ms"


def timed(words: str) -> Callable[[Any], str | None]:
    """Words around a number of milliseconds."""
    return lambda value: words.format(duration(value)) if is_count(value) else None


def counting(words: str) -> Callable[[Any], str | None]:
    """Words around a number."""
    return lambda value: words.format(value, "" if value == 1 else "s") if is_count(value) else None


def naming(words: str) -> Callable[[Any], str | None]:
    """Words around a name; the default exchange has none."""
    return lambda value: words.format(value or "(default)") if isinstance(value, str) else None


def one_of(meanings: Mapping[Any, str]) -> Callable[[Any], str | None]:
    """Words for each of a few values."""
    return lambda value: meanings.get(value) if isinstance(value, str | bool) else None


def is_count(value: object) -> bool:
    """Whether a value is a number of something."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


MEANINGS: Mapping[str, Callable[[Any], str | None]] = {
    "x-message-ttl": timed("TTL {}"),
    "x-expires": timed("expires after {} unused"),
    DEAD_LETTER_EXCHANGE: naming("DLX {}"),
    DEAD_LETTER_KEY: naming("dead letter key {}"),
    "x-dead-letter-strategy": one_of(
        {"at-least-once": "dead letters at least once", "at-most-once": "dead letters at most once"}
    ),
    "x-max-length": counting("max {} message{}"),
    "x-max-length-bytes": counting("max {} byte{}"),
    "x-overflow": one_of(
        {
            "drop-head": "drop oldest when full",
            "reject-publish": "reject when full",
            "reject-publish-dlx": "reject and dead-letter when full",
        }
    ),
    "x-max-priority": counting("priorities to {}"),
    "x-single-active-consumer": one_of({True: "single active consumer"}),
    "x-delivery-limit": counting("delivery limit {}"),
    "x-queue-mode": one_of({"lazy": "lazy"}),
    "x-max-age": naming("max age {}"),
    "x-quorum-initial-group-size": counting("{} member{}"),
    ALTERNATE_EXCHANGE: naming("alternate exchange {}"),
}
