"""Expectations about a ledger: what they say of the messages that are wrong, and which ledger they read."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab_helpers.cluster import Cluster
from lab_helpers.cluster.engines.external import ExternalEngine
from lab_helpers.errors import LabsError
from lab_helpers.exercises import Bench, Difference, ledger_shows
from lab_helpers.record.events import Message, Published
from lab_helpers.record.ledger import Ledger
from lab_helpers.record.story import Story
from lab_helpers.settings import load_settings


@pytest.fixture
def cluster(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setenv("LABS_ENGINE", "external")
    monkeypatch.setenv("LABS_AMQP_URL", "amqp://127.0.0.1:1")
    monkeypatch.setenv("LABS_MANAGEMENT_URL", "http://a:b@127.0.0.1:1")
    return Cluster(ExternalEngine(load_settings()))


def filled() -> Ledger:
    """10 sent and confirmed; 7 and 9 lost, 3 twice, a stranger."""
    ledger = Ledger()
    for number in range(10):
        ledger.sent(number)
        ledger.confirmed(number)
        if number not in (7, 9):
            ledger.received(number)
    ledger.received(3)
    ledger.received("stranger")
    return ledger


STORY = Story((Published(0.0, "client", 1, 1, "", "orders", True, None),), messages={1: Message(b"a")})


def message(difference: Difference | None) -> str:
    assert difference is not None
    return difference.message


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"lost": 0}, "2 confirmed messages were never received: `7`, `9`."),
        ({"lost": 3}, "2 confirmed messages were never received: `7`, `9`; it should be 3."),
        ({"duplicated": 0}, "1 message was received more than once: `3`."),
        ({"unexpected": 0, "recovered": 0}, "1 message was received though never sent: `stranger`."),
        ({"resent": 1}, "No message was sent more than once; it should be 1."),
        ({"sent": 12}, "10 messages were sent; it should be 12."),
        ({"nacked": 1}, "No message was nacked; it should be 1."),
        ({"lost": 0, "sent": 12}, "10 messages were sent; it should be 12."),
    ],
)
def test_the_sentences(cluster: Cluster, wanted: dict[str, int], sentence: str) -> None:
    difference = ledger_shows(**wanted)(Bench(cluster, [], "04", ledger=filled()))
    assert message(difference) == sentence


def test_the_two_sides(cluster: Cluster) -> None:
    difference = ledger_shows(lost=0)(Bench(cluster, [], "04", ledger=filled()))
    assert difference is not None
    assert (difference.expected, difference.seen) == ("lost 0", "lost 2")


def test_what_holds(cluster: Cluster) -> None:
    bench = Bench(cluster, [], "04", ledger=filled())
    wanted = ledger_shows(
        sent=10, confirmed=10, nacked=0, returned=0, received=9, acked=0,
        lost=2, duplicated=1, recovered=1, unexpected=1, missing=2, indeterminate=0, resent=0,
    )  # fmt: skip
    assert wanted(bench) is None
    assert ledger_shows()(bench) is None


def test_nothing_holds_of_nothing(cluster: Cluster) -> None:
    assert "no ledger of this exercise" in message(ledger_shows(lost=0)(Bench(cluster, [], "04")))
    assert "is empty" in message(ledger_shows(lost=0)(Bench(cluster, [], "04", ledger=Ledger())))
    assert "is empty" in message(ledger_shows()(Bench(cluster, [], "04", Story())))


def test_without_a_ledger_the_story_is_read(cluster: Cluster) -> None:
    assert "`a`" in message(ledger_shows(missing=0)(Bench(cluster, [], "04", STORY)))


def test_the_learners_own_ledger_goes_before_the_story(cluster: Cluster) -> None:
    own = Ledger()
    bench = Bench(cluster, [], "04", STORY, own)
    # Also where it is still empty: it was opened for this exercise.
    assert "is empty" in message(ledger_shows()(bench))
    own.sent("b")
    assert "`b`" in message(ledger_shows(missing=0)(bench.again()))


def test_a_story_with_a_gap_is_no_evidence(cluster: Cluster) -> None:
    with pytest.raises(LabsError, match="not complete"):
        ledger_shows(lost=0)(Bench(cluster, [], "04", Story(STORY.events, messages=STORY.messages, lost_bytes=1)))
