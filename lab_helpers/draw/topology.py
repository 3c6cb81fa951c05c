"""Draw a topology: exchanges on the left, queues on the right, a binding as an arrow with its key."""

from __future__ import annotations

import html
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import islice

import graphviz

from lab_helpers.broker.topology import DEFAULT_EXCHANGE, Binding, Exchange, Queue, Topology
from lab_helpers.draw.badges import ALTERNATE_EXCHANGE, DEAD_LETTER_EXCHANGE, DEAD_LETTER_KEY, badges
from lab_helpers.draw.grouping import Boxes, boxes, natural
from lab_helpers.draw.markup import (
    FONT,
    INK,
    KEY_FILL,
    LINE,
    QUEUE_FILL,
    box,
    drawable,
    shortened,
    small,
    small_markup,
    tags,
)
from lab_helpers.draw.picture import Picture, rendered
from lab_helpers.draw.topology_words import (
    binding_words,
    counted,
    exchange_words,
    key_words,
    queue_features,
    queue_words,
    shown_name,
    topology_text,
)

__all__ = ["SHOWN_MESSAGES", "key_words", "shown_name", "topology_picture", "topology_text"]

SHOWN_MESSAGES = 8
"""As many messages are drawn one by one; beyond that the number alone tells more."""
LONGEST_NAME = 32
"""Characters of a name or a key that are drawn; the words have all of it."""
MOST_KEYS = 4
"""As many keys between the same two have an arrow each."""
MOST_TOLD = 12
"""As many members of a box or an arrow are told under the pointer; the words have them all."""
MOST_LABELS = 60
"""With more arrows than this the keys stand under the pointer and in the words only."""
OTHER_TYPE = ("?", "#e9e9ec")
TYPES: Mapping[str, tuple[str, str]] = {
    "direct": ("=", "#fde3c8"),
    "fanout": ("all", "#fad7dd"),
    "topic": ("*.#", "#d8eed9"),
    "headers": ("k: v", "#e6ddf5"),
}
"""A sign for how an exchange of each type routes, and its colour."""
BACK = {"style": "dashed", "constraint": "false", "tailport": "_", "headport": "_"}
"""An arrow against the order of the drawing, which it must not change."""


def topology_picture(topology: Topology) -> Picture:
    """Draw a snapshot; see :func:`topology_text` for its words.

    Of a big one, objects that are alike share a box (:mod:`lab_helpers.draw.grouping`); the words have each of them.
    """
    graph = graphviz.Digraph(
        "topology",
        graph_attr={
            "rankdir": "LR",
            "bgcolor": "transparent",
            "nodesep": "0.25",
            "ranksep": "0.9",
            "pad": "0.1",
            "fontname": FONT,
            "fontcolor": INK,
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
    shown = boxes(topology)
    # Numbered, because Graphviz reads parts of some names (a colon, a backslash) as its own language.
    exchanges = {member.name: f"e{number}" for number, group in enumerate(shown.exchanges) for member in group}
    queues = {member.name: f"q{number}" for number, group in enumerate(shown.queues) for member in group}
    for group in shown.exchanges:
        graph.node(exchanges[group[0].name], label=exchange_label(group), tooltip=tooltip(map(exchange_words, group)))
    # Queues in one column, also those that nothing is bound to.
    with graph.subgraph(name="queues", graph_attr={"rank": "same"}) as column:
        for members in shown.queues:
            column.node(queues[members[0].name], label=queue_label(members), tooltip=tooltip(map(queue_words, members)))
    shared = {
        f"{kind}{at}"
        for kind, groups in (("e", shown.exchanges), ("q", shown.queues))
        for at, group in enumerate(groups)
        if len(group) > 1
    }
    drawn = list(arrows(topology, exchanges, queues, shared))
    for tail, head, bindings in drawn:
        graph.edge(
            tail,
            head,
            label=key_label(bindings) if len(drawn) <= MOST_LABELS else "",
            edgetooltip=tooltip(map(binding_words, bindings)),
            style="dashed" if bindings[0].source == DEFAULT_EXCHANGE else "solid",
        )
    for tail, head, words in ways_out(topology, exchanges, queues):
        graph.edge(tail, head, label=note(words), edgetooltip=words, **BACK)
    if shown.count < len(topology.exchanges) + len(topology.queues):
        graph.attr(label=folded_note(topology, shown), labelloc="b")
    return rendered(graph, topology_text(topology))


def arrows(
    topology: Topology, exchanges: Mapping[str, str], queues: Mapping[str, str], shared: Container[str]
) -> Iterator[tuple[str, str, tuple[Binding, ...]]]:
    """The arrows between boxes, as (from, to, what it stands for).

    One a binding, or one for all between the same two where these are many or one of the two is ``shared``.
    """
    between: dict[tuple[str, str], list[Binding]] = {}
    for binding in topology.bindings:
        ends = exchanges if binding.to_exchange else queues
        if binding.source in exchanges and binding.destination in ends:
            between.setdefault((exchanges[binding.source], ends[binding.destination]), []).append(binding)
    for (tail, head), bindings in between.items():
        if len(bindings) <= MOST_KEYS and tail not in shared and head not in shared:
            for binding in bindings:
                yield tail, head, (binding,)
        else:
            yield tail, head, tuple(bindings)


def ways_out(
    topology: Topology, exchanges: Mapping[str, str], queues: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Where messages go that a queue or an exchange does not keep, as (from, to, why), each once."""
    found: dict[tuple[str, str, str], None] = {}
    for queue in topology.queues:
        target, key = (str(queue.arguments.get(name)) for name in (DEAD_LETTER_EXCHANGE, DEAD_LETTER_KEY))
        if target in exchanges:
            found[queues[queue.name], exchanges[target], "dead letters"] = None
        elif target == DEFAULT_EXCHANGE and key in queues:
            # The default exchange routes by the queue's name, so that its way is known where it is not drawn.
            found[queues[queue.name], queues[key], "dead letters"] = None
    for exchange in topology.exchanges:
        target = str(exchange.arguments.get(ALTERNATE_EXCHANGE))
        if target in exchanges:
            found[exchanges[exchange.name], exchanges[target], "unroutable"] = None
    yield from found


def exchange_label(group: Sequence[Exchange]) -> str:
    """An exchange's box: a sign for its type and its name over its type; or the same for several."""
    one = group[0]
    sign, fill = TYPES.get(one.type, OTHER_TYPE)
    kind = ", ".join([one.type, *(["internal"] * one.internal)])
    thing = f"{kind} exchange" if len(group) == 1 else f"{len(group)} {kind} exchanges"
    return box(
        fill,
        [
            f"<b>{names(shown_name(member.name) for member in group)}</b>",
            small(thing),
            *tags(map(text, badges(one.arguments))),
        ],
        rounded=True,
        sign=sign,
    )


def queue_label(group: Sequence[Queue]) -> str:
    """A queue's box: its name, what it is, and what waits in it; or the same for several."""
    alike = len({(*queue_features(queue), *badges(queue.arguments)) for queue in group}) == 1
    kind = ", ".join(queue_features(group[0])) if alike else ", ".join(sorted({queue.type for queue in group}))
    thing = f"{kind} queue" if len(group) == 1 else f"{len(group)} {kind} queues"
    rows = [f"<b>{names(queue.name for queue in group)}</b>", small(thing)]
    rows += tags(map(text, badges(group[0].arguments))) if alike else []
    known = [queue.messages for queue in group if queue.messages is not None]
    messages, consumers = sum(known), sum(queue.consumers or 0 for queue in group)
    if known:
        drawn = "&#9993; " * messages if messages <= SHOWN_MESSAGES else ""
        rows.append(small_markup(f"{drawn}{counted(messages, 'message')}" if messages else "empty"))
    if consumers:
        rows.append(small(f"\N{RIGHTWARDS ARROW} {counted(consumers, 'consumer')}"))
    return box(QUEUE_FILL, rows)


def key_label(bindings: Sequence[Binding]) -> str:
    """A binding key on its arrow, or the first and the last of several."""
    keys = sorted(set(map(key_words, bindings)), key=natural)
    if len(keys) <= 1:
        return box(KEY_FILL, [text(keys[0])], border=0, padding=2)
    return box(KEY_FILL, [names(keys), small(f"{len(keys)} keys")], border=0, padding=2)


def note(words: str) -> str:
    """A few words on an arrow or below the drawing."""
    return box(KEY_FILL, [small(words)], border=0, padding=2)


def folded_note(topology: Topology, shown: Boxes) -> str:
    """What is folded: a picture must not seem to show less than there is."""
    return note(
        f"{counted(len(topology.exchanges), 'exchange')} and {counted(len(topology.queues), 'queue')} "
        f"in {shown.count} boxes: what is alike shares a box"
    )


def names(many: Iterable[str]) -> str:
    """A name, or the first and the last of several."""
    found = list(many)
    return text(found[0]) if len(found) == 1 else f"{text(found[0])} … {text(found[-1])}"


def text(name: str) -> str:
    """A text as a drawing can hold it: short, and escaped."""
    return html.escape(drawable(shortened(name, LONGEST_NAME)))


def tooltip(lines: Iterable[str]) -> str:
    """What stands under the pointer, in Graphviz's own escapes."""
    # A text of a type of its own: as a plain one, "<a>" would be read as markup.
    escaped: str = graphviz.escape(drawable("; ".join(islice(lines, MOST_TOLD))))
    return escaped
