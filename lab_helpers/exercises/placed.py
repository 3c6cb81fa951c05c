"""Expectations about where queues live: on which node, with which members, led by whom."""

from __future__ import annotations

from collections import Counter

from lab_helpers.broker.placement import Placement
from lab_helpers.exercises import words
from lab_helpers.exercises.bench import Bench
from lab_helpers.exercises.model import Difference, Expectation

LOOK = "Look at `lab.status(...)` with the queue's name."


def find(bench: Bench, queue: str) -> Placement | Difference:
    """Where the queue is, or the sentence that it is not there."""
    return bench.placements().get(queue) or Difference(f"There is no queue named `{queue}` yet.")


def lives_on(queue: str, node: str) -> Expectation:
    """The queue lives on this node: a classic queue is there, a replicated one is led from there."""

    def check(bench: Bench) -> Difference | None:
        placed = find(bench, queue)
        if isinstance(placed, Difference) or placed.leader == node:
            return placed if isinstance(placed, Difference) else None
        seen = f"`{placed.leader}`" if placed.leader else "no node that runs"
        return Difference(f"The queue `{queue}` lives on {seen}; it should be `{node}`.", node, seen, LOOK)

    return check


def has_members(queue: str, *nodes: str) -> Expectation:
    """The queue has a member on each of these nodes, all of them online, and on no other."""
    wanted = tuple(sorted(nodes))

    def check(bench: Bench) -> Difference | None:
        placed = find(bench, queue)
        if isinstance(placed, Difference):
            return placed
        if placed.members != wanted:
            return Difference(
                f"The queue `{queue}` has members on {words.listed(placed.members)}; it should be "
                f"{words.listed(wanted)}.",
                words.listed(wanted),
                words.listed(placed.members),
                LOOK,
            )
        if placed.online != wanted:
            away = [node for node in wanted if node not in placed.online]
            return Difference(
                f"The members of `{queue}` on {words.listed(away)} are not online.",
                words.listed(wanted),
                words.listed(placed.online),
                LOOK,
            )
        return None

    return check


def leaders_balanced(*queues: str) -> Expectation:
    """Each of these queues has a leader, and the nodes lead them in equal shares, as far as the number allows."""

    def check(bench: Bench) -> Difference | None:
        leaders = []
        for queue in queues:
            placed = find(bench, queue)
            if isinstance(placed, Difference):
                return placed
            if not placed.leader:
                return Difference(f"Nobody leads the queue `{queue}` now.", "a leader", "none", LOOK)
            leaders.append(placed.leader)
        shares = Counter(leaders)
        counts = [shares[node] for node in bench.cluster.engine.nodes]
        if max(counts) - min(counts) <= 1:
            return None
        seen = ", ".join(f"{node} {shares[node]}" for node in bench.cluster.engine.nodes)
        return Difference(
            f"The leaders are not in balance: {seen}.",
            "equal shares, give or take one",
            seen,
            "`lab.status(...)` shows the leaders.",
        )

    return check
