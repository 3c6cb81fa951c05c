"""What the methods that publish, deliver and settle messages mean for a story."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from pamqp.commands import Basic

from lab_helpers.record import events
from lab_helpers.record.content import Content
from lab_helpers.record.dialogue import Consumer
from lab_helpers.record.events import Settlement, Side
from lab_helpers.record.spot import Answered, Handler, Method, Spot

if TYPE_CHECKING:
    from lab_helpers.record.reading import Reader


def confirm_select(spot: Spot) -> None:
    """The publishes are counted from here on."""
    if spot.channel.next_tag is None:
        spot.channel.next_tag = 1


def confirms_selected(reader: Reader, spot: Spot, _: Method, __: Method | None) -> None:
    """The broker confirms publishes from now on."""
    reader.tell(spot, events.ConfirmsSelected)


def transaction(step: str) -> Answered:
    """A transaction begins, is kept or is dropped."""

    def take(reader: Reader, spot: Spot, _: Method, __: Method | None) -> None:
        reader.tell(spot, events.TransactionStep, step=step)

    return take


def publish(reader: Reader, spot: Spot, method: Method, content: Content) -> None:
    """A client hands over a message."""
    channel, exchange, key = spot.channel, method.exchange, method.routing_key
    queues = reader.routing.of(exchange, key, content, channel.number) if spot.at >= 0 else None
    message = reader.messages.publish(exchange, key, content, queues)
    tag = channel.next_tag
    if tag is not None:
        channel.unconfirmed[tag] = message
        channel.next_tag = tag + 1
    if method.mandatory:
        channel.mandatory.setdefault((exchange, key, content.identity), deque()).append(message)
    reader.tell(
        spot,
        events.Published,
        message=message,
        exchange=exchange,
        routing_key=key,
        mandatory=method.mandatory,
        tag=tag,
        queues=queues,
    )


def confirmed(reader: Reader, spot: Spot, method: Method) -> None:
    """The broker took responsibility for one publish or several."""
    messages = spot.channel.take_confirmed(method.delivery_tag, multiple=method.multiple)
    for message in messages:
        message.confirmed = True
    reader.tell(spot, events.Confirmed, tag=method.delivery_tag, multiple=method.multiple, messages=tuple(messages))


def refused(reader: Reader, spot: Spot, method: Method) -> None:
    """The broker did not take responsibility."""
    messages = spot.channel.take_confirmed(method.delivery_tag, multiple=method.multiple)
    for message in messages:
        message.refused = True
    reader.tell(spot, events.Refused, tag=method.delivery_tag, multiple=method.multiple, messages=tuple(messages))


def returned(reader: Reader, spot: Spot, method: Method, content: Content) -> None:
    """The broker gives a mandatory message back: it reached no queue."""
    exchange, key = method.exchange, method.routing_key
    message = spot.channel.take_returned(exchange, key, content)
    if message is None:
        message = reader.messages.publish(exchange, key, content, frozenset())
    message.queues = frozenset()
    reader.unroutable(message)
    reader.tell(
        spot,
        events.Returned,
        message=message,
        code=method.reply_code,
        text=method.reply_text,
        exchange=exchange,
        routing_key=key,
    )


def prefetch_set(reader: Reader, spot: Spot, request: Method, _: Method | None) -> None:
    """The broker limits what is out without a word."""
    reader.tell(spot, events.PrefetchSet, count=request.prefetch_count, is_global=request.global_)


def consuming(reader: Reader, spot: Spot, request: Method, answer: Method | None) -> None:
    """A consumer begins; the answer has its tag where the broker chose it."""
    tag = answer.consumer_tag if answer is not None else request.consumer_tag
    consumer = Consumer(
        spot.connection.number, spot.channel.number, tag, spot.channel.queue(request.queue), request.no_ack
    )
    spot.channel.consumers[tag] = consumer
    reader.tell(
        spot,
        events.Consuming,
        queue=consumer.queue,
        consumer=consumer,
        auto_ack=consumer.auto_ack,
        exclusive=request.exclusive,
    )


def cancelled_by_client(reader: Reader, spot: Spot, request: Method, _: Method | None) -> None:
    """A consumer ends as its client wants it."""
    reader.tell(spot, events.Cancelled, consumer=consumer_of(spot, request.consumer_tag), by=Side.CLIENT)


def cancelled_by_broker(reader: Reader, spot: Spot, method: Method) -> None:
    """A consumer ends because its queue is gone or its time is up."""
    reader.tell(spot, events.Cancelled, consumer=consumer_of(spot, method.consumer_tag), by=Side.BROKER)


def consumer_of(spot: Spot, tag: str) -> Consumer:
    """The consumer with a tag, also one whose beginning was not seen."""
    return spot.channel.consumers.get(tag) or Consumer(spot.connection.number, spot.channel.number, tag)


def delivered(reader: Reader, spot: Spot, method: Method, content: Content) -> None:
    """The broker pushes a message to a consumer."""
    consumer = consumer_of(spot, method.consumer_tag)
    reader.deliver(spot, method, content, consumer.queue, consumer, auto_ack=consumer.auto_ack)


def got(reader: Reader, spot: Spot, method: Method, content: Content) -> None:
    """The broker answers ``basic.get`` with a message."""
    request = reader.asked(spot.channel, Basic.Get)
    queue = spot.channel.queue(request.queue) if request is not None else ""
    reader.deliver(spot, method, content, queue, "", auto_ack=request is not None and request.no_ack)


def nothing_to_get(reader: Reader, spot: Spot, _: Method) -> None:
    """The broker answers ``basic.get`` without one."""
    request = reader.asked(spot.channel, Basic.Get)
    reader.tell(spot, events.NothingToGet, queue=spot.channel.queue(request.queue) if request is not None else "")


def settled(how: Settlement) -> Handler:
    """A client says what became of one delivery or several."""

    def settle(reader: Reader, spot: Spot, method: Method) -> None:
        multiple = getattr(method, "multiple", False)
        requeue = getattr(method, "requeue", False)
        copies = spot.channel.take_tags(method.delivery_tag, multiple=multiple)
        for copy in copies:
            if how is Settlement.ACK:
                copy.acknowledge()
            elif requeue:
                copy.requeue()
            else:
                copy.discard()
        reader.tell(
            spot,
            events.Settled,
            how=how,
            delivery_tag=method.delivery_tag,
            multiple=multiple,
            requeue=requeue,
            messages=tuple(copy.message for copy in copies),
            queues=tuple(copy.queue for copy in copies),
        )

    return settle


def recovered(reader: Reader, spot: Spot, _: Method, __: Method | None = None) -> None:
    """The client gives back what it has not settled."""
    copies = spot.channel.take_all()
    for copy in copies:
        copy.requeue()
    reader.tell(
        spot,
        events.Recovered,
        messages=tuple(copy.message for copy in copies),
        queues=tuple(copy.queue for copy in copies),
    )
