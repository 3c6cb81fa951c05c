"""What every engine can do: the interface between the cluster and whatever runs its nodes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from lab_helpers.broker.management import ManagementAddress
from lab_helpers.cluster.status import NodeState
from lab_helpers.processes import write_atomically
from lab_helpers.settings import NODES, SPARE, EngineName, Ports, Settings

Report = Callable[[str], None]
"""Takes one line of progress."""

LINKS_CUT = "links-cut"
"""The mark that a lab has cut links between nodes, which only :meth:`Cluster.heal` mends."""


class Engine(ABC):
    """Runs the nodes and the front door; knows processes or containers, not messages."""

    name: ClassVar[EngineName]
    amqp_scheme: str = "amqp"
    """"amqp", or "amqps" where the broker wants TLS."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def is_marked(self, mark: str) -> bool:
        """Whether there is this mark: :data:`SPARE` while there is a spare node, or :data:`LINKS_CUT`."""
        return (self.settings.state_dir / mark).exists()

    def mark(self, mark: str, *, present: bool) -> None:
        """Set or remove a mark, so that each notebook and command knows of it."""
        file = self.settings.state_dir / mark
        if present:
            write_atomically(file, "")
        else:
            file.unlink(missing_ok=True)

    @property
    @abstractmethod
    def nodes(self) -> tuple[str, ...]:
        """The nodes' short names."""

    @abstractmethod
    def create(self, report: Report) -> None:
        """Start whatever of the cluster does not run; returns as soon as it is started, not when ready."""

    @abstractmethod
    def destroy(self) -> None:
        """End everything and delete its data."""

    @abstractmethod
    def process_state(self, node: str) -> NodeState:
        """STOPPED, PAUSED, or BOOTING for a process that runs (only the node itself knows if it is ready)."""

    @abstractmethod
    def start(self, node: str) -> None:
        """Start a stopped node on the data it had."""

    @abstractmethod
    def stop(self, node: str) -> None:
        """Stop a node cleanly and return when it has stopped."""

    @abstractmethod
    def kill(self, node: str) -> None:
        """Kill a node as a power cut would (SIGKILL)."""

    @abstractmethod
    def pause(self, node: str) -> None:
        """Hold a node: its connections stay open and nothing answers."""

    @abstractmethod
    def resume(self, node: str) -> None:
        """Let a paused node go on."""

    @abstractmethod
    def run(self, node: str, program: str, *arguments: str) -> str:
        """Run one of RabbitMQ's command-line tools on a node and return what it prints.

        Raises
        ------
        LabsError
            It failed, or did not answer in time.
        """

    def ctl(self, node: str, *arguments: str) -> str:
        """Run ``rabbitmqctl`` on a node; see :meth:`run`."""
        return self.run(node, "rabbitmqctl", *arguments)

    @abstractmethod
    def add_spare(self, cookie: str) -> None:
        """Start the spare node from nothing: a broker of its own, with this Erlang cookie."""

    @abstractmethod
    def end_spare(self) -> None:
        """Kill the spare node, whatever it does, and delete its data; harmless where there is none."""

    @abstractmethod
    def log(self, node: str, lines: int = 15) -> str:
        """The end of a node's log."""

    @abstractmethod
    def amqp(self, node: str | None = None) -> str:
        """The AMQP address "host:port" of a node, or of the front door."""

    @abstractmethod
    def management(self, node: str | None = None) -> ManagementAddress:
        """The management API of a node, or behind the front door."""

    @property
    @abstractmethod
    def statistics(self) -> str:
        """The URL of HAProxy's statistics page, or an empty string."""

    @abstractmethod
    def open_door(self, file: Path) -> tuple[str, str]:
        """Start a second HAProxy on this configuration, in place of one that runs.

        Returns
        -------
        tuple
            Its AMQP address "host:port" and the URL of its statistics page; they may not answer yet.

        Raises
        ------
        LabsError
            HAProxy refuses the configuration; says its reason.
        """

    @abstractmethod
    def close_door(self) -> None:
        """End the second HAProxy; harmless where there is none."""

    @abstractmethod
    def redis(self) -> str:
        """Start Redis where it does not run, and return its URL; it may not answer yet.

        Raises
        ------
        LabsError
            There is no Redis here; says what to install or to set.
        """

    @abstractmethod
    def end_redis(self) -> None:
        """End Redis and what it holds, if it is ours and runs."""


class LocalEngine(Engine):
    """An engine that runs the cluster on this machine, on a block of ports of 127.0.0.1."""

    def __init__(self, settings: Settings, ports: Ports) -> None:
        super().__init__(settings)
        self.ports = ports

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes' short names; the spare one is among them while it is there."""
        return (*NODES, SPARE) if self.is_marked(SPARE) else NODES

    def amqp(self, node: str | None = None) -> str:
        """The node's own port, or the front door's."""
        return f"127.0.0.1:{self.ports.node_amqp(node) if node else self.ports.amqp}"

    def management(self, node: str | None = None) -> ManagementAddress:
        """The node's own management port, or the front door's."""
        port = self.ports.node_management(node) if node else self.ports.management
        return ManagementAddress(
            f"http://127.0.0.1:{port}", self.settings.user, self.settings.password.get_secret_value()
        )

    @property
    def door(self) -> tuple[str, str]:
        """The addresses of the second HAProxy; see :meth:`open_door`."""
        return f"127.0.0.1:{self.ports.door}", f"http://127.0.0.1:{self.ports.door_statistics}/"

    @property
    def redis_url(self) -> str:
        """Where this engine's Redis listens, with login."""
        return f"redis://:{self.settings.password.get_secret_value()}@127.0.0.1:{self.ports.redis}/0"

    @property
    def statistics(self) -> str:
        """HAProxy's statistics page."""
        return f"http://127.0.0.1:{self.ports.statistics}/"
