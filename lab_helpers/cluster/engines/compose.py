"""The cluster as containers: ``docker-compose.yml`` with the official images."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from lab_helpers.cluster.commands import run
from lab_helpers.cluster.engine import LINKS_CUT, LocalEngine, Report
from lab_helpers.cluster.status import NodeState
from lab_helpers.errors import LabsError
from lab_helpers.settings import ROOT, SPARE, env_file, write_env

QUICK = 30.0
"""Seconds for a Docker command that does no work to speak of."""
PULL = 900.0
"""Seconds for the first start, which downloads the images."""

PROFILES = ("--profile", "redis", "--profile", "spare", "--profile", "door")
"""What is started only when a lab asks for it, and must be ended all the same."""

DOOR_FILE = "/usr/local/etc/haproxy/haproxy.cfg"
"""Where the containers of HAProxy have their configuration."""

STATES = {
    "running": NodeState.BOOTING,
    "restarting": NodeState.BOOTING,
    "paused": NodeState.PAUSED,
}
"""Docker's word for a container's state, where it is not simply stopped."""


class ComposeEngine(LocalEngine):
    """Three containers and HAProxy, each node with a volume of its own until ``down``."""

    name = "compose"

    @staticmethod
    def missing() -> str:
        """Why this engine cannot be used here, or an empty string if it can."""
        try:
            run(["docker", "version", "--format", "{{.Server.Version}}"], seconds=QUICK)
        except LabsError as error:
            if "is not there" in error.what:
                return "Docker is not installed."
            return "Docker is installed, but its engine does not answer: is it running, and may you use it?"
        try:
            run(["docker", "compose", "version"], seconds=QUICK)
        except LabsError:
            return "Docker runs, but `docker compose` (version 2) is not installed."
        return ""

    def create(self, report: Report) -> None:
        """Write what ``docker-compose.yml`` reads into ``.env``, and start the containers."""
        write_env(self._addresses())
        if not self._images_present():
            report("Downloading the RabbitMQ and HAProxy images (about 200 MB, once)")
        self._compose("up", "--detach", "--quiet-pull", seconds=PULL)
        if SPARE in self.nodes:
            # Half made, half gone or held, it is not waited for.
            with suppress(LabsError):
                self.start(SPARE)

    def destroy(self) -> None:
        """Remove containers, network and volumes."""
        for mark in (SPARE, LINKS_CUT):
            self.mark(mark, present=False)
        self._compose(*PROFILES, "down", "--volumes", "--remove-orphans", "--timeout", "1", seconds=120)

    def process_state(self, node: str) -> NodeState:
        """Ask Docker for the container's state."""
        try:
            answer = self._docker("inspect", "--format", "{{json .State.Status}}", self._container(node))
        except LabsError:
            return NodeState.STOPPED
        return STATES.get(json.loads(answer), NodeState.STOPPED)

    def start(self, node: str) -> None:
        """Start the container again; its volume has the node's data."""
        self._docker("start", self._container(node))

    def stop(self, node: str) -> None:
        """Stop the container by SIGTERM, on which RabbitMQ shuts down cleanly."""
        self._docker("stop", "--time", "30", self._container(node), seconds=60)

    def kill(self, node: str) -> None:
        """Kill the container by SIGKILL."""
        self._docker("kill", self._container(node))

    def pause(self, node: str) -> None:
        """Freeze the container's processes."""
        try:
            self._docker("pause", self._container(node))
        except LabsError:
            # On a busy machine the kernel may not freeze them all in time ("unable to freeze"): once more.
            self._docker("pause", self._container(node))

    def resume(self, node: str) -> None:
        """Thaw them."""
        self._docker("unpause", self._container(node))

    def run(self, node: str, program: str, *arguments: str) -> str:
        """Run the tool inside the node's container."""
        return run(
            ["docker", "exec", self._container(node), program, "--quiet", *arguments],
            seconds=60,
            remedy=f"Run `labs status` to see how {node} is.",
            shown=" ".join([program, *arguments[:1]]),
        )

    def add_spare(self, cookie: str) -> None:
        """Start the container of the profile ``spare``."""
        self.mark(SPARE, present=True)
        self._compose("up", "--detach", "--no-deps", SPARE, seconds=60, env={"LABS_SPARE_COOKIE": cookie})

    def end_spare(self) -> None:
        """Remove the container and its volume."""
        self._docker("rm", "--force", "--volumes", self._container(SPARE))
        self.mark(SPARE, present=False)

    def log(self, node: str, lines: int = 15) -> str:
        """The end of the container's output."""
        try:
            return self._docker("logs", "--tail", str(lines), self._container(node))
        except LabsError:
            return ""

    def open_door(self, file: Path) -> tuple[str, str]:
        """Check the configuration in a container that ends at once, then start the one of the profile ``door``."""
        self.close_door()
        env = {"LABS_DOOR_FILE": str(file)}
        command = ("run", "--rm", "--no-deps", "--no-TTY", "door", "haproxy", "-c", "-f", DOOR_FILE)
        self._compose(*command, seconds=60, env=env, shown="haproxy -c")
        self._compose("up", "--detach", "--no-deps", "door", seconds=60, env=env)
        return self.door

    def close_door(self) -> None:
        """Remove the container."""
        self._docker("rm", "--force", self._container("door"))

    def redis(self) -> str:
        """Start the container of the profile ``redis``."""
        # To look costs a tenth of what Compose takes to find nothing to do, and a check looks often.
        if self.process_state("redis") is NodeState.STOPPED:
            self._compose("up", "--detach", "--quiet-pull", "--no-deps", "redis", seconds=PULL)
        return self.redis_url

    def end_redis(self) -> None:
        """Remove the container."""
        self._compose("rm", "--stop", "--force", "redis")

    def _addresses(self) -> dict[str, str]:
        return {
            "LABS_COMPOSE_PROJECT": self.settings.project,
            **{name: str(port) for name, port in self.ports.published().items()},
        }

    def _container(self, node: str) -> str:
        return f"{self.settings.project}-{node}-1"

    def _docker(self, *arguments: str, seconds: float = QUICK) -> str:
        return run(["docker", *arguments], seconds=seconds, remedy="Run `labs doctor` to see how Docker is.")

    def _compose(
        self, *arguments: str, seconds: float = QUICK, env: Mapping[str, str] | None = None, shown: str = ""
    ) -> str:
        return run(
            [
                *("docker", "compose", "--project-name", self.settings.project),
                *("--file", str(ROOT / "docker-compose.yml"), "--env-file", str(env_file())),
                *arguments,
            ],
            seconds=seconds,
            # Compose prefers the shell's variables to those of .env: give it the ones that hold.
            env={
                **os.environ,
                **self._addresses(),
                "LABS_USER": self.settings.user,
                "LABS_PASSWORD": self.settings.password.get_secret_value(),
                "LABS_ERLANG_COOKIE": self.settings.erlang_cookie.get_secret_value(),
                "LABS_RABBITMQ_IMAGE": self.settings.rabbitmq_image,
                **(env or {}),
            },
            cwd=ROOT,
            shown=shown,
            remedy="Run `labs doctor` to see how Docker is; `labs up --engine native` does without it.",
        )

    def _images_present(self) -> bool:
        try:
            self._docker("image", "inspect", "--format", "{{.Id}}", *self._compose("config", "--images").split())
        except LabsError:
            return False
        return True
