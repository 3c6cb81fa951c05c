"""Draw a topology: exchanges on the left, queues on the right, a binding as an arrow with its key."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import graphviz

from lab_helpers.broker.topology import DEFAULT_EXCHANGE, Binding, Exchange, Queue, Topology
from lab_helpers.draw.markup import EXCHANGE_FILL, FONT, INK, KEY_FILL, LINE, QUEUE_FILL, box, small, small_markup
from lab_helpers.draw.picture import Picture, rendered

SHOWN_MESSAGES = 8
"""As many messages are drawn one by one; beyond that the number alone tells more."""


def topology_picture(topology: Topology) -> Picture:
    """Draw a snapshot; see :func:`topology_text` for its words."""
    graph = graphviz.Digraph(
        "topology",
        graph_attr={
            "rankdir": "LR",
            "bgcolor": "transparent",
            "nodesep": "0.25",
            "ranksep": "0.9",
            "pad": "0.1",
        },
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
    # Numbered, because Graphviz reads parts of some names (a colon, a backslash) as its own language.
    exchanges = {exchange.name: f"e{number}" for number, exchange in enumerate(topology.exchanges)}
    queues = {queue.name: f"q{number}" for number, queue in enumerate(topology.queues)}
    for exchange in topology.exchanges:
        graph.node(
            exchanges[exchange.name], label=exchange_label(exchange), tooltip=graphviz.escape(exchange_words(exchange))
        )
    # Queues in one column, also those that nothing is bound to.
    with graph.subgraph(name="queues", graph_attr={"rank": "same"}) as column:
        for queue in topology.queues:
            column.node(queues[queue.name], label=queue_label(queue), tooltip=graphviz.escape(queue_words(queue)))
    for binding in topology.bindings:
        ends = exchanges if binding.to_exchange else queues
        if binding.source in exchanges and binding.destination in ends:
            graph.edge(
                exchanges[binding.source],
                ends[binding.destination],
                label=key_label(binding),
                edgetooltip=graphviz.escape(binding_words(binding)),
                style="dashed" if binding.source == DEFAULT_EXCHANGE else "solid",
            )
    return rendered(graph, topology_text(topology))


def topology_text(topology: Topology) -> str:
    """The snapshot in words, one line an object, in an order that does not change from run to run."""
    lines: list[str] = []
    for exchange in topology.exchanges:
        lines.append(exchange_words(exchange))
        lines += [f"    {binding_words(binding)}" for binding in topology.bindings_of(exchange.name)]
    lines += [queue_words(queue) for queue in topology.queues]
    return "\n".join(lines) or "nothing declared yet"


def exchange_words(exchange: Exchange) -> str:
    """One exchange: "exchange shop.orders (direct, durable)"."""
    features = [exchange.type, "durable" if exchange.durable else "transient"]
    features += ["auto-delete"] * exchange.auto_delete + ["internal"] * exchange.internal
    features += arguments_words(exchange.arguments)
    return f"exchange {shown_name(exchange.name)} ({', '.join(features)})"


def queue_words(queue: Queue) -> str:
    """One queue: "queue eu (classic, durable): 2 messages, 1 consumer"."""
    words = f"queue {queue.name} ({', '.join(queue_features(queue))})"
    if queue.messages is None:
        return words
    contents = [counted(queue.messages, "message") if queue.messages else "empty"]
    if queue.consumers:
        contents.append(counted(queue.consumers, "consumer"))
    return f"{words}: {', '.join(contents)}"


def queue_features(queue: Queue) -> list[str]:
    """What a queue is, in the terms of its declaration."""
    features = [queue.type, "durable" if queue.durable else "transient"]
    features += ["exclusive"] * queue.exclusive + ["auto-delete"] * queue.auto_delete
    return features + arguments_words(queue.arguments)


def binding_words(binding: Binding) -> str:
    """One binding, seen from its exchange: "order.eu -> queue eu"."""
    kind = "exchange" if binding.to_exchange else "queue"
    return f"{key_words(binding)} -> {kind} {binding.destination}"


def key_words(binding: Binding) -> str:
    """A binding's key and arguments."""
    return " ".join([binding.key or "(no key)", *arguments_words(binding.arguments)])


def arguments_words(arguments: Mapping[str, Any]) -> list[str]:
    """Arguments as "x-max-length=3", sorted."""
    return [f"{name}={value}" for name, value in sorted(arguments.items())]


def shown_name(exchange: str) -> str:
    """An exchange's name; the default exchange has none."""
    return exchange or "(default)"


def counted(number: int, thing: str) -> str:
    """ "1 message", "2 messages"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def exchange_label(exchange: Exchange) -> str:
    """An exchange's box: its name over its type."""
    features = [exchange.type, *(["internal"] * exchange.internal), *arguments_words(exchange.arguments)]
    return box(
        EXCHANGE_FILL,
        [f"<b>{html.escape(shown_name(exchange.name))}</b>", small(f"{', '.join(features)} exchange")],
        rounded=True,
    )


def queue_label(queue: Queue) -> str:
    """A queue's box: its name, what it is, and what waits in it."""
    rows = [f"<b>{html.escape(queue.name)}</b>", small(", ".join(queue_features(queue)) + " queue")]
    if queue.messages is not None:
        drawn = "&#9993; " * queue.messages if queue.messages <= SHOWN_MESSAGES else ""
        rows.append(small_markup(f"{drawn}{counted(queue.messages, 'message')}" if queue.messages else "empty"))
    if queue.consumers:
        rows.append(small(counted(queue.consumers, "consumer")))
    return box(QUEUE_FILL, rows)


def key_label(binding: Binding) -> str:
    """A binding key on its arrow."""
    return box(KEY_FILL, [html.escape(key_words(binding))], border=0, padding=2)
