"""Whose turn it is on a cluster: labs share it, and one that breaks nodes has it to itself."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from lab_helpers import build
from lab_helpers.settings import ROOT

BREAKS = "break-nodes"
"""What such a lab has under ``cluster`` in its header."""


@cache
def breaking() -> frozenset[str]:
    """The labs whose headers say that they stop or break nodes."""
    return frozenset(source.slug for source in build.find(ROOT) if BREAKS in source.metadata.cluster)


def breaks_nodes(slug: str | None) -> bool:
    """Whether this lab's header says so."""
    return slug in breaking()


@contextmanager
def turn(folder: Path, *, alone: bool) -> Iterator[None]:
    """Wait for a turn on the cluster of this folder, and have it together with others or alone.

    The operating system ends a turn with its process, so that a worker that crashes holds nobody up.
    """
    with (folder / "turn").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
