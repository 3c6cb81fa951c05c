"""What can happen between a client and the broker, as plain data.

An event is one thing that somebody did, at one moment, on one connection and channel: ``at`` is in seconds since the
recording began, ``connection`` is the friendly name of the client's connection, ``channel`` the channel's number (0
for the connection itself). A message is named by its number in the story; the same message keeps it from publish to
acknowledgement.

The names and their meaning are those of AMQP 0-9-1: https://www.rabbitmq.com/amqp-0-9-1-reference
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Table = Mapping[str, Any]
"""A field table as JSON can hold it: numbers, texts, lists and tables; bytes as text, times as ISO 8601."""


class Side(StrEnum):
    """Who did it."""

    CLIENT = "client"
    BROKER = "broker"
    NETWORK = "network"
    """Nobody said goodbye: the TCP connection ended."""


@dataclass(frozen=True)
class Message:
    """A message's content: the same on every hop, so it stands in the story once."""

    body: bytes
    properties: Table = field(default_factory=dict)
    """Those that were set, by their names in the protocol: "delivery_mode", "headers", "message_id" …"""


@dataclass(frozen=True)
class Event:
    """What every event has."""

    at: float
    connection: str
    channel: int


@dataclass(frozen=True)
class ConnectionOpened(Event):
    """A client connected and was let in (``connection.open-ok``)."""

    vhost: str
    user: str
    product: str
    """The client library, as it names itself: "Pika Python Client Library"."""
    heartbeat: int
    """Seconds agreed on; 0 for none."""
    frame_max: int
    channel_max: int


@dataclass(frozen=True)
class ConnectionClosed(Event):
    """A connection ended; ``code`` is 0 where nobody gave one."""

    by: Side
    code: int
    text: str


@dataclass(frozen=True)
class ChannelOpened(Event):
    """``channel.open-ok``."""


@dataclass(frozen=True)
class ChannelClosed(Event):
    """A channel ended by ``channel.close``; ``code`` and ``text`` give the reason, 0 or 200 for none."""

    by: Side
    code: int
    text: str


@dataclass(frozen=True)
class ExchangeDeclared(Event):
    """``exchange.declare-ok``."""

    name: str
    type: str
    durable: bool
    passive: bool
    arguments: Table


@dataclass(frozen=True)
class QueueDeclared(Event):
    """``queue.declare-ok``; ``name`` is the one that the broker answered."""

    name: str
    durable: bool
    exclusive: bool
    auto_delete: bool
    passive: bool
    arguments: Table


@dataclass(frozen=True)
class Removed(Event):
    """An exchange or a queue was deleted, or a queue purged."""

    what: str
    """ "exchange", "queue" or "messages" (a purge)."""
    name: str


@dataclass(frozen=True)
class Bound(Event):
    """A binding was made, or taken away again if ``removed``."""

    source: str
    destination: str
    to_exchange: bool
    key: str
    arguments: Table
    removed: bool = False


@dataclass(frozen=True)
class ConfirmsSelected(Event):
    """``confirm.select-ok``: from now on the broker confirms each publish of this channel."""


@dataclass(frozen=True)
class TransactionStep(Event):
    """``tx.select-ok``, ``tx.commit-ok`` or ``tx.rollback-ok``."""

    step: str
    """ "select", "commit" or "rollback"."""


@dataclass(frozen=True)
class PrefetchSet(Event):
    """``basic.qos-ok``."""

    count: int
    is_global: bool


@dataclass(frozen=True)
class Published(Event):
    """``basic.publish`` with its whole content."""

    message: int
    exchange: str
    routing_key: str
    mandatory: bool
    tag: int | None
    """Its number on a channel with confirms, from 1; None without."""
    queues: tuple[str, ...] | None = None
    """Where the broker routed it, by the firehose, sorted; empty where no binding fitted; None where not known."""


@dataclass(frozen=True)
class Confirmed(Event):
    """``basic.ack`` from the broker; ``messages`` are those that it settles, also with ``multiple``."""

    tag: int
    multiple: bool
    messages: tuple[int, ...]


@dataclass(frozen=True)
class Refused(Event):
    """``basic.nack`` from the broker: it did not take responsibility for these."""

    tag: int
    multiple: bool
    messages: tuple[int, ...]


@dataclass(frozen=True)
class Returned(Event):
    """``basic.return``: a mandatory message that could not be routed comes back."""

    message: int
    code: int
    text: str
    exchange: str
    routing_key: str


@dataclass(frozen=True)
class Consuming(Event):
    """``basic.consume-ok``."""

    queue: str
    consumer: str
    """The consumer's friendly name: its tag, where the client chose one, else "consumer 1"."""
    auto_ack: bool
    exclusive: bool


@dataclass(frozen=True)
class Cancelled(Event):
    """A consumer ended by ``basic.cancel``, from the client or (the queue is gone, say) from the broker."""

    consumer: str
    by: Side


@dataclass(frozen=True)
class Delivered(Event):
    """``basic.deliver`` to a consumer, or ``basic.get-ok`` where ``consumer`` is empty."""

    message: int
    queue: str
    consumer: str
    delivery_tag: int
    redelivered: bool
    auto_ack: bool
    exchange: str
    """Where it was published last, the dead letter exchange for a dead letter."""
    routing_key: str


@dataclass(frozen=True)
class NothingToGet(Event):
    """``basic.get-empty``: the queue had no message ready."""

    queue: str


class Settlement(StrEnum):
    """What a client says of a delivery."""

    ACK = "ack"
    NACK = "nack"
    REJECT = "reject"


@dataclass(frozen=True)
class Settled(Event):
    """``basic.ack``, ``basic.nack`` or ``basic.reject`` from the client."""

    how: Settlement
    delivery_tag: int
    multiple: bool
    requeue: bool
    messages: tuple[int, ...]
    queues: tuple[str, ...]
    """The queue of each message, in the same order."""


@dataclass(frozen=True)
class Recovered(Event):
    """``basic.recover``: the client gives back every delivery of the channel that it has not settled."""

    messages: tuple[int, ...]
    queues: tuple[str, ...]
    """The queue of each message, in the same order."""


@dataclass(frozen=True)
class DeadLettered(Event):
    """A hop to a dead letter exchange, read from the ``x-death`` header of the delivery that shows it.

    Its moment is not known on the wire; ``at`` is that of the delivery.
    """

    message: int
    queue: str
    """The queue that it left."""
    reason: str
    """ "rejected", "expired", "maxlen" or "delivery_limit"."""
    exchange: str
    """The exchange that it had been published to before it entered ``queue``."""
    count: int


@dataclass(frozen=True)
class Flow(Event):
    """The broker holds a client's publishing or lets it go on: ``connection.blocked``, ``channel.flow`` …"""

    blocked: bool
    reason: str


@dataclass(frozen=True)
class Opaque(Event):
    """Bytes that are no AMQP 0-9-1 (TLS, AMQP 1.0, garbage): passed on and counted, not read."""

    by: Side
    size: int


EVENTS: Mapping[str, type[Event]] = {kind.__name__: kind for kind in Event.__subclasses__()}
"""Every kind of event by its name, which JSON carries."""


class FrameKind(StrEnum):
    """What goes over the wire: https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf section 4.2."""

    PROTOCOL_HEADER = "protocol header"
    METHOD = "method"
    HEADER = "header"
    BODY = "body"
    HEARTBEAT = "heartbeat"
    OPAQUE = "opaque"


@dataclass(frozen=True)
class Frame:
    """One frame as it went by, for the sequence chart."""

    at: float
    connection: str
    channel: int
    from_client: bool
    kind: FrameKind
    name: str
    """ "basic.publish" for a method; else as ``kind``."""
    size: int
    """Bytes on the wire."""
    fields: Table = field(default_factory=dict)
    """A method's arguments, or a header's body size and properties; passwords are never among them."""
