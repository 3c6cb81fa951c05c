"""What a check may ask of the broker: the state of the lab's virtual host, its messages, its routing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from lab_helpers.broker import topology as broker_topology
from lab_helpers.broker.amqp import connect, queue_depths
from lab_helpers.broker.management import Management
from lab_helpers.broker.topology import Topology
from lab_helpers.cluster import Cluster
from lab_helpers.exercises import probe


@dataclass(frozen=True)
class Message:
    """A message as it waits in a queue."""

    body: bytes
    routing_key: str
    exchange: str


class Bench:
    """A lab's virtual host, as the judge looks at it.

    Parameters
    ----------
    cluster
        Where the lab runs.
    nodes
        The management API of each node.
    vhost
        The lab's own.
    """

    def __init__(self, cluster: Cluster, nodes: Sequence[Management], vhost: str) -> None:
        self.vhost = vhost
        self._cluster = cluster
        self._nodes = nodes

    def topology(self) -> Topology:
        """What exists now, without what every virtual host has from the start, with current depths."""
        depths = queue_depths(partial(self._url, self.vhost))
        return broker_topology.snapshot(self._nodes, self.vhost, depths).declared()

    def routes(self, exchange: str, keys: Iterable[str]) -> dict[str, frozenset[str]]:
        """Ask the broker which queues a message with each routing key reaches.

        The messages are published to a copy of the virtual host's exchanges and bindings, so the learner's
        queues get none of them.

        Parameters
        ----------
        exchange
            Where to publish; "" for the default exchange.
        keys
            The routing keys to try.

        Returns
        -------
        dict
            The names of the queues reached, for each key; empty where the message would be lost.
        """
        return probe.routes(self._nodes, self._url, self.topology(), exchange, tuple(keys))

    def messages(self, queue: str) -> list[Message]:
        """Look at the messages that wait in a queue, first to last; they are put back where they were."""
        with connect(self._url(self.vhost)) as connection:
            channel = connection.channel()
            found = []
            while True:
                method, _, body = channel.basic_get(queue)
                if method is None:
                    break
                found.append(Message(body, method.routing_key, method.exchange))
            # Closing the channel requeues what was not acknowledged, each message to its place.
            channel.close()
        return found

    def _url(self, vhost: str) -> str:
        address = self._cluster.engine.management()
        return self._cluster.amqp_url(vhost, address.user, address.password)
