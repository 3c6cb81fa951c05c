"""Where queues live, read from answers of the management API."""

from __future__ import annotations

from typing import cast

import pytest

from lab_helpers.broker.management import Json, Management, RefusedError
from lab_helpers.broker.placement import Placement, placement, placements
from lab_helpers.errors import BrokerUnreachableError, LabsError

THREE = ["rmq2@rmq2", "rmq1@rmq1", "rmq3@rmq3"]
NAMES = ("rmq1", "rmq2", "rmq3")

# As 4.3.6 answers, and for mirrors and the state "live" as 3.10.8 does.
QUORUM = {"name": "q", "type": "quorum", "leader": "rmq2@rmq2", "members": THREE, "online": THREE, "state": "running"}
STREAM_OF_A_DEAD_LEADER = {
    "name": "s",
    "type": "stream",
    "leader": "rmq3@rmq3",
    "members": THREE,
    "online": THREE[:2],
    "state": "down",
}
STREAM_OF_3_10 = {"name": "s", "type": "stream", "node": "rmq2@rmq2", "state": "live"}
CLASSIC = {"name": "c", "type": "classic", "node": "rmq3@rmq3", "state": "live"}
MIRRORED = {
    **CLASSIC,
    "slave_nodes": ["rmq2@rmq2", "rmq1@rmq1"],
    "synchronised_slave_nodes": ["rmq1@rmq1"],
}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (QUORUM, Placement("q", "quorum", "rmq2", NAMES, NAMES, NAMES)),
        (STREAM_OF_A_DEAD_LEADER, Placement("s", "stream", "", NAMES, NAMES[:2], NAMES[:2])),
        (CLASSIC, Placement("c", "classic", "rmq3", ("rmq3",), ("rmq3",), ("rmq3",))),
        ({**CLASSIC, "state": "down"}, Placement("c", "classic", "", ("rmq3",), (), ())),
        (MIRRORED, Placement("c", "classic", "rmq3", NAMES, NAMES, ("rmq1", "rmq3"), is_mirrored=True)),
    ],
    ids=["quorum", "stream of a dead leader", "classic", "classic, down", "mirrored"],
)
def test_each_type(answer: dict[str, object], expected: Placement) -> None:
    assert placement(answer, lambda name: name.split("@")[0]) == expected


def test_replicas_and_majority() -> None:
    placed = Placement("q", "quorum", "rmq2", NAMES, NAMES[:2], NAMES[:2])
    assert placed.replicas == ("rmq1", "rmq3")
    assert placed.has_majority
    assert not Placement("q", "quorum", "", NAMES, NAMES[:1], NAMES[:1]).has_majority
    assert not Placement("q", "quorum", "", NAMES[:2], NAMES[:1], NAMES[:1]).has_majority


class Node:
    """Answers for all queues at once as 3.10.8 does, and for one alone as it is told."""

    def __init__(self, alone: Json | LabsError) -> None:
        self.alone = alone
        self.asked: list[str] = []

    def get(self, path: str) -> Json:
        self.asked.append(path)
        if path.endswith("?disable_stats=true"):
            return [STREAM_OF_3_10, QUORUM]
        if isinstance(self.alone, LabsError):
            raise self.alone
        return self.alone


def seen(node: Node) -> Placement:
    return placements([cast(Management, node)], "19", lambda name: name.split("@")[0])["s"]


def test_a_stream_of_3_10_is_asked_alone_for_its_members() -> None:
    node = Node({**STREAM_OF_3_10, "members": THREE, "online": THREE[:2]})
    assert seen(node) == Placement("s", "stream", "rmq2", NAMES, NAMES[:2], NAMES[:2])
    assert node.asked == ["/queues/19?disable_stats=true", "/queues/19/s"]


@pytest.mark.parametrize(
    "alone",
    [STREAM_OF_3_10, BrokerUnreachableError("It waits for a dead node."), RefusedError(404, "GET", "Not Found")],
    ids=["not told yet", "no answer", "deleted"],
)
def test_a_stream_whose_members_are_not_told_is_where_it_is_led(alone: Json | LabsError) -> None:
    assert seen(Node(alone)) == Placement("s", "stream", "rmq2", ("rmq2",), ("rmq2",), ("rmq2",))
