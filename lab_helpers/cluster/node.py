"""One node of the cluster, as a lab stops, breaks and starts it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from lab_helpers.broker.management import Management, RefusedError
from lab_helpers.broker.waiting import TimedOutError, wait_until
from lab_helpers.cluster.status import NodeState, NodeStatus
from lab_helpers.errors import BrokerUnreachableError, LabsError
from lab_helpers.settings import SPARE

if TYPE_CHECKING:
    from lab_helpers.cluster.cluster import Cluster

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
            self.name == SPARE,
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

    def run(self, program: str, *arguments: str) -> str:
        """Run another of RabbitMQ's tools on this node, such as ``rabbitmq-queues``, and return what it prints."""
        return self._engine.run(self.name, program, *arguments)

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
            if self.name == SPARE:
                # Member or not: that is up to the learner.
                return any(node.name == SPARE and SPARE in node.sees for node in nodes)
            nodes = tuple(node for node in nodes if node.name != SPARE)
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
