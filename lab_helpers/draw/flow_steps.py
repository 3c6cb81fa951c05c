"""A story as steps of a flow: what moves, from where to where, and in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lab_helpers.draw.flow_cast import Cast, consumer_key
from lab_helpers.draw.flow_moves import Move, Step
from lab_helpers.draw.flow_words import exchange_words, messages_words, queues_words, sentence
from lab_helpers.record.events import (
    ChannelClosed,
    Confirmed,
    ConnectionClosed,
    DeadLettered,
    Delivered,
    Event,
    Flow,
    NothingToGet,
    Published,
    Recovered,
    Refused,
    Removed,
    Returned,
    Settled,
    Settlement,
    Side,
)
from lab_helpers.record.story import Story

GOODBYE = (0, 200)
"""Codes of a close for no reason."""
VERBS = {Settlement.ACK: "acknowledges", Settlement.NACK: "nacks", Settlement.REJECT: "rejects"}


def steps(story: Story, actors: Cast) -> list[Step]:
    """All steps of a story, in order."""
    return _Steps(story, actors).all()


class _Steps:
    """Walks through a story and keeps where each message is."""

    def __init__(self, story: Story, actors: Cast) -> None:
        self.story = story
        self.cast = actors
        self.returned = {event.message for event in story.of(Returned)}
        self.entered: dict[int, str] = {}
        """The exchange that each message was published to."""
        self.unknown: set[int] = set()
        """Messages of which it is not known where they were routed."""
        self.ready: dict[str, dict[int, None]] = {queue: {} for queue in actors.queues}
        """The messages in each queue that nobody has got yet; those from before the recording are not known."""
        self.held: dict[tuple[int, str], Delivered] = {}
        """The delivery of each message from each queue of which the client has said nothing yet."""
        self.hops: dict[int, list[DeadLettered]] = {}
        """Dead-lettering of which the delivery that shows it has not come yet."""
        self.changed: set[str] = set()
        """Queues whose depth has changed since the last step."""

    def all(self) -> list[Step]:
        tellers: dict[type[Event], Callable[[Any], Iterator[Step]]] = {
            Published: self._published,
            Returned: self._returned,
            Confirmed: self._confirmed,
            Refused: self._refused,
            Delivered: self._delivered,
            DeadLettered: self._dead_lettered,
            Settled: self._settled,
            Recovered: self._recovered,
            NothingToGet: self._nothing,
            Removed: self._removed,
            ChannelClosed: self._closed,
            ConnectionClosed: self._closed,
            Flow: self._flow,
        }
        found: list[Step] = []
        for event in self.story.events:
            for step in tellers[type(event)](event) if type(event) in tellers else ():
                step.depths = {self.cast.queues[name].id: len(self.ready[name]) for name in sorted(self.changed)}
                self.changed.clear()
                found.append(step)
        return found

    def _put(self, number: int, queue: str) -> None:
        self.ready[queue][number] = None
        self.changed.add(queue)

    def _take(self, number: int, queue: str) -> None:
        if number in self.ready[queue]:
            del self.ready[queue][number]
            self.changed.add(queue)

    # What publishers meet

    def _published(self, event: Published) -> Iterator[Step]:
        number, queues = event.message, event.queues
        publisher, exchange = self.cast.publishers[event.connection].id, self.cast.exchanges[event.exchange].id
        self.entered[number] = event.exchange
        where, what = exchange_words(event.exchange), f"message {number}"
        key = f'with routing key "{event.routing_key}"' if event.routing_key else "with no routing key"
        yield Step(
            "published",
            f"{event.connection} publishes {what} to {where} {key}.",
            [Move(number, (publisher, exchange), stays=True)],
        )
        if queues:
            for queue in queues:
                self._put(number, queue)
            moves = [Move(number, self.cast.way(event.exchange, queue), stays=True) for queue in queues]
            yield Step("routed", sentence(f"{where} routes {what} to {queues_words(queues)}."), moves)
        elif queues is None and number not in self.returned:
            self.unknown.add(number)
            yield Step(
                "unknown",
                sentence(f"{where} routes {what}; where to was not recorded."),
                [Move(number, (exchange,), "unknown", stays=True)],
            )
        elif number not in self.returned:
            caption = sentence(f"{where} has no queue for {what}: it is dropped.")
            yield Step("dropped", caption, [Move(number, (exchange,), "dropped")])

    def _returned(self, event: Returned) -> Iterator[Step]:
        publisher = self.cast.publishers.get(event.connection)
        exchange = self.cast.exchanges.get(event.exchange)
        caption = f"The broker returns message {event.message} to {event.connection}: {event.code} {event.text}."
        moves = [Move(event.message, (exchange.id, publisher.id), "returned")] if publisher and exchange else []
        yield Step("returned", caption, moves)

    def _confirmed(self, event: Confirmed) -> Iterator[Step]:
        yield self._word_back(event, "confirmed", f"The broker confirms {messages_words(event.messages)}")

    def _refused(self, event: Refused) -> Iterator[Step]:
        yield self._word_back(event, "refused", f"The broker refuses {messages_words(event.messages)} (basic.nack)")

    def _word_back(self, event: Confirmed | Refused, look: str, words: str) -> Step:
        """What the broker says to a publisher."""
        publisher = self.cast.publishers.get(event.connection)
        moves = [
            Move(number, (self.cast.exchanges[self.entered[number]].id, publisher.id), look)
            for number in event.messages
            if publisher and number in self.entered
        ]
        several = ", with one word for all of them" if event.multiple and len(event.messages) > 1 else ""
        return Step(look, f"{words} to {event.connection}{several}.", moves)

    # What consumers meet

    def _delivered(self, event: Delivered) -> Iterator[Step]:
        number, queue = event.message, event.queue
        yield from self._dead_letters(number, event)
        consumer = self.cast.consumers[consumer_key(event)]
        path: tuple[str, ...] = (self.cast.queues[queue].id, consumer.id)
        if number not in self.ready[queue] and number in self.unknown and number in self.entered:
            # Now it is known where it had been routed.
            path = (*self.cast.way(self.entered[number], queue), consumer.id)
        self._take(number, queue)
        if not event.auto_ack:
            self.held[number, queue] = event
        again = " again" if event.redelivered else ""
        counted = " (auto-ack: it counts as acknowledged)" if event.auto_ack else ""
        caption = (
            f"Queue {queue} delivers message {number}{again} to {consumer.name}{counted}."
            if event.consumer
            else f"{event.connection} gets message {number}{again} from queue {queue}{counted}."
        )
        kind = "delivered" if event.consumer else "got"
        yield Step(kind, caption, [Move(number, path, "message", stays=not event.auto_ack)])

    def _dead_lettered(self, event: DeadLettered) -> Iterator[Step]:
        """The delivery that shows it says where it came to; the moment of the hop itself is not known."""
        self.hops.setdefault(event.message, []).append(event)
        yield from ()

    def _dead_letters(self, number: int, event: Delivered) -> Iterator[Step]:
        hops = self.hops.pop(number, [])
        onward = [*((hop.exchange, hop.queue) for hop in hops[1:]), (event.exchange, event.queue)]
        for hop, (exchange, target) in zip(hops, onward, strict=False):
            way = self.cast.way(exchange, target)
            path = (self.cast.queues[hop.queue].id, *way)
            self._take(number, hop.queue)
            self.held.pop((number, hop.queue), None)
            self._put(number, target)
            self.unknown.discard(number)
            caption = (
                f"Queue {hop.queue} dead-letters message {number} ({hop.reason}): "
                f"by {exchange_words(exchange)} it comes to queue {target}."
            )
            yield Step("dead-lettered", caption, [Move(number, path, "dead-lettered", stays=True)])

    def _settled(self, event: Settled) -> Iterator[Step]:
        acked = event.how is Settlement.ACK
        look = "acked" if acked else "requeued" if event.requeue else "rejected"
        moves = []
        who = event.connection
        for number, queue in zip(event.messages, event.queues, strict=True):
            delivery = self.held.pop((number, queue), None)
            if delivery is None:
                continue
            consumer = self.cast.consumers[consumer_key(delivery)]
            who = consumer.name if delivery.consumer else event.connection
            moves.append(Move(number, (consumer.id, self.cast.queues[queue].id), look, stays=look == "requeued"))
            if look == "requeued":
                self._put(number, queue)
        if not event.messages:
            return
        what = messages_words(event.messages)
        back = f"back to {queues_words(tuple(dict.fromkeys(event.queues)))}"
        end = {"acked": "", "requeued": f": {back}", "rejected": ": not to be requeued"}[look]
        yield Step(look, f"{who} {VERBS[event.how]} {what}{end}.", moves)

    def _recovered(self, event: Recovered) -> Iterator[Step]:
        moves = [
            self._requeue(number, queue)
            for number, queue in zip(event.messages, event.queues, strict=True)
            if (number, queue) in self.held
        ]
        what = messages_words(event.messages) if event.messages else "nothing"
        yield Step("requeued", f"{event.connection} gives back what it holds (basic.recover): {what}.", moves)

    def _requeue(self, number: int, queue: str) -> Move:
        """From who holds a message back to its queue."""
        delivery = self.held.pop((number, queue))
        self._put(number, queue)
        ends = self.cast.consumers[consumer_key(delivery)].id, self.cast.queues[queue].id
        return Move(number, ends, "requeued", stays=True)

    def _nothing(self, event: NothingToGet) -> Iterator[Step]:
        yield Step("nothing", f"{event.connection} asks queue {event.queue} for a message: it has none ready.")

    # What ends

    def _removed(self, event: Removed) -> Iterator[Step]:
        if event.what == "exchange" or event.name not in self.cast.queues:
            return
        queue = self.cast.queues[event.name].id
        gone = list(self.ready[event.name])
        for number in gone:
            self._take(number, event.name)
        moves = [Move(number, (queue,), "removed") for number in gone]
        if event.what == "queue":
            # Those that a consumer holds come back no more.
            for key in [key for key in self.held if key[1] == event.name]:
                consumer = self.cast.consumers[consumer_key(self.held.pop(key))]
                gone.append(key[0])
                moves.append(Move(key[0], (consumer.id,), "removed"))
        how = "purged" if event.what == "messages" else "deleted"
        with_it = f": {messages_words(gone)} {'is' if len(gone) == 1 else 'are'} gone" if gone else ""
        yield Step("removed", f"Queue {event.name} is {how}{with_it}.", moves)

    def _closed(self, event: ChannelClosed | ConnectionClosed) -> Iterator[Step]:
        """The broker requeues what a closed channel had not acknowledged.

        https://www.rabbitmq.com/docs/confirms#automatic-requeueing
        """
        whole = isinstance(event, ConnectionClosed)
        held = [
            key
            for key, delivery in self.held.items()
            if delivery.connection == event.connection and (whole or delivery.channel == event.channel)
        ]
        if event.code in GOODBYE and event.by is not Side.NETWORK and not held:
            return
        moves = [self._requeue(*key) for key in held]
        what = "connection" if whole else f"channel {event.channel}"
        who = {Side.CLIENT: event.connection, Side.BROKER: "The broker", Side.NETWORK: "The network"}[event.by]
        why = f": {event.code} {event.text}" if event.code not in GOODBYE else ""
        verb = "ends" if event.by is Side.NETWORK else "closes"
        the = "the " if whole else ""
        caption = f"{who} {verb} {the}{what} of {event.connection}{why}."
        if event.by is Side.CLIENT:
            caption = f"{who} closes its {what}{why}."
        if held:
            numbers = [number for number, _ in held]
            back = queues_words(tuple(dict.fromkeys(queue for _, queue in held)))
            caption += (
                f" Not acknowledged, {messages_words(numbers)} {'goes' if len(numbers) == 1 else 'go'} back to {back}."
            )
        yield Step("closed", caption, moves)

    def _flow(self, event: Flow) -> Iterator[Step]:
        why = f" ({event.reason})" if event.reason else ""
        caption = f"holds {event.connection} back{why}" if event.blocked else f"lets {event.connection} go on"
        yield Step("flow", f"The broker {caption}.")
