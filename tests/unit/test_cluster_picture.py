"""The cluster as a picture: what runs, what does not, and what stands in front."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from lab_helpers.broker.placement import Placement
from lab_helpers.cluster.haproxy import Server, ServerState
from lab_helpers.cluster.status import ClusterStatus, NodeState, NodeStatus
from lab_helpers.draw.cluster import cluster_picture
from lab_helpers.draw.picture import Picture
from lab_helpers.draw.servers import ServersTable

SVG = "{http://www.w3.org/2000/svg}"
NAMES = ("rmq1", "rmq2", "rmq3")


def node(name: str, state: NodeState = NodeState.READY, sees: tuple[str, ...] = NAMES) -> NodeStatus:
    return NodeStatus(name, state, "127.0.0.1:1", "http://127.0.0.1:2", frozenset(sees), name == "rmq4")


def cluster(*nodes: NodeStatus, version: str = "4.3.6", statistics: str = "http://127.0.0.1:3/") -> ClusterStatus:
    return ClusterStatus("native", version, nodes, "127.0.0.1:4", "http://127.0.0.1:5", statistics)


WHOLE = cluster(*map(node, NAMES))
BROKEN = cluster(
    node("rmq1", sees=("rmq1",)),
    node("rmq2", NodeState.PAUSED, ()),
    node("rmq3", NodeState.STOPPED, ()),
)


def drawing_of(picture: Picture) -> ElementTree.Element:
    return ElementTree.fromstring(picture.svg)  # noqa: S314


def drawing(status: ClusterStatus) -> ElementTree.Element:
    return drawing_of(cluster_picture(status))


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


def edges(root: ElementTree.Element) -> dict[str, ElementTree.Element]:
    """The edges of a drawing, by their ends: "front->rmq1"."""
    groups = [group for group in root.iter(f"{SVG}g") if group.get("class") == "edge"]
    return {str(group.findtext(f"{SVG}title")): group for group in groups}


def is_dashed(edge: ElementTree.Element) -> bool:
    return any(path.get("stroke-dasharray") for path in edge.iter(f"{SVG}path"))


def test_no_connections_go_to_nodes_that_are_not_ready() -> None:
    for status, dotted in ((WHOLE, []), (BROKEN, ["front->rmq2", "front->rmq3"])):
        drawn = edges(drawing(status))
        assert [ends for ends in drawn if ends.startswith("front->") and is_dashed(drawn[ends])] == dotted


def test_links_between_nodes_and_those_that_are_cut() -> None:
    apart = cluster(
        node("rmq1", sees=("rmq1", "rmq2")), node("rmq2", sees=("rmq1", "rmq2")), node("rmq3", sees=("rmq3",))
    )
    for status, whole, cut in (
        (WHOLE, {"rmq1->rmq2", "rmq1->rmq3", "rmq2->rmq3"}, set()),
        (apart, {"rmq1->rmq2"}, {"rmq1->rmq3", "rmq2->rmq3"}),
        # Of a node that is held or stopped, nobody knows.
        (BROKEN, set(), set()),
    ):
        drawn = {ends: edge for ends, edge in edges(drawing(status)).items() if ends.startswith("rmq")}
        assert {link(ends) for ends, edge in drawn.items() if not is_dashed(edge)} == whole
        assert {link(ends) for ends, edge in drawn.items() if is_dashed(edge)} == cut
        said = {link(ends) for ends, edge in drawn.items() if "cut" in "".join(edge.itertext()).split()}
        assert said == cut


def link(ends: str) -> str:
    """The link that an edge belongs to: one that leads around a node is drawn in two parts."""
    return next((end.replace("--", "->") for end in ends.split("->") if "--" in end), ends)


def test_a_fourth_node_is_no_part_of_it_before_it_joins() -> None:
    alone = cluster(*map(node, NAMES), node("rmq4", sees=("rmq4",)))
    drawn = edges(drawing(alone))
    assert not any("rmq4" in link(ends) for ends in drawn if ends.startswith("rmq"))
    assert cluster_picture(alone).text.startswith("your notebook -> HAProxy -> rmq1, rmq2, rmq3\n")
    assert cluster_picture(alone).text.endswith("\nrmq4: ready")
    four = (*NAMES, "rmq4")
    joined = edges(drawing(cluster(*(node(name, sees=four) for name in four))))
    assert {link(ends) for ends in joined if "rmq4" in ends and "front" not in ends} == {
        "rmq1->rmq4",
        "rmq2->rmq4",
        "rmq3->rmq4",
    }


QUORUM = Placement("orders", "quorum", "rmq2", NAMES, ("rmq1", "rmq2"), ("rmq1", "rmq2"))
ALONE = Placement("orders", "quorum", "", NAMES, ("rmq1",), ("rmq1",))
CLASSIC = Placement("lyon", "classic", "rmq3", ("rmq3",), ("rmq3",), ("rmq3",))
DOWN = Placement("lyon", "classic", "", ("rmq3",), (), ())
MIRRORED = Placement("old", "classic", "rmq1", ("rmq1", "rmq2"), ("rmq1", "rmq2"), ("rmq1",), is_mirrored=True)


@pytest.mark.parametrize(
    ("placement", "words"),
    [
        (QUORUM, "queue orders (quorum): rmq2 leads, copies on rmq1 and rmq3 (not online)"),
        (
            ALONE,
            "queue orders (quorum): nobody leads, copies on rmq1 and rmq2 (not online) and rmq3 (not online), "
            "no majority of 3",
        ),
        (CLASSIC, "queue lyon (classic): on rmq3"),
        (DOWN, "queue lyon (classic): on rmq3, which is down"),
        (MIRRORED, "queue old (mirrored classic): rmq1 leads, copies on rmq2 (not synchronised)"),
    ],
)
def test_where_a_queue_lives_in_words(placement: Placement, words: str) -> None:
    assert cluster_picture(WHOLE, [placement]).text.splitlines()[-1] == words


def test_where_queues_live_is_drawn_on_the_nodes() -> None:
    shown = "".join(drawing_of(cluster_picture(WHOLE, [QUORUM, CLASSIC, MIRRORED])).itertext())
    for text in ("orders: leader", "orders: copy", "orders: copy, not online", "old: copy, not synchronised", "lyon"):
        assert text in shown


def test_what_haproxy_says_of_the_nodes() -> None:
    servers = [
        Server("amqp_nodes", "rmq1", ServerState.UP, "L7OK/200", False, 2, 5, 60),
        Server("amqp_nodes", "rmq2", ServerState.DRAINING, "L7OK/200", False, 0, 5, 3),
        Server("amqp_nodes", "rmq3", ServerState.UP, "L7OK/200", True, 0, 0, 60),
    ]
    picture = cluster_picture(WHOLE, servers=servers)
    assert picture.text.splitlines()[-1] == "HAProxy: rmq1 up, rmq2 draining, rmq3 up (backup)"
    drawn = edges(drawing_of(picture))
    # The node is ready, and HAProxy sends nobody there all the same.
    assert [ends for ends in ("front->rmq1", "front->rmq2", "front->rmq3") if is_dashed(drawn[ends])] == ["front->rmq2"]
    assert repr(ServersTable(tuple(servers))) == "rmq1: up\nrmq2: draining\nrmq3: up (backup)"
    table = ServersTable(tuple(servers))._repr_mimebundle_()["text/html"]
    assert "L7OK/200" in table
    assert ServersTable(tuple(servers))[1].state is ServerState.DRAINING


def test_whole_and_stopped() -> None:
    assert WHOLE.is_whole
    assert not BROKEN.is_whole
    assert not cluster(node("rmq1"), node("rmq2", sees=("rmq1", "rmq2")), node("rmq3")).is_whole
    assert not cluster().is_whole
    assert not BROKEN.is_stopped
    assert cluster(node("rmq1", NodeState.STOPPED, ())).is_stopped
