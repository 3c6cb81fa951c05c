"""The event of each check: told to all who listen, whatever they do."""

from __future__ import annotations

from dataclasses import fields

from lab_helpers.exercises import Outcome
from lab_helpers.exercises.events import Checked, publish, subscribe

EVENT = Checked("04_direct_exchange", "regions", Outcome.PASSED, 2, 0.3)


def test_every_subscriber_hears_it_until_it_ends() -> None:
    first: list[Checked] = []
    second: list[Checked] = []
    ends = [subscribe(first.append), subscribe(second.append)]
    try:
        publish(EVENT)
        ends[0]()
        ends[0]()
        publish(EVENT)
    finally:
        for end in ends:
            end()
    publish(EVENT)
    assert (first, second) == ([EVENT], [EVENT, EVENT])


def test_the_same_callback_twice_is_two_subscriptions() -> None:
    heard: list[Checked] = []
    one, two = subscribe(heard.append), subscribe(heard.append)
    publish(EVENT)
    one()
    publish(EVENT)
    two()
    assert len(heard) == 3


def test_a_subscriber_that_fails_spoils_nothing() -> None:
    heard: list[Checked] = []

    def fail(event: Checked) -> None:
        raise RuntimeError(event.lab)

    ends = [subscribe(fail), subscribe(heard.append)]
    try:
        publish(EVENT)
    finally:
        for end in ends:
            end()
    assert heard == [EVENT]


def test_nothing_in_it_is_about_a_person() -> None:
    assert [field.name for field in fields(Checked)] == ["lab", "exercise", "outcome", "attempt", "seconds"]
