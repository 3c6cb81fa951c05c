"""The drawing of a sequence chart, by hand: Graphviz has no time lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lab_helpers.draw.folding import Passage
from lab_helpers.draw.lanes import INDENT, Lanes, lanes
from lab_helpers.draw.markup import EXCHANGE_FILL, INK, KEY_FILL, LINE, PANEL_FILL, shortened
from lab_helpers.draw.steps import Kind, Line, Step, span
from lab_helpers.draw.svg import Drawing, Element, fitting, text_width
from lab_helpers.draw.symbols import HEAD, LOOKS, RADIUS, arrow, symbol

NAME, SMALL = 12.0, 11.0
"""Sizes of a method's name and of its fields."""
BADGE = 10.0
TEXT_LINE = 14.5
"""From one line of an arrow's text to the next."""
MARGIN = 14.0
MOST_LINES = 3
"""As many lines of fields are drawn; the rest shows under the pointer."""
LONGEST_WORD = 60
CLIENT_FILL = "#e9e9ec"
CHANNEL_FILLS = ("#c9dcf2", "#f6d9b0", "#cfe8cf", "#ded0f0")
"""Of the channels' lanes; their number stands beside each arrow."""
HEAD_HEIGHT = 26.0
TALL = 600.0
"""A drawing taller than this names its lines at the bottom too."""


@dataclass(frozen=True)
class Arrow:
    """One arrow in its place."""

    step: Step
    line: Line
    first: bool
    """Whether it is its step's first."""
    y: float
    labels: tuple[tuple[tuple[str, float, bool], ...], ...]
    """The text above it: lines of runs."""


@dataclass
class Layout:
    """Everything in its place, from the top down."""

    lanes: Lanes
    y: float
    arrows: list[Arrow] = field(default_factory=list)
    bands: list[tuple[Step, float, float]] = field(default_factory=list)
    """Messages of several frames, with where they begin and end."""
    frames: list[tuple[str, tuple[Step, ...], float, float]] = field(default_factory=list)
    """Passages taken many times, with their caption."""
    gaps: list[tuple[str, float]] = field(default_factory=list)

    def place(self, passage: Passage) -> None:
        """Put a passage below what is there."""
        if passage.left_out:
            self.gaps.append((f"{passage.left_out} steps more", self.y + 18))
            self.y += 34
            return
        repeated = passage.times > 1 or passage.interleaved
        top = self.y + 12
        if repeated:
            self.y = top + 16
        for step in passage.steps:
            self.place_step(step)
        if repeated:
            caption = f"{passage.times} times" if passage.times > 1 else "in any order"
            self.frames.append((caption, passage.steps, top, self.y + 8))
            self.y += 14

    def place_step(self, step: Step) -> None:
        """Put a step's arrows below what is there."""
        stack = len(step.lines) > 1
        top = self.y = self.y + (9 if stack else 0)
        for number, line in enumerate(step.lines):
            labels = self.labels(step, line, first=not number)
            self.y += TEXT_LINE * len(labels) + (16 if not number else 9)
            self.arrows.append(Arrow(step, line, not number, self.y, labels))
        if stack:
            self.bands.append((step, top, self.y + 8))
            self.y += 11

    def labels(self, step: Step, line: Line, *, first: bool) -> tuple[tuple[tuple[str, float, bool], ...], ...]:
        """An arrow's text: on one line if that is wide enough, else with the fields below the name."""
        client, broker = self.lanes.ends(step)
        width = abs(broker - client) - 2 * HEAD - 4
        name = shortened(line.heading, LONGEST_WORD) + (f" × {step.times}" if step.times > 1 else "")
        size = NAME if first else SMALL
        if step.lane not in step.clients:
            name = f"{shortened(span(step.clients), LONGEST_WORD // 2)}: {name}"
        words = [shortened(word, LONGEST_WORD) for word in line.words]
        heading = (fitting(name, width, size, bold=True), size, True)
        if text_width(name, size, bold=True) + text_width("  " + " ".join(words), SMALL) <= width:
            return ((heading, *([("  " + " ".join(words), SMALL, False)] if words else [])),)
        return ((heading,), *(((text, SMALL, False),) for text in wrapped(words, width)))


def wrapped(words: Sequence[str], width: float) -> list[str]:
    """The words in lines of at most that width, no more than :data:`MOST_LINES` of them."""
    lines = [words[0]]
    for word in words[1:]:
        longer = f"{lines[-1]} {word}"
        # What does not fit into the last line is cut there.
        if len(lines) == MOST_LINES or text_width(longer, SMALL) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [fitting(line, width, SMALL) for line in lines]


def chart(passages: Sequence[Passage], words: str, *, title: str, notes: Sequence[str], nothing: str) -> str:
    """Draw the passages as SVG; ``words`` are what a screen reader says, ``nothing`` stands where there are none."""
    places = lanes(passages)
    top = MARGIN + (26 if title else 0)
    layout = Layout(places, top + HEAD_HEIGHT + 4)
    for passage in passages:
        layout.place(passage)
    bottom = layout.y + 16
    tall = bottom - top > TALL
    height = bottom + (HEAD_HEIGHT if tall else 0) + 18 * len(notes) + MARGIN
    drawing = Drawing(places.width)
    # A light panel, as a page may be dark.
    drawing.box(None, (0.5, 0.5), (places.width - 1, height - 1), fill=PANEL_FILL, stroke=LINE, rx=8)
    middle = places.width / 2
    if title:
        drawing.text(None, (middle, MARGIN + 13), (fitting(title, places.width - 40, 14, bold=True), 14, True))
    if passages:
        draw_lines(drawing, places, top + HEAD_HEIGHT, bottom)
        for head in (top, *([bottom] if tall else [])):
            draw_heads(drawing, places, head)
        draw_passages(drawing, layout)
    else:
        drawing.text(None, (middle, (top + bottom) / 2 + 4), (nothing, NAME, False))
    for number, note in enumerate(notes, start=1):
        drawing.text(None, (middle, height - MARGIN + 4 - 18 * (len(notes) - number)), (note, SMALL, False))
    return drawing.finished(height, words)


def draw_lines(drawing: Drawing, places: Lanes, top: float, bottom: float) -> None:
    """The time lines themselves."""
    for x in (places.broker, *places.clients.values()):
        drawing.line(None, (x, top), (x, bottom), stroke_width=1.2)


def draw_heads(drawing: Drawing, places: Lanes, y: float) -> None:
    """Who each line is."""
    for name, x in (("broker", places.broker), *places.clients.items()):
        text = fitting(name, 126, NAME, bold=True)
        width = max(70, text_width(text, NAME, bold=True) + 16)
        group = drawing.group(name)
        fill = EXCHANGE_FILL if x == places.broker else CLIENT_FILL
        drawing.box(group, (x - width / 2, y), (width, HEAD_HEIGHT), fill=fill, stroke=LINE, rx=5)
        drawing.text(group, (x, y + 17.5), (text, NAME, True))


def draw_passages(drawing: Drawing, layout: Layout) -> None:
    """Everything between the time lines, from the back to the front."""
    places = layout.lanes
    for step, top, bottom in layout.bands:
        left, right = sorted(places.ends(step))
        fill = LOOKS[step.kind].tint
        drawing.box(
            None,
            (left + 3, top),
            (right - left - 6, bottom - top),
            fill=fill,
            stroke=LOOKS[step.kind].colour,
            stroke_width=0.5,
            rx=6,
        )
    draw_channels(drawing, layout)
    for caption, steps, top, bottom in layout.frames:
        draw_frame(drawing, places, caption, steps, top, bottom)
    for one in layout.arrows:
        draw_arrow(drawing, places, one)
    for text, y in layout.gaps:
        wide = text_width(text, SMALL) + 24
        middle = places.width / 2
        for x in (places.broker, *places.clients.values()):
            drawing.box(None, (x - 4, y - 12), (8, 24), fill=PANEL_FILL, rx=0)
            drawing.line(None, (x, y - 11), (x, y + 12), stroke_dasharray="2 4", stroke_width=2)
        drawing.box(None, (middle - wide / 2, y - 10), (wide, 20), fill=KEY_FILL, stroke=LINE, rx=10)
        drawing.text(None, (middle, y + 4), (text, SMALL, False))


def draw_channels(drawing: Drawing, layout: Layout) -> None:
    """Each channel's lane, from its first arrow to its last, beside the client's line and the broker's."""
    used: dict[tuple[str, int], list[float]] = {}
    for one in layout.arrows:
        lane = layout.lanes.channels[one.step.lane, one.step.channels[0]]
        if lane:
            used.setdefault((one.step.lane, lane), []).append(one.y)
    for (name, lane), ys in used.items():
        inwards = layout.lanes.inwards(name)
        ends = [layout.lanes.clients[name] + inwards * lane * INDENT]
        if layout.lanes.mirrored:
            ends.append(layout.lanes.broker - inwards * lane * INDENT)
        for x in ends:
            fill = CHANNEL_FILLS[lane - 1]
            drawing.box(None, (x - 4, min(ys) - 8), (8, max(ys) - min(ys) + 16), fill=fill, stroke=LINE, rx=2)


def draw_frame(drawing: Drawing, places: Lanes, caption: str, steps: Sequence[Step], top: float, bottom: float) -> None:
    """A frame around what is repeated, its caption in its corner."""
    ends = [end for step in steps for end in places.ends(step)]
    left, right = min(ends) - 30, max(ends) + 30
    drawing.box(None, (left, top), (right - left, bottom - top), stroke=INK, stroke_dasharray="5 3", rx=6)
    wide = text_width(caption, SMALL, bold=True) + 14
    drawing.box(None, (left, top), (wide, 18), fill=INK, rx=6)
    drawing.text(None, (left + wide / 2, top + 13), (caption, SMALL, True), fill="#ffffff")


def draw_arrow(drawing: Drawing, places: Lanes, one: Arrow) -> None:
    """One arrow: its line, its channel at the client's end, its symbol and its text."""
    look, step = LOOKS[one.step.kind], one.step
    client, broker = places.ends(step)
    inwards = places.inwards(step.lane)
    group = drawing.group(" ".join([step.where, one.line.heading, *one.line.words]).strip())
    draw_labels(
        drawing, group, one, (client + broker) / 2, LOOKS[step.kind].tint if len(step.lines) > 1 else PANEL_FILL
    )
    start, end = (client, broker) if step.from_client else (broker, client)
    if step.kind is Kind.LOST:
        drawing.line(
            group,
            (start, one.y),
            (end, one.y),
            stroke=look.colour,
            stroke_width=look.width,
            stroke_dasharray=look.dashes,
        )
        symbol(drawing, group, look, (start + end) / 2, one.y)
        return
    arrow(drawing, group, look, start, end, one.y, look.width if one.first else 1)
    beside = HEAD + 5.0
    if step.where and one.first:
        wide = text_width(step.where, BADGE) + 8
        left = client + beside if inwards > 0 else client - beside - wide
        drawing.box(group, (left, one.y - 7.5), (wide, 15), fill=KEY_FILL, stroke=LINE, rx=7.5)
        drawing.text(group, (left + wide / 2, one.y + 3.5), (step.where, BADGE, False))
        beside += wide + 4
    if one.first:
        tail = client + inwards * (beside + RADIUS) if step.from_client else broker - inwards * (HEAD + 5 + RADIUS)
        symbol(drawing, group, look, tail, one.y)


def draw_labels(drawing: Drawing, group: Element, one: Arrow, middle: float, behind: str) -> None:
    """An arrow's text above it, on a ground that hides the time lines it crosses."""
    for number, runs in enumerate(reversed(one.labels)):
        y = one.y - (10 if one.first else 6) - number * TEXT_LINE
        wide = sum(text_width(text, size, bold=bold) for text, size, bold in runs)
        drawing.box(group, (middle - wide / 2, y - 10.5), (wide, TEXT_LINE - 1), fill=behind, rx=2)
        drawing.text(group, (middle, y), *runs)
