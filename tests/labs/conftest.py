"""One cluster for each engine, for all labs and all of pytest-xdist's workers.

Labs run beside each other on it, as they do for a room of learners. Those that break nodes would disturb the others:
they have the mark ``alone`` and a stage of their own, in which each engine's cluster is one process's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest
from xdist.remote import Producer

from lab_helpers.cluster import lifecycle
from tests import engines
from tests.labs.turns import breaks_nodes, turn
from tests.scheduling import ByEngine, ByLab

ALONE = "alone"
FOLDER = "LABS_TEST_FOLDER"
"""Tells the workers where the clusters are that the main process started."""


def pytest_configure(config: pytest.Config) -> None:
    """Say what the marks mean."""
    config.addinivalue_line("markers", f"{ALONE}: the lab stops or breaks nodes, as its header says")
    config.addinivalue_line("markers", "together: everything else")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests on a cluster of the labs that break nodes, and all others."""
    for item in items:
        parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        alone = "engine" in parameters and breaks_nodes(parameters.get("slug"))
        item.add_marker(ALONE if alone else "together")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByEngine | ByLab:
    """Spread the labs over the processes; each engine is one process's where nodes are broken."""
    return (ByEngine if config.option.markexpr == ALONE else ByLab)(config, log)


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
    """Each engine in turn, with the settings of its cluster; a lab that breaks nodes has it to itself."""
    folder = Path(os.environ[FOLDER]) / request.param
    alone = breaks_nodes(request.node.callspec.params.get("slug"))
    with engines.settings_of(engines.environment(request.param, folder)), turn(folder, alone=alone):
        yield request.param
        if alone:
            # What a run left broken that was cut short is mended before others get the cluster.
            lifecycle.current().heal()
