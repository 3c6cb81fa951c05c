"""A few SVG elements, for pictures that no library lays out: texts that fit their boxes, lines, arrow heads.

Arrow heads are drawn where they stand rather than as markers: a marker has an id, and the ids of two pictures on one
page would meet. https://www.w3.org/TR/SVG11/
"""

from __future__ import annotations

import unicodedata
import xml.etree.ElementTree as ElementTree

from lab_helpers.draw.markup import FONT, INK, LINE, drawable
from lab_helpers.draw.picture import with_words

Element = ElementTree.Element

NARROW, WIDE = set("ijltfrI.,:;|!'()[]/ "), set("mwMW@%✉→…")


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """About how wide a text is, in pixels; rather too wide, as browsers' fonts differ."""

    def em(letter: str) -> float:
        if unicodedata.east_asian_width(letter) in "WF":
            return 1.0
        if letter in NARROW:
            return 0.37
        return 0.95 if letter in WIDE else 0.7 if letter.isupper() else 0.62

    return sum(map(em, text)) * size * (1.1 if bold else 1)


def fitting(text: str, width: float, size: float, *, bold: bool = False) -> str:
    """The text, or as much of its beginning as the width (in pixels) takes, and "…"."""
    if text_width(text, size, bold=bold) <= width:
        return text
    kept = ""
    for letter in text:
        if text_width(f"{kept}{letter}…", size, bold=bold) > width:
            break
        kept += letter
    return f"{kept}…"


class Drawing:
    """An SVG drawing that grows element by element; coordinates and sizes are in pixels."""

    def __init__(self, width: float) -> None:
        self.width = width
        self.root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg"})

    def add(self, tag: str, parent: Element | None = None, **attributes: str | float) -> Element:
        """Add an element; an underscore in an attribute's name stands for a hyphen."""
        return ElementTree.SubElement(
            self.root if parent is None else parent,
            tag,
            {name.replace("_", "-"): number(value) for name, value in attributes.items()},
        )

    def group(self, title: str = "") -> Element:
        """Add a group; its title shows while the pointer is over it."""
        group = self.add("g")
        if title:
            self.add("title", group).text = drawable(title)
        return group

    def box(
        self, parent: Element | None, at: tuple[float, float], size: tuple[float, float], **style: str | float
    ) -> None:
        """A rectangle with round corners: its upper left corner, its width and height."""
        (x, y), (width, height) = at, size
        self.add("rect", parent, x=x, y=y, width=width, height=height, **{"rx": 4, "fill": "none", **style})

    def line(
        self, parent: Element | None, start: tuple[float, float], end: tuple[float, float], **style: str | float
    ) -> None:
        """A straight line."""
        (x1, y1), (x2, y2) = start, end
        self.add("line", parent, x1=x1, y1=y1, x2=x2, y2=y2, **{"stroke": LINE, "stroke_width": 1, **style})

    def text(
        self,
        parent: Element | None,
        at: tuple[float, float],
        *runs: tuple[str, float, bool],
        anchor: str = "middle",
        fill: str = INK,
    ) -> None:
        """One line of text, in runs of (text, size, bold)."""
        element = self.add("text", parent, x=at[0], y=at[1], text_anchor=anchor, fill=fill, font_family=FONT)
        element.set("xml:space", "preserve")
        for text, size, bold in runs:
            run = self.add("tspan", element, font_size=size, fill=fill, font_weight="bold" if bold else "normal")
            run.text = drawable(text)

    def finished(self, height: float, words: str) -> str:
        """The whole drawing as text, ``height`` pixels high, saying ``words`` to a screen reader."""
        for name, value in (("width", self.width), ("height", height)):
            self.root.set(name, number(value))
        self.root.set("viewBox", f"0 0 {number(self.width)} {number(height)}")
        return with_words(ElementTree.tostring(self.root, encoding="unicode"), words)


def number(value: str | float) -> str:
    """A number as short as it can be, so that drawings stay small."""
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
