"""The sequence chart: what clients and broker said to each other, frame by frame, down two or more time lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lab_helpers.draw.fields import one_line, shown
from lab_helpers.draw.folding import Passage, folded
from lab_helpers.draw.lifelines import chart
from lab_helpers.draw.picture import Picture
from lab_helpers.draw.steps import Kind, Line, Step, steps
from lab_helpers.record.events import FrameKind
from lab_helpers.record.story import Story

NOTHING = "nothing was recorded"
FULL = "the recording's memory was full: what came later is missing"


def sequence_picture(story: Story, *, frames: bool = True, title: str = "") -> Picture:
    """Draw what was said, from top to bottom in the order of the frames; evenly spaced, not to scale.

    The words say the same, without anything that differs from run to run, such as times and ports. Where both sides
    talk at once, their order may differ.

    Parameters
    ----------
    story
        What was recorded.
    frames
        Whether a message is shown as the frames that it is sent in (method, header, body), or as one arrow; without
        frames the handshake that opens a connection is left out too.
    title
        Stands above the drawing and the words.
    """
    passages = folded(steps(story, frames=frames))
    notes = [FULL] if story.lost_bytes else []
    words = "\n".join([*([one_line(title)] if title else []), *passages_words(passages), *notes])
    # How many heartbeats there are depends on the time alone: a matter for the drawing, not for the words.
    heartbeats = sum(frame.kind is FrameKind.HEARTBEAT for frame in story.frames)
    if heartbeats:
        notes.append(f"{heartbeats} heartbeat{'' if heartbeats == 1 else 's'} left out")
    return Picture(words, chart(passages, words, title=title, notes=notes, nothing=NOTHING))


def passages_words(passages: Sequence[Passage]) -> Iterator[str]:
    """The passages in words, a line for each arrow."""
    if not passages:
        yield NOTHING
    for passage in passages:
        if passage.left_out:
            yield f"… {passage.left_out} steps more …"
            continue
        lines = [line for step in passage.steps for line in step_words(step)]
        if passage.times > 1 or passage.interleaved:
            yield f"{passage.times} times:" if passage.times > 1 else "in any order:"
            lines = [f"    {line}" for line in lines]
        yield from lines


def step_words(step: Step) -> Iterator[str]:
    """One step: "client 1 -> broker  ch 1  basic.publish exchange=shop.orders key=order.eu"."""
    arrow = "-x-" if step.kind is Kind.LOST else "->" if step.from_client else "<-"
    where = f"  {step.where}" if step.where else ""
    for number, line in enumerate(step.lines):
        yield f"{said_by(step)} {arrow} broker{where}  {'  ' if number else ''}{line_words(line)}{times(step)}"


def line_words(line: Line) -> str:
    """An arrow's text."""
    return " ".join([line.heading, *line.words])


def said_by(step: Step) -> str:
    """The client, or the first and the last of several."""
    names = [one_line(shown(name)) for name in (step.clients[0], step.clients[-1])]
    return names[0] if len(step.clients) == 1 else f"{names[0]} … {names[1]}"


def times(step: Step) -> str:
    """How often, if more than once."""
    return f" × {step.times}" if step.times > 1 else ""
