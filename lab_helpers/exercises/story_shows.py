"""Expectations about what the learner's clients and the broker said, as the story of this exercise recorded it.

``lab.record("exercise")`` records it under the exercise's name, so that a story of an earlier cell does not count.
"""

from __future__ import annotations

from collections.abc import Callable

from lab_helpers.exercises import words
from lab_helpers.exercises.bench import Bench
from lab_helpers.exercises.model import Difference, Expectation
from lab_helpers.record.events import (
    ChannelClosed,
    ConfirmsSelected,
    ConnectionClosed,
    Consuming,
    DeadLettered,
    PrefetchSet,
    Published,
    Settlement,
    Side,
)
from lab_helpers.record.story import Story

LOOK = "Look at `story.sequence()`."


def shows(read: Callable[[Story], Difference | None]) -> Expectation:
    """Make an expectation of a function that reads the story; without a story it does not hold."""

    def check(bench: Bench) -> Difference | None:
        if bench.story is None:
            return Difference(
                "Nothing was recorded for this exercise since the lab's first cell ran: "
                "`lab.record(...)` with the exercise's name records what you do inside it."
            )
        return read(bench.story)

    return check


def recorded() -> Expectation:
    """Something was said while the story of this exercise was recorded."""
    return shows(lambda story: None if story.events else Difference("The recording is empty: nothing was said in it."))


def published(exchange: str | None = None, *, mandatory: bool | None = None) -> Expectation:
    """A message was published, to this exchange and so marked where that is given."""

    def read(story: Story) -> Difference | None:
        found = story.published(exchange)
        to = f" to the exchange `{exchange}`" if exchange else " to the default exchange" if exchange == "" else ""
        if not found:
            return Difference(f"No message was published{to}.", look=LOOK)
        odd = [one for one in found if mandatory not in (None, one.mandatory)]
        if not odd:
            return None
        return Difference(
            f"The message with the key `{odd[0].routing_key}` was published {flagged(odd[0].mandatory)}.",
            flagged(bool(mandatory)),
            flagged(odd[0].mandatory),
            LOOK,
        )

    return shows(read)


def flagged(mandatory: bool) -> str:
    """How a publish was marked."""
    return "as mandatory" if mandatory else "without mandatory"


def published_with_confirms() -> Expectation:
    """Every message was published on a channel in confirm mode."""

    def read(story: Story) -> Difference | None:
        without = [one for one in story.of(Published) if one.tag is None]
        if story.of(Published) and not without:
            return None
        return Difference(
            f"{words.counted(len(without), 'message')} went out on a channel without confirms."
            if without
            else "No message was published.",
            "`confirm.select` before `basic.publish`",
            "`confirm.select` elsewhere" if story.of(ConfirmsSelected) else "no `confirm.select`",
            LOOK,
        )

    return shows(read)


def every_publish_confirmed() -> Expectation:
    """The broker confirmed every message that was published."""

    def read(story: Story) -> Difference | None:
        sent = {one.message for one in story.of(Published)}
        confirmed = sent & set(story.confirmed())
        if sent and confirmed == sent:
            return None
        return Difference(
            f"The broker confirmed {len(confirmed)} of {words.counted(len(sent), 'message')}.",
            f"{words.counted(len(sent) or 1, 'message')} confirmed",
            f"{len(confirmed)} confirmed, {len(set(story.refused()))} refused",
            LOOK,
        )

    return shows(read)


def returned(routing_key: str | None = None) -> Expectation:
    """The broker gave a message back (``basic.return``), with this routing key if it is given."""

    def read(story: Story) -> Difference | None:
        keys = [one.routing_key for one in story.returned()]
        if keys and routing_key in (None, *keys):
            return None
        which = f" with the key `{routing_key}`" if routing_key is not None else ""
        return Difference(f"No message{which} was returned.", f"`basic.return`{which}", words.listed(keys), LOOK)

    return shows(read)


def consumed(queue: str, *, auto_ack: bool | None = None) -> Expectation:
    """A consumer was on this queue (``basic.consume``), with this acknowledgement mode if it is given."""

    def read(story: Story) -> Difference | None:
        consumers = [one for one in story.of(Consuming) if one.queue == queue]
        if any(auto_ack in (None, one.auto_ack) for one in consumers):
            return None
        if not consumers:
            return Difference(f"No consumer was on `{queue}`: there was no `basic.consume`.", look=LOOK)
        modes = {True: "automatic acknowledgement", False: "manual acknowledgement"}
        return Difference(
            f"The consumer of `{queue}` used {modes[not auto_ack]}.", modes[bool(auto_ack)], modes[not auto_ack], LOOK
        )

    return shows(read)


def prefetch(count: int) -> Expectation:
    """A prefetch count was set (``basic.qos``), and the last one is this."""

    def read(story: Story) -> Difference | None:
        counts = [one.count for one in story.of(PrefetchSet)]
        if counts[-1:] == [count]:
            return None
        seen = f"prefetch {counts[-1]}" if counts else "no `basic.qos`"
        return Difference(f"The prefetch count should be {count}.", f"prefetch {count}", seen, LOOK)

    return shows(read)


def acked_before_close() -> Expectation:
    """Something was delivered, and the client settled every delivery before its channel ended."""

    def read(story: Story) -> Difference | None:
        delivered, left = story.delivered(), story.unacked()
        if delivered and not left:
            return None
        if not delivered:
            return Difference("No message was delivered.", look=LOOK)
        return Difference(
            "The broker heard nothing of 1 delivery, and gives it to the next consumer."
            if len(left) == 1
            else f"The broker heard nothing of {len(left)} deliveries, and gives them to the next consumer.",
            "every delivery acknowledged",
            f"{len(delivered) - len(left)} of {len(delivered)} acknowledged",
            LOOK,
        )

    return shows(read)


def settled(how: Settlement, count: int, *, requeue: bool | None = None) -> Expectation:
    """The client said this of so many messages: ``basic.ack``, ``basic.nack`` or ``basic.reject``."""

    def read(story: Story) -> Difference | None:
        found = [event for event in story.settled(how) if requeue in (None, event.requeue)]
        number = sum(len(event.messages) for event in found)
        if number == count:
            return None
        name = f"`basic.{how}`" + {None: "", True: " with requeue", False: " without requeue"}[requeue]
        return Difference(
            f"{words.counted(number, 'message')} ended with {name}; it should be {count}.",
            words.counted(count, "message"),
            words.counted(number, "message"),
            LOOK,
        )

    return shows(read)


def dead_lettered(queue: str, reason: str) -> Expectation:
    """A message left this queue as a dead letter, for "rejected", "expired", "maxlen" or "delivery_limit"."""

    def read(story: Story) -> Difference | None:
        hops = [f"{hop.queue}: {hop.reason}" for hop in story.of(DeadLettered)]
        if f"{queue}: {reason}" in hops:
            return None
        return Difference(
            f"No dead letter left `{queue}` for the reason `{reason}`.",
            f"`{queue}: {reason}`",
            words.listed(hops),
            "A dead letter shows in the story when it is delivered from the queue that it went to.",
        )

    return shows(read)


def closed_by_broker(code: int) -> Expectation:
    """The broker closed a channel or a connection with this code: 404 for what is not there, 406 for what differs."""

    def read(story: Story) -> Difference | None:
        codes = [close.code for close in broker_closes(story)]
        if code in codes:
            return None
        seen = ", ".join(f"closed with {one}" for one in codes) or "the broker closed nothing"
        return Difference(f"The broker did not close a channel with {code}.", f"closed with {code}", seen, LOOK)

    return shows(read)


def not_closed_by_broker() -> Expectation:
    """The broker closed no channel and no connection."""

    def read(story: Story) -> Difference | None:
        for close in broker_closes(story):
            return Difference(
                f"The broker closed the channel or the connection: {close.code} {close.text}.",
                "closed by the client",
                f"closed by the broker with {close.code}",
                LOOK,
            )
        return None

    return shows(read)


def broker_closes(story: Story) -> list[ChannelClosed | ConnectionClosed]:
    """The channels and connections that the broker closed."""
    closes: list[ChannelClosed | ConnectionClosed] = [*story.of(ChannelClosed), *story.of(ConnectionClosed)]
    return [close for close in closes if close.by is Side.BROKER]
