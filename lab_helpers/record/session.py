"""What the methods of connections and channels, and those that declare, mean for a story."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab_helpers.record import events
from lab_helpers.record.dialogue import Channel
from lab_helpers.record.events import Side
from lab_helpers.record.plain import plain
from lab_helpers.record.spot import Answered, Handler, Method, Spot

if TYPE_CHECKING:
    from lab_helpers.record.reading import Reader


def user_in(method: Method) -> str:
    """The user who logs in by PLAIN, where the response was not hidden."""
    parts = str(plain(method.response or "")).split("\0")
    return parts[1] if method.mechanism == "PLAIN" and len(parts) == 3 else ""


def start_ok(_: Reader, spot: Spot, method: Method) -> None:
    """The client introduces itself."""
    spot.connection.user = user_in(method)
    spot.connection.product = str(plain((method.client_properties or {}).get("product", "")))


def tune_ok(_: Reader, spot: Spot, method: Method) -> None:
    """The client agrees on limits."""
    spot.connection.heartbeat = method.heartbeat
    spot.connection.frame_max = method.frame_max
    spot.connection.channel_max = method.channel_max


def connection_open(reader: Reader, spot: Spot, request: Method, _: Method | None) -> None:
    """The broker lets the client in."""
    connection = spot.connection
    connection.vhost = request.virtual_host
    reader.tell(
        spot,
        events.ConnectionOpened,
        vhost=connection.vhost,
        user=connection.user,
        product=connection.product,
        heartbeat=connection.heartbeat,
        frame_max=connection.frame_max,
        channel_max=connection.channel_max,
    )


def connection_close(side: Side) -> Handler:
    """Somebody closes the connection, with a code and a text."""

    def close(reader: Reader, spot: Spot, method: Method) -> None:
        reader.end_connection(spot, side, method.reply_code, method.reply_text)

    return close


def channel_open(reader: Reader, spot: Spot, _: Method, __: Method | None) -> None:
    """A channel begins, with nothing left of the one that had its number before."""
    fresh = Channel(spot.channel.number)
    spot.connection.channels[fresh.number] = fresh
    reader.tell(Spot(spot.at, spot.connection, fresh), events.ChannelOpened)


def channel_close(side: Side) -> Handler:
    """Somebody closes the channel; what was not settled goes back to its queue."""

    def close(reader: Reader, spot: Spot, method: Method) -> None:
        for copy in spot.channel.take_all():
            copy.requeue()
        reader.tell(spot, events.ChannelClosed, by=side, code=method.reply_code, text=method.reply_text)

    return close


def channel_flow(reader: Reader, spot: Spot, method: Method) -> None:
    """The broker halts a channel's publishing, or lets it go on."""
    reader.tell(spot, events.Flow, blocked=not method.active, reason="channel.flow")


def blocked(reader: Reader, spot: Spot, method: Method) -> None:
    """The broker halts a connection's publishing."""
    reader.tell(spot, events.Flow, blocked=True, reason=method.reason)


def unblocked(reader: Reader, spot: Spot, _: Method) -> None:
    """The broker lets it go on."""
    reader.tell(spot, events.Flow, blocked=False, reason="")


def exchange_declare(reader: Reader, spot: Spot, request: Method, _: Method | None) -> None:
    """An exchange exists now."""
    reader.tell(
        spot,
        events.ExchangeDeclared,
        name=request.exchange,
        type=request.exchange_type,
        durable=request.durable,
        passive=request.passive,
        arguments=plain(request.arguments or {}),
    )


def queue_declare(reader: Reader, spot: Spot, request: Method, answer: Method | None) -> None:
    """A queue exists now; the answer has its name where the broker chose it."""
    name = answer.queue if answer is not None else request.queue
    spot.channel.last_queue = name
    reader.routing.queue_declared(name)
    reader.tell(
        spot,
        events.QueueDeclared,
        name=name,
        durable=request.durable,
        exclusive=request.exclusive,
        auto_delete=request.auto_delete,
        passive=request.passive,
        arguments=plain(request.arguments or {}),
    )


def removed(what: str) -> Answered:
    """An exchange or a queue is gone, or a queue's messages."""

    def remove(reader: Reader, spot: Spot, request: Method, _: Method | None) -> None:
        name = request.exchange if what == "exchange" else spot.channel.queue(request.queue)
        if what == "queue":
            reader.routing.queue_removed(name)
        reader.tell(spot, events.Removed, what=what, name=name)

    return remove


def bound(*, to_exchange: bool, is_removed: bool) -> Answered:
    """A binding is made or taken away."""

    def bind(reader: Reader, spot: Spot, request: Method, _: Method | None) -> None:
        reader.tell(
            spot,
            events.Bound,
            source=request.source if to_exchange else request.exchange,
            destination=request.destination if to_exchange else spot.channel.queue(request.queue),
            to_exchange=to_exchange,
            key=request.routing_key,
            arguments=plain(request.arguments or {}),
            removed=is_removed,
        )

    return bind
