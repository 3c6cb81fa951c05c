"""The time line of a failover: every confirm as a stroke, the gap among them, and what happened in it."""

from __future__ import annotations

from collections.abc import Sequence

from lab_helpers.draw.markup import INK, LINE, PANEL_FILL
from lab_helpers.draw.picture import Picture
from lab_helpers.draw.svg import Drawing, text_width
from lab_helpers.record.failover import Failover

WIDTH, LEFT, RIGHT = 680.0, 24.0, 24.0
"""Of the drawing and its margins, in pixels."""
STROKES_AT, STROKE = 92.0, 22.0
"""Where the confirms stand, and how tall a stroke is."""
ROW = 20.0
"""The height of a line of words under the strokes."""
AROUND = 0.35
"""How much of the time is shown before and after the gap, as a share of the gap."""
MOST_STROKES = 400
"""Strokes that are told apart on this width."""
GAP_FILL = "#f6d5d3"
CONFIRM = "#0072b2"


def timeline_picture(failover: Failover, confirms: Sequence[float] = (), title: str = "") -> Picture:
    """Draw one failover; the words name what happened, in order, and leave the times to the drawing.

    Parameters
    ----------
    failover
        The gap and its marks.
    confirms
        When confirms arrived, in seconds since the fault.
    title
        Stands above the picture.
    """
    begins = min(failover.last_confirm, 0.0) - failover.gap * AROUND
    ends = failover.first_confirm + failover.gap * AROUND
    shown = [moment for moment in confirms if begins <= moment <= ends]
    shown = shown[:: max(1, len(shown) // MOST_STROKES)]

    def x(seconds: float) -> float:
        return LEFT + (seconds - begins) / (ends - begins) * (WIDTH - LEFT - RIGHT)

    marks = happened(failover)
    height = STROKES_AT + STROKE + 20 + ROW * len(marks) + 14
    drawing = Drawing(WIDTH)
    drawing.box(None, (0, 0), (WIDTH, height), fill=PANEL_FILL)
    if title:
        drawing.text(None, (LEFT, 24), (title, 14, True), anchor="start")
    left, right = x(failover.last_confirm), x(failover.first_confirm)
    drawing.box(None, (left, STROKES_AT - 8), (right - left, STROKE + 16), fill=GAP_FILL)
    drawing.text(None, ((left + right) / 2, STROKES_AT - 18), (f"no confirm for {words(failover.gap)}", 12, True))
    drawing.line(None, (LEFT, STROKES_AT + STROKE), (WIDTH - RIGHT, STROKES_AT + STROKE))
    for moment in shown:
        at = x(moment)
        drawing.line(None, (at, STROKES_AT), (at, STROKES_AT + STROKE), stroke=CONFIRM, stroke_width=1.5)
    for number, (what, moment) in enumerate(marks):
        at, y = x(moment), STROKES_AT + STROKE + 20 + ROW * (number + 0.5)
        drawing.line(None, (at, STROKES_AT - 8), (at, y), stroke=LINE, stroke_dasharray="3 3")
        # On the side where there is room, on a ground that hides the marks it crosses.
        towards = "start" if at < WIDTH / 2 else "end"
        label, when = f"{what} ", words(moment)
        wide = text_width(label, 12) + text_width(when, 12, bold=True)
        left = at + 4 if towards == "start" else at - 4 - wide
        drawing.box(None, (left, y - 8), (wide, 15), fill=PANEL_FILL)
        shift = 6 if towards == "start" else -6
        drawing.text(None, (at + shift, y + 4), (label, 12, False), (when, 12, True), anchor=towards, fill=INK)
    text = "\n".join(
        [*([title] if title else []), "time line of a failover: " + ", then ".join(what for what, _ in marks)]
    )
    return Picture(text, drawing.finished(height, text))


def happened(failover: Failover) -> list[tuple[str, float]]:
    """What happened, in order, each with its moment in seconds since the fault."""
    marks = [
        ("the fault", 0.0),
        ("HAProxy marks the node down", failover.detected),
        ("the connection breaks", failover.disconnected),
        ("connected again", failover.reconnected),
        ("the first confirm", failover.first_confirm),
    ]
    return sorted(((what, moment) for what, moment in marks if moment is not None), key=lambda mark: mark[1])


def words(seconds: float) -> str:
    """A time as people read it: "0.18 s"."""
    return f"{seconds:.2f} s"
