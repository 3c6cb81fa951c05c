"""Expectations about where queues live: what each says of a placement that is not as wanted."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import pytest

from lab_helpers.broker.placement import Placement
from lab_helpers.exercises import Bench, Difference, Expectation, has_members, leaders_balanced, lives_on

NODES = ("rmq1", "rmq2", "rmq3")


def quorum(name: str, leader: str, members: tuple[str, ...] = NODES, away: tuple[str, ...] = ()) -> Placement:
    """A quorum queue with members on these nodes, some of them not online."""
    online = tuple(node for node in members if node not in away)
    return Placement(name, "quorum", leader, members, online, online)


def classic(name: str, node: str) -> Placement:
    """A classic queue on this node, or one whose node is down if it is empty."""
    return Placement(name, "classic", node, ("rmq1",), (node,) if node else (), (node,) if node else ())


@dataclass
class Made:
    """Placements that no broker ever told, on a cluster of three nodes."""

    queues: list[Placement]
    cluster: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(engine=SimpleNamespace(nodes=NODES)))

    def placements(self) -> dict[str, Placement]:
        return {queue.queue: queue for queue in self.queues}


def said(expectation: Expectation, *queues: Placement) -> Difference | None:
    return expectation(cast(Bench, Made(list(queues))))


def sentence(expectation: Expectation, *queues: Placement) -> str:
    difference = said(expectation, *queues)
    assert difference is not None
    return difference.message


@pytest.mark.parametrize("expectation", [lives_on("q", "rmq1"), has_members("q", "rmq1"), leaders_balanced("q")])
def test_a_queue_that_is_not_there(expectation: Expectation) -> None:
    assert sentence(expectation) == "There is no queue named `q` yet."


def test_where_a_queue_lives() -> None:
    assert said(lives_on("q", "rmq1"), classic("q", "rmq1")) is None
    assert said(lives_on("q", "rmq2"), quorum("q", "rmq2")) is None
    assert sentence(lives_on("q", "rmq1"), quorum("q", "rmq2")) == (
        "The queue `q` lives on `rmq2`; it should be `rmq1`."
    )
    assert sentence(lives_on("q", "rmq1"), classic("q", "")) == (
        "The queue `q` lives on no node that runs; it should be `rmq1`."
    )


def test_members_are_these_and_no_others_in_whatever_order() -> None:
    two = quorum("q", "rmq1", ("rmq1", "rmq3"))
    assert said(has_members("q", "rmq3", "rmq1"), two) is None
    assert sentence(has_members("q", "rmq1"), two) == (
        "The queue `q` has members on `rmq1`, `rmq3`; it should be `rmq1`."
    )
    assert sentence(has_members("q", *NODES), two) == (
        "The queue `q` has members on `rmq1`, `rmq3`; it should be `rmq1`, `rmq2`, `rmq3`."
    )


def test_a_member_counts_when_it_is_online() -> None:
    assert sentence(has_members("q", *NODES), quorum("q", "rmq1", away=("rmq2", "rmq3"))) == (
        "The members of `q` on `rmq2`, `rmq3` are not online."
    )


@pytest.mark.parametrize("leaders", [NODES, ("rmq1",), ("rmq1", "rmq2"), (*NODES, "rmq2")])
def test_leaders_in_balance_differ_by_one_at_most(leaders: tuple[str, ...]) -> None:
    queues = [quorum(f"q{number}", leader) for number, leader in enumerate(leaders)]
    assert said(leaders_balanced(*(queue.queue for queue in queues)), *queues) is None


def test_leaders_out_of_balance_are_counted() -> None:
    queues = [quorum("a", "rmq1"), quorum("b", "rmq1"), quorum("c", "rmq3")]
    assert (
        sentence(leaders_balanced("a", "b", "c"), *queues) == "The leaders are not in balance: rmq1 2, rmq2 0, rmq3 1."
    )


def test_a_queue_without_a_leader_is_not_in_balance() -> None:
    queues = [quorum("a", "rmq1"), quorum("b", "rmq2"), quorum("c", "")]
    assert sentence(leaders_balanced("a", "b", "c"), *queues) == "Nobody leads the queue `c` now."
