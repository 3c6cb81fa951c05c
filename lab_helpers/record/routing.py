"""Where the broker routed each publish, by what the firehose saw."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from lab_helpers.record.content import REPLY_TO, Content, identity_of
from lab_helpers.record.events import Table


@dataclass(frozen=True)
class Trace:
    """One message that the firehose saw published: https://www.rabbitmq.com/docs/firehose."""

    exchange: str
    routing_keys: tuple[str, ...]
    """The publish's own key first, then those of its ``CC`` and ``BCC`` headers."""
    queues: tuple[str, ...] | None
    """The queues that it was routed to; None where the broker does not say."""
    node: str = ""
    connection: str = ""
    """The broker's name for the connection; it has the address of a proxy where the client came through one."""
    channel: int = 0
    user: str = ""
    body: bytes = b""
    properties: Table = field(default_factory=dict)


class Routing:
    """Joins traces to publishes: equal ones on channels of the same number in the order in which they came.

    Parameters
    ----------
    traces
        What the firehose saw; None where it could not be used.
    existing
        The queues that existed when the recording began; None where not known. RabbitMQ before 4 names the queue of
        a publish to the default exchange also where there is no such queue, so it is compared with these.
    """

    def __init__(self, traces: Iterable[Trace] | None, existing: Collection[str] | None = None) -> None:
        self._waiting: defaultdict[tuple[object, ...], deque[Trace]] = defaultdict(deque)
        self._existing = None if existing is None else set(existing)
        for trace in traces or ():
            key = trace.routing_keys[0] if trace.routing_keys else ""
            identity = trace.body, identity_of(trace.properties)
            self._waiting[trace.exchange, key, identity, trace.channel].append(trace)

    def of(self, exchange: str, key: str, content: Content, channel: int) -> frozenset[str] | None:
        """The queues that this publish was routed to; None where the firehose did not see it."""
        waiting = self._waiting.get((exchange, key, content.identity, channel))
        if not waiting:
            return None
        queues = waiting.popleft().queues
        if queues is None:
            return None
        if exchange == "" and key.startswith(REPLY_TO):
            # Direct reply-to goes past queues: https://www.rabbitmq.com/docs/direct-reply-to
            return frozenset({REPLY_TO})
        if exchange == "" and self._existing is not None:
            return frozenset(queues) & self._existing
        return frozenset(queues)

    def queue_declared(self, name: str) -> None:
        """From here on there is such a queue."""
        if self._existing is not None:
            self._existing.add(name)

    def queue_removed(self, name: str) -> None:
        """From here on there is none."""
        if self._existing is not None:
            self._existing.discard(name)
