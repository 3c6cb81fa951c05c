"""A sequence chart as a drawing: well formed, legible on any page, each kind of step with a look of its own."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab_helpers.draw.picture import Picture
from lab_helpers.draw.sequence import NOTHING, sequence_picture
from lab_helpers.draw.steps import KINDS, Kind
from lab_helpers.draw.svg import fitting, text_width
from lab_helpers.draw.symbols import LOOKS
from lab_helpers.record.events import FrameKind
from lab_helpers.record.story import Story
from tests.unit.recordings import Tape, session

SVG = "{http://www.w3.org/2000/svg}"


def drawing(picture: Picture) -> ElementTree.Element:
    root = ElementTree.fromstring(picture.svg)  # noqa: S314
    assert root.tag == f"{SVG}svg"
    return root


def texts(picture: Picture) -> list[str]:
    return ["".join(text.itertext()) for text in drawing(picture).iter(f"{SVG}text")]


def clients(number: int) -> Story:
    tape = Tape()
    for one in range(number):
        tape.on(1, f"client {one + 1}").open().publish(b"x", delivery_mode=2)
    return tape.story()


STORIES = {
    "session": session(),
    "none": Story(),
    **{f"{number} clients": clients(number) for number in (1, 2, 3, 4, 9)},
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
@pytest.mark.parametrize("frames", [True, False])
def test_the_drawing_is_one_image_with_words(story: Story, frames: bool) -> None:
    picture = sequence_picture(story, frames=frames, title="What was said")
    root = drawing(picture)
    assert root.get("role") == "img"
    assert root.get("aria-label") == picture.text.replace("\n", " ")
    assert picture._repr_mimebundle_() == {"image/svg+xml": picture.svg, "text/plain": picture.text}
    assert float(root.get("width", "inf")) <= 900
    assert texts(picture)[0] == "What was said"
    assert sequence_picture(story, frames=frames, title="What was said") == picture


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_every_text_is_dark_on_light_and_big_enough(story: Story) -> None:
    root = drawing(sequence_picture(story))
    panel = root[0]
    assert (panel.tag, panel.get("fill")) == (f"{SVG}rect", "#fafbfc")
    assert all(text.get("fill") for text in root.iter(f"{SVG}text"))
    sizes = [float(run.get("font-size", "0")) for run in root.iter(f"{SVG}tspan")]
    assert min(sizes) >= 10
    assert not list(root.iter(f"{SVG}script"))
    # An id would meet its like in the next picture on the page.
    assert not [element for element in root.iter() if element.get("id")]


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_everything_stays_on_the_panel(story: Story) -> None:
    root = drawing(sequence_picture(story))
    width, height = float(root.get("width", "")), float(root.get("height", ""))
    for box in root.iter(f"{SVG}rect"):
        x, y, wide, high = (float(box.get(name, "")) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + wide <= width
        assert 0 <= y <= y + high <= height


def test_who_says_what_is_drawn() -> None:
    shown = texts(sequence_picture(session()))
    assert {"client 1", "broker", "ch 1", "ch 2", "connection.start", "1 heartbeat left out"} <= set(shown)
    assert "basic.publish  exchange=shop.orders key=order.eu" in shown
    assert "channel.close  404 NOT_FOUND - no queue 'none'" in shown


def test_a_message_is_a_stack_of_its_frames() -> None:
    tape = Tape().publish(b"x")
    stack, one = (texts(sequence_picture(tape.story(), frames=frames)) for frames in (True, False))
    assert stack[-3:] == ["ch 1", "header  1 byte", "body  1 byte"]
    assert one[-2:] == ["basic.publish  exchange=shop.orders key=order.eu 1 byte", "ch 1"]


def test_kinds_differ_by_more_than_colour() -> None:
    looks = [(look.dashes, look.open_head, look.symbol) for look in LOOKS.values()]
    assert set(LOOKS) == set(Kind)
    assert len(set(looks)) == len(looks)
    assert {KINDS[name] for name in ("basic.ack", "basic.nack", "basic.return", "channel.close")} == {
        Kind.ACK,
        Kind.NACK,
        Kind.RETURN,
        Kind.CLOSE,
    }


@pytest.mark.parametrize(
    ("method", "dashes", "symbols"),
    [("basic.ack", "7 4", 1), ("basic.return", "2 4", 1), ("queue.bind", None, 0), ("channel.close", None, 1)],
)
def test_the_look_of_an_arrow(method: str, dashes: str | None, symbols: int) -> None:
    root = drawing(sequence_picture(Tape().say(method).story()))
    arrow = next(group for group in root.iter(f"{SVG}g") if (group.findtext(f"{SVG}title") or "").endswith(method))
    [line] = arrow.iter(f"{SVG}line")
    assert line.get("stroke-dasharray") == dashes
    assert len(list(arrow.iter(f"{SVG}circle"))) == symbols


def test_an_error_looks_different_from_a_goodbye() -> None:
    def colour(**fields: Any) -> str | None:
        root = drawing(sequence_picture(Tape().hear("channel.close", **fields).story()))
        return next(root.iter(f"{SVG}circle")).get("fill")

    assert colour(reply_code=404, reply_text="NOT_FOUND") != colour(reply_code=200, reply_text="Goodbye")


def test_a_repeated_passage_has_a_frame_and_its_number() -> None:
    tape = Tape()
    for number in range(1, 49):
        tape.publish(b"x").ack(number)
    assert "48 times" in texts(sequence_picture(tape.story()))


@pytest.mark.parametrize("name", ["a<b", "R&D", 'say "hi"', "it's", "ends with \\", "größe", "{0}%s", "</text>"])
def test_names_are_escaped(name: str) -> None:
    tape = Tape().on(client=name).say("queue.declare", queue=name)
    shown = texts(sequence_picture(tape.story(), title=name))
    assert shown.count(name) == 2
    assert f"queue.declare  queue={name}" in shown


def test_long_names_are_short_in_the_drawing() -> None:
    tape = Tape().on(client="c" * 300).say("queue.declare", queue="q" * 300)
    picture = sequence_picture(tape.story(), title="t" * 300)
    assert max(map(len, texts(picture))) < 150
    assert "q" * 300 in picture.text
    assert [title for title in drawing(picture).iter(f"{SVG}title") if "q" * 300 in (title.text or "")]


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_name_can_be_drawn(client: str, key: str) -> None:
    picture = sequence_picture(Tape().on(client=client).publish(b"x", key=key).story())
    assert drawing(picture).get("role") == "img"
    assert len(picture.text.splitlines()) == 3


@given(st.text(max_size=60), st.floats(20, 400))
def test_a_text_fits_its_width(text: str, width: float) -> None:
    short = fitting(text, width, 11)
    assert short == text or text_width(short, 11) <= width
    assert short == text or text.startswith(short[:-1])


def test_nothing_was_recorded() -> None:
    assert texts(sequence_picture(Story())) == [NOTHING]


def test_ten_thousand_frames_are_drawn_at_once() -> None:
    tape = Tape().open()
    for number in range(1, 2601):
        tape.publish(b"x" * (number % 9), key=f"order.{number % 7}")
        if number % 3 == number % 2:
            tape.ack(number)
    assert len(tape.frames) > 8000
    began = time.process_time()
    picture = sequence_picture(tape.story())
    assert time.process_time() - began < 2
    assert len(picture.svg) < 100_000


def test_heartbeats_are_counted_in_the_drawing_only() -> None:
    tape = Tape().open()
    for _ in range(3):
        tape.on(0).add(FrameKind.HEARTBEAT, "heartbeat", said=False)
    picture = sequence_picture(tape.story())
    assert "3 heartbeats left out" in texts(picture)
    assert "heartbeats" not in picture.text
