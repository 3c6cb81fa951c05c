"""A cluster that somebody else runs: used, and never broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab_helpers import Lab, LabsError
from lab_helpers.cluster import Cluster, lifecycle
from lab_helpers.cluster.choice import make_engine
from lab_helpers.cluster.redis_server import redis_url
from lab_helpers.errors import NotPossibleHereError
from lab_helpers.settings import Ports, load_settings
from tests import engines
from tests.cluster import messages


@pytest.fixture
def external(cluster: Cluster, tmp_path: object) -> Cluster:
    address = cluster.engine.management()
    return Cluster(
        make_engine(
            "external",
            load_settings().model_copy(
                update={
                    "amqp_url": f"amqp://{address.user}:{address.password}@{cluster.engine.amqp()}",
                    "management_url": address.url.replace("://", f"://{address.user}:{address.password}@"),
                }
            ),
            Ports(),
        )
    )


def test_its_status_names_the_nodes_and_it_passes_a_message(external: Cluster) -> None:
    status = external.status()
    assert [node.name for node in status.nodes] == ["rmq1@rmq1", "rmq2@rmq2", "rmq3@rmq3"]
    assert status.is_whole
    assert lifecycle.passes_a_message(external)


@pytest.mark.parametrize("operation", ["start", "stop", "kill", "pause", "resume", "restart"])
def test_no_operation_touches_a_node(cluster: Cluster, external: Cluster, operation: str) -> None:
    name = "rmq1@rmq1"
    if operation in ("start", "resume"):
        getattr(external[name], operation)()  # the node runs: there is nothing to do
    else:
        with pytest.raises(NotPossibleHereError, match=r"somebody else's.*Nothing was done"):
            getattr(external[name], operation)()
    assert cluster.status().is_whole


def test_no_partition_and_no_rabbitmqctl(external: Cluster) -> None:
    with pytest.raises(NotPossibleHereError, match="do not partition it"):
        external.partition("rmq1@rmq1")
    with pytest.raises(NotPossibleHereError, match="rabbitmqctl"):
        external["rmq1@rmq1"].ctl("status")


def test_a_lab_runs_on_it(cluster: Cluster, tmp_path: object) -> None:
    address = cluster.engine.management()
    values = {
        "LABS_ENGINE": "external",
        "LABS_STATE_DIR": str(tmp_path),
        "LABS_AMQP_URL": f"amqp://{address.user}:{address.password}@{cluster.engine.amqp()}",
        "LABS_MANAGEMENT_URL": address.url.replace("://", f"://{address.user}:{address.password}@"),
    }
    with engines.settings_of(values):
        lab = Lab("04_direct_exchange")
        with messages.pika.BlockingConnection(messages.pika.URLParameters(lab.url)) as connection:
            connection.channel().queue_declare("lyon", durable=True)
        assert "queue lyon (classic, durable): empty" in str(lab.topology())
        assert not lab.needs("break-nodes")
        assert not lab.needs("redis")
        lab.check("regions")


def test_redis_is_the_one_that_the_settings_name(cluster: Cluster, tmp_path: Path) -> None:
    address = cluster.engine.management()
    values = {
        "LABS_ENGINE": "external",
        "LABS_STATE_DIR": str(tmp_path / "not there yet"),
        "LABS_AMQP_URL": f"amqp://{address.user}:{address.password}@{cluster.engine.amqp()}",
        "LABS_MANAGEMENT_URL": address.url.replace("://", f"://{address.user}:{address.password}@"),
        "LABS_REDIS_URL": redis_url(cluster.engine),
    }
    with engines.settings_of(values):
        lab = Lab("00_start_here")
        assert lab.needs("redis")
        assert lab.redis() == values["LABS_REDIS_URL"]


def test_a_wrong_login_is_a_sentence(cluster: Cluster, tmp_path: object) -> None:
    values = {
        "LABS_ENGINE": "external",
        "LABS_STATE_DIR": str(tmp_path),
        "LABS_AMQP_URL": f"amqp://labs:wrong@{cluster.engine.amqp()}",
        "LABS_MANAGEMENT_URL": cluster.engine.management().url.replace("://", "://labs:wrong@"),
    }
    with engines.settings_of(values), pytest.raises(LabsError, match="401"):
        Lab("04_direct_exchange")
