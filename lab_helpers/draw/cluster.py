"""Draw the cluster: the notebook, the front door, the nodes with their links, and the queues that live on them."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from itertools import combinations

import graphviz

from lab_helpers.broker.placement import Placement
from lab_helpers.cluster.haproxy import Server, ServerState
from lab_helpers.cluster.status import ClusterStatus, NodeState, NodeStatus
from lab_helpers.draw.markup import EXCHANGE_FILL, FONT, INK, LINE, QUEUE_FILL, box, drawable, small, tags
from lab_helpers.draw.picture import Picture, rendered

TROUBLE_FILL = "#f6d5d3"
NOTEBOOK_FILL = "#e9e9ec"
CUT = "#b3261e"
"""The colour of a link that is cut; the word stands beside it."""
SERVED = (ServerState.UP, ServerState.UNCHECKED)
"""How HAProxy holds a server that gets connections."""


def cluster_picture(
    status: ClusterStatus, queues: Sequence[Placement] = (), servers: Sequence[Server] | None = None
) -> Picture:
    """Draw how the cluster is; the version stands in the drawing only, so that the words compare between versions.

    Parameters
    ----------
    status
        The nodes.
    queues
        Drawn on the nodes that have them.
    servers
        What HAProxy says of the nodes; left out if None.
    """
    graph = graphviz.Digraph(
        "cluster",
        graph_attr={"rankdir": "LR", "bgcolor": "transparent", "nodesep": "0.3", "ranksep": "0.7", "pad": "0.1"},
        node_attr={"shape": "plain", "fontname": FONT, "fontsize": "12", "fontcolor": INK},
        edge_attr={"color": LINE, "arrowsize": "0.7", "fontname": FONT, "fontsize": "10", "fontcolor": CUT},
    )
    version = f"RabbitMQ {status.version}" if status.version else ""
    graph.node("notebook", label=box(NOTEBOOK_FILL, ["<b>your notebook</b>", small("a client")]))
    graph.node("front", label=box(EXCHANGE_FILL, [f"<b>{front_door(status)}</b>", small("one address")], rounded=True))
    graph.edge("notebook", "front")
    held = {server.name: server for server in servers or ()}
    for node in status.nodes:
        rows = [f"<b>{html.escape(node.name)}</b>", small(str(node.state))]
        rows += [small(version)] if version else []
        rows += [small(f"HAProxy: {server_words(held[node.name])}")] if node.name in held else []
        rows += tags(html.escape(drawable(tag)) for tag in copies(node.name, queues))
        fill = QUEUE_FILL if node.state is NodeState.READY else TROUBLE_FILL
        graph.node(node.name, label=box(fill, rows))
        # A node that is not ready gets no connections: HAProxy looks twice a second.
        led_to = held[node.name].state in SERVED if node.name in held else node.state is NodeState.READY
        if node.is_spare:
            # HAProxy's configuration does not name it: it stands behind the others.
            graph.edge("front", node.name, style="invis", minlen="2")
        else:
            graph.edge("front", node.name, style="solid" if led_to else "dotted")
    names = [node.name for node in status.nodes if not node.is_spare]
    found = list(links(status.nodes))
    # Around a spare node too, where it is linked.
    beyond = "1" if all(other in names for _, other, _ in found) else "2"
    for one, other, linked in found:
        style = {"dir": "none"} if linked else {"dir": "none", "style": "dashed", "color": CUT}
        label = {} if linked else {"label": " cut "}
        if other not in names:
            graph.edge(one, other, **style)
        elif names.index(other) == names.index(one) + 1:
            graph.edge(one, other, constraint="false", **style, **label)
        else:
            # Around the node that stands between the two, by a point on the far side: so it crosses nothing.
            around = f"{one}--{other}"
            graph.node(around, shape="point", width="0", height="0", style="invis")
            graph.edge(one, around, minlen=beyond, **style, **label)
            graph.edge(other, around, minlen=beyond, **style)
    return rendered(graph, cluster_text(status, queues, servers))


def cluster_text(
    status: ClusterStatus, queues: Sequence[Placement] = (), servers: Sequence[Server] | None = None
) -> str:
    """The cluster in words."""
    served = [node.name for node in status.nodes if not node.is_spare]
    lines = [f"your notebook -> {front_door(status)} -> {', '.join(served)}"]
    lines += [node_words(node) for node in status.nodes]
    lines += [placement_words(queue) for queue in queues]
    if servers is not None:
        lines.append("HAProxy: " + ", ".join(f"{server.name} {server_words(server)}" for server in servers))
    return "\n".join(lines)


def node_words(node: NodeStatus) -> str:
    """One node: "rmq1: ready, sees rmq2 and rmq3"."""
    others = sorted(node.sees - {node.name})
    return f"{node.name}: {node.state}" + (f", sees {' and '.join(others)}" if others else "")


def placement_words(queue: Placement) -> str:
    """One queue: "queue orders (quorum): rmq1 leads, copies on rmq2 and rmq3 (not online)"."""
    kind = f"queue {queue.queue} ({'mirrored ' if queue.is_mirrored else ''}{queue.type})"
    if len(queue.members) == 1 and not queue.is_mirrored:
        return f"{kind}: on {queue.members[0]}" + ("" if queue.leader else ", which is down")
    leads = f"{queue.leader} leads" if queue.leader else "nobody leads"
    others = [name + (f" ({doubt})" if (doubt := doubts(queue, name)) else "") for name in queue.replicas]
    majority = "" if queue.has_majority or queue.is_mirrored else f", no majority of {len(queue.members)}"
    return f"{kind}: {leads}" + (f", copies on {' and '.join(others)}" if others else "") + majority


def doubts(queue: Placement, node: str) -> str:
    """What is wrong with a node's copy; empty if nothing is."""
    if node not in queue.online:
        return "not online"
    return "" if node in queue.synchronised else "not synchronised"


def copies(node: str, queues: Sequence[Placement]) -> Iterator[str]:
    """What a node has of each queue: "orders: leader", "orders: copy, not synchronised"."""
    for queue in queues:
        if node not in queue.members:
            continue
        doubt = doubts(queue, node)
        role = "leader" if node == queue.leader else "copy"
        if len(queue.members) == 1 and not queue.is_mirrored:
            yield queue.queue + (": down" if doubt else "")
        else:
            yield f"{queue.queue}: {role}" + (f", {doubt}" if doubt else "")


def links(nodes: Sequence[NodeStatus]) -> Iterator[tuple[str, str, bool]]:
    """The pairs of ready nodes, and whether they see each other. A node that waits for another one sees none."""
    talking = [node for node in nodes if node.sees]
    for one, other in combinations(talking, 2):
        linked = other.name in one.sees and one.name in other.sees
        # The spare node has no link before it joins: nothing was cut there.
        if linked or not (one.is_spare or other.is_spare):
            yield one.name, other.name, linked


def server_words(server: Server) -> str:
    """How HAProxy holds one server: "up", "down", "up (backup)"."""
    return f"{server.state}{' (backup)' if server.is_backup else ''}"


def front_door(status: ClusterStatus) -> str:
    """What stands in front of the nodes."""
    return "HAProxy" if status.statistics else "the broker's address"
