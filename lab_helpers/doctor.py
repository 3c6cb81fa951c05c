"""Look for what could be wrong on this machine, and say what to do about each finding."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lab_helpers.cluster import lifecycle, ports
from lab_helpers.cluster.engines.compose import ComposeEngine
from lab_helpers.cluster.engines.native import NativeEngine, find_rabbitmq, installed_version
from lab_helpers.cluster.memory import remembered
from lab_helpers.cluster.status import NodeState
from lab_helpers.errors import LabsError
from lab_helpers.settings import ROOT, Ports, Settings, env_file, load_settings
from lab_helpers.workspace import JupyterLab


@dataclass(frozen=True)
class Finding:
    """One thing looked at: ``ok`` is None where it is neither right nor wrong."""

    topic: str
    ok: bool | None
    text: str


def examine() -> Iterator[Finding]:
    """Look at one thing after the other; never raises for what it finds."""
    yield Finding("Python", sys.version_info >= (3, 11), f"{platform.python_version()} (3.11 or later is needed)")
    try:
        settings = load_settings()
    except LabsError as error:
        yield Finding("Settings", False, str(error))
        return
    looks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (engines, programs, files, cluster, jupyterlab)
    for look in looks:
        yield from look(settings)


def engines(settings: Settings) -> Iterator[Finding]:
    """What could run the cluster."""
    no_compose, no_native = ComposeEngine.missing(), NativeEngine.missing(settings)
    yield Finding("Docker", None if no_compose else True, no_compose or "the engine answers, and so does Compose")
    home = find_rabbitmq(settings.rabbitmq_home)
    found = f"RabbitMQ {installed_version(home)} in {home}, and HAProxy" if home else ""
    yield Finding("RabbitMQ on this host", None if no_native else True, no_native or found)
    external = bool(settings.amqp_url and settings.management_url)
    if no_compose and no_native and not external:
        yield Finding(
            "Engine",
            False,
            "Neither is there. Install Docker, or `sudo apt-get install rabbitmq-server haproxy`, "
            "or `brew install rabbitmq haproxy`.",
        )


def programs(_: Settings) -> Iterator[Finding]:
    """What the pictures need."""
    there = shutil.which("dot") is not None
    yield Finding(
        "Graphviz",
        there,
        "draws the pictures"
        if there
        else "is missing, so pictures show as text: `sudo apt-get install graphviz` or `brew install graphviz`.",
    )


def files(settings: Settings) -> Iterator[Finding]:
    """Where things are kept."""
    folder = settings.state_dir if settings.state_dir.exists() else ROOT
    free = shutil.disk_usage(folder).free
    yield Finding("Disk", free > lifecycle.LEAST_DISK, f"{free // 1_000_000} MB free for {settings.state_dir}")
    file = env_file()
    if not file.exists():
        yield Finding(".env", None, "is not there yet; `labs up` makes it")
    else:
        private = file.stat().st_mode & 0o077 == 0
        yield Finding(
            ".env", private, "is readable by you alone" if private else f"others can read it: `chmod 600 {file}`"
        )


def cluster(settings: Settings) -> Iterator[Finding]:
    """The cluster, if it was brought up; else the ports that it would use."""
    if remembered(settings) is None:
        usual = Ports(settings.port_base or Ports().base)
        in_use = ports.taken(usual.published().values())
        yield Finding("Cluster", None, "is not up; `labs up` starts it")
        yield Finding(
            "Ports",
            None if in_use else True,
            f"{in_use[0]} is taken by {ports.holder(in_use[0])}; `labs up` uses the next free block"
            if in_use
            else f"{usual.amqp}, {usual.management}, {usual.statistics} and the nodes' own are free",
        )
        return
    status = lifecycle.status()
    if status is None:
        yield Finding("Cluster", False, "cannot be looked at; run `labs down`, then `labs up`.")
        return
    yield Finding(
        "Cluster",
        status.is_whole,
        f"{status.engine}, RabbitMQ {status.version}, three nodes that see each other"
        if status.is_whole
        else "is not whole; `labs up` starts and reconnects what is missing",
    )
    for node in status.nodes:
        if node.state is not NodeState.READY:
            yield Finding(node.name, False, str(node.state))


def jupyterlab(settings: Settings) -> Iterator[Finding]:
    """JupyterLab, if it was started."""
    link = JupyterLab(settings).link()
    yield Finding("JupyterLab", True if link else None, link or "is not running; `labs up` starts it")
