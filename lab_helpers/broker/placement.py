"""Where queues live: which node leads each one, and which nodes have a replica.

Fields of the management API: https://www.rabbitmq.com/docs/http-api-reference#get-/api/queues. Mirrors are
``slave_nodes`` there (https://www.rabbitmq.com/docs/3.13/ha), members of quorum queues and streams ``members``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lab_helpers.broker.management import Json, Management, RefusedError, path
from lab_helpers.errors import BrokerUnreachableError

RUNNING = ("running", "live")
"""How a queue's state reads where it works: since 3.11, and before."""


@dataclass(frozen=True)
class Placement:
    """Where one queue is.

    A node's name is short: "rmq1". ``leader`` is empty where nobody leads the queue now. ``members`` are all nodes that
    are to have a copy, ``online`` those whose copy works, and ``synchronised`` those that have all messages: for a
    mirrored queue they differ, for a member of a quorum queue the broker does not tell, so there it is ``online``.
    """

    queue: str
    type: str
    leader: str
    members: tuple[str, ...]
    online: tuple[str, ...]
    synchronised: tuple[str, ...]
    is_mirrored: bool = False

    @property
    def replicas(self) -> tuple[str, ...]:
        """The members that do not lead."""
        return tuple(name for name in self.members if name != self.leader)

    @property
    def has_majority(self) -> bool:
        """Whether more than half of the members are online: what a quorum queue needs."""
        return 2 * len(self.online) > len(self.members)


def placements(nodes: Iterable[Management], vhost: str, short_name: Callable[[str], str] = str) -> dict[str, Placement]:
    """Where each queue of a virtual host is, by the queue's name, as the first node that answers tells it.

    Parameters
    ----------
    nodes
        The nodes' management APIs.
    vhost
        The virtual host's name.
    short_name
        Makes "rmq1" of ``rmq1@rmq1``.

    Raises
    ------
    BrokerUnreachableError
        No node's management API answers.
    """
    silent: BrokerUnreachableError | None = None
    for node in nodes:
        try:
            # Without statistics the answer is of this moment, and needs no other node: one that died may be waited for.
            found = node.get(path("queues", vhost) + "?disable_stats=true")
        except BrokerUnreachableError as error:
            silent = error
            continue
        return {queue["name"]: placement(with_members(node, vhost, queue), short_name) for queue in found}
    raise silent or BrokerUnreachableError("The cluster has no node.")


def with_members(node: Management, vhost: str, queue: Json) -> Json:
    """Complete a stream's answer: 3.10 leaves its members out unless the stream is asked for alone, with statistics."""
    if queue.get("type") != "stream" or "members" in queue:
        return queue
    try:
        return {**node.get(path("queues", vhost, queue["name"])), **queue}
    except (BrokerUnreachableError, RefusedError):
        # It waits for a node that died, or the stream was deleted just now.
        return queue


def placement(queue: Json, short_name: Callable[[str], str] = str) -> Placement:
    """Read one queue of the management API's answer."""

    def names(field: str) -> tuple[str, ...]:
        return tuple(sorted(short_name(name) for name in queue.get(field) or ()))

    runs = queue.get("state") in RUNNING
    leader = queue.get("leader") or queue.get("node") or ""
    leader = short_name(leader) if leader else ""
    if "members" in queue:
        online = names("online")
        leads = leader if leader in online else ""
        return Placement(queue["name"], queue["type"], leads, names("members"), online, online)
    mirrors, up_to_date = names("slave_nodes"), names("synchronised_slave_nodes")
    home = (leader,) if leader else ()
    return Placement(
        queue["name"],
        queue["type"],
        leader if runs else "",
        ordered(home, mirrors),
        ordered(home, mirrors) if runs else (),
        ordered(home, up_to_date) if runs else (),
        is_mirrored="slave_nodes" in queue,
    )


def ordered(*parts: Sequence[str]) -> tuple[str, ...]:
    """The names of all parts, sorted."""
    return tuple(sorted(name for part in parts for name in part))
