"""Each operation on a node and on the cluster, on each engine that is here."""

from __future__ import annotations

import gc
import threading
from uuid import uuid4

import psutil
import pytest
from pika.exceptions import AMQPError

from lab_helpers import Lab, LabsError
from lab_helpers.broker import amqp
from lab_helpers.broker.management import Management, path
from lab_helpers.broker.waiting import wait_until
from lab_helpers.cluster import Cluster, lifecycle
from lab_helpers.cluster.status import NodeState
from lab_helpers.errors import BrokerUnreachableError
from lab_helpers.settings import NODES
from tests.cluster import messages

ALL = frozenset(NODES)


def states(cluster: Cluster) -> dict[str, NodeState]:
    return {node.name: node.state for node in cluster.status().nodes}


def sees(cluster: Cluster) -> dict[str, frozenset[str]]:
    return {node.name: node.sees for node in cluster.status().nodes}


def test_status_has_the_same_shape_from_every_engine(cluster: Cluster) -> None:
    status = cluster.status()
    assert [node.name for node in status.nodes] == list(NODES)
    assert all(node.state is NodeState.READY and node.sees == ALL for node in status.nodes)
    base = int(status.amqp.removeprefix("127.0.0.1:"))
    assert [node.amqp for node in status.nodes] == [f"127.0.0.1:{base + n}" for n in (1, 2, 3)]
    assert [node.management for node in status.nodes] == [f"http://127.0.0.1:{base + 10_000 + n}" for n in (1, 2, 3)]
    assert status.management == f"http://127.0.0.1:{base + 10_000}"
    assert status.statistics == f"http://127.0.0.1:{base + 2_732}/"
    assert status.version.count(".") == 2
    assert status.is_whole


def test_up_again_is_harmless(cluster: Cluster) -> None:
    messages.publish(cluster, "kept", b"still here")
    lines: list[str] = []
    lifecycle.up(report=lines.append)
    assert not any("starting it" in line for line in lines)
    assert messages.get(cluster, "kept") == b"still here"


@pytest.mark.parametrize("way", ["kill", "stop"])
def test_a_node_comes_back_with_its_data(cluster: Cluster, way: str) -> None:
    messages.publish(cluster, f"after {way}", b"durable", node="rmq2")
    getattr(cluster["rmq2"], way)()
    assert states(cluster)["rmq2"] is NodeState.STOPPED
    wait_until(lambda: sees(cluster)["rmq1"] == {"rmq1", "rmq3"}, what="rmq1 to notice")
    assert not cluster.status().is_whole

    cluster["rmq2"].start()
    assert cluster.status().is_whole
    assert messages.get(cluster, f"after {way}", node="rmq2") == b"durable"


def test_restart_is_a_stop_and_a_start(cluster: Cluster) -> None:
    def incarnation() -> str:
        """Which of a node's lives this is: https://www.erlang.org/doc/apps/erts/erlang#t:system_info_item/0."""
        return cluster["rmq3"].ctl("eval", "erlang:system_info(creation).")

    before = incarnation()
    cluster["rmq3"].restart()
    assert cluster.status().is_whole
    assert incarnation() != before


def test_a_paused_node_hangs_and_the_front_door_avoids_it(cluster: Cluster) -> None:
    cluster["rmq1"].pause()
    expected = {"rmq1": NodeState.PAUSED, "rmq2": NodeState.READY, "rmq3": NodeState.READY}
    wait_until(lambda: states(cluster) == expected, seconds=30, what="one node to be held, and the others ready")
    front_door_passes_a_message(cluster)
    with pytest.raises(BrokerUnreachableError):
        messages.connect(cluster, "rmq1")

    cluster["rmq1"].resume()
    assert cluster.status().is_whole


def test_a_stopped_node_cannot_be_paused(cluster: Cluster) -> None:
    cluster["rmq3"].kill()
    with pytest.raises(LabsError, match="rmq3 does not run, so it cannot be paused"):
        cluster["rmq3"].pause()


def test_a_partition_cuts_one_node_off_and_heal_mends_it(cluster: Cluster) -> None:
    cluster.partition("rmq3")
    wait_until(lambda: sees(cluster)["rmq1"] == {"rmq1", "rmq2"}, seconds=30, what="the two to see each other alone")
    wait_until(lambda: sees(cluster)["rmq2"] == {"rmq1", "rmq2"}, seconds=30, what="the two to see each other alone")
    # With Khepri the third node runs on alone; before, it pauses for lack of a majority and answers nothing.
    assert sees(cluster)["rmq3"] in ({"rmq3"}, frozenset())

    cluster.heal()
    assert sees(cluster) == dict.fromkeys(NODES, ALL)
    front_door_passes_a_message(cluster)


def test_a_partition_needs_two_sides(cluster: Cluster) -> None:
    for names in ((), NODES, ("rmq9",)):
        with pytest.raises(LabsError, match="A partition needs two sides"):
            cluster.partition(*names)
    assert cluster.status().is_whole


def test_rabbitmqctl_answers_and_its_failure_is_a_sentence(cluster: Cluster) -> None:
    assert "rmq1@rmq1" in cluster["rmq2"].ctl("eval", "nodes().")
    with pytest.raises(LabsError, match="failed"):
        cluster["rmq2"].ctl("no_such_command")


def test_an_unknown_node_is_named(cluster: Cluster) -> None:
    with pytest.raises(LabsError, match="no node 'rmq4'"):
        cluster["rmq4"]


def front_door_passes_a_message(cluster: Cluster) -> None:
    """Wait for it: where the lost node led the metadata store, the others first have to elect another leader."""
    wait_until(
        lambda: lifecycle.passes_a_message(cluster), seconds=90, what="the front door", retry_on=(AMQPError, LabsError)
    )


def led_to(cluster: Cluster) -> str:
    """The node to which the front door leads a client now: a classic queue is made where its client is."""
    name = f"here {uuid4()}"
    with messages.connect(cluster) as connection:
        connection.channel().queue_declare(name, durable=True)
    with Management(cluster.engine.management()) as management:
        return cluster.short_name(management.get(path("queues", "/", name))["node"])


def test_the_front_door_leads_a_client_to_the_node_it_had_and_past_it_when_it_is_dead(cluster: Cluster) -> None:
    had = {led_to(cluster) for _ in range(4)}
    assert len(had) == 1
    cluster[had.pop()].kill()
    front_door_passes_a_message(cluster)


def test_making_a_lab_heals_the_cluster(cluster: Cluster) -> None:
    cluster["rmq1"].kill()
    cluster["rmq2"].pause()
    lab = Lab("00_start_here")
    assert lab.cluster.status().is_whole
    assert str(lab.topology()) == "nothing declared yet"


def test_a_lab_made_anew_ends_the_old_recorder_without_waiting_for_a_thread(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The garbage collector may run while a thread starts; to wait for the end of another one was a deadlock then.
    lab = Lab("00_start_here")
    assert lab._tap is not None
    recorder = psutil.Process(lab._tap.pid)
    waited: list[object] = []
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "join", lambda thread, timeout=None: waited.append(thread))
        del lab
        gc.collect()
    assert waited == []
    wait_until(lambda: not recorder.is_running())


def test_a_lab_cannot_touch_what_is_not_its_own(cluster: Cluster) -> None:
    lab = Lab("00_start_here")
    with pytest.raises(BrokerUnreachableError, match="ProbableAccessDenied"):
        amqp.connect(lab.url.rsplit("/", 1)[0] + "/%2F")
