"""Clusters for the tests: each in a folder of its own, so that a contributor's own cluster is not touched."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lab_helpers.cluster.engines.compose import ComposeEngine
from lab_helpers.cluster.engines.native import NativeEngine
from lab_helpers.settings import EngineName, load_settings

MISSING = {"compose": ComposeEngine.missing(), "native": NativeEngine.missing(load_settings())}
"""Why an engine cannot be tested here; empty where it can."""


def tested() -> list[EngineName]:
    """The engines to test: those that are here, or all that ``LABS_TEST_ENGINES`` asks for.

    CI asks for both, so that an engine that is missing there fails the tests instead of leaving them out.
    """
    asked = os.environ.get("LABS_TEST_ENGINES", "").split()
    absent = {name: MISSING[name] for name in asked if MISSING[name]}
    if absent:
        raise RuntimeError(f"LABS_TEST_ENGINES asks for engines that cannot be used here: {absent}")
    here: list[EngineName] = [name for name in ("compose", "native") if (name in asked if asked else not MISSING[name])]
    if not here:
        raise RuntimeError(f"There is no engine to test: {MISSING}")
    return here


PORTS_FURTHER = int(os.environ.get("LABS_TEST_PORTS_FURTHER", "0"))
"""How far to move all blocks, so that two checkouts can be tested side by side on one machine."""
PORT_BASES = {"compose": 6672 + PORTS_FURTHER, "native": 8672 + PORTS_FURTHER}
"""Each engine's own block, so that two that start at the same moment do not choose the same one."""


def environment(engine: str, folder: Path, *, own_ports: bool = True) -> dict[str, str | None]:
    """The settings of a cluster that lives in this folder, on the engine's own ports or on the first free ones."""
    return {
        "LABS_PORT_BASE": str(PORT_BASES[engine]) if own_ports else None,
        "LABS_ENGINE": engine,
        "LABS_STATE_DIR": str(folder / "state"),
        "LABS_ENV_FILE": str(folder / "env"),
        "LABS_WORKSPACE_DIR": str(folder / "workspace"),
        "LABS_PROGRESS_FILE": str(folder / "progress.json"),
    }


@contextmanager
def settings_of(values: Mapping[str, str | None]) -> Iterator[None]:
    """Make these settings hold for a while, here and in what is started meanwhile; None stands for an unset one."""
    before = {name: os.environ.get(name) for name in values}
    put(values)
    try:
        yield
    finally:
        put(before)


def put(values: Mapping[str, str | None]) -> None:
    """Set these environment variables, or unset them."""
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
