"""What ``lab.ledger()`` gives, a ledger that shows itself, and what ``lab.drain()`` takes its messages from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from lab_helpers.broker.placement import placements
from lab_helpers.cluster import Cluster
from lab_helpers.cluster.status import NodeState
from lab_helpers.draw.ledger import ledger_picture, ledger_text
from lab_helpers.draw.picture import Picture
from lab_helpers.errors import LabsError
from lab_helpers.record import draining
from lab_helpers.record.ledger import Ledger
from lab_helpers.record.story import Story
from lab_helpers.recording import Recording


class Account(Ledger):
    """A :class:`Ledger` that shows itself in a notebook."""

    def picture(self) -> Picture:
        """The six steps as counts, the verdict, and messages that are not in order, as they are now."""
        return ledger_picture(self.copy())

    def __repr__(self) -> str:
        return ledger_text(self.copy())

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return self.picture()._repr_mimebundle_()


def account(stories: Sequence[Recording | Story]) -> Account:
    """Fill a ledger from recordings; empty without any.

    Raises
    ------
    LabsError
        A recording is not over, not complete, or no recording at all.
    """
    made = Account()
    for one in stories:
        if not isinstance(one, Recording | Story):
            raise LabsError(
                f"A ledger is filled from recordings, and this is {one!r}.",
                remedy="Give what `with lab.record() as story:` gave, or nothing and fill it in your own code.",
            )
        made.add(one.story if isinstance(one, Recording) else one)
    return made


def drain(
    ledger: Ledger,
    queues: Sequence[str],
    cluster: Cluster,
    vhost: str,
    url: Callable[[str], str],
    seconds: float,
) -> dict[str, int]:
    """Take what is left in queues of a virtual host through every node of the cluster that is ready.

    Parameters
    ----------
    ledger, queues, seconds
        As of :func:`lab_helpers.record.draining.drain`, which raises the errors.
    cluster
        Asked which nodes are ready.
    vhost
        Where the queues are.
    url
        Gives the AMQP URL for a node's "host:port".
    """
    if not isinstance(ledger, Ledger) or not queues or not all(isinstance(queue, str) for queue in queues):
        raise LabsError(
            "Draining takes a ledger and the names of queues.", remedy='For example: `lab.drain(ledger, "orders")`.'
        )

    def urls() -> Mapping[str, str]:
        return {node.name: url(node.amqp) for node in cluster.status().nodes if node.state is NodeState.READY}

    return draining.drain(ledger, queues, urls, lambda: homes(cluster, vhost), seconds)


def homes(cluster: Cluster, vhost: str) -> dict[str, tuple[str, ...]]:
    """The nodes on which each queue of a virtual host lives: a mirror does not count, as it takes over by itself.

    Raises
    ------
    BrokerUnreachableError
        No node's management API answers.
    """
    with ExitStack() as stack:
        nodes = [stack.enter_context(node) for node in cluster.managements()]
        found = placements(nodes, vhost, cluster.short_name)
    return {name: (queue.leader,) if queue.is_mirrored else queue.members for name, queue in found.items()}
