"""Look at messages that wait in a queue, and leave them where they were.

AMQP 0-9-1 cannot read without taking, so a look takes all messages and returns them by one ``basic.nack`` with
``requeue``: each to its place. What is left of a look, measured on 3.10.8 and 4.3.6:

- classic queue: the messages are marked as redelivered.
- quorum queue, 4.3: ``x-acquired-count`` rises by one, and no limit counts that. (Closing the channel or
  ``basic.reject`` would raise ``x-delivery-count``, and the 21st such look at a queue would drop its messages.)
- quorum queue before 4.3: ``x-delivery-count`` rises by one whatever the way of returning. A queue with a delivery
  limit, which every one has from 4.0 on (20), drops its messages after as many looks. The server's own ``peek``, which
  counts nothing, takes a second and shows 64 bytes of a body, so it is no way out.

So the vocabulary compares the number of messages first, and looks at bodies only if the number is right.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pika import BasicProperties
from pika.adapters.blocking_connection import BlockingChannel
from pika.spec import Basic

from lab_helpers.broker.amqp import connect
from lab_helpers.broker.waiting import FIRST_PAUSE

BACK_WITHIN = 0.5
"""Seconds for a queue to take messages back; where a learner's consumer takes them at once, it never shows them."""


@dataclass(frozen=True)
class Message:
    """A message as it waits in a queue."""

    body: bytes
    routing_key: str
    exchange: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    """Those that were set, by their names in the protocol: "delivery_mode", "headers", "message_id" …"""


def message_from(method: Basic.GetOk | Basic.Deliver, properties: BasicProperties, body: bytes) -> Message:
    """Make a message from what pika hands over."""
    present = {name: value for name, value in vars(properties).items() if value is not None}
    return Message(body, method.routing_key, method.exchange, present)


def ready(url: str, queue: str) -> list[Message]:
    """Fetch the messages that are ready in a queue, first to last, and put them back."""
    with connect(url) as connection:
        channel = connection.channel()
        before = depth(channel, queue)
        found = []
        tag = 0
        while True:
            method, properties, body = channel.basic_get(queue)
            if method is None:
                break
            found.append(message_from(method, properties, body))
            tag = method.delivery_tag
        put_back(channel, queue, tag, before)
    return found


def put_back(channel: BlockingChannel, queue: str, last_tag: int, before: int) -> None:
    """Return all deliveries, and wait until the queue has them: it takes them back some milliseconds later."""
    if not last_tag:
        return
    channel.basic_nack(last_tag, multiple=True, requeue=True)
    deadline = time.monotonic() + BACK_WITHIN
    while depth(channel, queue) < before and time.monotonic() < deadline:
        time.sleep(FIRST_PAUSE)


def depth(channel: BlockingChannel, queue: str) -> int:
    """How many messages are ready in a queue."""
    return int(channel.queue_declare(queue, passive=True).method.message_count)
