"""Charts: what was measured as a drawing, and in words that do not change with the values."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lab_helpers.draw.charts import COLOURS, DASHES, MOST_POINTS, MOST_SERIES, SHAPES, bar_chart, line_chart
from lab_helpers.draw.picture import Picture

SVG = "{http://www.w3.org/2000/svg}"
DEPTHS = [
    {"seconds": at / 4, "ready": at * factor, "queue": queue}
    for factor, queue in ((1, "orders"), (2, "dead <letters>"))
    for at in range(10)
]
RATES = [{"how": "one by one", "rate": 900.5}, {"how": "in batches", "rate": 12000}]


@dataclass(frozen=True)
class Depth:
    seconds: float
    ready: int


def drawing(picture: Picture) -> ElementTree.Element:
    root = ElementTree.fromstring(picture.svg)  # noqa: S314
    assert root.tag == f"{SVG}svg"
    return root


def texts(picture: Picture) -> list[str]:
    return ["".join(text.itertext()) for text in drawing(picture).iter(f"{SVG}text")]


def lines() -> Picture:
    return line_chart(
        DEPTHS, x="seconds", y="ready", series="queue", title="Depth", x_title="time in s", y_title="messages ready"
    )


def bars() -> Picture:
    return bar_chart(RATES, x="how", y="rate", y_title="messages per second")


# --- Words


def test_a_line_chart_in_words() -> None:
    assert lines().text == (
        "Depth\nline chart: messages ready against time in s\nseries: orders, dead <letters>\n20 points"
    )


def test_a_bar_chart_in_words_and_a_sentence() -> None:
    picture = bar_chart(RATES, x="how", y="rate", words="Batches are faster.")
    assert picture.text == "bar chart: rate against how\n2 bars\nBatches are faster."


@pytest.mark.parametrize("chart", [line_chart, bar_chart])
def test_the_words_do_not_tell_the_values(chart: Callable[..., Picture]) -> None:
    one, other = (chart([{"x": 1, "y": value}], x="x", y="y") for value in (17, 23))
    assert one.text == other.text
    assert one.svg != other.svg


@pytest.mark.parametrize("chart", [line_chart, bar_chart])
def test_nothing_was_measured(chart: Callable[..., Picture]) -> None:
    picture = chart([], x="x", y="y", title="Empty")
    assert picture.text == "Empty\nnothing was measured"
    assert drawing(picture).get("role") == "img"


# --- Drawings


@pytest.mark.parametrize("draw", [lines, bars])
def test_the_drawing_is_one_image_with_words(draw: Callable[[], Picture]) -> None:
    picture = draw()
    root = drawing(picture)
    assert root.get("role") == "img"
    assert root.get("aria-label") == picture.text.replace("\n", " ")
    assert draw() == picture
    # A light panel below everything, and nothing from anywhere else.
    assert root[0].get("fill") == "#fafbfc"
    assert not [element for element in root.iter() if element.tag in {f"{SVG}image", f"{SVG}script", f"{SVG}style"}]


@pytest.mark.parametrize("draw", [lines, bars])
def test_every_text_is_dark_and_big_enough(draw: Callable[[], Picture]) -> None:
    found = list(drawing(draw()).iter(f"{SVG}text"))
    assert found
    assert {text.get("fill") for text in found} == {"#1b1f24"}
    assert min(float((text.get("font-size") or "0").removesuffix("px")) for text in found) >= 10


def test_titles_series_and_values_are_shown() -> None:
    assert {"Depth", "time in s", "messages ready", "orders", "dead <letters>"} <= set(texts(lines()))
    assert {"one by one", "in batches", "900.5", "12,000", "messages per second"} <= set(texts(bars()))


def test_series_differ_by_more_than_colour() -> None:
    assert len(set(SHAPES)) == len({tuple(dash) for dash in DASHES}) == len(COLOURS) == MOST_SERIES
    strokes = {(path.get("stroke"), path.get("stroke-dasharray")) for path in drawing(lines()).iter(f"{SVG}path")}
    assert {("#0072b2", "1,0"), ("#d55e00", "8,4")} <= strokes


def test_bars_of_several_series_are_lettered() -> None:
    rows = [{"size": size, "rate": size * 2, "queue": queue} for size in (1, 2) for queue in ("classic", "quorum")]
    shown = texts(bar_chart(rows, x="size", y="rate", series="queue"))
    assert (shown.count("A"), shown.count("B")) == (2, 2)
    assert {"A  classic", "B  quorum"} <= {text.replace("\xa0", " ") for text in shown}


def test_a_long_line_is_marked_now_and_then() -> None:
    def marked(count: int) -> int:
        picture = line_chart([Depth(at, at) for at in range(count)], x="seconds", y="ready")
        symbols = [group for group in drawing(picture).iter(f"{SVG}g") if "mark-symbol" in group.get("class", "")]
        return sum(len(list(group)) for group in symbols)

    assert marked(MOST_POINTS) == MOST_POINTS
    assert marked(5000) <= MOST_POINTS


def test_dataclasses_are_rows_too() -> None:
    rows = [Depth(0, 5), Depth(0.5, 3)]
    as_mappings = [{"seconds": row.seconds, "ready": row.ready} for row in rows]
    assert line_chart(rows, x="seconds", y="ready") == line_chart(as_mappings, x="seconds", y="ready")


@pytest.mark.parametrize("name", ["a<b", "R&D", 'say "hi"', "it's", "a.b[0]", "datum['x']", "back\\slash", "größe"])
def test_names_are_escaped(name: str) -> None:
    rows = [{name: "1", "y": 1.0, "s": name}]
    for chart in (line_chart, bar_chart):
        shown = texts(chart(rows, x=name, y="y", series="s", title=name))
        assert shown.count(name) >= 2
        assert any(name in text for text in shown)


def test_what_is_not_finite_is_left_out() -> None:
    rows = [{"x": 1, "y": 2.0}, {"x": 2, "y": float("nan")}, {"x": 3, "y": float("inf")}]
    assert line_chart(rows, x="x", y="y").text.endswith("1 point")


# --- What a caller can get wrong


def test_a_field_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="A row has no 'depth'; it has 'x', 'y'"):
        line_chart([{"x": 1, "y": 2}], x="x", y="depth")


@pytest.mark.parametrize("height", ["7", None, True])
def test_a_height_that_is_no_number(height: object) -> None:
    with pytest.raises(ValueError, match="'y' must be a number"):
        bar_chart([{"x": 1, "y": height}], x="x", y="y")


def test_a_row_that_is_none() -> None:
    with pytest.raises(ValueError, match="a mapping or a dataclass"):
        bar_chart([(1, 2)], x="x", y="y")


def test_too_many_series() -> None:
    rows = [{"x": 1, "y": 1, "s": number} for number in range(MOST_SERIES + 1)]
    with pytest.raises(ValueError, match=f"at most {MOST_SERIES} series"):
        line_chart(rows, x="x", y="y", series="s")


def test_altair_is_imported_by_the_first_chart_only() -> None:
    code = "import sys, lab_helpers.draw.charts; sys.exit('altair' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
