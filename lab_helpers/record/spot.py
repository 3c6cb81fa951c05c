"""What the functions that tell of methods are given, and what they look like."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from lab_helpers.record.content import Content
from lab_helpers.record.dialogue import Channel, Connection

if TYPE_CHECKING:
    from lab_helpers.record.reading import Reader


class Spot(NamedTuple):
    """Where and when something is said."""

    at: float
    connection: Connection
    channel: Channel


Method = Any
"""A decoded method; pamqp gives each class of them its own type."""
Handler = Callable[["Reader", Spot, Method], None]
Answered = Callable[["Reader", Spot, Method, Method | None], None]
"""Gets the request and its answer, which is None with ``nowait``."""
WithContent = Callable[["Reader", Spot, Method, Content], None]
