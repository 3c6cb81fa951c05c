"""What a check may ask of the broker: the state of the lab's virtual host, its messages, its routing."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from lab_helpers.broker import topology as broker_topology
from lab_helpers.broker.amqp import queue_depths
from lab_helpers.broker.management import Management
from lab_helpers.broker.placement import Placement, placements
from lab_helpers.broker.topology import Topology
from lab_helpers.broker.vhost import answers
from lab_helpers.cluster import Cluster
from lab_helpers.errors import BrokerUnreachableError, LabsError
from lab_helpers.exercises import peek, probe
from lab_helpers.exercises.peek import Message
from lab_helpers.exercises.probe import Probe
from lab_helpers.record.ledger import Ledger
from lab_helpers.record.story import Story

T = TypeVar("T")

ANSWER_WITHIN = 1.0
"""Seconds for a node's management API to answer; a held node is passed over after these."""


class Bench:
    """A lab's virtual host, as the judge looks at it.

    One bench is one look: what it has read once, it gives again. :meth:`again` makes the next.

    Parameters
    ----------
    cluster
        Where the lab runs.
    nodes
        The management API of each node.
    vhost
        The lab's own.
    story
        What the learner recorded for this exercise, if anything.
    ledger
        The ledger that the learner keeps for this exercise, if there is one.
    """

    def __init__(
        self,
        cluster: Cluster,
        nodes: Sequence[Management],
        vhost: str,
        story: Story | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.vhost = vhost
        self.story = story
        self._own_ledger = ledger
        self.cluster = cluster
        self._nodes = [Management(node.address, timeout=ANSWER_WITHIN) for node in nodes]
        self._topology: Topology | None = None
        self._kept: dict[Hashable, Any] = {}

    def again(self) -> Bench:
        """The same for the next look: the state is read anew, and what follows from an unchanged one is kept."""
        later = Bench(self.cluster, [], self.vhost, self.story, self._own_ledger)
        later._nodes, later._kept = self._nodes, self._kept
        return later

    def ledger(self) -> Ledger | None:
        """The ledger that the learner keeps for this exercise, as it is now; else one of the recorded story.

        Raises
        ------
        LabsError
            The story is not complete.
        """
        if self._own_ledger is not None:
            return self._own_ledger.copy()
        story = self.story
        return None if story is None else self._keep("ledger", lambda: Ledger.of(story))

    def topology(self) -> Topology:
        """What exists now, without what every virtual host has from the start, with current depths."""
        if self._topology is None:
            depths = queue_depths(partial(self._url, self.vhost))
            self._topology = broker_topology.snapshot(self._answering(), self.vhost, depths).declared()
        return self._topology

    def placements(self) -> dict[str, Placement]:
        """Where each queue lives now, by its name."""
        return placements(self._answering(), self.vhost, self.cluster.short_name)

    def members(self) -> dict[str, bool]:
        """The cluster's members, each with whether RabbitMQ runs on it, as the first node that answers tells it."""
        return {self.cluster.short_name(name): runs for name, runs in self._answering()[0].members().items()}

    def routes(self, exchange: str, probes: Iterable[Probe]) -> list[frozenset[str]]:
        """Ask the broker which queues each test message reaches.

        The messages are published to a copy of the virtual host's exchanges and bindings, so the learner's
        queues get none of them.

        Parameters
        ----------
        exchange
            Where to publish; "" for the default exchange.
        probes
            The messages to try.

        Returns
        -------
        list
            The names of the queues reached, for each message; empty where it would be lost.

        Raises
        ------
        PublishRefusedError
            The exchange takes no messages from clients: it is missing or internal.
        """
        wanted = tuple(probes)
        return self._keep(
            ("routes", repr(self.topology()), exchange, wanted),
            lambda: probe.routes(self._answering()[0], self._url, self.topology(), exchange, wanted),
        )

    def messages(self, queue: str) -> list[Message]:
        """Look at the messages that are ready in a queue, first to last; they are put back where they were.

        A classic queue marks them as redelivered, a quorum queue counts the look: see
        :mod:`lab_helpers.exercises.peek`. So a queue that has not changed is read once in a check.

        Raises
        ------
        LabsError
            The queue's node is down.
        """
        found = self.topology().queue(queue)
        if found is None:
            return []
        if found.is_down:
            raise LabsError(
                f"The queue `{queue}` lives on a node that is down, so nobody can look into it.",
                remedy="Start the node first: `lab.cluster.heal()`.",
            )
        return self._keep(("messages", repr(found)), lambda: peek.ready(self._url(self.vhost), queue))

    def _answering(self) -> list[Management]:
        """The nodes whose management API answers; asked once a check, all at the same time."""

        def ask() -> list[Management]:
            with ThreadPoolExecutor(len(self._nodes)) as pool:
                return [node for node, there in zip(self._nodes, pool.map(answers, self._nodes), strict=True) if there]

        nodes: list[Management] = self._keep("answering", ask)
        if not nodes:
            raise BrokerUnreachableError(
                f"No node's management API answers at {', '.join(node.address.url for node in self._nodes)}.",
                meaning="The cluster is not running, or is still starting.",
            )
        return nodes

    def _keep(self, key: Hashable, make: Callable[[], T]) -> T:
        if key not in self._kept:
            self._kept[key] = make()
        kept: T = self._kept[key]
        return kept

    def _url(self, vhost: str) -> str:
        address = self.cluster.engine.management()
        return self.cluster.amqp_url(vhost, address.user, address.password)
