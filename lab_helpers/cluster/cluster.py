"""The cluster as a lab and the command line hold it: its nodes, its state, its faults."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from lab_helpers.broker.management import Management, RefusedError
from lab_helpers.broker.waiting import TimedOutError, wait_until
from lab_helpers.cluster import faults
from lab_helpers.cluster.engine import Engine
from lab_helpers.cluster.status import ClusterStatus, NodeState, NodeStatus
from lab_helpers.errors import BrokerUnreachableError, LabsError, NotPossibleHereError

LOOK_SECONDS = 2.0
"""How long one look at a node may take: a held node accepts the connection and never answers."""
NODE_READY_WITHIN = 120.0
"""Seconds for a node to boot; 5 to 15 on an idle machine, and machines are not always idle."""


REJOINS_WITHIN = 40.0
"""Seconds for a node that was held or cut off to find back by itself; it takes 10 where it does."""


class Node:
    """One node of the cluster, to be stopped, started and broken.

    Each method returns when what it says is done: a killed node is dead, a started one is ready.
    """

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.name = name
        self._cluster = cluster
        self._engine = cluster.engine

    def __repr__(self) -> str:
        return f"<{self.name}: {self.status().state}>"

    def status(self) -> NodeStatus:
        """How the node is now."""
        state = self._engine.process_state(self.name)
        sees: frozenset[str] = frozenset()
        if state is NodeState.BOOTING and self._answers():
            state = NodeState.READY
            sees = self._sees()
        return NodeStatus(
            self.name,
            state,
            self._engine.amqp(self.name),
            self._engine.management(self.name).url,
            sees,
        )

    def start(self) -> None:
        """Start the node again on the data it had, and return when it is ready and back among the others."""
        if self._engine.process_state(self.name) is NodeState.STOPPED:
            self._engine.start(self.name)
        self.await_ready()

    def stop(self) -> None:
        """Shut the node down cleanly."""
        self.resume_if_paused()
        if self._engine.process_state(self.name) is not NodeState.STOPPED:
            self._engine.stop(self.name)

    def kill(self) -> None:
        """Kill the node as a power cut would (SIGKILL)."""
        if self._engine.process_state(self.name) is not NodeState.STOPPED:
            self._engine.kill(self.name)

    def restart(self) -> None:
        """Stop the node cleanly and start it again."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Hold the node: connections stay open, nothing answers."""
        if self._engine.process_state(self.name) is NodeState.STOPPED:
            raise LabsError(
                f"{self.name} does not run, so it cannot be paused.",
                remedy=f'Start it first: lab.cluster["{self.name}"].start().',
            )
        self._engine.pause(self.name)

    def resume(self) -> None:
        """Let the paused node go on, and return when it is ready."""
        self.resume_if_paused()
        try:
            self.await_ready(REJOINS_WITHIN)
        except TimedOutError:
            # The others gave it up meanwhile, and before Khepri it may not find back by itself.
            self._engine.kill(self.name)
            self.start()

    def resume_if_paused(self) -> None:
        """Let the node go on without waiting for it."""
        if self._engine.process_state(self.name) is NodeState.PAUSED:
            self._engine.resume(self.name)

    def ctl(self, *arguments: str) -> str:
        """Run ``rabbitmqctl`` on this node and return what it prints."""
        return self._engine.ctl(self.name, *arguments)

    def log(self, lines: int = 15) -> str:
        """The end of the node's log."""
        return self._engine.log(self.name, lines)

    def await_ready(self, seconds: float = NODE_READY_WITHIN) -> None:
        """Wait until the node is ready and sees every other ready node.

        Raises
        ------
        TimedOutError
            It is not, after so many seconds.
        """

        def back_among_the_others() -> bool:
            nodes = self._cluster.status().nodes
            ready = frozenset(node.name for node in nodes if node.state is NodeState.READY)
            return self.name in ready and all(ready <= node.sees for node in nodes if node.name in ready)

        wait_until(
            back_among_the_others,
            seconds=seconds,
            what=f"{self.name} to be ready and see the others",
        )

    def _answers(self) -> bool:
        """Whether the AMQP port, which opens last, and the management API answer."""
        if not self._accepts():
            return False
        try:
            with Management(self._engine.management(self.name), timeout=LOOK_SECONDS) as management:
                management.get("/whoami")
        except BrokerUnreachableError:
            return False
        except RefusedError:
            # It answers; only the login is wrong, because .env was lost. `labs up` mends that.
            pass
        return True

    def _sees(self) -> frozenset[str]:
        """The nodes that this one sees running; none where it has to wait for one that hangs."""
        try:
            with Management(self._engine.management(self.name), timeout=LOOK_SECONDS) as management:
                return frozenset(self._cluster.short_name(name) for name in management.running_nodes())
        except (BrokerUnreachableError, RefusedError):
            return frozenset()

    def _accepts(self) -> bool:
        host, _, port = self._engine.amqp(self.name).rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=LOOK_SECONDS):
                return True
        except OSError:
            return False


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

    def partition(self, *names: str) -> None:
        """Cut the named nodes off from the others; clients still reach all of them.

        Raises
        ------
        LabsError
            The names do not make two sides.
        NotPossibleHereError
            The cluster is somebody else's.
        """
        self._refuse_if_not_ours()
        faults.cut(self.engine, names)

    def heal(self) -> None:
        """Mend every fault: resume, start and reconnect nodes, and return when the cluster is whole.

        Quick and harmless where nothing is broken.
        """
        if not self.is_ours or self.status().is_whole:
            return
        for node in self:
            node.resume_if_paused()
            if self.engine.process_state(node.name) is NodeState.STOPPED:
                self.engine.start(node.name)
        # A node that only boots joins by itself; one that was cut off needs its links back.
        wait_until(
            lambda: all(node.status().state is NodeState.READY for node in self) or self._answers_ctl(),
            seconds=NODE_READY_WITHIN,
            what="the nodes to start",
            retry_on=(LabsError,),
        )
        faults.mend(self.engine)
        try:
            wait_until(lambda: self.status().is_whole, seconds=REJOINS_WITHIN, what="the nodes to see each other")
        except TimedOutError:
            self._restart_the_odd_ones()
        wait_until(
            lambda: self.status().is_whole,
            seconds=NODE_READY_WITHIN,
            what="all nodes to see each other again",
        )

    def _restart_the_odd_ones(self) -> None:
        """Restart the nodes that are not of the largest group: what ends a partition that Mnesia does not end itself.

        https://www.rabbitmq.com/docs/partitions#recovering
        """
        nodes = self.status().nodes
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
        for name in self.engine.nodes:
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

    def _refuse_if_not_ours(self) -> None:
        if not self.is_ours:
            raise NotPossibleHereError(
                "This cluster is somebody else's, so the labs do not partition it.",
                meaning="Nothing was done.",
                remedy="To see this part live, run `labs up` on your own machine.",
            )
