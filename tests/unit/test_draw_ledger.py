"""The picture of a ledger: what it shows, and the words that say the same."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from hypothesis import given
from hypothesis import strategies as st

from lab_helpers.accounting import Account, account
from lab_helpers.draw.ledger import MOST_ROWS, ledger_picture
from lab_helpers.record.ledger import STEPS, Ledger

SVG = "{http://www.w3.org/2000/svg}"


def example() -> Account:
    """A hundred messages: three without a confirm, three received twice."""
    ledger = account([])
    for number in range(100):
        ledger.sent(number)
        ledger.received(number)
        ledger.acked(number)
        if number < 97:
            ledger.confirmed(number)
    for number in (7, 9, 12):
        ledger.received(number)
    return ledger


def drawn(ledger: Ledger) -> ElementTree.Element:
    return ElementTree.fromstring(ledger_picture(ledger).svg)  # noqa: S314 - our own


def texts(ledger: Ledger) -> list[str]:
    return ["".join(text.itertext()) for text in drawn(ledger).iter(f"{SVG}text")]


def test_the_words() -> None:
    assert ledger_picture(example()).text == "\n".join(
        [
            "ledger: 100 sent, 97 confirmed, 0 nacked, 0 returned, 100 received, 100 acked",
            "verdict: lost 0, duplicated 3, recovered 3, unexpected 0",
            "besides: indeterminate 3",
            "message 7: sent, confirmed, received 2 times, acked: duplicated",
            "message 9: sent, confirmed, received 2 times, acked: duplicated",
            "message 12: sent, confirmed, received 2 times, acked: duplicated",
            "message 97: sent, received, acked: recovered, indeterminate",
            "message 98: sent, received, acked: recovered, indeterminate",
            "message 99: sent, received, acked: recovered, indeterminate",
        ]
    )


def test_the_picture_shows_what_the_words_say() -> None:
    shown = texts(example())
    for text in ("100", "97", "sent", "returned", "lost 0", "duplicated 3", "recovered 3", "unexpected 0", "2 ×"):
        assert text in shown
    assert "indeterminate 3  sent, and no answer" in shown
    assert not any(text.startswith("missing") for text in shown)
    ticks = list(drawn(example()).iter(f"{SVG}polyline"))
    # Two that nothing is lost or unexpected; three messages with three ticks and "2 ×", three with three.
    assert len(ticks) == 2 + 3 * 3 + 3 * 3


def test_a_ledger_shows_itself() -> None:
    bundle = example()._repr_mimebundle_(include=None, exclude=None)
    assert set(bundle) == {"image/svg+xml", "text/plain"}
    assert bundle["text/plain"] == repr(example())
    root = ElementTree.fromstring(bundle["image/svg+xml"])  # noqa: S314 - our own
    assert root.get("role") == "img"
    assert (root.get("aria-label") or "").startswith("ledger: 100 sent")


def test_nothing_is_said_by_colour_alone() -> None:
    good, bad = Ledger(), Ledger()
    bad.confirmed(1)
    assert "lost 1" in texts(bad)
    # A tick becomes a cross: two lines.
    assert len(list(drawn(good).iter(f"{SVG}polyline"))) == 2
    crosses = [line for line in drawn(bad).iter(f"{SVG}line") if line.get("stroke") == "#b3261e"]
    assert len(crosses) == 2


def test_an_empty_ledger() -> None:
    assert len(ledger_picture(Ledger()).text.splitlines()) == 2
    assert "not in order" not in texts(Ledger())


def test_many_messages_are_told_in_short_the_worst_first() -> None:
    ledger = Ledger()
    for number in range(1000):
        ledger.sent(number)
    ledger.confirmed(500)
    ledger.received("stranger")
    lines = ledger_picture(ledger).text.splitlines()
    assert len(lines) == 3 + MOST_ROWS + 1
    assert lines[3] == "message 500: sent, confirmed: lost, missing"
    assert lines[4] == "message stranger: received: recovered, unexpected"
    assert lines[-1] == "and 989 more that are not in order"
    assert "and 989 more" in texts(ledger)


def test_what_the_broker_refused_or_gave_back_is_told() -> None:
    ledger = Ledger()
    for step in ("sent", "nacked"):
        getattr(ledger, step)("a")
    for step in ("sent", "returned", "confirmed"):
        getattr(ledger, step)("b")
    assert ledger_picture(ledger).text.splitlines()[2:] == [
        "message a: sent, nacked",
        "message b: sent, confirmed, returned",
    ]


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.text(max_size=80)), max_size=30))
def test_any_id_can_be_drawn_on_one_line(notes: list[tuple[str, str]]) -> None:
    ledger = Ledger()
    for step, id in notes:
        getattr(ledger, step)(id)
    picture = ledger_picture(ledger)
    assert ElementTree.fromstring(picture.svg).tag == f"{SVG}svg"  # noqa: S314 - our own
    assert all(line.startswith(("ledger", "verdict", "besides", "message", "and")) for line in picture.text.split("\n"))
    assert picture == ledger_picture(ledger.copy())
