"""Expectations about the cluster itself: which nodes are its members, and whether they run."""

from __future__ import annotations

from lab_helpers.exercises import words
from lab_helpers.exercises.bench import Bench
from lab_helpers.exercises.model import Difference, Expectation

LOOK = "Look at `lab.status()`, and at `cluster_status` on `rmq1`."


def joined(node: str) -> Expectation:
    """The node is a member of the cluster, and RabbitMQ runs on it."""

    def check(bench: Bench) -> Difference | None:
        members = bench.members()
        if node not in members:
            seen = f"the members {words.listed(members)}"
            return Difference(f"`{node}` is not a member of the cluster.", f"`{node}` among the members", seen, LOOK)
        if not members[node]:
            sentence = f"`{node}` is a member of the cluster, and RabbitMQ does not run on it."
            return Difference(sentence, "running", "not running", LOOK)
        return None

    return check


def cluster_of(*nodes: str) -> Expectation:
    """These nodes are the members of the cluster, and no others, and RabbitMQ runs on each of them."""

    def check(bench: Bench) -> Difference | None:
        members = bench.members()
        for other in members:
            if other not in nodes:
                sentence = f"`{other}` is a member of the cluster, and should not be."
                return Difference(sentence, words.listed(sorted(nodes)), words.listed(members), LOOK)
        return next((difference for node in nodes if (difference := joined(node)(bench))), None)

    return check
