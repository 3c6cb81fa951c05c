"""What only AMQP tells: how many messages and consumers a queue has at this moment.

The management API's counts are refreshed every few seconds; ``queue.declare`` with ``passive`` set answers
with the current ones (AMQP 0-9-1, https://www.rabbitmq.com/amqp-0-9-1-reference#queue.declare).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPConnectionError, AMQPError, ChannelClosedByBroker

from lab_helpers.errors import BrokerUnreachableError

CONNECT_SECONDS = 5.0
"""How long to try to connect before the broker counts as unreachable."""


def connect(url: str) -> pika.BlockingConnection:
    """Open a connection with short timeouts.

    Raises
    ------
    BrokerUnreachableError
        Nothing accepts AMQP connections at that address, or the login was refused.
    """
    parameters = pika.URLParameters(url)
    parameters.socket_timeout = CONNECT_SECONDS
    parameters.stack_timeout = CONNECT_SECONDS
    parameters.blocked_connection_timeout = CONNECT_SECONDS
    try:
        return pika.BlockingConnection(parameters)
    except (AMQPConnectionError, AMQPConnectorException, OSError) as error:
        # The second kind is what pika raises for a broker that accepts the connection and then hangs.
        raise BrokerUnreachableError(
            f"No broker accepts AMQP connections at {parameters.host}:{parameters.port} ({type(error).__name__}).",
            meaning="The cluster is not running, or the lab's virtual host is gone.",
            remedy="Run `labs status` in a terminal; then run the lab's first cell again.",
        ) from error


def queue_depths(url: Callable[[], str]) -> Callable[[Sequence[str]], dict[str, tuple[int, int]]]:
    """Make a reader of queue depths over a connection of its own.

    Parameters
    ----------
    url
        Called for the AMQP URL, virtual host included, each time depths are read.
    """

    def depths(names: Sequence[str]) -> dict[str, tuple[int, int]]:
        known: dict[str, tuple[int, int]] = {}
        if not names:
            return known
        connection = connect(url())
        try:
            channel = connection.channel()
            for name in names:
                try:
                    answer = channel.queue_declare(name, passive=True).method
                except ChannelClosedByBroker:
                    # 404: its node is down, or it went away meanwhile; 405: another connection's own queue.
                    channel = connection.channel()
                else:
                    known[name] = (answer.message_count, answer.consumer_count)
        except AMQPError as error:
            raise BrokerUnreachableError(
                f"The connection was lost while a queue was asked for its depth ({type(error).__name__})."
            ) from error
        finally:
            if connection.is_open:
                connection.close()
        return known

    return depths
