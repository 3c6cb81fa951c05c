"""Expectations about what was recorded: each holds for one story and says what is missing in another."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from lab_helpers.exercises import Bench, Difference, Expectation, story_shows
from lab_helpers.record.events import (
    ChannelClosed,
    Confirmed,
    ConfirmsSelected,
    ConnectionClosed,
    Consuming,
    DeadLettered,
    Delivered,
    PrefetchSet,
    Published,
    Returned,
    Settled,
    Settlement,
    Side,
)
from lab_helpers.record.story import Story

AT = (0.0, "client", 1)
FULL = Story(
    (
        ConfirmsSelected(*AT),
        Published(*AT, 1, "orders", "eu", True, 1, ("eu",)),
        Published(*AT, 2, "orders", "us", True, 2, ()),
        Returned(*AT, 2, 312, "NO_ROUTE", "orders", "us"),
        Confirmed(*AT, 2, True, (1, 2)),
        PrefetchSet(*AT, 10, False),
        Consuming(*AT, "eu", "consumer 1", False, False),
        Delivered(*AT, 1, "eu", "consumer 1", 1, False, False, "orders", "eu"),
        Settled(*AT, Settlement.ACK, 1, False, False, (1,), ("eu",)),
        DeadLettered(*AT, 3, "eu", "expired", "orders", 1),
        ChannelClosed(*AT, Side.BROKER, 404, "NOT_FOUND"),
    )
)
POOR = Story(
    (
        Published(*AT, 1, "orders", "eu", False, None),
        PrefetchSet(*AT, 1, False),
        Consuming(*AT, "eu", "consumer 1", True, False),
        Delivered(*AT, 1, "eu", "consumer 1", 1, False, False, "orders", "eu"),
        ChannelClosed(*AT, Side.CLIENT, 404, "a client's own number"),
        ConnectionClosed(*AT, Side.BROKER, 541, "INTERNAL_ERROR"),
    )
)
EXPECTATIONS: list[tuple[Expectation, str, str]] = [
    (story_shows.published("orders", mandatory=True), "without mandatory", "No message was published to the exchange"),
    (story_shows.published_with_confirms(), "1 message went out on a channel without", "No message was published."),
    (story_shows.every_publish_confirmed(), "confirmed 0 of 1 message.", "confirmed 0 of 0 messages."),
    (story_shows.returned(), "No message was returned.", "No message was returned."),
    (story_shows.returned("us"), "No message with the key `us` was", "No message with the key `us` was"),
    (story_shows.prefetch(10), "The prefetch count should be 10.", "The prefetch count should be 10."),
    (story_shows.consumed("eu", auto_ack=False), "used automatic acknowledgement", "No consumer was on `eu`"),
    (story_shows.acked_before_close(), "The broker heard nothing of 1 delivery", "No message was delivered."),
    (story_shows.settled(Settlement.ACK, 1), "0 messages ended with `basic.ack`", "0 messages ended with `basic.ack`"),
    (story_shows.dead_lettered("eu", "expired"), "No dead letter left `eu`", "No dead letter left `eu`"),
    (story_shows.closed_by_broker(404), "did not close a channel with 404", "did not close a channel with 404"),
]


def said(expectation: Expectation, story: Story | None) -> Difference | None:
    return expectation(cast(Bench, SimpleNamespace(story=story)))


@pytest.mark.parametrize(("expectation", "poor", "empty"), EXPECTATIONS)
def test_each_holds_or_says_what_is_missing(expectation: Expectation, poor: str, empty: str) -> None:
    assert said(expectation, FULL) is None
    for story, sentence in ((POOR, poor), (Story(), empty)):
        difference = said(expectation, story)
        assert difference is not None
        assert sentence in difference.message


@pytest.mark.parametrize("expectation", [one for one, _, _ in EXPECTATIONS] + [story_shows.recorded()])
def test_without_a_story_of_this_exercise_nothing_holds(expectation: Expectation) -> None:
    difference = said(expectation, None)
    assert difference is not None
    assert "Nothing was recorded for this exercise" in difference.message


def test_the_expected_and_the_seen() -> None:
    difference = said(story_shows.closed_by_broker(404), POOR)
    assert difference is not None
    assert (difference.expected, difference.seen) == ("closed with 404", "closed with 541")


def test_a_clean_end() -> None:
    assert said(story_shows.not_closed_by_broker(), Story()) is None
    difference = said(story_shows.not_closed_by_broker(), FULL)
    assert difference is not None
    assert "404 NOT_FOUND" in difference.message


def test_a_recording_of_nothing() -> None:
    assert said(story_shows.recorded(), POOR) is None
    assert said(story_shows.recorded(), Story()) is not None
