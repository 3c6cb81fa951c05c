"""RabbitMQ's firehose: how the broker routed each message, seen while a recording runs.

https://www.rabbitmq.com/docs/firehose. Tracing costs the broker a copy of every message of the virtual host, so it is
on only meanwhile. Its switch is each node's own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from secrets import token_hex
from typing import Any

import pika
from pika.exceptions import AMQPError

from lab_helpers.broker import amqp
from lab_helpers.broker.management import Management, path
from lab_helpers.broker.topology import FIREHOSE_QUEUE
from lab_helpers.errors import LabsError
from lab_helpers.record.plain import plain
from lab_helpers.record.routing import Trace

TRACES = "amq.rabbitmq.trace"
"""The exchange to which traces go."""
PUBLISHES = "publish.#"
LARGEST_QUEUE = 128 * 1024 * 1024
"""Bytes of traces that the broker keeps for one recording; later ones are dropped, and their routes not known."""
LONGEST_DRAIN = 5.0
"""Seconds to wait for the last traces: they come at once, but not on a machine that is very busy."""
LONGEST_READ = 10.0
"""Seconds to read those that are there."""
IDLE = 0.03
"""Seconds without a trace that show that no other is there yet."""
KEPT = ("description", "tags", "default_queue_type")
"""What a virtual host says of itself: a request that leaves it out removes it."""


class Firehose:
    """The traces of one virtual host, from :meth:`start` to :meth:`stop`.

    Where tracing cannot be used, the recording goes on without it and ``notice`` is told why.

    Parameters
    ----------
    nodes
        The management API of each node, with a login that may change virtual hosts.
    vhost
        The virtual host to trace.
    url
        Called for the AMQP URL of a connection of its own, which must not go through the tap.
    notice
        Told in one sentence what could not be done.
    """

    def __init__(
        self, nodes: Sequence[Management], vhost: str, url: Callable[[], str], notice: Callable[[str], None]
    ) -> None:
        self._nodes = nodes
        self._vhost = vhost
        self._url = url
        self._notice = notice
        self._connection: pika.BlockingConnection | None = None
        self._channel: Any = None
        self._queue = ""

    def start(self) -> None:
        """Switch tracing on, on each node in turn, and collect from now on."""
        try:
            self._open()
            if not self._switch(on=True):
                raise LabsError("There is no node to ask.")
        except (LabsError, AMQPError, OSError) as error:
            reason = error.what if isinstance(error, LabsError) else type(error).__name__
            self._notice(f"How the broker routes messages is not recorded: tracing cannot be used here. {reason}")
            self._end()
        except BaseException:
            self._end()
            raise

    def stop(self, expected: int) -> list[Trace] | None:
        """Switch tracing off and give what was traced; None where it could not be used.

        Parameters
        ----------
        expected
            How many publishes to wait for, for at most :data:`LONGEST_DRAIN` seconds.
        """
        if self._connection is None:
            return None
        traces: list[Trace] = []
        try:
            traces.extend(self._drained(expected))
        except (AMQPError, OSError) as error:
            self._notice(
                f"How the broker routed some messages is not recorded: the connection that traces them was lost "
                f"({type(error).__name__})."
            )
        finally:
            self._end()
        return traces

    def _open(self) -> None:
        # Nobody reads from this connection until the end: a heartbeat would be missed.
        self._connection = amqp.connect(without_heartbeats(self._url()))
        self._channel = self._connection.channel()
        self._queue = f"{FIREHOSE_QUEUE}.{token_hex(4)}"
        self._channel.queue_declare(
            self._queue,
            exclusive=True,
            auto_delete=True,
            arguments={"x-max-length-bytes": LARGEST_QUEUE, "x-overflow": "reject-publish", "x-queue-type": "classic"},
        )
        self._channel.queue_bind(self._queue, TRACES, PUBLISHES)

    def _end(self) -> None:
        """Leave nothing behind, whatever has happened."""
        try:
            self._close()
        finally:
            self._switch(on=False)

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        try:
            if connection is not None and connection.is_open:
                connection.close()
        except (AMQPError, OSError):
            # It is gone, and with it its queue.
            pass

    def _switch(self, *, on: bool) -> int:
        """Switch tracing on or off, on each node in turn; gives how many took it."""
        done = 0
        refused: LabsError | None = None
        for node in self._nodes:
            try:
                known = node.get(path("vhosts", self._vhost))
                kept = {name: known[name] for name in KEPT if known.get(name) not in (None, "undefined")}
                node.put(path("vhosts", self._vhost), {**kept, "tracing": on})
                done += 1
            except LabsError as error:
                # A node that is down traces nothing; a login without the right to it is refused by every node.
                refused = error
        if on and not done and refused is not None:
            raise refused
        return done

    def _drained(self, expected: int) -> Iterator[Trace]:
        began = time.monotonic()
        count = 0
        for method, properties, body in self._channel.consume(self._queue, auto_ack=True, inactivity_timeout=IDLE):
            if method is not None:
                yield trace_from(properties.headers or {}, body)
                count += 1
            waited = time.monotonic() - began
            # Other clients of the virtual host are traced too: what is there already is read before it is enough.
            if (method is None and (count >= expected or waited > LONGEST_DRAIN)) or waited > LONGEST_READ:
                return


def without_heartbeats(url: str) -> str:
    """An AMQP URL for a connection that nobody serves for a while."""
    return f"{url}{'&' if '?' in url else '?'}heartbeat=0"


def trace_from(headers: Mapping[str, Any], body: bytes) -> Trace:
    """Make a trace from the headers that the firehose adds."""
    told: dict[str, Any] = plain(headers)
    queues = told.get("routed_queues")
    return Trace(
        exchange=told.get("exchange_name", ""),
        routing_keys=tuple(told.get("routing_keys", ())),
        queues=None if queues is None else tuple(queues),
        node=told.get("node", ""),
        connection=told.get("connection", ""),
        channel=told.get("channel", 0),
        user=told.get("user", ""),
        body=body,
        properties=told.get("properties", {}),
    )
