"""A recording's frames as steps: a method together with the content that follows it, told by whom and to whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from lab_helpers.draw.fields import Detail, header_details, method_details, size
from lab_helpers.record.events import ConnectionClosed, Frame, FrameKind, Side
from lab_helpers.record.story import Story

FRAME_END = 8
"""Bytes of a frame that are not its payload: type, channel, size and the end mark (section 4.2.3)."""
MOST_LANES = 4
"""As many clients have a line of their own."""


class Kind(StrEnum):
    """What sort of thing is said: each has a look of its own."""

    METHOD = "method"
    CONTENT = "content"
    ACK = "ack"
    NACK = "nack"
    RETURN = "return"
    CLOSE = "close"
    ERROR = "error"
    HOLD = "hold"
    OPAQUE = "opaque"
    LOST = "lost"


KINDS = {
    "basic.publish": Kind.CONTENT,
    "basic.deliver": Kind.CONTENT,
    "basic.get-ok": Kind.CONTENT,
    "basic.return": Kind.RETURN,
    "basic.ack": Kind.ACK,
    "basic.nack": Kind.NACK,
    "basic.reject": Kind.NACK,
    "connection.close": Kind.CLOSE,
    "channel.close": Kind.CLOSE,
    "connection.blocked": Kind.HOLD,
    "channel.flow": Kind.HOLD,
}
HANDSHAKE = {
    FrameKind.PROTOCOL_HEADER,
    "connection.start",
    "connection.start-ok",
    "connection.secure",
    "connection.secure-ok",
    "connection.tune",
    "connection.tune-ok",
}
WITH_CONTENT = {"basic.publish", "basic.deliver", "basic.get-ok", "basic.return"}


@dataclass(frozen=True)
class Line:
    """One arrow's text: a frame's name and what it says."""

    name: str
    details: tuple[Detail, ...] = ()

    @property
    def heading(self) -> str:
        """What stands in bold."""
        return f"{self.details[0]}, not AMQP 0-9-1" if self.name == FrameKind.OPAQUE else self.name

    @property
    def words(self) -> tuple[str, ...]:
        """What it says beside, field by field."""
        return () if self.name == FrameKind.OPAQUE else tuple(map(str, self.details))


@dataclass(frozen=True)
class Step:
    """One thing said, or ``times`` alike: a method with its content has a line for each of its frames."""

    lane: str
    """Whose time line it is on: a client's name, or what stands for several."""
    clients: tuple[str, ...]
    channels: tuple[int, ...]
    from_client: bool
    kind: Kind
    lines: tuple[Line, ...]
    times: int = 1

    @property
    def name(self) -> str:
        """What is said: the method's name, mostly."""
        return self.lines[0].name

    def merged(self) -> Step:
        """The same with its content in one line."""
        sizes = [detail for line in self.lines[1:] for detail in line.details if detail.unit]
        return replace(self, lines=(Line(self.name, (*self.lines[0].details, *sizes[-1:])),))

    def look(self) -> tuple[object, ...]:
        """Equal for two steps that look alike: the same words but for what is counted on."""
        words = tuple(
            (line.name, tuple(detail.name if detail.counter else str(detail) for detail in line.details))
            for line in self.lines
        )
        return (*self.sort(), words)

    def sort(self, *, any_channel: bool = False) -> tuple[object, ...]:
        """Equal for two steps of the same name between the same two, whatever they say."""
        return (self.lane, () if any_channel else self.channels, self.from_client, self.kind, self.name)

    @property
    def where(self) -> str:
        """The channel, or the first and the last of several; nothing for what is on none."""
        if self.kind in (Kind.OPAQUE, Kind.LOST) or self.name == FrameKind.PROTOCOL_HEADER:
            return ""
        return f"ch {span(self.channels)}"


def steps(story: Story, *, frames: bool = True) -> list[Step]:
    """The steps in order; heartbeats are left out.

    Parameters
    ----------
    story
        What was recorded.
    frames
        Whether each frame has a line of its own. If not, a message is one arrow, and a connection opens in two.
    """
    lanes = lanes_of(story)
    found: list[Step] = []
    # By connection and direction: the step that a content frame may still belong to.
    open_: dict[tuple[str, bool, int], int] = {}
    for item in in_order(story):
        if isinstance(item, ConnectionClosed):
            found.append(
                Step(
                    lanes[item.connection], (item.connection,), (0,), True, Kind.LOST, (Line("the connection is lost"),)
                )
            )
            continue
        way = (item.connection, item.from_client, item.channel)
        belongs = item.kind in (FrameKind.HEADER, FrameKind.BODY) and way in open_
        if belongs:
            # Where frames are shown, another channel's frames in between stay in between.
            number = open_[way]
            found[number] = with_content(found[number], line_of(item))
            continue
        if frames:
            for other in [key for key in open_ if key[:2] == way[:2]]:
                del open_[other]
        lane, line = lanes[item.connection], line_of(item)
        found.append(Step(lane, (item.connection,), (item.channel,), item.from_client, kind_of(item), (line,)))
        if item.name in WITH_CONTENT or item.kind in (FrameKind.HEADER, FrameKind.BODY):
            open_[way] = len(found) - 1
        else:
            open_.pop(way, None)
    return found if frames else without_handshakes([step.merged() for step in found])


def without_handshakes(many: Sequence[Step]) -> list[Step]:
    """The steps without those that lead to an open connection; ``connection.open`` says how many there were."""
    opened = {step.clients for step in many if step.name == "connection.open-ok"}
    found = []
    before: Counter[tuple[str, ...]] = Counter()
    for step in many:
        if step.clients in opened and step.name in HANDSHAKE:
            before[step.clients] += 1
            continue
        if step.name == "connection.open" and (count := before.pop(step.clients, 0)):
            after = Detail("", (f"after a handshake of {count} frames",))
            step = replace(step, lines=(replace(step.lines[0], details=(*step.lines[0].details, after)),))
        found.append(step)
    return found


def in_order(story: Story) -> Iterable[Frame | ConnectionClosed]:
    """The frames to be shown, and among them the moments when a connection broke, which no frame tells."""
    lost = [event for event in story.events if isinstance(event, ConnectionClosed) and event.by is Side.NETWORK]
    shown = [frame for frame in story.frames if frame.kind is not FrameKind.HEARTBEAT]
    if not lost:
        return shown
    # The sort is stable: what is equally old keeps its order, frames first.
    return sorted([*shown, *lost], key=lambda item: item.at)


def lanes_of(story: Story) -> dict[str, str]:
    """Whose line each connection is drawn on: its own, or beyond :data:`MOST_LANES` one for all the others."""
    names = list(dict.fromkeys(item.connection for item in in_order(story)))
    own = names if len(names) <= MOST_LANES else names[: MOST_LANES - 1]
    others = f"{len(names) - len(own)} more clients"
    return {name: name if name in own else others for name in names}


def line_of(frame: Frame) -> Line:
    """One frame in words."""
    match frame.kind:
        case FrameKind.METHOD:
            return Line(frame.name, method_details(frame.name, frame.fields))
        case FrameKind.HEADER:
            return Line("header", header_details(frame.fields))
        case FrameKind.BODY:
            return Line("body", (size(max(0, frame.size - FRAME_END)),))
        case FrameKind.OPAQUE:
            return Line(FrameKind.OPAQUE, (size(frame.size),))
    return Line("protocol header", (Detail("", ("AMQP 0-9-1",)),))


def kind_of(frame: Frame) -> Kind:
    """What sort of thing a frame says."""
    if frame.kind is FrameKind.OPAQUE:
        return Kind.OPAQUE
    if frame.kind in (FrameKind.HEADER, FrameKind.BODY):
        return Kind.CONTENT
    kind = KINDS.get(frame.name, Kind.METHOD)
    return Kind.ERROR if kind is Kind.CLOSE and frame.fields.get("reply_code", 200) >= 300 else kind


def with_content(step: Step, line: Line) -> Step:
    """The step with one more of its content's frames; the frames of a long body are told as one."""
    last = step.lines[-1]
    if line.name != "body" or not last.name.startswith("body"):
        return replace(step, lines=(*step.lines, line))
    parts = last.details[0].values[0] + line.details[0].values[0]
    count = int(last.name.rpartition("×")[2]) + 1 if "×" in last.name else 2
    return replace(step, lines=(*step.lines[:-1], Line(f"body × {count}", (size(parts),))))


def alike(many: Sequence[Step]) -> Step:
    """Several steps of the same sort told as one."""
    first = many[0]
    if len(many) == 1:
        return first
    clients = tuple(dict.fromkeys(client for step in many for client in step.clients))
    channels = tuple(sorted({channel for step in many for channel in step.channels}))
    lines = []
    for number, line in enumerate(first.lines):
        # Messages may have different properties: those that all have are told.
        others = [
            {detail.name: detail for detail in step.lines[number].details} for step in many if number < len(step.lines)
        ]
        details = tuple(
            replace(detail, values=tuple(value for other in others for value in other[detail.name].values))
            for detail in line.details
            if all(detail.name in other for other in others)
        )
        lines.append(Line(line.name, details))
    times = sum(step.times for step in many)
    return replace(first, clients=clients, channels=channels, lines=tuple(lines), times=times)


def span(many: Sequence[object]) -> str:
    """ "1", or "1…5" for the first and the last of several."""
    return f"{many[0]}…{many[-1]}" if len(many) > 1 else f"{many[0]}"
