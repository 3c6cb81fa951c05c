"""The ledger's lists, by histories made by hand and by a plain definition of each list."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab_helpers.accounting import account
from lab_helpers.errors import LabsError
from lab_helpers.record.events import (
    Confirmed,
    Delivered,
    Event,
    Message,
    Published,
    Refused,
    Returned,
    Settled,
    Settlement,
)
from lab_helpers.record.ledger import BESIDES, FINDINGS, STEPS, Ledger
from lab_helpers.record.message_ids import Id, identity, in_order
from lab_helpers.record.story import Story
from lab_helpers.recording import Recording

Note = tuple[str, Id]

AT = (0.0, "client", 1)
FINE = ("sent", "confirmed", "received", "acked")


def filled(*notes: Note) -> Ledger:
    ledger = Ledger()
    for step, id in notes:
        getattr(ledger, step)(id)
    return ledger


def of_one(*steps: str) -> Ledger:
    return filled(*((step, 7) for step in steps))


def state(ledger: Ledger) -> tuple[Any, ...]:
    return ledger.counts, ledger.entries(list(ledger)), ledger.verdict


# --- What each history means

HISTORIES: list[tuple[tuple[str, ...], set[str]]] = [
    (FINE, set()),
    (("sent", "confirmed"), {"lost", "missing"}),
    (("confirmed",), {"lost"}),
    (("sent", "received"), {"recovered", "indeterminate"}),
    (("sent",), {"missing", "indeterminate"}),
    (("sent", "nacked"), set()),
    (("sent", "nacked", "received"), {"recovered"}),
    (("sent", "nacked", "confirmed"), {"lost"}),
    # The broker confirms what it returns: https://www.rabbitmq.com/docs/confirms#when-publishes-are-confirmed
    (("sent", "returned", "confirmed"), set()),
    (("sent", "returned"), set()),
    (("received",), {"recovered", "unexpected"}),
    (("confirmed", "received"), {"unexpected"}),
    ((*FINE, "received"), {"duplicated"}),
    ((*FINE, "sent"), {"resent"}),
    ((*FINE, "confirmed", "acked", "acked"), set()),
    (("acked",), set()),
]


@pytest.mark.parametrize(("steps", "findings"), HISTORIES)
def test_what_a_history_means(steps: tuple[str, ...], findings: set[str]) -> None:
    ledger = of_one(*steps)
    assert set(ledger[7].findings) == findings
    for name in (*FINDINGS, *BESIDES):
        assert getattr(ledger, name) == ([7] if name in findings else [])
    assert ledger.counts == {step: int(step in steps) for step in STEPS}


def test_one_message() -> None:
    entry = of_one("sent", "sent", "received", "received", "acked")["7"]
    assert (entry.id, entry.sent, entry.received, entry.confirmed, entry.acked) == (7, 2, 2, False, True)
    assert entry.findings == ("duplicated", "recovered", "indeterminate", "resent")
    with pytest.raises(LabsError, match="no message 8"):
        of_one("sent")[8]


def test_ids_are_what_was_given_in_the_order_of_people() -> None:
    given_ids: list[Id] = ["order 10", 10, "order 9", 9, "7", "a", -1, "07"]
    ledger = filled(*(("sent", id) for id in given_ids))
    assert ledger.missing == [-1, "07", "7", 9, 10, "a", "order 9", "order 10"]
    assert list(ledger) == ledger.missing
    assert len(ledger) == 8
    assert 9 in ledger
    assert 11 not in ledger


def test_a_number_is_the_text_that_stands_on_the_wire() -> None:
    assert filled(("sent", 7), ("confirmed", 7), ("received", "7")).verdict == dict.fromkeys((*FINDINGS, *BESIDES), 0)
    # Whichever came first.
    assert filled(("received", "7"), ("sent", 7)).recovered == [7]


@pytest.mark.parametrize("id", [None, b"order 7", True, 1.0])
def test_what_is_no_id_is_refused(id: Any) -> None:
    with pytest.raises(LabsError, match="a text or a number"):
        Ledger().received(id)


def test_the_summary() -> None:
    notes: list[Note] = [(step, n) for n in range(10) for step in FINE]
    assert repr(filled(*notes, ("received", 3))) == (
        "ledger: 10 sent, 10 confirmed, 0 nacked, 0 returned, 10 received, 10 acked\n"
        "verdict: lost 0, duplicated 1, recovered 0, unexpected 0"
    )
    assert repr(filled(("sent", 1))).splitlines()[2] == "besides: missing 1, indeterminate 1"


# --- By a plain definition

NAMES: st.SearchStrategy[Id] = st.sampled_from([1, 2, 10, "2", "a", "a 9", "a 10"])
NOTES = st.lists(st.tuples(st.sampled_from(STEPS), NAMES), max_size=40)
DEFINITIONS: dict[str, Callable[[Callable[[str], int]], bool]] = {
    # Each told of one message, by how often each step was noted of it.
    "lost": lambda n: n("confirmed") > 0 and n("received") == 0 and n("returned") == 0,
    "duplicated": lambda n: n("received") > 1,
    "recovered": lambda n: n("received") > 0 and n("confirmed") == 0,
    "unexpected": lambda n: n("received") > 0 and n("sent") == 0,
    "missing": lambda n: n("sent") > 0 and n("received") + n("returned") + n("nacked") == 0,
    "indeterminate": lambda n: n("sent") > 0 and n("confirmed") + n("nacked") + n("returned") == 0,
    "resent": lambda n: n("sent") > 1,
}


@given(NOTES)
def test_each_message_is_in_exactly_the_lists_of_the_definition(notes: list[Note]) -> None:
    ledger = filled(*notes)
    for name, holds in DEFINITIONS.items():
        expected = {
            str(id)
            for _, id in notes
            if holds(lambda step, id=id: sum(one == step and str(other) == str(id) for one, other in notes))
        }
        found = getattr(ledger, name)
        assert set(map(str, found)) == expected
        assert len(found) == len(expected) == ledger.verdict[name]
        assert found == sorted(found, key=lambda id: in_order(str(id)))
        assert expected == {str(id) for id in ledger if name in ledger[id].findings}
    assert not set(ledger.lost) & set(ledger.recovered)
    assert ledger.counts == {step: len({str(id) for one, id in notes if one == step}) for step in STEPS}


@given(NOTES, st.randoms())
def test_the_order_of_notes_does_not_matter(notes: list[Note], chance: random.Random) -> None:
    shuffled = list(notes)
    chance.shuffle(shuffled)
    assert state(filled(*shuffled)) == state(filled(*notes))


@given(NOTES)
def test_a_copy_stays_as_it_is(notes: list[Note]) -> None:
    ledger = filled(*notes)
    copy, before = ledger.copy(), state(ledger)
    for step in STEPS:
        getattr(ledger, step)("later")
    assert state(copy) == before


def test_threads_fill_as_one_would() -> None:
    chance = random.Random(1)  # noqa: S311 - no secret
    notes: list[Note] = [(chance.choice(STEPS), chance.randrange(300)) for _ in range(20_000)]
    ledger = Ledger()

    def note(part: Sequence[Note]) -> None:
        for step, id in part:
            getattr(ledger, step)(id)
            if id == 0:
                # Reading meanwhile neither fails nor disturbs.
                assert len(ledger.duplicated) <= len(ledger)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(note, [notes[start::8] for start in range(8)]))
    assert state(ledger) == state(filled(*notes))


def test_a_hundred_thousand_messages() -> None:
    began = time.process_time()
    ledger = Ledger()
    for number in range(100_000):
        ledger.sent(number)
        ledger.confirmed(number)
        if number % 2:
            ledger.received(number)
    assert (len(ledger.lost), ledger.lost[:2]) == (50_000, [0, 2])
    assert ledger.verdict["missing"] == 50_000
    # A second on a slow machine; what is quadratic takes minutes.
    assert time.process_time() - began < 15


@given(st.lists(st.text() | st.integers().map(str) | st.from_regex(r"[a-z ]?[0-9]{1,3}[a-z]?", fullmatch=True)))
def test_any_text_sorts(texts: list[str]) -> None:
    ordered = sorted(texts, key=in_order)
    backwards = texts[::-1]
    assert ordered == sorted(backwards, key=in_order)
    numbers = [int(text) for text in ordered if text.lstrip("-").isdecimal() and text.isascii() and "--" not in text]
    assert numbers == sorted(numbers)


def test_long_digits_sort_too() -> None:
    assert sorted(["9" * 5000, "8"], key=in_order) == ["8", "9" * 5000]


# --- From stories


def story(*events: Event, messages: dict[int, Message]) -> Story:
    return Story(tuple(events), messages=messages)


def published(number: int) -> Published:
    return Published(*AT, number, "", "orders", True, number)


def delivered(number: int) -> Delivered:
    return Delivered(*AT, number, "orders", "consumer 1", number, False, False, "", "orders")


def test_all_that_a_story_tells() -> None:
    told = story(
        *map(published, (1, 2, 3, 4, 5)),
        Returned(*AT, 4, 312, "NO_ROUTE", "", "nowhere"),
        Confirmed(*AT, 2, True, (1, 2)),
        Confirmed(*AT, 4, False, (4,)),
        Refused(*AT, 3, False, (3,)),
        delivered(1),
        delivered(1),
        delivered(5),
        Settled(*AT, Settlement.ACK, 2, False, False, (1,), ("orders",)),
        Settled(*AT, Settlement.REJECT, 3, False, False, (5,), ("orders",)),
        messages={n: Message(b"%d" % n) for n in range(1, 6)},
    )
    ledger = Ledger.of(told)
    assert ledger.counts == {"sent": 5, "confirmed": 3, "nacked": 1, "returned": 1, "received": 2, "acked": 1}
    assert (ledger.lost, ledger.duplicated, ledger.recovered) == (["2"], ["1"], ["5"])
    assert (ledger.unexpected, ledger.missing, ledger.indeterminate) == ([], ["2"], ["5"])


def test_stories_are_joined_by_the_message() -> None:
    first = story(published(1), Confirmed(*AT, 1, False, (1,)), messages={1: Message(b"x", {"message_id": "7"})})
    second = story(delivered(1), messages={1: Message(b"x", {"message_id": "7"})})
    assert Ledger.of(first).lost == ["7"]
    assert Ledger.of(first, second).verdict == dict.fromkeys((*FINDINGS, *BESIDES), 0)
    assert Ledger.of().verdict == Ledger().verdict


def test_two_publishes_with_one_id_are_a_resend() -> None:
    same = {number: Message(b"try %d" % number, {"message_id": "7"}) for number in (1, 2)}
    ledger = Ledger.of(story(published(1), published(2), Confirmed(*AT, 2, False, (2,)), messages=same))
    assert (ledger.counts["sent"], ledger.resent, ledger["7"].sent, ledger.lost) == (1, ["7"], 2, ["7"])


@pytest.mark.parametrize(
    ("message_id", "body", "known_as"),
    [
        ("7", b"order 7", "7"),
        (None, b"order 7", "order 7"),
        ("", b"caf\xc3\xa9\n", "café\n"),
        (None, b"", ""),
        (None, b"\xff\xfe", "sha256:b3d510ef04275ca8"),
        (None, b"\x00\x01", "sha256:b413f47d13ee2fe6"),
    ],
)
def test_what_a_message_is_known_by(message_id: str | None, body: bytes, known_as: str) -> None:
    assert identity(message_id, body) == known_as


def test_a_story_with_a_gap_is_refused() -> None:
    with pytest.raises(LabsError, match="not complete"):
        Ledger.of(Story(lost_bytes=1))


def test_only_recordings_that_are_over_count() -> None:
    with pytest.raises(LabsError, match="not over"):
        account([Recording()])
    with pytest.raises(LabsError, match="filled from recordings"):
        account(["orders"])  # type: ignore[list-item]
    over = Recording()
    over._story = story(published(1), messages={1: Message(b"a")})
    assert account([over]).missing == ["a"]
