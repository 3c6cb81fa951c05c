"""Take the messages of one queue over one connection, and say why where that cannot be."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import ChannelClosedByBroker, ConnectionClosedByBroker

from lab_helpers.errors import LabsError
from lab_helpers.record.message_ids import identity

QUIET = 0.1
"""Seconds in which no message comes: time to ask the queue whether it is empty."""
NOT_FOUND = 404
UNAVAILABLE = (NOT_FOUND, 504, 506, 541)
"""Reply codes where something of the broker's is down: https://www.rabbitmq.com/amqp-0-9-1-reference#domain.reply-code"""
SINGLE_ACTIVE = "single active consumer"
NOTHING = (None, None, None)


class QueueUnavailableError(LabsError):
    """A queue exists and cannot be asked now: its node is down, or most of its members are."""


class Taker:
    """Takes one queue's messages over one connection.

    Parameters
    ----------
    connection, queue
        By which, and from where.
    note
        Called with the id of each message; answers whether it is noted, so that it may be acknowledged.
    """

    def __init__(self, connection: BlockingConnection, queue: str, note: Callable[[str], bool]) -> None:
        self._queue = queue
        self._note = note
        self._channel: BlockingChannel = connection.channel()

    def depth(self) -> int:
        """How many messages are ready in the queue, by a passive declare."""
        with told(self._queue):
            return int(self._channel.queue_declare(self._queue, passive=True).method.message_count)

    def begin(self, prefetch: int) -> None:
        """Begin to consume, and take the first message if there is one."""
        with told(self._queue):
            self._channel.basic_qos(prefetch_count=prefetch)
            self._deliveries = self._channel.consume(self._queue, inactivity_timeout=QUIET)
            self._keep(*next(self._deliveries, NOTHING))

    def take(self, deadline: float) -> None:
        """Take what comes until nothing does or the time is over."""
        with told(self._queue):
            for one in self._deliveries:
                if time.monotonic() > deadline or not self._keep(*one):
                    break
            # What came too late goes back to the queue …
            self._channel.cancel()
            # … and only the queue's own word, "get-empty", proves that nothing is there.
            while time.monotonic() < deadline and self._keep(*self._get()):
                pass

    def _get(self) -> tuple[Any, Any, Any]:
        try:
            one: tuple[Any, Any, Any] = self._channel.basic_get(self._queue)
        except ChannelClosedByBroker as error:
            if SINGLE_ACTIVE in error.reply_text:
                # Quorum queues refuse it then; their consumer has just met the leader, so the depth is true.
                return NOTHING
            raise
        return one

    def _keep(self, method: Any, properties: Any, body: Any) -> bool:
        if method is None:
            return False
        if not self._note(identity(properties.message_id, body)):
            return False
        self._channel.basic_ack(method.delivery_tag)
        return True


@contextmanager
def told(queue: str) -> Iterator[None]:
    """Say why the broker refused, where it did.

    Raises
    ------
    QueueUnavailableError
        The queue's node is down; asked again, it may be back.
    LabsError
        There is no such queue, or nobody may take from it.
    """
    try:
        yield
    except (ChannelClosedByBroker, ConnectionClosedByBroker) as error:
        reason = f"{error.reply_code} {error.reply_text}".rstrip(".")
        if error.reply_code == NOT_FOUND and error.reply_text.startswith("NOT_FOUND - no queue"):
            raise LabsError(
                f"There is no queue {queue!r} in this lab's virtual host.",
                remedy="Correct its name, or run the cell that declares it.",
            ) from error
        if error.reply_code in UNAVAILABLE:
            raise QueueUnavailableError(
                f"The queue {queue!r} cannot be drained now: {reason}.",
                meaning="Its node is down, or most of the nodes that hold its members are.",
                remedy="Heal the cluster first: `lab.cluster.heal()`.",
            ) from error
        raise LabsError(
            f"The queue {queue!r} cannot be drained: {reason}.",
            remedy="Only a classic or quorum queue that nobody has for himself alone can be drained.",
        ) from error
