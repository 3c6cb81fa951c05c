"""How a cluster is, as data."""

from __future__ import annotations

import pytest

from lab_helpers.cluster.status import ClusterStatus, NodeState, NodeStatus
from lab_helpers.settings import NODES, SPARE

THREE = frozenset(NODES)


def status(sees: dict[str, frozenset[str]]) -> ClusterStatus:
    nodes = tuple(
        NodeStatus(name, NodeState.READY, "127.0.0.1:1", "http://127.0.0.1:2", seen, name == SPARE)
        for name, seen in sees.items()
    )
    return ClusterStatus("native", "4.3.6", nodes, "127.0.0.1:3", "http://127.0.0.1:4", "")


@pytest.mark.parametrize(
    ("fourth", "whole"),
    [
        ({}, True),
        ({SPARE: frozenset({SPARE})}, False),
        ({SPARE: THREE | {SPARE}}, False),
    ],
    ids=["absent", "a broker of its own", "a member that nobody sees"],
)
def test_a_fourth_node_counts_until_it_is_left_out(fourth: dict[str, frozenset[str]], whole: bool) -> None:
    found = status(dict.fromkeys(NODES, THREE) | fourth)
    assert found.is_whole is whole
    assert found.without_spare() == status(dict.fromkeys(NODES, THREE))
    assert found.without_spare().is_whole


def test_a_fourth_node_that_all_see_is_left_out_of_what_they_see() -> None:
    found = status(dict.fromkeys((*NODES, SPARE), THREE | {SPARE}))
    assert found.is_whole
    assert found.without_spare() == status(dict.fromkeys(NODES, THREE))


def test_the_three_are_not_whole_because_of_a_fourth() -> None:
    found = status({"rmq1": frozenset({"rmq1", SPARE}), "rmq2": THREE, "rmq3": THREE, SPARE: frozenset({SPARE})})
    assert not found.without_spare().is_whole
