"""A story in words: the alternative text of its pictures, and what tests of the labs compare.

The words of two runs of the same program are equal: there are no times, ports, tags or sizes in them, and nothing in
them depends on which of two connections, or which direction, was a little faster.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from lab_helpers.record import events
from lab_helpers.record.events import Event, Message, Settlement, Side

if TYPE_CHECKING:
    from lab_helpers.record.story import Story

LONGEST_BODY = 40
"""Characters of a body that are shown."""
FOLDED = 10
"""More messages in a row than this, all with the same fate, share one line."""
NORMAL = (0, 200)
"""The reply codes of a close that is no error: https://www.rabbitmq.com/amqp-0-9-1-reference#domain.reply-code"""
NOTHING = "nothing was recorded"


def story_text(story: Story) -> str:
    """The whole story, one line a thing: first what each client did and met, then the fate of each message."""
    lines = [*client_lines(story.events), *message_lines(story)]
    if story.lost_bytes:
        lines.append("the recording is not complete: it was full before it ended")
    return "\n".join(lines) or NOTHING


# --- Bodies and names


def body_text(message: Message) -> str:
    """A body as it is shown: its text, or its size where it is none."""
    try:
        text = message.body.decode()
    except UnicodeDecodeError:
        return f"({len(message.body)} bytes)"
    text = " ".join(text.split()) if text.strip() else text
    if not text.isprintable():
        return f"({len(message.body)} bytes)"
    return f"`{text}`" if len(text) <= LONGEST_BODY else f"`{text[: LONGEST_BODY - 1]}…`"


def exchange_text(name: str) -> str:
    """An exchange with its name, which the default exchange has not."""
    return f"exchange {name}" if name else "the default exchange"


def in_order(name: str) -> tuple[tuple[int, int | str], ...]:
    """Sort names as people do: "client 10" after "client 9"."""
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", name))


# --- What each client did and met


def closed(event: Any) -> str:
    """The end of a channel or connection; nothing for a proper one."""
    what = "channel" if isinstance(event, events.ChannelClosed) else "connection"
    if event.by is Side.NETWORK:
        return "connection lost"
    return "" if event.code in NORMAL else f"{what} closed by the {event.by}: {event.code} {event.text}"


def declared(event: Any) -> str:
    """An exchange or queue."""
    if event.passive:
        what = "exchange" if isinstance(event, events.ExchangeDeclared) else "queue"
        return f"{what} {event.name} looked up"
    if isinstance(event, events.ExchangeDeclared):
        return f"{event.type} exchange {event.name} declared"
    kind = f"{event.arguments['x-queue-type']} " if "x-queue-type" in event.arguments else ""
    return f"{kind}queue {event.name} declared"


def bound(event: Any) -> str:
    """A binding made or taken away."""
    target = f"{'exchange' if event.to_exchange else 'queue'} {event.destination}"
    key = f", key {event.key}" if event.key else ""
    return f"{target} {'unbound from' if event.removed else 'bound to'} {exchange_text(event.source)}{key}"


def removed(event: Any) -> str:
    """An exchange or queue deleted, or a queue purged."""
    return f"queue {event.name} purged" if event.what == "messages" else f"{event.what} {event.name} deleted"


def flow(event: Any) -> str:
    """Publishing halted or let go on."""
    return f"publishing halted: {event.reason}" if event.blocked else "publishing may go on"


def consuming(event: Any) -> str:
    """A consumer."""
    how = "".join(
        f", {word}" for word, holds in (("auto-ack", event.auto_ack), ("exclusive", event.exclusive)) if holds
    )
    return f"{event.consumer} consumes from {event.queue}{how}"


def prefetch(event: Any) -> str:
    """A prefetch limit."""
    return f"prefetch {event.count or 'unlimited'}{' for the whole channel' if event.is_global else ''}"


PHRASES: Mapping[type[Event], Callable[[Any], str]] = {
    events.ExchangeDeclared: declared,
    events.QueueDeclared: declared,
    events.Removed: removed,
    events.Bound: bound,
    events.ConfirmsSelected: lambda _: "publisher confirms on",
    events.TransactionStep: lambda event: f"transaction: {event.step}",
    events.PrefetchSet: prefetch,
    events.Consuming: consuming,
    events.Cancelled: lambda event: f"{event.consumer} cancelled by the {event.by}",
    events.Recovered: lambda _: "asked for everything not acked again",
    events.Flow: flow,
    events.Opaque: lambda event: f"bytes from the {event.by} that are no AMQP 0-9-1",
    events.ChannelClosed: closed,
    events.ConnectionClosed: closed,
}
"""What is said of the events that are not a message's; of others nothing.

Not of an empty ``basic.get`` either: who polls gets a different number of them each time.
"""


def client_lines(told: Iterable[Event]) -> Iterator[str]:
    """A line for each thing a client did or met, client by client and channel by channel; repeated ones counted."""
    for place, of_channel in groupby(
        sorted(told, key=lambda event: (in_order(event.connection), event.channel)),
        key=lambda event: (event.connection, event.channel),
    ):
        said = (PHRASES[type(event)](event) for event in of_channel if type(event) in PHRASES)
        where = f"{place[0]}, channel {place[1]}" if place[1] > 1 else place[0]
        for phrase, times in groupby(filter(None, said)):
            count = len(list(times))
            yield f"{where}: {phrase}{f' (× {count})' if count > 1 else ''}"


# --- The fate of each message


def message_lines(story: Story) -> Iterator[str]:
    """A line for each message, in the order of their numbers; long runs with the same fate share one."""
    fates = fates_of(story)
    for fate, run in groupby(sorted(fates), key=fates.__getitem__):
        numbers = list(run)
        if len(numbers) > FOLDED:
            first, last = (story.messages[number] for number in (numbers[0], numbers[-1]))
            yield f"messages {numbers[0]} to {numbers[-1]} {body_text(first)} … {body_text(last)}{fate}"
        else:
            yield from (f"message {number} {body_text(story.messages[number])}{fate}" for number in numbers)


def fates_of(story: Story) -> dict[int, str]:
    """What became of each message, in words, by its number."""
    own: dict[int, list[Event]] = {number: [] for number in story.messages}
    for event in story.events:
        for number in numbers_in(event):
            own[number].append(event)
    return {number: fate(number, its) for number, its in own.items()}


def numbers_in(event: Any) -> tuple[int, ...]:
    """The messages that an event is about, each once."""
    if hasattr(event, "messages"):
        return tuple(dict.fromkeys(event.messages))
    return (event.message,) if hasattr(event, "message") else ()


def fate(number: int, its: Sequence[Event]) -> str:
    """What became of one message: where it was published, then all that the broker and the consumers said of it."""
    published = next((event for event in its if isinstance(event, events.Published)), None)
    said = list(publisher_side(its, published))
    for queue in queues_in_order(number, its, published):
        said.extend(queue_side(number, queue, its))
    if published is None:
        return f", published elsewhere: {'; '.join(said)}"
    key = f", key {published.routing_key}" if published.routing_key else ""
    return f" -> {exchange_text(published.exchange)}{key}: {'; '.join(said) or 'nothing more was said of it'}"


def publisher_side(its: Sequence[Event], published: events.Published | None) -> Iterator[str]:
    """What the publisher learnt, and where the message was routed."""
    kinds = {type(event): event for event in its}
    if published is not None and published.queues is not None:
        yield f"routed to {', '.join(published.queues) or 'no queue'}"
    returned = kinds.get(events.Returned)
    if isinstance(returned, events.Returned):
        yield f"returned: {returned.code} {returned.text}"
    if events.Confirmed in kinds:
        yield "confirmed"
    if events.Refused in kinds:
        yield "refused by the broker (nack)"
    if published is not None and published.tag is not None and not {events.Confirmed, events.Refused} & kinds.keys():
        yield "not confirmed"


def queues_in_order(number: int, its: Sequence[Event], published: events.Published | None) -> list[str]:
    """The queues that the message was seen in: those that it was routed to, then those it came to as a dead letter."""
    places = places_in(number, its)
    first = {published.routing_key, *(published.queues or ())} if published is not None else set()
    left = {event.queue for event in its if isinstance(event, events.DeadLettered)}
    return sorted(places, key=lambda queue: (queue not in first, queue not in left, in_order(queue)))


def places_in(number: int, its: Sequence[Event]) -> set[str]:
    """The queues that a message's events name."""
    places = {event.queue for event in its if isinstance(event, events.Delivered | events.DeadLettered)}
    for event in its:
        if isinstance(event, events.Settled | events.Recovered):
            places |= {queue for one, queue in zip(event.messages, event.queues, strict=True) if one == number}
    return places


SETTLED = {
    (Settlement.ACK, False): "acked",
    (Settlement.NACK, True): "nacked and requeued",
    (Settlement.NACK, False): "nacked, not requeued",
    (Settlement.REJECT, True): "rejected and requeued",
    (Settlement.REJECT, False): "rejected, not requeued",
}


def queue_side(number: int, queue: str, its: Sequence[Event]) -> Iterator[str]:
    """What happened to a message at one queue."""
    dead = []
    waiting = 0
    for event in its:
        if isinstance(event, events.Delivered) and event.queue == queue:
            if event.redelivered and waiting:
                yield "not acked"
                waiting -= 1
            waiting += not event.auto_ack
            to = f"delivered to {event.consumer} from {queue}" if event.consumer else f"got from {queue}"
            yield to + (" again" if event.redelivered else "") + (", auto-ack" if event.auto_ack else "")
        elif isinstance(event, events.Settled):
            for one, place in zip(event.messages, event.queues, strict=True):
                if (one, place) == (number, queue):
                    yield SETTLED[event.how, event.requeue]
                    waiting -= 1
        elif isinstance(event, events.Recovered) and (number, queue) in zip(event.messages, event.queues, strict=True):
            yield "requeued by recover"
            waiting -= 1
        elif isinstance(event, events.DeadLettered) and event.queue == queue:
            dead.append(f"dead-lettered from {queue} ({event.reason})")
    if waiting > 0:
        yield "not acked"
    # The wire shows a dead-lettering only where the dead letter is delivered.
    yield from dead
