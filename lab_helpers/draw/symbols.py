"""How each kind of step looks: its line, its arrow head and its symbol, so that none depends on colour alone."""

from __future__ import annotations

from dataclasses import dataclass

from lab_helpers.draw.steps import Kind
from lab_helpers.draw.svg import Drawing, Element

HEAD = 9
"""Length of an arrow head."""
RADIUS = 7.5
"""Of the disc that a symbol stands in."""


@dataclass(frozen=True)
class Look:
    """The look of one kind: ``symbol`` is a path around (0, 0) in a disc of :data:`RADIUS`, drawn as white lines."""

    colour: str
    tint: str
    """Behind a message's frames."""
    width: float = 1.3
    dashes: str = ""
    open_head: bool = False
    symbol: str = ""


LOOKS = {
    Kind.METHOD: Look("#3d444d", "#f0f2f5"),
    # An envelope.
    Kind.CONTENT: Look("#0b5cad", "#e6effa", 1.8, symbol="M-4.2,-2.8H4.2V2.8H-4.2ZL-4.2,-2.8L0,0.6L4.2,-2.8"),
    # A tick and a cross.
    Kind.ACK: Look("#1a7f37", "#e4f3e8", 1.5, "7 4", True, "M-3.6,0.2L-1,3L3.8,-2.8"),
    Kind.NACK: Look("#b3261e", "#fae7e5", 1.5, "7 4", True, "M-3,-3L3,3M3,-3L-3,3"),
    # An arrow that turns back.
    Kind.RETURN: Look(
        "#8a5000", "#fbeedd", 1.8, "2 4", False, "M-3.6,1.4H1.6A2.2,2.2 0 0 0 1.6,-3H-1.5M-1.2,-1L-3.8,1.4L-1.2,3.8"
    ),
    # A stop button, an exclamation mark, a pause button.
    Kind.CLOSE: Look("#3d444d", "#f0f2f5", 1.8, symbol="M-2.4,-2.4H2.4V2.4H-2.4ZM-1,-1H1V1H-1Z"),
    Kind.ERROR: Look("#b3261e", "#fae7e5", 2.4, symbol="M0,-4.2V1M0,3.2V4.2"),
    Kind.HOLD: Look("#6a3fb0", "#efe8fa", 1.8, "9 3 2 3", symbol="M-1.8,-3.2V3.2M1.8,-3.2V3.2"),
    Kind.OPAQUE: Look("#57606a", "#f0f2f5", 1.3, "1 3", True, "M-2.4,-1.6A2.4,2.4 0 1 1 0,0.6V1.6M0,3.6V4.2"),
    Kind.LOST: Look("#b3261e", "#fae7e5", 1.5, "3 5", symbol="M-3,-3L3,3M3,-3L-3,3"),
}


def arrow(drawing: Drawing, parent: Element, look: Look, start: float, end: float, y: float, width: float) -> None:
    """A level arrow with its head at ``end``."""
    way = 1 if end > start else -1
    stop = end if look.open_head else end - way * (HEAD - 2)
    dashes = {"stroke_dasharray": look.dashes} if look.dashes else {}
    drawing.line(parent, (start, y), (stop, y), stroke=look.colour, stroke_width=width, **dashes)
    back = end - way * HEAD
    points = f"M{back:.1f},{y - 4.5:.1f}L{end:.1f},{y:.1f}L{back:.1f},{y + 4.5:.1f}"
    fill = "none" if look.open_head else look.colour
    closed = points if look.open_head else f"{points}Z"
    drawing.add("path", parent, d=closed, fill=fill, stroke=look.colour, stroke_width=1.6 if look.open_head else 0.5)


def symbol(drawing: Drawing, parent: Element, look: Look, x: float, y: float) -> None:
    """A kind's symbol, white on a disc of its colour."""
    if not look.symbol:
        return
    group = drawing.add("g", parent, transform=f"translate({x:.1f},{y:.1f})")
    drawing.add("circle", group, r=RADIUS, fill=look.colour, stroke="#ffffff")
    drawing.add(
        "path", group, d=look.symbol, fill="none", stroke="#ffffff", stroke_width=1.5,
        stroke_linecap="round", stroke_linejoin="round",
    )  # fmt: skip
