"""How a cluster and its nodes are, as plain data: the same shape from every engine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from lab_helpers.settings import SPARE


class NodeState(StrEnum):
    """What a node is doing."""

    READY = "ready"
    """Its AMQP port and its management API answer."""
    BOOTING = "not ready"
    """Its process runs, but it does not answer: booting, or paused for lack of a majority."""
    PAUSED = "paused"
    """Its process is held and does nothing, as if it hung."""
    STOPPED = "stopped"
    """It has no process."""


@dataclass(frozen=True)
class NodeStatus:
    """One node.

    ``amqp`` is "host:port"; ``management`` is a URL without credentials; ``sees`` holds the short names of the
    nodes that it sees running, itself included; it is empty unless the node is ready, and while it waits for
    another one that hangs. ``is_spare`` is the fourth node, which the front door does not know.
    """

    name: str
    state: NodeState
    amqp: str
    management: str
    sees: frozenset[str] = frozenset()
    is_spare: bool = False


@dataclass(frozen=True)
class ClusterStatus:
    """The whole cluster.

    ``version`` is RabbitMQ's, empty while no node can tell it. ``statistics`` is HAProxy's page, empty where the
    front door is not ours.
    """

    engine: str
    version: str
    nodes: tuple[NodeStatus, ...]
    amqp: str
    management: str
    statistics: str

    @property
    def is_whole(self) -> bool:
        """Whether every node is ready and sees all the others."""
        names = frozenset(node.name for node in self.nodes)
        return bool(names) and all(node.sees == names for node in self.nodes)

    def without_spare(self) -> ClusterStatus:
        """The same without the fourth node, as if nobody saw it: how the three are, whatever it does."""
        own = tuple(replace(node, sees=node.sees - {SPARE}) for node in self.nodes if not node.is_spare)
        return replace(self, nodes=own)

    @property
    def is_stopped(self) -> bool:
        """Whether no node has a process."""
        return all(node.state is NodeState.STOPPED for node in self.nodes)
