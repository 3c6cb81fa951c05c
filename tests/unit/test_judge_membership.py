"""Expectations about the members of the cluster: what each says of a state that is not as wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pytest

from lab_helpers.exercises import Bench, Difference, Expectation, cluster_of, joined
from lab_helpers.exercises.membership import LOOK

THREE = {"rmq1": True, "rmq2": True, "rmq3": True}


@dataclass
class Made:
    """Members that no cluster ever had."""

    known: dict[str, bool]

    def members(self) -> dict[str, bool]:
        return self.known


def said(expectation: Expectation, members: dict[str, bool]) -> Difference | None:
    return expectation(cast(Bench, Made(members)))


@pytest.mark.parametrize("expectation", [joined("rmq1"), cluster_of("rmq3", "rmq1", "rmq2")])
def test_what_holds_says_nothing(expectation: Expectation) -> None:
    assert said(expectation, THREE) is None


@pytest.mark.parametrize("expectation", [joined("rmq4"), cluster_of(*THREE, "rmq4")])
def test_a_node_that_is_no_member(expectation: Expectation) -> None:
    assert said(expectation, THREE) == Difference(
        "`rmq4` is not a member of the cluster.",
        "`rmq4` among the members",
        "the members `rmq1`, `rmq2`, `rmq3`",
        LOOK,
    )


@pytest.mark.parametrize("expectation", [joined("rmq4"), cluster_of(*THREE, "rmq4")])
def test_a_member_that_does_not_run(expectation: Expectation) -> None:
    assert said(expectation, THREE | {"rmq4": False}) == Difference(
        "`rmq4` is a member of the cluster, and RabbitMQ does not run on it.", "running", "not running", LOOK
    )


@pytest.mark.parametrize("runs", [True, False])
def test_a_member_too_many(runs: bool) -> None:
    assert said(cluster_of(*THREE), THREE | {"rmq4": runs}) == Difference(
        "`rmq4` is a member of the cluster, and should not be.",
        "`rmq1`, `rmq2`, `rmq3`",
        "`rmq1`, `rmq2`, `rmq3`, `rmq4`",
        LOOK,
    )
