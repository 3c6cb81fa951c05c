"""Which objects of a big topology share a box, so that it stays a picture."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from lab_helpers.broker.topology import Binding, Exchange, Queue, Topology
from lab_helpers.draw.topology_words import queue_features

T = TypeVar("T", Exchange, Queue)

MOST_BOXES = 40
"""As many boxes are drawn; with more objects, those that are alike share one."""

Group = tuple[T, ...]
Alike = Callable[[T], Hashable]


@dataclass(frozen=True)
class Boxes:
    """The objects of a topology, in the groups that are drawn as one box each, sorted by their first names."""

    exchanges: tuple[Group[Exchange], ...]
    queues: tuple[Group[Queue], ...]

    @property
    def count(self) -> int:
        """How many boxes there are."""
        return len(self.exchanges) + len(self.queues)


def boxes(topology: Topology, most: int = MOST_BOXES) -> Boxes:
    """Give each object a box of its own, or let those that are alike share one until there are ``most`` boxes.

    The likest go together first: queues and exchanges that differ by nothing but a number in their names and keys;
    then, as far as there are still too many, queues that differ in their names, in their keys, and at last in anything.
    """
    queues: list[Group[Queue]] = [(queue,) for queue in topology.queues]
    exchanges: list[Group[Exchange]] = [(exchange,) for exchange in topology.exchanges]
    into = bindings_by(topology.bindings, lambda binding: (binding.destination, binding.to_exchange))
    out = bindings_by(topology.bindings, lambda binding: (binding.source, True))

    def bound(queue: Queue, *, keys: bool) -> Hashable:
        found = into.get((queue.name, False), ())
        # A key that is the queue's own name says no more than that.
        return frozenset(
            (stem(b.source), keys and (stem(b.key) if b.key != queue.name else 0, told(b.arguments))) for b in found
        )

    def features(queue: Queue) -> Hashable:
        return *queue_features(queue), told(queue.arguments)

    def exchange_likeness(exchange: Exchange) -> Hashable:
        ends = [(stem(b.source), stem(b.destination), stem(b.key)) for b in into.get((exchange.name, True), ())]
        ends += [("", stem(b.destination), stem(b.key)) for b in out.get((exchange.name, True), ())]
        return stem(exchange.name), exchange.type, exchange.durable, told(exchange.arguments), frozenset(ends)

    if len(queues) + len(exchanges) > most:
        queues = merged(queues, lambda q: (stem(q.name), features(q), bound(q, keys=True)), 0)
        exchanges = merged(exchanges, exchange_likeness, 0)
    for likeness in (
        lambda q: (features(q), bound(q, keys=True)),
        lambda q: (features(q), bound(q, keys=False)),
        lambda q: bound(q, keys=False),
    ):
        queues = merged(queues, likeness, most - len(exchanges))
    exchanges = merged(exchanges, lambda exchange: exchange.type, max(most - len(queues), most // 2))
    queues = lumped(queues, most - len(exchanges))
    return Boxes(tuple(sorted(exchanges, key=first)), tuple(sorted(queues, key=first)))


def merged(groups: Sequence[Group[T]], alike: Alike[T], most: int) -> list[Group[T]]:
    """Merge groups that are alike, the biggest of them first, while there are more than ``most``."""
    if len(groups) <= most:
        return list(groups)
    by_likeness: dict[Hashable, list[Group[T]]] = {}
    for group in groups:
        by_likeness.setdefault(alike(group[0]), []).append(group)
    count = len(groups)
    found: list[Group[T]] = []
    for many in sorted(by_likeness.values(), key=len, reverse=True):
        if count > most and len(many) > 1:
            count -= len(many) - 1
            found.append(in_order(member for group in many for member in group))
        else:
            found += many
    return found


def lumped(queues: Sequence[Group[Queue]], most: int) -> list[Group[Queue]]:
    """Where nothing else is alike: the queues with the fewest messages in one box."""
    if len(queues) <= most:
        return list(queues)
    ranked = sorted(queues, key=lambda group: (-sum(queue.messages or 0 for queue in group), first(group)))
    kept = max(most - 1, 0)
    return [*ranked[:kept], in_order(queue for group in ranked[kept:] for queue in group)]


def bindings_by(
    bindings: Iterable[Binding], end: Callable[[Binding], tuple[str, bool]]
) -> dict[tuple[str, bool], list[Binding]]:
    """The bindings by one of their ends."""
    found: dict[tuple[str, bool], list[Binding]] = {}
    for binding in bindings:
        found.setdefault(end(binding), []).append(binding)
    return found


def stem(name: str) -> str:
    """A name without what is numbered in it."""
    return re.sub(r"\d+", "0", name)


def told(arguments: object) -> str:
    """Arguments in a form that compares."""
    return repr(sorted(arguments.items())) if isinstance(arguments, dict) else repr(arguments)


def in_order(members: Iterable[T]) -> Group[T]:
    """Sorted by name as people do: "lyon.9" before "lyon.10"."""
    return tuple(sorted(members, key=lambda member: natural(member.name)))


def first(group: Group[T]) -> list[tuple[int, int, str]]:
    """What a box is sorted by."""
    return natural(group[0].name)


def natural(name: str) -> list[tuple[int, int, str]]:
    """A sort key in which numbers count as numbers."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]
