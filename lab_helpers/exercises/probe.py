"""Let the broker itself route test messages, without a single one reaching the learner's queues.

The exchanges, bindings and queue names of the lab's virtual host are copied into another one, the messages
are published there, and what arrived is read there. So a verdict on routing is what RabbitMQ does, not what
this project believes about binding keys.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pika

from lab_helpers.broker.amqp import connect
from lab_helpers.broker.management import Json, Management, path
from lab_helpers.broker.topology import DEFAULT_EXCHANGE, PREDECLARED, Topology
from lab_helpers.broker.vhost import answers
from lab_helpers.broker.waiting import wait_until
from lab_helpers.errors import BrokerUnreachableError


def routes(
    nodes: Sequence[Management],
    url: Callable[[str], str],
    topology: Topology,
    exchange: str,
    keys: Sequence[str],
) -> dict[str, frozenset[str]]:
    """Which queues a message with each routing key reaches, found by publishing it in a copy.

    Parameters
    ----------
    nodes
        The management API of each node.
    url
        Makes the AMQP URL of a virtual host.
    topology
        What to copy.
    exchange
        Where to publish.
    keys
        One message is published with each.

    Raises
    ------
    BrokerUnreachableError
        No node answers.
    """
    management = next((node for node in nodes if answers(node)), None)
    if management is None:
        raise BrokerUnreachableError("No node's management API answers.", remedy="Run `labs status`.")
    copy = f"{topology.vhost}.probe"
    management.delete(path("vhosts", copy))
    management.put(path("vhosts", copy), {"description": "A copy for trying routes; deleted after the check"})
    try:
        user = management.address.user
        management.put(path("permissions", copy, user), {"configure": ".*", "write": ".*", "read": ".*"})
        management.post(path("definitions", copy), definitions(topology))
        with wait_until(
            lambda: connect(url(copy)),
            what="the copy to accept connections",
            retry_on=(BrokerUnreachableError,),
        ) as connection:
            return publish_each(connection.channel(), topology, exchange, keys)
    finally:
        management.delete(path("vhosts", copy))


def publish_each(
    channel: pika.adapters.blocking_connection.BlockingChannel,
    topology: Topology,
    exchange: str,
    keys: Sequence[str],
) -> dict[str, frozenset[str]]:
    """Publish one message a key, each confirmed, and read from every queue which of them arrived."""
    channel.confirm_delivery()
    for number, key in enumerate(keys):
        channel.basic_publish(exchange, key, b"", pika.BasicProperties(message_id=str(number)))
    reached: dict[str, set[str]] = {key: set() for key in keys}
    for queue in topology.queues:
        while True:
            method, properties, _ = channel.basic_get(queue.name, auto_ack=True)
            if method is None:
                break
            reached[keys[int(properties.message_id)]].add(queue.name)
    return {key: frozenset(queues) for key, queues in reached.items()}


def definitions(topology: Topology) -> Json:
    """The topology in the API's form, with every queue plain: arguments such as a TTL do not route."""
    return {
        "exchanges": [
            {
                "name": exchange.name,
                "type": exchange.type,
                "durable": True,
                "auto_delete": False,
                "internal": False,
                "arguments": dict(exchange.arguments),
            }
            for exchange in topology.exchanges
            if exchange.name != DEFAULT_EXCHANGE and not exchange.name.startswith(PREDECLARED)
        ],
        "queues": [
            {"name": queue.name, "durable": True, "auto_delete": False, "arguments": {}} for queue in topology.queues
        ],
        "bindings": [
            {
                "source": binding.source,
                "destination": binding.destination,
                "destination_type": "exchange" if binding.to_exchange else "queue",
                "routing_key": binding.key,
                "arguments": dict(binding.arguments),
            }
            for binding in topology.bindings
            if binding.source != DEFAULT_EXCHANGE
        ],
    }
