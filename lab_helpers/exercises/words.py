"""How the judge puts things: names, bodies and counts in a sentence."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

LONGEST_BODY = 40
"""Characters of a body that a sentence shows."""
BYTES = 4
"""How many bytes a sentence shows of a body that is no text."""
MOST = 5
"""How many things a sentence lists before it says how many more there are."""

QUOTED_EMPTY = '""'
"""How an empty text is shown: the default exchange's name, for example."""


def listed(names: Iterable[str], none: str = "nothing") -> str:
    """ "`a`, `b`", or the word for an empty list."""
    all_names = [f"`{name}`" for name in names]
    more = [f"and {len(all_names) - MOST} more"] if len(all_names) > MOST else []
    return ", ".join([*all_names[:MOST], *more]) or none


def bodies(found: Iterable[bytes]) -> str:
    """The bodies of messages as far as they can be read."""
    return listed(shown(body) for body in found)


def shown(body: bytes) -> str:
    """A body as text, not longer than a line; its first bytes if it is none."""
    try:
        text = " ".join(body.decode().replace("`", "'").split())
    except UnicodeDecodeError:
        more = " …" if len(body) > BYTES else ""
        return f"{body[:BYTES].hex(' ')}{more} ({counted(len(body), 'byte')})"
    return (text[: LONGEST_BODY - 1] + "…" if len(text) > LONGEST_BODY else text) or "(empty)"


def counted(number: int, what: str) -> str:
    """ "1 message", "2 messages"."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def arguments(found: Mapping[str, Any]) -> str:
    """Arguments as a table of the console shows them."""
    return listed(
        (f"{name}: {value if value != '' else QUOTED_EMPTY}" for name, value in sorted(found.items())), "none"
    )


def queues(names: Collection[str]) -> str:
    """The queues that a message reached."""
    return listed(sorted(names), "no queue")
