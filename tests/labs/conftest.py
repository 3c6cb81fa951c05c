"""One cluster for each engine, for all labs and all of pytest-xdist's workers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from lab_helpers.cluster import lifecycle
from tests import engines

FOLDER = "LABS_TEST_FOLDER"
"""Tells the workers where the clusters are that the main process started."""


def is_main(session: pytest.Session) -> bool:
    """Whether this is the process that starts the workers, or the only one."""
    return not hasattr(session.config, "workerinput")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Bring up the clusters before any worker begins."""
    if not is_main(session):
        return
    os.environ[FOLDER] = mkdtemp(prefix="labs-test-")
    for engine in engines.tested():
        with engines.settings_of(engines.environment(engine, Path(os.environ[FOLDER]) / engine)):
            lifecycle.up(report=lambda line, engine=engine: print(f"{engine}: {line}"))  # type: ignore[misc]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Take them down when all workers have ended."""
    if not is_main(session) or FOLDER not in os.environ:
        return
    for engine in engines.tested():
        with engines.settings_of(engines.environment(engine, Path(os.environ[FOLDER]) / engine)):
            lifecycle.down()


@pytest.fixture(params=engines.tested())
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each engine in turn, with the settings of its cluster."""
    with engines.settings_of(engines.environment(request.param, Path(os.environ[FOLDER]) / request.param)):
        yield request.param
