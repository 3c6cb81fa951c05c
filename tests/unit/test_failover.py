"""One failover, computed from the times of confirms and marks, and drawn as a time line."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab_helpers.draw.timeline import MOST_STROKES, WIDTH, timeline_picture
from lab_helpers.errors import LabsError
from lab_helpers.record.failover import Failover, failover

SVG = "{http://www.w3.org/2000/svg}"
CONFIRMS = [9.8, 9.9, 10.0, 10.5, 10.6]
"""The fault is at 10.1, so that the gap is 0.5 s."""


def drawn(measured: Failover, confirms: list[float]) -> ElementTree.Element:
    return ElementTree.fromstring(timeline_picture(measured, confirms).svg)  # noqa: S314 - our own


# --- The gap


def test_the_gap_is_the_longest_one_after_the_fault() -> None:
    measured = failover(10.1, [1.0, 9.9, 10.0, 10.5, 10.6])
    assert measured.gap == pytest.approx(0.5)
    assert measured.last_confirm == pytest.approx(-0.1)
    assert measured.first_confirm == pytest.approx(0.4)


def test_a_gap_may_begin_after_the_fault() -> None:
    """As where the confirms that were on their way still came."""
    measured = failover(10.1, [10.0, 10.2, 10.9])
    assert (measured.last_confirm, measured.gap) == (pytest.approx(0.1), pytest.approx(0.7))


@pytest.mark.parametrize("confirms", [[], [10.2], [9.0, 10.0]])
def test_without_a_confirm_after_the_fault_there_is_no_failover(confirms: list[float]) -> None:
    with pytest.raises(LabsError, match=r"no confirm after the fault.*publish on"):
        failover(10.1, confirms)


def test_the_parts_of_a_broken_connection() -> None:
    measured = failover(10.1, CONFIRMS, detections=[10.3], disconnects=[10.2], reconnects=[5.0, 10.4])
    assert [(part.name, pytest.approx(part.seconds)) for part in measured.parts] == [
        ("noticing that the connection is dead", 0.1),
        ("connecting again", 0.2),
        ("waiting for the first confirm", 0.1),
    ]
    assert measured.detected == pytest.approx(0.2)


def test_a_connection_may_hold_throughout() -> None:
    [part] = failover(10.1, CONFIRMS, reconnects=[5.0]).parts
    assert (part.name, part.seconds) == ("waiting on a connection that holds", pytest.approx(0.4))


def test_the_last_of_several_attempts_carries_the_confirm() -> None:
    measured = failover(10.1, CONFIRMS, disconnects=[10.15, 10.3], reconnects=[10.25, 10.45])
    assert (measured.disconnected, measured.reconnected) == (pytest.approx(0.05), pytest.approx(0.35))


def test_marks_outside_the_gap_do_not_count() -> None:
    measured = failover(10.1, CONFIRMS, detections=[10.7], disconnects=[9.0], reconnects=[12.0])
    assert (measured.detected, measured.disconnected, measured.reconnected) == (None, None, None)


@given(
    st.lists(st.floats(0, 100, allow_nan=False), min_size=2, unique=True).map(sorted),
    st.lists(st.floats(0, 100, allow_nan=False), max_size=3).map(sorted),
    st.lists(st.floats(0, 100, allow_nan=False), max_size=3).map(sorted),
)
def test_the_parts_are_what_of_the_gap_lies_after_the_fault(
    confirms: list[float], disconnects: list[float], reconnects: list[float]
) -> None:
    fault = confirms[-2]
    measured = failover(fault, confirms, disconnects=disconnects, reconnects=reconnects)
    assert measured.gap == pytest.approx(confirms[-1] - fault)
    assert sum(part.seconds for part in measured.parts) == pytest.approx(measured.gap)


# --- The time line

KILLED = Failover(-0.01, 0.23, detected=0.05, disconnected=0.02, reconnected=0.19)


def test_the_words_name_what_happened_in_order_and_no_times() -> None:
    assert timeline_picture(KILLED, [-0.01, 0.23], "rmq1 is killed").text == (
        "rmq1 is killed\n"
        "time line of a failover: the fault, then the connection breaks, then HAProxy marks the node down, "
        "then connected again, then the first confirm"
    )


def test_what_did_not_happen_is_not_told() -> None:
    words = timeline_picture(Failover(-0.01, 2.0)).text
    assert words == "time line of a failover: the fault, then the first confirm"


def test_the_drawing_tells_the_times() -> None:
    root = drawn(KILLED, [-0.01, 0.23])
    texts = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    assert "no confirm for 0.24 s" in texts
    assert "connected again 0.19 s" in texts
    assert root.get("aria-label") == timeline_picture(KILLED, []).text


def test_everything_is_on_the_drawing() -> None:
    root = drawn(KILLED, [number / 1000 for number in range(-5000, 5000)])
    lines = list(root.iter(f"{SVG}line"))
    assert 20 < len(lines) < MOST_STROKES * 2 + 10
    assert all(0 <= float(line.attrib[name]) <= WIDTH for line in lines for name in ("x1", "x2"))
