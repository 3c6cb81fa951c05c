"""Let the broker itself route test messages, without a single one reaching the learner's queues.

The exchanges, bindings and queue names of the lab's virtual host are copied into another one, the messages
are published there, and what arrived is read there. So a verdict on routing is what RabbitMQ does, not what
this project believes about binding keys. Making and deleting the copy takes most of a check's time, about 0.3 s; it
is made for each check all the same, because one that was kept would have to be kept equal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker

from lab_helpers.broker.amqp import connect
from lab_helpers.broker.management import Json, Management, path
from lab_helpers.broker.topology import DEFAULT_EXCHANGE, PREDECLARED, Binding, Topology
from lab_helpers.broker.waiting import wait_until
from lab_helpers.errors import BrokerUnreachableError, LabsError

ALTERNATE = "alternate-exchange"
"""The one key of a policy that routes: https://www.rabbitmq.com/docs/ae."""


VOID = "undefined"
"""How the management API shows an argument without a value; the text "undefined" itself looks the same."""


@dataclass(frozen=True)
class Probe:
    """A test message: its routing key and its headers."""

    key: str = ""
    headers: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        words = [f"the key `{self.key}`"] if self.key or not self.headers else []
        if self.headers:
            words.append("the headers " + ", ".join(f"`{name}: {value}`" for name, value in self.headers))
        return " and ".join(words)


def message(key: str = "", **headers: Any) -> Probe:
    """A test message with a routing key and headers, for :func:`lab_helpers.exercises.routes`."""
    return Probe(key, tuple(headers.items()))


class PublishRefusedError(LabsError):
    """The broker took no publish there: the exchange is missing (404), or is internal (403)."""


def routes(
    management: Management,
    url: Callable[[str], str],
    topology: Topology,
    exchange: str,
    probes: Sequence[Probe],
) -> list[frozenset[str]]:
    """Which queues each message reaches, found by publishing it in a copy.

    Parameters
    ----------
    management
        The management API of a node that answers.
    url
        Makes the AMQP URL of a virtual host.
    topology
        What to copy.
    exchange
        Where to publish.
    probes
        The messages.

    Raises
    ------
    BrokerUnreachableError
        No node answers.
    PublishRefusedError
        The exchange takes no messages from clients.
    """
    policies = management.get(path("policies", topology.vhost))
    copy = f"{topology.vhost}.probe"
    management.delete(path("vhosts", copy))
    management.put(path("vhosts", copy), {"description": "A copy for trying routes; deleted after the check"})
    try:
        user = management.address.user
        management.put(path("permissions", copy, user), {"configure": ".*", "write": ".*", "read": ".*"})
        management.post(path("definitions", copy), definitions(topology, policies))
        with wait_until(
            lambda: connect(url(copy)),
            what="the copy to accept connections",
            retry_on=(BrokerUnreachableError,),
        ) as connection:
            channel = connection.channel()
            bind_void(channel, topology.bindings)
            return publish_each(channel, topology, exchange, probes)
    except ChannelClosedByBroker as error:
        raise PublishRefusedError(
            f"The broker closes the channel of whoever publishes to the exchange `{exchange}`: "
            f"{error.reply_code} {error.reply_text.split(' in vhost')[0]}."
        ) from error
    finally:
        management.delete(path("vhosts", copy))


def is_void(binding: Binding) -> bool:
    """Whether an argument has no value: a headers exchange then asks only that the header is there."""
    return VOID in binding.arguments.values()


def bind_void(channel: BlockingChannel, bindings: Sequence[Binding]) -> None:
    """Make the bindings that definitions cannot: the API would import its own word for AMQP's void as a text."""
    for binding in bindings:
        if is_void(binding):
            bind = channel.exchange_bind if binding.to_exchange else channel.queue_bind
            arguments = {name: None if value == VOID else value for name, value in binding.arguments.items()}
            bind(binding.destination, binding.source, binding.key, arguments)


def publish_each(
    channel: BlockingChannel, topology: Topology, exchange: str, probes: Sequence[Probe]
) -> list[frozenset[str]]:
    """Publish the messages, each confirmed, and read from every queue which of them arrived."""
    channel.confirm_delivery()
    for number, probe in enumerate(probes):
        properties = pika.BasicProperties(message_id=str(number), headers=dict(probe.headers))
        channel.basic_publish(exchange, probe.key, b"", properties)
    reached: list[set[str]] = [set() for _ in probes]
    for queue in topology.queues:
        while True:
            method, properties, _ = channel.basic_get(queue.name, auto_ack=True)
            if method is None:
                break
            reached[int(properties.message_id)].add(queue.name)
    return [frozenset(queues) for queues in reached]


def definitions(topology: Topology, policies: Sequence[Json] = ()) -> Json:
    """The topology in the API's form, with every queue plain: arguments such as a TTL do not route.

    Of the policies, those that name an alternate exchange are kept, and of these nothing else.
    """
    return {
        "exchanges": [
            {
                "name": exchange.name,
                "type": exchange.type,
                "durable": True,
                "auto_delete": False,
                "internal": exchange.internal,
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
            if binding.source != DEFAULT_EXCHANGE and not is_void(binding)
        ],
        "policies": [
            {
                "name": policy["name"],
                "pattern": policy["pattern"],
                "apply-to": "exchanges",
                "priority": policy["priority"],
                "definition": {ALTERNATE: policy["definition"][ALTERNATE]},
            }
            for policy in policies
            if policy["apply-to"] in ("exchanges", "all") and ALTERNATE in policy["definition"]
        ],
    }
