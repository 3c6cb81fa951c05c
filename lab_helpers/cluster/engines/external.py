"""A cluster that somebody else runs: it can be used, and never started, stopped or broken."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from lab_helpers.broker.management import Management, ManagementAddress, bracketed
from lab_helpers.cluster.engine import Engine, Report
from lab_helpers.cluster.status import NodeState
from lab_helpers.errors import LabsError, NotPossibleHereError
from lab_helpers.settings import Settings


class ExternalEngine(Engine):
    """Reached by ``LABS_AMQP_URL`` and ``LABS_MANAGEMENT_URL``."""

    name = "external"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        if not settings.amqp_url or not settings.management_url:
            raise LabsError(
                "The external engine needs LABS_AMQP_URL and LABS_MANAGEMENT_URL.",
                meaning="They say where the cluster is, with a login that may make virtual hosts and users.",
                remedy="Set both, for example LABS_AMQP_URL=amqp://user:password@host:5672 and "
                "LABS_MANAGEMENT_URL=http://user:password@host:15672.",
            )
        self._address = ManagementAddress.from_url(settings.management_url)
        refused = LabsError(
            "LABS_AMQP_URL is not of the form amqp://user:password@host:5672.",
            remedy="Correct it in the environment or in .env.",
        )
        try:
            parts = urlsplit(settings.amqp_url)
            port = parts.port or (5671 if parts.scheme == "amqps" else 5672)
        except ValueError as error:
            raise refused from error
        if parts.scheme not in ("amqp", "amqps") or not parts.hostname:
            raise refused
        self.amqp_scheme = parts.scheme
        self._amqp = f"{bracketed(parts.hostname)}:{port}"

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that the management API lists."""
        with Management(self._address) as management:
            return tuple(sorted(node["name"] for node in management.get("/nodes?columns=name")))

    def create(self, report: Report) -> None:
        """Nothing to start."""
        report("Using the cluster at " + self._amqp)

    def destroy(self) -> None:
        """Nothing to end."""

    def process_state(self, node: str) -> NodeState:
        """What the management API says of the node."""
        with Management(self._address) as management:
            return NodeState.BOOTING if node in management.running_nodes() else NodeState.STOPPED

    def start(self, node: str) -> NoReturn:
        """Refused."""
        self._refuse("start")

    def stop(self, node: str) -> NoReturn:
        """Refused."""
        self._refuse("stop")

    def kill(self, node: str) -> NoReturn:
        """Refused."""
        self._refuse("kill")

    def pause(self, node: str) -> NoReturn:
        """Refused."""
        self._refuse("pause")

    def resume(self, node: str) -> NoReturn:
        """Refused."""
        self._refuse("resume")

    def run(self, node: str, program: str, *arguments: str) -> NoReturn:
        """Refused."""
        self._refuse(f"run {program} on")

    def add_spare(self, cookie: str) -> NoReturn:
        """Refused."""
        self._refuse("add to")

    def end_spare(self) -> None:
        """There is none."""

    def log(self, node: str, lines: int = 15) -> str:
        """Not ours to read."""
        return ""

    def amqp(self, node: str | None = None) -> str:
        """The given address; single nodes cannot be addressed."""
        return self._amqp

    def management(self, node: str | None = None) -> ManagementAddress:
        """The given address; single nodes cannot be addressed."""
        return self._address

    @property
    def statistics(self) -> str:
        """The front door, if any, is not ours."""
        return ""

    def open_door(self, file: Path) -> NoReturn:
        """Refused."""
        self._refuse("put a HAProxy in front of")

    def close_door(self) -> None:
        """There is none."""

    def redis(self) -> str:
        """The given one."""
        if not self.settings.redis_url:
            raise NotPossibleHereError(
                "This part needs Redis, and an external cluster has none that is known here.",
                remedy="Set LABS_REDIS_URL to one, as redis://:password@host:port/0, or run `labs up` on your own "
                "machine.",
            )
        return self.settings.redis_url

    def end_redis(self) -> None:
        """It is not ours to end."""

    def _refuse(self, operation: str) -> NoReturn:
        raise NotPossibleHereError(
            f"This cluster is somebody else's, so the labs do not {operation} its nodes.",
            meaning="Nothing was done.",
            remedy="To see this part live, run `labs up` on your own machine.",
        )
