"""Clients that come through failures, in pika, for what tests and benchmarks measure.

pika's ``BlockingConnection`` neither connects again by itself nor gives up on a confirm: on a node that hangs, or that
a partition has cut off from the others, ``basic_publish`` waits as long as the connection stands. So each client works
in a thread of its own, and a publisher with patience leaves a thread that waits too long to itself and goes on in
another. Whether the broker has the message that the first one waits for is then not known.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread

import pika
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError, NackError, UnroutableError

from lab_helpers.record.ledger import Ledger

BROKEN = (AMQPError, AMQPConnectorException, OSError)
"""What pika raises when a connection breaks, and when none comes about in time."""
CONNECTS_WITHIN = 2.0
"""Seconds for a connection, up to the end of AMQP's handshake: behind a proxy a hung node accepts and says nothing."""
PAUSE = 0.02
"""Seconds between two attempts to connect."""
LOOK_EVERY = 0.05
"""Seconds between two looks at a publisher that may wait in vain."""
ENDS_WITHIN = 30.0
"""Seconds for a client to end, once the cluster is mended."""


def opened(url: str) -> BlockingConnection:
    """A connection, or an error soon."""
    parameters = pika.URLParameters(url)
    parameters.socket_timeout = parameters.stack_timeout = CONNECTS_WITHIN
    parameters.heartbeat = 10
    return BlockingConnection(parameters)


class Publisher:
    """Publishes persistent, mandatory messages one by one, and notes in a ledger how the broker answers each.

    What is nacked or not answered is not sent again: it is the broker that is tested, and not the publisher.

    Parameters
    ----------
    url, queue
        Where to.
    ledger
        Takes the notes.
    name
        Begins the messages' ids: ``name-0``, ``name-1`` …
    patience
        Seconds to wait for a confirm before a new connection is tried; None for ever.
    pace
        Seconds from a confirm to the next publish.
    """

    def __init__(
        self, url: str, queue: str, ledger: Ledger, name: str, patience: float | None = None, pace: float = 0.0
    ) -> None:
        self.confirms: list[float] = []
        """When each confirm came, by :func:`time.monotonic`."""
        self.disconnects: list[float] = []
        """When a connection broke, or was given up."""
        self.reconnects: list[float] = []
        """When a connection was there and its channel had confirms."""
        self._url, self._queue, self._ledger, self._name = url, queue, ledger, name
        self._patience, self._pace = patience, pace
        self._numbers = itertools.count()
        self._over = Event()
        self._threads: list[Thread] = []
        self._since = 0.0
        """The last sign of life."""

    def start(self) -> None:
        """Begin."""
        self._work()
        if self._patience is not None:
            Thread(target=self._watch, daemon=True).start()

    def stop(self) -> bool:
        """End; tells whether it has.

        What it gave up is left: measured on 4.3.6, a node that was cut off with the queue's leader keeps the connection
        after it is back, and never answers a publish of before.
        """
        self._over.set()
        self._threads[-1].join(ENDS_WITHIN)
        return not self._threads[-1].is_alive()

    def _work(self) -> None:
        self._since = time.monotonic()
        generation = len(self._threads)
        self._threads.append(Thread(target=self._run, args=(generation,), daemon=True))
        self._threads[-1].start()

    def _is_current(self, generation: int) -> bool:
        return generation == len(self._threads) - 1 and not self._over.is_set()

    def _run(self, generation: int) -> None:
        while self._is_current(generation):
            stood = False
            try:
                with opened(self._url) as connection:
                    channel = connection.channel()
                    channel.confirm_delivery()
                    stood = True
                    self.reconnects.append(time.monotonic())
                    while self._is_current(generation):
                        self._publish(channel)
            except NackError:
                # A channel that first published right after its leader's death may be nacked for ever: take a new one.
                continue
            except BROKEN:
                if stood and self._is_current(generation):
                    self.disconnects.append(time.monotonic())
                self._over.wait(PAUSE)

    def _publish(self, channel: BlockingChannel) -> None:
        id = f"{self._name}-{next(self._numbers)}"
        self._ledger.sent(id)
        properties = pika.BasicProperties(delivery_mode=2, message_id=id)
        try:
            channel.basic_publish("", self._queue, b"x", properties, mandatory=True)
        except NackError:
            self._ledger.nacked(id)
            raise
        except UnroutableError:
            self._ledger.returned(id)
            return
        self._ledger.confirmed(id)
        self._since = time.monotonic()
        self.confirms.append(self._since)
        if self._pace:
            time.sleep(self._pace)

    def _watch(self) -> None:
        assert self._patience is not None
        while not self._over.wait(LOOK_EVERY):
            if time.monotonic() - self._since > self._patience:
                self.disconnects.append(time.monotonic())
                self._work()


class Consumer:
    """Takes messages with a small prefetch, notes each in a ledger, and acknowledges it after that.

    Parameters
    ----------
    url, queue
        Where from.
    ledger
        Takes the notes.
    """

    def __init__(self, url: str, queue: str, ledger: Ledger) -> None:
        self.connections = 0
        """How often it had a connection."""
        self._url, self._queue, self._ledger = url, queue, ledger
        self._over = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> bool:
        """End; tells whether it has."""
        self._over.set()
        self._thread.join(ENDS_WITHIN)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._over.is_set():
            with suppress(*BROKEN), opened(self._url) as connection:
                self.connections += 1
                self._consume(connection.channel(), self._over.is_set)
            self._over.wait(PAUSE)

    def _consume(self, channel: BlockingChannel, is_over: Callable[[], bool]) -> None:
        channel.basic_qos(prefetch_count=50)
        for method, properties, _ in channel.consume(self._queue, inactivity_timeout=0.2):
            if is_over():
                channel.cancel()
                return
            # None now and then, where nothing has come.
            if method is not None and properties is not None:
                self._ledger.received(str(properties.message_id))
                channel.basic_ack(method.delivery_tag)
                self._ledger.acked(str(properties.message_id))
