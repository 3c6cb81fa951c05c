"""Draw a ledger: the six steps as counts, the verdict, and a table of messages that are not in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lab_helpers.draw.fields import one_line
from lab_helpers.draw.markup import EXCHANGE_FILL, INK, KEY_FILL, LINE, PANEL_FILL, QUEUE_FILL, shortened
from lab_helpers.draw.picture import Picture
from lab_helpers.draw.svg import Drawing, fitting
from lab_helpers.record.ledger import BESIDES, FINDINGS, STEPS, Entry, Ledger

MOST_ROWS = 12
"""As many messages are told one by one."""
LONGEST_ID = 40
"""Characters of an id that are told."""
NOT_IN_ORDER = (
    "lost",
    "unexpected",
    "duplicated",
    "recovered",
    "missing",
    "indeterminate",
    "resent",
    "nacked",
    "returned",
)
"""What a message is told for, the worst first."""
MEANING = {
    "lost": "confirmed, never received",
    "duplicated": "received more than once",
    "recovered": "received, never confirmed",
    "unexpected": "received, never sent",
    "missing": "sent, never received",
    "indeterminate": "sent, and no answer",
    "resent": "sent more than once",
}
MUST_BE_NONE = {"lost", "unexpected"}
"""What a broker that keeps its promise never does; the others may happen."""
GOOD, BAD = "#1a7f37", "#b3261e"
"""The colours of signs, each of which has a shape and a word of its own too."""
CLIENT_FILL = "#e9e9ec"

MARGIN = 14.0
BOX_WIDTH, BOX_HEIGHT = 96.0, 46.0
GAP, ARROW = 6.0, 34.0
VERDICT_HEIGHT = 66.0
ROW = 20.0
ID_WIDTH, STEP_WIDTH = 136.0, 66.0
PLACES: tuple[tuple[str, str, float], ...] = (
    # Step, fill, and the space before it; what the broker answers stands together.
    ("sent", CLIENT_FILL, 0),
    ("confirmed", EXCHANGE_FILL, ARROW),
    ("nacked", EXCHANGE_FILL, GAP),
    ("returned", EXCHANGE_FILL, GAP),
    ("received", QUEUE_FILL, ARROW),
    ("acked", QUEUE_FILL, ARROW),
)
WIDTH = 2 * MARGIN + 6 * BOX_WIDTH + 3 * ARROW + 2 * GAP
SPEAKERS = {"sent": ("the publisher", 1), "confirmed": ("the broker's answer", 3), "received": ("the consumer", 2)}
"""Who takes the steps from this one on, and how many they are."""


def ledger_picture(ledger: Ledger) -> Picture:
    """Draw a ledger, which nobody fills meanwhile, together with its words.

    Parameters
    ----------
    ledger
        Drawn as it is; give a copy of one that is still being filled.
    """
    shown = not_in_order(ledger)
    words = in_words(ledger, shown)
    drawing = Drawing(WIDTH)
    # The panel's height is known at the end.
    panel = drawing.add("rect", x=0, y=0, width=WIDTH, rx=6, fill=PANEL_FILL)
    y = steps_row(drawing, MARGIN, ledger.counts)
    verdict = ledger.verdict
    y = verdict_row(drawing, y + 18, verdict) + 4
    for name in BESIDES:
        if verdict[name]:
            y += 18
            run = (f"{name} {verdict[name]}", 12.0, True), (f"  {MEANING[name]}", 11.0, False)
            drawing.text(None, (MARGIN, y), *run, anchor="start")
    if shown:
        y = table(drawing, y + 24, shown, left_out(ledger, shown))
    height = y + MARGIN
    panel.set("height", f"{height:.0f}")
    return Picture(words, drawing.finished(height, words))


# --- In words


def ledger_text(ledger: Ledger) -> str:
    """The ledger in words: the counts, the verdict, and a line for each message that is not in order."""
    return in_words(ledger, not_in_order(ledger))


def in_words(ledger: Ledger, shown: Sequence[Entry]) -> str:
    """The ledger in words, with these messages."""
    lines = [ledger.summary(), *map(entry_words, shown)]
    if more := left_out(ledger, shown):
        lines.append(f"and {more} more that {'is' if more == 1 else 'are'} not in order")
    return "\n".join(lines)


def not_in_order(ledger: Ledger) -> list[Entry]:
    """The first messages of which more or less happened than sent, confirmed and received, each once."""
    found: dict[int | str, None] = {}
    for name in NOT_IN_ORDER:
        # Of a message in an earlier list nothing new is told, so as many more may be needed.
        if len(found) < MOST_ROWS:
            found |= dict.fromkeys(ledger.ids(name, MOST_ROWS + len(found)))
    return ledger.entries(list(found)[:MOST_ROWS])


def left_out(ledger: Ledger, shown: Sequence[Entry]) -> int:
    """How many more messages are not in order."""
    return ledger.how_many(NOT_IN_ORDER) - len(shown)


def entry_words(entry: Entry) -> str:
    """One message: "message 7: sent, received 2 times, acked: duplicated, recovered"."""
    said = ", ".join(step if times == 1 else f"{step} {times} times" for step, times in taken(entry) if times)
    return f"message {name_of(entry)}: " + ": ".join(filter(None, (said, ", ".join(entry.findings))))


def taken(entry: Entry) -> Iterator[tuple[str, int]]:
    """Each step, and how often the message took it."""
    for step in STEPS:
        yield step, int(getattr(entry, step))


def name_of(entry: Entry) -> str:
    """A message's id on one line."""
    return shortened(one_line(str(entry.id)), LONGEST_ID) or "(empty)"


# --- The drawing


def steps_row(drawing: Drawing, top: float, counts: dict[str, int]) -> float:
    """The six steps with arrows between who takes them; gives the lower edge."""
    x, y = MARGIN, top + 18
    for step, fill, space in PLACES:
        if space == ARROW:
            arrow(drawing, x + 5, x + ARROW - 5, y + BOX_HEIGHT / 2)
        x += space
        if step in SPEAKERS:
            speaker, many = SPEAKERS[step]
            inner = ARROW if step == "received" else GAP
            across = many * BOX_WIDTH + (many - 1) * inner
            drawing.text(None, (x + across / 2, y - 7), (speaker, 11.0, False))
        drawing.box(None, (x, y), (BOX_WIDTH, BOX_HEIGHT), fill=fill, stroke=LINE)
        drawing.text(None, (x + BOX_WIDTH / 2, y + 21), (f"{counts[step]:,}", 17.0, True))
        drawing.text(None, (x + BOX_WIDTH / 2, y + 38), (step, 11.0, False))
        x += BOX_WIDTH
    return y + BOX_HEIGHT


def verdict_row(drawing: Drawing, top: float, verdict: dict[str, int]) -> float:
    """The four numbers of the verdict; gives the lower edge."""
    width = (WIDTH - 2 * MARGIN - 3 * 10) / 4
    for place, name in enumerate(FINDINGS):
        x, number = MARGIN + place * (width + 10), verdict[name]
        wrong = bool(number) and name in MUST_BE_NONE
        drawing.box(
            None,
            (x, top),
            (width, VERDICT_HEIGHT),
            fill=KEY_FILL,
            stroke=BAD if wrong else LINE,
            stroke_width=2.5 if wrong else 1,
        )
        middle = x + width / 2
        drawing.text(None, (middle, top + 23), (f"{name} {number:,}", 15.0, True))
        drawing.text(None, (middle, top + 40), (MEANING[name], 10.5, False))
        if name in MUST_BE_NONE:
            (cross if wrong else tick)(drawing, middle - 34, top + 53)
            drawing.text(None, (middle + 6, top + 57), ("must be 0", 10.5, True), fill=BAD if wrong else GOOD)
        else:
            drawing.text(None, (middle, top + 57), ("allowed", 10.5, False))
    return top + VERDICT_HEIGHT


def table(drawing: Drawing, top: float, entries: Sequence[Entry], more: int) -> float:
    """A row for each message, with a tick for each step; gives the lower edge."""
    columns = [MARGIN + ID_WIDTH + STEP_WIDTH * (place + 0.5) for place in range(len(STEPS))]
    last = MARGIN + ID_WIDTH + STEP_WIDTH * len(STEPS) + 4
    y = top + 12
    drawing.text(None, (MARGIN, y), ("not in order", 11.0, True), anchor="start")
    for step, x in zip(STEPS, columns, strict=True):
        drawing.text(None, (x, y), (step, 11.0, True))
    for entry in entries:
        drawing.line(None, (MARGIN, y + 6), (WIDTH - MARGIN, y + 6), stroke="#d8dce1")
        y += ROW
        row = drawing.group(entry_words(entry))
        name = fitting(name_of(entry), ID_WIDTH - 6, 11.0)
        drawing.text(row, (MARGIN, y), (name, 11.0, False), anchor="start")
        for (_, times), x in zip(taken(entry), columns, strict=True):
            if times == 1:
                tick(drawing, x, y - 4)
            else:
                drawing.text(row, (x, y), (f"{times:,} ×" if times else "–", 11.0, bool(times)))
        findings = fitting(", ".join(entry.findings), WIDTH - MARGIN - last, 10.5)
        drawing.text(row, (last, y), (findings, 10.5, False), anchor="start")
    if more:
        y += ROW
        drawing.text(None, (MARGIN, y), (f"and {more:,} more", 11.0, False), anchor="start")
    return y


def tick(drawing: Drawing, x: float, y: float) -> None:
    """A tick, drawn: not every font has one."""
    drawing.add(
        "polyline", points=f"{x - 5:.1f},{y:.1f} {x - 1:.1f},{y + 4:.1f} {x + 5:.1f},{y - 4:.1f}", fill="none",
        stroke=GOOD, stroke_width=2,
    )  # fmt: skip


def cross(drawing: Drawing, x: float, y: float) -> None:
    """A cross."""
    for slope in (-1, 1):
        drawing.line(None, (x - 4, y - 4 * slope), (x + 4, y + 4 * slope), stroke=BAD, stroke_width=2)


def arrow(drawing: Drawing, left: float, right: float, y: float) -> None:
    """An arrow to the right."""
    drawing.line(None, (left, y), (right - 6, y), stroke=INK, stroke_width=1.5)
    drawing.add(
        "polygon", points=f"{right:.1f},{y:.1f} {right - 7:.1f},{y - 4:.1f} {right - 7:.1f},{y + 4:.1f}", fill=INK
    )
