"""The cluster as a picture: what runs, what does not, and what stands in front."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from lab_helpers.cluster.status import ClusterStatus, NodeState, NodeStatus
from lab_helpers.draw.cluster import cluster_picture

SVG = "{http://www.w3.org/2000/svg}"
NAMES = ("rmq1", "rmq2", "rmq3")


def node(name: str, state: NodeState = NodeState.READY, sees: tuple[str, ...] = NAMES) -> NodeStatus:
    return NodeStatus(name, state, "127.0.0.1:1", "http://127.0.0.1:2", frozenset(sees))


def cluster(*nodes: NodeStatus, version: str = "4.3.6", statistics: str = "http://127.0.0.1:3/") -> ClusterStatus:
    return ClusterStatus("native", version, nodes, "127.0.0.1:4", "http://127.0.0.1:5", statistics)


WHOLE = cluster(*map(node, NAMES))
BROKEN = cluster(
    node("rmq1", sees=("rmq1",)),
    node("rmq2", NodeState.PAUSED, ()),
    node("rmq3", NodeState.STOPPED, ()),
)


def drawing(status: ClusterStatus) -> ElementTree.Element:
    return ElementTree.fromstring(cluster_picture(status).svg)  # noqa: S314


def test_a_whole_cluster_in_words() -> None:
    assert cluster_picture(WHOLE).text == (
        "your notebook -> HAProxy -> rmq1, rmq2, rmq3\n"
        "rmq1: ready, sees rmq2 and rmq3\n"
        "rmq2: ready, sees rmq1 and rmq3\n"
        "rmq3: ready, sees rmq1 and rmq2"
    )


def test_a_broken_cluster_in_words() -> None:
    assert cluster_picture(BROKEN).text.splitlines()[1:] == ["rmq1: ready", "rmq2: paused", "rmq3: stopped"]


def test_the_words_do_not_depend_on_the_version() -> None:
    other = cluster(*map(node, NAMES), version="3.10.8")
    assert cluster_picture(other).text == cluster_picture(WHOLE).text
    assert "RabbitMQ 3.10.8" in cluster_picture(other).svg


def test_a_front_door_that_is_not_ours() -> None:
    external = cluster(node("rabbit@host-1", sees=("rabbit@host-1",)), statistics="", version="")
    assert (
        cluster_picture(external).text == "your notebook -> the broker's address -> rabbit@host-1\nrabbit@host-1: ready"
    )


@pytest.mark.parametrize("status", [WHOLE, BROKEN], ids=["whole", "broken"])
def test_the_drawing_is_well_formed_and_says_the_same(status: ClusterStatus) -> None:
    root = drawing(status)
    assert root.get("role") == "img"
    assert root.get("aria-label") == cluster_picture(status).text.replace("\n", " ")
    shown = [text.text for text in root.iter(f"{SVG}text")]
    for member in status.nodes:
        assert member.name in shown
        assert str(member.state) in shown


def test_no_connections_go_to_nodes_that_are_not_ready() -> None:
    def dotted(status: ClusterStatus) -> list[bool]:
        edges = [group for group in drawing(status).iter(f"{SVG}g") if group.get("class") == "edge"]
        return [any(path.get("stroke-dasharray") for path in edge.iter(f"{SVG}path")) for edge in edges]

    assert dotted(WHOLE) == [False, False, False, False]
    assert dotted(BROKEN) == [False, False, True, True]


def test_whole_and_stopped() -> None:
    assert WHOLE.is_whole
    assert not BROKEN.is_whole
    assert not cluster(node("rmq1"), node("rmq2", sees=("rmq1", "rmq2")), node("rmq3")).is_whole
    assert not cluster().is_whole
    assert not BROKEN.is_stopped
    assert cluster(node("rmq1", NodeState.STOPPED, ())).is_stopped
