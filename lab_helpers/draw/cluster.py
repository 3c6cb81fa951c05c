"""Draw the cluster: the notebook, the front door, and the nodes behind it."""

from __future__ import annotations

import graphviz

from lab_helpers.cluster.status import ClusterStatus, NodeState, NodeStatus
from lab_helpers.draw.markup import EXCHANGE_FILL, FONT, INK, LINE, QUEUE_FILL, box, small
from lab_helpers.draw.picture import Picture, rendered

TROUBLE_FILL = "#f6d5d3"
NOTEBOOK_FILL = "#e9e9ec"


def cluster_picture(status: ClusterStatus) -> Picture:
    """Draw how the cluster is; the version stands in the drawing only, so that the words compare between versions."""
    graph = graphviz.Digraph(
        "cluster",
        graph_attr={"rankdir": "LR", "bgcolor": "transparent", "nodesep": "0.2", "ranksep": "0.7", "pad": "0.1"},
        node_attr={"shape": "plain", "fontname": FONT, "fontsize": "12", "fontcolor": INK},
        edge_attr={"color": LINE, "arrowsize": "0.7"},
    )
    version = f"RabbitMQ {status.version}" if status.version else ""
    graph.node("notebook", label=box(NOTEBOOK_FILL, ["<b>your notebook</b>", small("a client")]))
    graph.node("front", label=box(EXCHANGE_FILL, [f"<b>{front_door(status)}</b>", small("one address")], rounded=True))
    graph.edge("notebook", "front")
    for node in status.nodes:
        fill = QUEUE_FILL if node.state is NodeState.READY else TROUBLE_FILL
        rows = [f"<b>{node.name}</b>", small(str(node.state)), *([small(version)] if version else [])]
        graph.node(node.name, label=box(fill, rows))
        # A node that is not ready gets no connections: HAProxy looks twice a second.
        graph.edge("front", node.name, style="solid" if node.state is NodeState.READY else "dotted")
    return rendered(graph, cluster_text(status))


def cluster_text(status: ClusterStatus) -> str:
    """The cluster in words."""
    lines = [f"your notebook -> {front_door(status)} -> {', '.join(node.name for node in status.nodes)}"]
    lines += [node_words(node) for node in status.nodes]
    return "\n".join(lines)


def node_words(node: NodeStatus) -> str:
    """One node: "rmq1: ready, sees rmq2 and rmq3"."""
    others = sorted(node.sees - {node.name})
    return f"{node.name}: {node.state}" + (f", sees {' and '.join(others)}" if others else "")


def front_door(status: ClusterStatus) -> str:
    """What stands in front of the nodes."""
    return "HAProxy" if status.statistics else "the broker's address"
