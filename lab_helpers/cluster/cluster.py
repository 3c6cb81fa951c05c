"""The cluster as a lab and the command line hold it: its nodes, its state, its faults."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from urllib.parse import quote

from lab_helpers.broker.management import Management, RefusedError
from lab_helpers.broker.waiting import TimedOutError, wait_until
from lab_helpers.cluster import faults
from lab_helpers.cluster.engine import LINKS_CUT, Engine
from lab_helpers.cluster.node import LOOK_SECONDS, NODE_READY_WITHIN, REJOINS_WITHIN, Node
from lab_helpers.cluster.status import ClusterStatus, NodeState
from lab_helpers.errors import BrokerUnreachableError, LabsError, NotPossibleHereError
from lab_helpers.settings import NODES, SPARE

FORGOTTEN_WITHIN = 60.0
"""Seconds for a cluster to forget a node that is dead; it takes two where the others have noticed its death."""

UNAIDED_WITHIN = 20.0
"""Seconds for nodes that were started or let go on to be whole; then links are mended, whoever cut them."""


class Cluster:
    """The running cluster.

    ``cluster["rmq2"].kill()`` breaks a node, ``cluster.heal()`` mends everything.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def __getitem__(self, name: str) -> Node:
        if name not in self.engine.nodes:
            raise LabsError(
                f"The cluster has no node {name!r}.", remedy=f"Its nodes are {', '.join(self.engine.nodes)}."
            )
        return Node(self, name)

    def __iter__(self) -> Iterator[Node]:
        return (Node(self, name) for name in self.engine.nodes)

    def __repr__(self) -> str:
        return f"<{self.engine.name} cluster: {', '.join(f'{n.name} {n.state}' for n in self.status().nodes)}>"

    @property
    def is_ours(self) -> bool:
        """Whether the nodes may be stopped and broken: not on an external cluster."""
        return self.engine.name != "external"

    def short_name(self, name: str) -> str:
        """The name that a learner reads: "rmq1" for ``rmq1@rmq1``; an external node keeps its full name."""
        return name.split("@")[0] if self.is_ours else name

    def status(self) -> ClusterStatus:
        """How the cluster is now; a cluster of ours that is down is no error, it says so.

        Raises
        ------
        BrokerUnreachableError
            An external cluster does not answer, so that not even its nodes are known.
        """
        # All at once: a node that hangs costs its timeout once.
        with ThreadPoolExecutor() as pool:
            nodes = tuple(pool.map(Node.status, self))
        return ClusterStatus(
            self.engine.name,
            self._version([node.name for node in nodes if node.sees]),
            nodes,
            self.engine.amqp(),
            self.engine.management().url,
            self.engine.statistics,
        )

    def add(self, name: str = SPARE, cookie: str = "") -> Node:
        """Start a fourth node from nothing, and return it when it is ready: a broker of its own, no member yet.

        One that is there is removed first. :meth:`heal`, and so the next lab, removes it too.

        Parameters
        ----------
        name
            There is one spare node, "rmq4".
        cookie
            Its Erlang cookie; the cluster's if empty.

        Raises
        ------
        LabsError
            There is no spare node of that name; or it does not start.
        NotPossibleHereError
            The cluster is somebody else's.
        """
        self._refuse_if_not_ours("add a node to it")
        if name != SPARE:
            raise LabsError(f"There is no spare node {name!r}.", remedy=f'There is one: lab.cluster.add("{SPARE}").')
        self.remove(name)
        self.engine.add_spare(cookie or self.engine.settings.erlang_cookie.get_secret_value())
        node = self[SPARE]
        node.await_ready()
        return node

    def remove(self, name: str = SPARE) -> None:
        """Kill the fourth node, delete its data, and let the cluster forget it if it was a member.

        Raises
        ------
        LabsError
            It is one of the three that belong to the cluster.
        """
        if name != SPARE:
            raise LabsError(
                f"{name} belongs to the cluster and is not removed.", remedy=f"Only {SPARE} comes and goes."
            )
        if SPARE in self.engine.nodes:
            self.engine.end_spare()
        self._forget_spare()

    def _forget_spare(self) -> None:
        """Take the spare node out of the cluster's list, where one of the three has it there."""
        full = f"{SPARE}@{SPARE}"

        def lists_it(name: str) -> bool:
            with Management(self.engine.management(name), LOOK_SECONDS) as management:
                try:
                    return full in management.members()
                except BrokerUnreachableError:
                    return False

        def is_gone() -> bool:
            listing = [name for name in NODES if lists_it(name)]
            if listing:
                self.engine.ctl(listing[0], "forget_cluster_node", full)
            return not listing

        if self.is_ours:
            # The others may still hold it for running, for a moment after its death.
            wait_until(is_gone, seconds=FORGOTTEN_WITHIN, what=f"the cluster to forget {SPARE}", retry_on=(LabsError,))

    def partition(self, *names: str) -> None:
        """Cut the named nodes off from the others; clients still reach all of them.

        Raises
        ------
        LabsError
            The names do not make two sides.
        NotPossibleHereError
            The cluster is somebody else's.
        """
        self._refuse_if_not_ours("partition it")
        faults.cut(self.engine, names)

    def heal(self) -> None:
        """Mend every fault: resume, start and reconnect nodes, and return when the cluster is whole.

        Quick and harmless where nothing is broken.
        """
        if not self.is_ours:
            return
        # The three may be whole, and still refuse the fourth node, from which a lab has cut them off.
        if SPARE in self.engine.nodes or not self._is_sound():
            self._mend()
        # Only now: before Khepri, nodes that ended before the fourth one wait for it, and for what it wrote since. And
        # also where there is none any more: a heal that was interrupted may have left it a dead member.
        self.remove(SPARE)

    def _three(self) -> ClusterStatus:
        return self.status().without_spare()

    def _is_sound(self) -> bool:
        # The quick questions first: where a node hangs, the others are late with what they see.
        if self.engine.is_marked(LINKS_CUT):
            return False
        runs = all(self.engine.process_state(name) is NodeState.BOOTING for name in NODES)
        return runs and self._three().is_whole

    def _mend(self) -> None:
        for node in self:
            # The fourth node is not waited for, and may be half made or half gone.
            with suppress(LabsError) if node.name == SPARE else nullcontext():
                node.resume_if_paused()
                if self.engine.process_state(node.name) is NodeState.STOPPED:
                    self.engine.start(node.name)
        if self.engine.is_marked(LINKS_CUT) or not self._becomes_whole(UNAIDED_WITHIN):
            self._mend_links()

    def _becomes_whole(self, seconds: float) -> bool:
        try:
            wait_until(lambda: self._three().is_whole, seconds=seconds, what="the nodes to see each other")
        except TimedOutError:
            return False
        return True

    def _mend_links(self) -> None:
        # A node that only boots joins by itself; one that was cut off needs its links back.
        wait_until(
            lambda: all(node.state is NodeState.READY for node in self._three().nodes) or self._answers_ctl(),
            seconds=NODE_READY_WITHIN,
            what="the nodes to start",
            retry_on=(LabsError,),
        )
        faults.mend(self.engine)
        if not self._becomes_whole(REJOINS_WITHIN):
            self._restart_the_odd_ones()
        wait_until(
            lambda: self._three().is_whole,
            seconds=NODE_READY_WITHIN,
            what="all nodes to see each other again",
        )

    def _restart_the_odd_ones(self) -> None:
        """Restart the nodes that are not of the largest group: what ends a partition that Mnesia does not end itself.

        https://www.rabbitmq.com/docs/partitions#recovering
        """
        nodes = self._three().nodes
        largest = max((node.sees for node in nodes), key=len)
        for node in nodes:
            if node.sees != largest or node.name not in largest:
                self.engine.kill(node.name)
                self.engine.start(node.name)

    def managements(self) -> list[Management]:
        """A client for each node's management API, or the one there is of an external cluster."""
        if not self.is_ours:
            return [Management(self.engine.management(), LOOK_SECONDS)]
        return [Management(self.engine.management(name), LOOK_SECONDS) for name in self.engine.nodes]

    def amqp_url(self, vhost: str, user: str, password: str, through: str | None = None) -> str:
        """The URL by which a client enters.

        Parameters
        ----------
        vhost, user, password
            Where to, and as whom.
        through
            The "host:port" to enter by; the front door if None.
        """
        parts = (quote(part, safe="") for part in (user, password))
        address = through or self.engine.amqp()
        return f"{self.engine.amqp_scheme}://{':'.join(parts)}@{address}/{quote(vhost, safe='')}"

    def _answers_ctl(self) -> bool:
        for name in NODES:
            self.engine.ctl(name, "eval", "ok.")
        return True

    def _version(self, names: list[str]) -> str:
        for name in names:
            try:
                with Management(self.engine.management(name), LOOK_SECONDS) as management:
                    return management.version()
            except (BrokerUnreachableError, RefusedError):
                continue
        return ""

    def _refuse_if_not_ours(self, operation: str) -> None:
        if not self.is_ours:
            raise NotPossibleHereError(
                f"This cluster is somebody else's, so the labs do not {operation}.",
                meaning="Nothing was done.",
                remedy="To see this part live, run `labs up` on your own machine.",
            )
