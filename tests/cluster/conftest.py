"""One cluster for each engine, shared by the tests of a file; each test finds it whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab_helpers.cluster import Cluster, lifecycle
from tests import engines


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each engine's tests to one worker of pytest-xdist, and those that start clusters of their own to another."""
    for item in items:
        parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        item.add_marker(pytest.mark.xdist_group(parameters.get("engine_cluster", "own clusters")))


@pytest.fixture(scope="module", params=engines.tested())
def engine_cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of its own for this file, from each engine in turn."""
    folder = tmp_path_factory.mktemp(request.param)
    with engines.settings_of(engines.environment(request.param, folder)):
        try:
            yield lifecycle.up(report=print)
        finally:
            lifecycle.down()


@pytest.fixture
def cluster(engine_cluster: Cluster) -> Cluster:
    """The file's cluster, healed of what the test before did to it."""
    engine_cluster.heal()
    return engine_cluster
