"""Send and receive in tests, by plain pika."""

from __future__ import annotations

import pika

from lab_helpers.broker import amqp
from lab_helpers.cluster import Cluster


def url(cluster: Cluster, node: str | None = None) -> str:
    """The URL of a node's virtual host "/", or of the front door's."""
    address = cluster.engine.management()
    return f"amqp://{address.user}:{address.password}@{cluster.engine.amqp(node)}/%2F"


def connect(cluster: Cluster, node: str | None = None) -> pika.BlockingConnection:
    """Connect to a node, or through the front door."""
    return amqp.connect(url(cluster, node))


def publish(cluster: Cluster, queue: str, body: bytes, node: str | None = None) -> None:
    """Declare a durable queue and publish a persistent message to it, confirmed."""
    with connect(cluster, node) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare(queue, durable=True)
        channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2), mandatory=True)


def get(cluster: Cluster, queue: str, node: str | None = None) -> bytes | None:
    """Take one message out of a queue."""
    with connect(cluster, node) as connection:
        _, _, body = connection.channel().basic_get(queue, auto_ack=True)
        return body
