"""Which cluster is up: remembered in one small file from ``labs up`` to ``labs down``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from lab_helpers.processes import write_atomically
from lab_helpers.settings import EngineName, Settings


@dataclass(frozen=True)
class Remembered:
    """What ``.labs/cluster.json`` says of the cluster that was brought up last and not taken down."""

    engine: EngineName
    port_base: int


def memory_file(settings: Settings) -> Path:
    """Where the running cluster is remembered."""
    return settings.state_dir / "cluster.json"


def remembered(settings: Settings) -> Remembered | None:
    """What is remembered, or None; a damaged file counts as none."""
    try:
        found = json.loads(memory_file(settings).read_text())
        return Remembered(found["engine"], int(found["port_base"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(settings: Settings, engine: EngineName, port_base: int) -> None:
    """Note which engine and which block of ports the cluster has from now on."""
    write_atomically(memory_file(settings), json.dumps({"engine": engine, "port_base": port_base}))


def forget(settings: Settings) -> None:
    """Note that there is no cluster any more."""
    memory_file(settings).unlink(missing_ok=True)
