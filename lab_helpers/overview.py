"""What a lab sees of its cluster as a whole: the nodes, where queues live, and the front door."""

from __future__ import annotations

from lab_helpers.broker.management import Management
from lab_helpers.broker.placement import Placement, placements
from lab_helpers.cluster import Cluster, haproxy
from lab_helpers.draw.cluster import cluster_picture
from lab_helpers.draw.picture import Picture
from lab_helpers.draw.servers import ServersTable
from lab_helpers.errors import LabsError, NotPossibleHereError

AMQP_BACKEND = "amqp_nodes"
"""The backend of ``cluster/haproxy.cfg`` that clients are led to."""


class Overview:
    """The part of a :class:`~lab_helpers.lab.Lab` that looks at the whole cluster."""

    cluster: Cluster
    vhost: str
    _nodes: list[Management]

    def status(self, *queues: str, front_door: bool = False) -> Picture:
        """The cluster as it is now, as a picture: the front door, the nodes and their links, whether each is ready.

        Parameters
        ----------
        queues
            Names of queues: who leads each one and where its copies are is drawn too.
        front_door
            Whether to ask HAProxy, too, how it holds each node.

        Raises
        ------
        LabsError
            There is no such queue.
        """
        places = self._placements(queues)
        return cluster_picture(self.cluster.status(), places, self.servers() if front_door else None)

    def placement(self, queue: str) -> Placement:
        """Where a queue lives now: its ``leader``, its ``members``, and those ``online`` and ``synchronised``.

        Raises
        ------
        LabsError
            There is no such queue.
        """
        return self._placements((queue,))[0]

    def servers(self) -> ServersTable:
        """How HAProxy holds each node now, as its statistics page tells it.

        Raises
        ------
        NotPossibleHereError
            The cluster is somebody else's, and what stands in front of it is not known.
        """
        if not self.cluster.engine.statistics:
            raise NotPossibleHereError(
                "This cluster is somebody else's, so there is no HAProxy of the labs in front of it.",
                meaning="Its statistics cannot be read.",
                remedy="To see this part live, run `labs up` on your own machine.",
            )
        return ServersTable(haproxy.servers(self.cluster.engine.statistics, AMQP_BACKEND))

    def _placements(self, queues: tuple[str, ...]) -> list[Placement]:
        known = placements(self._nodes, self.vhost, self.cluster.short_name) if queues else {}
        for queue in queues:
            if queue not in known:
                raise LabsError(
                    f"There is no queue {queue!r} in this lab's virtual host.",
                    remedy="Run the cell that declares it, or correct its name.",
                )
        return [known[queue] for queue in queues]
