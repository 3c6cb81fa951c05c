"""Names that a reader can follow, in place of those that somebody made at random."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

GENERATED: Mapping[str, str] = {
    # What the broker makes up where a client leaves the name to it …
    r"amq\.gen-[\w\-]+": "queue {} (server-named)",
    r"amq\.ctag-[\w\-]+": "consumer {}",
    r"amq\.rabbitmq\.reply-to\.[\w\-.+/=]+": "reply address {}",
    # … and what pika, aiormq and aio-pika do.
    r"ctag\d+\.[0-9a-f]{32}": "consumer {}",
    r"amq_[0-9a-f]{32}": "queue {} (generated name)",
}
"""What names made at random look like, and what stands for them."""

ANY = re.compile("|".join(f"({pattern})" for pattern in GENERATED))
FORMS = tuple(GENERATED.values())
TEXTUAL = frozenset({str, dict, list})
"""The types of JSON values that texts may be in."""


class Names:
    """Gives each connection, consumer and generated name one friendly name, in the order of first use."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._taken: set[tuple[str, str]] = set()
        self._consumers: dict[tuple[int, int, str], str] = {}

    def connections(self, chosen: Mapping[int, str], numbers: list[int]) -> dict[int, str]:
        """Name connections: as their clients chose, made unique, else "client 1", "client 2" … in this order.

        Parameters
        ----------
        chosen
            The client property ``connection_name`` of those that have one.
        numbers
            All connections.
        """
        return {
            number: self._unique("client", self.text(chosen[number])) if number in chosen else self._next("client {}")
            for number in numbers
        }

    def consumer(self, connection: int, channel: int, tag: str) -> str:
        """A consumer's name. Tags are unique on their channel only, names in the whole story."""
        if ANY.fullmatch(tag):
            return self.text(tag)
        key = (connection, channel, tag)
        if key not in self._consumers:
            self._consumers[key] = self._unique("consumer", tag)
        return self._consumers[key]

    def text(self, text: str) -> str:
        """A text with a friendly name for each generated one in it."""
        if "amq" not in text and "ctag" not in text:
            return text
        return ANY.sub(self._generated, text)

    def plain(self, value: Any) -> Any:
        """A JSON value with friendly names in all its texts; itself where there are none to replace."""
        kind = type(value)
        if kind is str:
            return self.text(value)
        if kind is dict:
            named = value
            for key, one in value.items():
                if type(one) in TEXTUAL and (other := self.plain(one)) is not one:
                    named = dict(value) if named is value else named
                    named[key] = other
            return named
        if kind is list:
            return [self.plain(one) for one in value]
        return value

    def _generated(self, found: re.Match[str]) -> str:
        name = found.group()
        if name not in self._known:
            self._known[name] = self._next(FORMS[(found.lastindex or 1) - 1])
        return self._known[name]

    def _next(self, form: str) -> str:
        kind = form.split()[0]
        while True:
            self._counts[form] = self._counts.get(form, 0) + 1
            name = form.format(self._counts[form])
            if (kind, name) not in self._taken:
                self._taken.add((kind, name))
                return name

    def _unique(self, kind: str, wanted: str) -> str:
        name, count = wanted, 1
        while (kind, name) in self._taken:
            count += 1
            name = f"{wanted} ({count})"
        self._taken.add((kind, name))
        return name
