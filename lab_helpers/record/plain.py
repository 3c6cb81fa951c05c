"""The protocol's values as JSON can hold them, without what must stay secret."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pamqp import base, commands

from lab_helpers.record.events import Table

SECRETS: Mapping[type[base.Frame], str] = {
    commands.Connection.StartOk: "response",
    commands.Connection.SecureOk: "response",
    commands.Connection.UpdateSecret: "new_secret",
}
"""The argument of each method that carries a credential."""

RESERVED = frozenset({"ticket", "out_of_band", "capabilities", "insist", "known_hosts", "cluster_id"})
"""Arguments that AMQP 0-9-1 keeps for older versions and that mean nothing."""

RENAMED = {"message_type": "type", "global_": "global"}
"""Properties and arguments that the decoder names otherwise than the protocol."""

PLAIN = frozenset({str, bool, int})
"""The types that JSON holds as they are."""
METHODS: Sequence[type[base.Frame]] = tuple(commands.INDEX_MAPPING.values())
METHOD_NAMES: Mapping[type[base.Frame], str] = {
    method: re.sub(r"(?<=[a-z])(?=[A-Z])", "-", method.name).lower() for method in METHODS
}
"""The methods' names as the protocol spells them: "basic.get-ok"."""


def plain(value: Any) -> Any:
    """A value of a field table as JSON can hold it: bytes as text or else as hexadecimal digits, times in ISO 8601."""
    if value is None or type(value) in PLAIN:
        return value
    if isinstance(value, float):
        # JSON has no infinities, and what is not a number is not equal to itself.
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return text_of(bytes(value))
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    if isinstance(value, Mapping):
        return {plain_key(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, Decimal):
        return str(value)
    return str(value)


def plain_key(key: Any) -> str:
    """A field's name as text."""
    return text_of(key) if isinstance(key, bytes) else str(key)


def text_of(data: bytes) -> str:
    """Bytes as text where they are UTF-8, else as hexadecimal digits."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.hex()


def arguments(method: base.Frame) -> Table:
    """A method's arguments by their names, without credentials and reserved ones."""
    left_out = SECRETS.get(type(method))
    return {
        RENAMED.get(name, name): plain(getattr(method, name))
        for name in method.__slots__
        if name not in RESERVED and name != left_out and hasattr(method, name)
    }


def properties(decoded: base.BasicProperties) -> Table:
    """A message's properties that were set, by the protocol's names."""
    return {
        RENAMED.get(name, name): plain(value)
        for name in decoded.__slots__
        if name not in RESERVED and (value := getattr(decoded, name)) is not None
    }
