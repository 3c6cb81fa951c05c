"""One cluster for each engine, shared by all tests; each test finds it whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from xdist.remote import Producer

from lab_helpers.cluster import Cluster, lifecycle
from tests import engines
from tests.scheduling import ByEngine


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByEngine:
    """Test the engines side by side where there are two processes."""
    return ByEngine(config, log)


@pytest.fixture(scope="session", params=engines.tested())
def engine_cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster for these tests, from each engine: two processes of xdist test the two side by side."""
    folder = tmp_path_factory.mktemp(request.param)
    with engines.settings_of(engines.environment(request.param, folder)):
        try:
            yield lifecycle.up(report=print)
        finally:
            lifecycle.down()


@pytest.fixture
def cluster(engine_cluster: Cluster) -> Cluster:
    """The engine's cluster, healed of what the test before did to it."""
    engine_cluster.heal()
    return engine_cluster
