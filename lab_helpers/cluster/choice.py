"""Choose how to run the cluster, by what is asked for and what is there."""

from __future__ import annotations

from collections.abc import Callable

from lab_helpers.cluster.engine import Engine
from lab_helpers.cluster.engines.compose import ComposeEngine
from lab_helpers.cluster.engines.external import ExternalEngine
from lab_helpers.cluster.engines.native import NativeEngine
from lab_helpers.errors import LabsError
from lab_helpers.settings import EngineName, Ports, Settings


def make_engine(name: EngineName, settings: Settings, block: Ports) -> Engine:
    """Make the engine of that name."""
    if name == "external":
        return ExternalEngine(settings)
    return ComposeEngine(settings, block) if name == "compose" else NativeEngine(settings, block)


def choose_engine(settings: Settings, wanted: EngineName | None) -> tuple[EngineName, str]:
    """Choose how to run the cluster.

    Returns
    -------
    tuple
        The engine, and a sentence that says why.

    Raises
    ------
    LabsError
        The wanted engine, or each of them, cannot be used here; says what is missing.
    """
    chosen = wanted or (None if settings.engine == "auto" else settings.engine)
    if chosen == "external":
        return "external", "the cluster is somebody else's, as LABS_AMQP_URL says"
    without: dict[EngineName, Callable[[], str]] = {
        "compose": ComposeEngine.missing,
        "native": lambda: NativeEngine.missing(settings),
    }
    if chosen is not None:
        reason = without[chosen]()
        if reason:
            raise LabsError(
                f"The {chosen} engine cannot be used: {reason}", remedy="Run `labs doctor` to see what to do."
            )
        return chosen, "as asked"
    no_compose = ComposeEngine.missing()
    if not no_compose:
        return "compose", "a Docker Engine answers"
    no_native = NativeEngine.missing(settings)
    if not no_native:
        return "native", no_compose.rstrip(".")
    raise LabsError(
        f"There is nothing to run RabbitMQ with. {no_compose} {no_native}",
        remedy="Install one: Docker (https://docs.docker.com/engine/install/), or on Debian and Ubuntu "
        "`sudo apt-get install rabbitmq-server haproxy`, or on macOS `brew install rabbitmq haproxy`.",
    )
