"""A fourth node: started apart, refused, joined, used, forgotten; and gone after heal, whatever state it was in."""

from __future__ import annotations

import pytest

from lab_helpers import LabsError
from lab_helpers.broker.management import Management
from lab_helpers.broker.waiting import wait_until
from lab_helpers.cluster import Cluster, Node
from lab_helpers.cluster.engine import LocalEngine
from lab_helpers.cluster.status import NodeState
from lab_helpers.settings import NODES, SPARE
from tests.cluster import messages

FOUR = frozenset({*NODES, SPARE})


def members(cluster: Cluster) -> set[str]:
    with Management(cluster.engine.management("rmq1")) as management:
        return {cluster.short_name(node["name"]) for node in management.get("/nodes?columns=name")}


def join(node: Node, to: str = "rmq1@rmq1") -> None:
    node.ctl("stop_app")
    node.ctl("join_cluster", to)
    node.ctl("start_app")


def test_it_starts_as_a_broker_of_its_own_and_joins_by_hand(cluster: Cluster) -> None:
    fourth = cluster.add()
    assert fourth.status().state is NodeState.READY
    assert fourth.status().sees == {SPARE}
    assert members(cluster) == set(NODES)

    join(fourth)
    wait_until(lambda: members(cluster) == FOUR, seconds=30, what="four members")
    wait_until(lambda: cluster.status().is_whole, seconds=30, what="all four to see each other")
    messages.publish(cluster, "on the fourth", b"reached", node=SPARE)
    assert messages.get(cluster, "on the fourth", node="rmq2") == b"reached"

    cluster.heal()
    assert members(cluster) == set(NODES)
    assert [node.name for node in cluster] == list(NODES)
    assert cluster.status().is_whole


def test_another_cookie_is_refused(cluster: Cluster) -> None:
    fourth = cluster.add(cookie="another-secret")
    fourth.ctl("stop_app")
    with pytest.raises(LabsError, match="failed with exit code"):
        fourth.ctl("join_cluster", "rmq1@rmq1")
    # Why, the one that refuses knows.
    wait_until(lambda: "rmq4@rmq4" in cluster["rmq1"].log(200), what="the refusal in the log")
    assert members(cluster) == set(NODES)
    # Another one in its place, with the right one.
    join(cluster.add())
    wait_until(lambda: members(cluster) == FOUR, seconds=30, what="four members")


@pytest.mark.parametrize("state", ["killed while a member", "stopped while a member", "stopped app"])
def test_heal_leaves_three_nodes(cluster: Cluster, state: str) -> None:
    fourth = cluster.add()
    if "member" in state:
        join(fourth)
        wait_until(lambda: members(cluster) == FOUR, seconds=30, what="four members")
        (fourth.kill if "killed" in state else fourth.stop)()
    else:
        fourth.ctl("stop_app")
    cluster.heal()
    assert members(cluster) == set(NODES)
    assert cluster.status().is_whole
    with pytest.raises(LabsError, match="no node 'rmq4'"):
        cluster[SPARE]
    assert cluster.engine.process_state(SPARE) is NodeState.STOPPED


def test_the_three_are_neither_added_nor_removed(cluster: Cluster) -> None:
    with pytest.raises(LabsError, match="no spare node 'rmq5'"):
        cluster.add("rmq5")
    with pytest.raises(LabsError, match="rmq1 belongs to the cluster"):
        cluster.remove("rmq1")


def test_other_tools_run_on_a_node_too(cluster: Cluster) -> None:
    assert "rmq2@rmq2" in cluster["rmq2"].run("rabbitmq-diagnostics", "status")
    with pytest.raises(LabsError, match="failed"):
        cluster["rmq2"].run("rabbitmq-queues", "no_such_command")


def test_a_heal_that_was_interrupted_is_finished_by_the_next(cluster: Cluster) -> None:
    join(cluster.add())
    wait_until(lambda: members(cluster) == FOUR, seconds=30, what="four members")
    # So far it came: the node is gone, and the cluster still counts it.
    cluster.engine.end_spare()
    assert members(cluster) == FOUR
    cluster.heal()
    assert members(cluster) == set(NODES)


def test_heal_after_all_four_died_the_fourth_last(cluster: Cluster) -> None:
    """Before Khepri the three wait for the fourth, which may know more than they do: it is removed only after that."""
    fourth = cluster.add()
    join(fourth)
    wait_until(lambda: members(cluster) == FOUR, seconds=30, what="four members")
    for name in NODES:
        cluster[name].kill()
    fourth.kill()
    cluster.heal()
    assert members(cluster) == set(NODES)
    assert cluster.status().is_whole


def test_heal_where_its_start_was_interrupted(cluster: Cluster) -> None:
    assert isinstance(cluster.engine, LocalEngine)
    cluster.engine.mark(SPARE, present=True)
    cluster["rmq2"].kill()
    cluster.heal()
    assert [node.name for node in cluster] == list(NODES)
    assert cluster.status().is_whole


def test_after_a_partition_from_the_fourth_the_next_one_is_not_refused(cluster: Cluster) -> None:
    join(cluster.add())
    wait_until(lambda: cluster.status().is_whole, seconds=30, what="four nodes that see each other")
    cluster.partition(SPARE)
    cluster.heal()
    assert cluster.status().is_whole
    join(cluster.add(), "rmq3@rmq3")
    wait_until(lambda: members(cluster) == FOUR, seconds=30, what="four members")
