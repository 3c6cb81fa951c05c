"""What a frame says beside its name: the fields that matter, in the protocol's own words.

Fields are told as the specification names them (https://www.rabbitmq.com/amqp-0-9-1-reference), only "key" is short for
routing-key. A flag stands where it is true, a text where it is not empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

RESERVED = {"ticket", "immediate", "insist", "capabilities", "known_hosts", "out_of_band", "channel_id", "cluster_id"}
"""Fields that AMQP 0-9-1 keeps for its past."""
HOST = {"server_properties", "client_properties", "mechanisms", "locales", "version_major", "version_minor", "response"}
"""What tells of this machine, this version or the password rather than of the conversation."""
CODES = {"reply_code", "reply_text", "class_id", "method_id"}
"""The reason of a close or a return: told as one thing, and only where it is no goodbye."""
GOODBYE = 200
"""``reply-success``: the code of a close for no reason."""
MATTER = {"delivery_tag", "prefetch_count", "message_count", "consumer_count", "channel_max", "frame_max", "heartbeat"}
"""Numbers that say something also when they are 0."""
COUNTERS = {"delivery_tag", "message_count", "consumer_count"}
"""Numbers that go on from step to step where the steps are the same otherwise."""
UNIQUE = {"message_id", "correlation_id", "timestamp"}
"""Properties whose values differ with each message, often made up by the client."""
SHORT = {
    "routing_key": "key",
    "exchange_type": "type",
    "virtual_host": "vhost",
    "message_type": "type",
    "consumer_tag": "consumer",
}
GENERATED = re.compile(
    r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}"
    r"|(?<=amq\.gen-)[\w-]{16,}|(?<=amq\.ctag-)[\w-]{16,}"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d:.]*(?:Z|[+-]\d\d:?\d\d)?"
)
"""Names that a program made up, and moments (the ``x-death`` header has one): others in each run."""
BOUNDARY = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""What would end a line, or does not show."""


@dataclass(frozen=True)
class Detail:
    """One field: ``values`` are those of all the steps that are told as one, in order.

    A ``unit`` stands instead of the name.
    """

    name: str
    values: tuple[Any, ...]
    unit: str = ""
    counter: bool = False
    """Whether it goes on from step to step, so that steps are alike all the same."""

    def __str__(self) -> str:
        value = self._value()
        if self.unit:
            return counted_unit(value, self.unit)
        return f"{self.name}={value}" if self.name and value else self.name or value

    def _value(self) -> str:
        different = tuple(dict.fromkeys(self.values))
        if len(different) == 1:
            return shown(different[0])
        if self.counter and all(isinstance(value, int) for value in different):
            ends = [min(different), max(different)]
            # How many messages are left counts down.
            if not self.unit and different == tuple(sorted(different, reverse=True)):
                ends.reverse()
            return f"{ends[0]}…{ends[1]}"
        return f"({len(different)} different)"


def counted_unit(value: str, unit: str) -> str:
    """ "1 byte", "12…14 bytes"."""
    return f"{value} {unit}{'' if value == '1' else 's'}"


def method_details(name: str, fields: Mapping[str, Any]) -> tuple[Detail, ...]:
    """What a method says."""
    found = list(reason(fields))
    for field, value in fields.items():
        if field in RESERVED | HOST | CODES:
            continue
        if field == "exchange" and value == "" and name.startswith("basic."):
            value = "(default)"
        found += told(field, value)
    return tuple(found)


def reason(fields: Mapping[str, Any]) -> Iterator[Detail]:
    """Why something was closed or returned: "312 NO_ROUTE"."""
    code = fields.get("reply_code")
    if code and code != GOODBYE:
        yield Detail("", (one_line(f"{code} {fields.get('reply_text', '')}".strip()),))


def header_details(fields: Mapping[str, Any]) -> tuple[Detail, ...]:
    """What a content header says: the body's size and the properties that are set."""
    found = [size(fields["body_size"])] if "body_size" in fields else []
    for name, value in (fields.get("properties") or {}).items():
        found += [Detail(spelled(name), ("",))] if name in UNIQUE else told(name, value)
    return tuple(found)


def size(count: int) -> Detail:
    """A number of bytes."""
    return Detail("size", (count,), "byte", counter=True)


def told(field: str, value: Any) -> Iterator[Detail]:
    """A field, or each of a table's, if it says anything."""
    if isinstance(value, Mapping):
        for name, inner in sorted(value.items()):
            yield Detail(one_line(name), (one_line(plain(inner)),))
    elif value is True:
        yield Detail(spelled(field), ("",))
    elif field in MATTER or value not in (None, "", False, 0):
        yield Detail(
            spelled(field), (value if isinstance(value, int) else one_line(plain(value)),), "", field in COUNTERS
        )


def plain(value: Any) -> str:
    """A value of a field table, in words."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}={plain(inner)}" for name, inner in sorted(value.items())) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return "[" + ", ".join(map(plain, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def shown(value: Any) -> str:
    """A value as it stands in words; what a program made up is left out, so that two runs read the same."""
    return GENERATED.sub("…", str(value))


def spelled(field: str) -> str:
    """A field's name as the specification has it."""
    return SHORT.get(field, field.rstrip("_").replace("_", "-"))


def one_line(text: str) -> str:
    r"""The text with control characters and line ends written out ("\n"): words have one line a step."""
    return BOUNDARY.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
