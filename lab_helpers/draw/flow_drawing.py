"""A flow as one still drawing: who takes part, and how many messages went which way."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import graphviz

from lab_helpers.draw.flow_cast import Actor, Cast, Link
from lab_helpers.draw.flow_moves import Step
from lab_helpers.draw.markup import (
    EXCHANGE_FILL,
    FONT,
    INK,
    KEY_FILL,
    LINE,
    QUEUE_FILL,
    box,
    drawable,
    shortened,
    small,
)
from lab_helpers.draw.picture import rendered

CLIENT_FILL = "#e6f2ea"
LONGEST_NAME = 40
"""Characters of a name or a key that are drawn."""
CARRIED = {"message", "returned", "requeued", "dead-lettered"}
"""Looks of a move that carry the message itself."""
TALLIES = {
    "confirmed": "✓ {} confirmed",
    "refused": "⊗ {} refused",
    "returned": "↩ {} returned",
    "dropped": "✗ {} dropped",
    "unknown": "? {} routed unseen",
    "acked": "☑ {} acked",
    "rejected": "⊘ {} rejected",
    "requeued": "↻ {} requeued",
}
"""What is counted below an actor's name: a publisher's and an exchange's, and a consumer's own words."""
FILLS = {"publisher": CLIENT_FILL, "exchange": EXCHANGE_FILL, "queue": QUEUE_FILL, "consumer": CLIENT_FILL}
STYLES = {"implicit": "dashed", "alternate": "dashed", "dead-letter": "dotted"}


def flow_svg(cast: Cast, steps: Sequence[Step], words: str) -> str:
    """Draw a whole flow; empty where Graphviz is missing."""
    graph = graphviz.Digraph(
        "flow",
        graph_attr={"rankdir": "LR", "bgcolor": "transparent", "nodesep": "0.25", "ranksep": "0.8", "pad": "0.1"},
        node_attr={"shape": "plain", "fontname": FONT, "fontsize": "12", "fontcolor": INK},
        edge_attr={
            "color": LINE,
            "fontname": FONT,
            "fontsize": "11",
            "fontcolor": INK,
            "arrowsize": "0.7",
            "tailport": "e",
            "headport": "w",
        },
    )
    said, went, ready = counted(steps)
    nested = {link.kind for link in cast.links if link.target.startswith("e")} - {"publish", "dead-letter"}
    columns: list[Iterable[Actor]] = [
        cast.publishers.values(),
        cast.exchanges.values(),
        cast.queues.values(),
        cast.consumers.values(),
    ]
    for column in columns:
        part = graphviz.Digraph()
        for actor in column:
            if not (nested and actor.role == "exchange"):
                # One column a role, where no exchange leads to another.
                part.attr(rank="same")
            rows = [f"<b>{html.escape(drawable(shortened(actor.name, LONGEST_NAME)))}</b>", small(actor.kind)]
            rows += [small(TALLIES[look].format(said[actor.id, look])) for look in TALLIES if said[actor.id, look]]
            if actor.role == "queue":
                rows.append(small(f"✉ {ready[actor.id]} ready" if ready.get(actor.id) else "none ready"))
            part.node(actor.id, label=box(FILLS[actor.role], rows, rounded=actor.role != "queue"))
        graph.subgraph(part)
    for link in cast.links:
        back = {"constraint": "false", "tailport": "w", "headport": "e"} if link.kind == "dead-letter" else {}
        graph.edge(
            link.source,
            link.target,
            label=label(link, went[link.source, link.target]),
            style=STYLES.get(link.kind, "solid"),
            **back,
        )
    return rendered(graph, words).svg


def counted(steps: Sequence[Step]) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]], dict[str, int]]:
    """What was said by or to each actor, how many messages went along each link, and each queue's last depth."""
    said: Counter[tuple[str, str]] = Counter()
    went: Counter[tuple[str, str]] = Counter()
    ready: dict[str, int] = {}
    for step in steps:
        ready |= step.depths
        for move in step.moves:
            # Consumers speak, publishers are spoken to.
            said[move.path[0] if move.path[0].startswith("c") else move.path[-1], move.look] += 1
            if move.look in CARRIED:
                went.update(pairwise(move.path))
    return said, went, ready


def label(link: Link, count: int) -> str:
    """A link's key, and how many messages went along it."""
    rows = [html.escape(drawable(shortened(link.label, LONGEST_NAME)))] if link.label else []
    rows += [small(f"✉ × {count}")] * bool(count)
    return box(KEY_FILL, rows, border=0, padding=2) if rows else ""
