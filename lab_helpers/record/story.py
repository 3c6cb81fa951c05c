"""A story: everything said between clients and broker while it was recorded, in order."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

from lab_helpers.broker.topology import Binding, Exchange, Queue, Topology
from lab_helpers.errors import LabsError
from lab_helpers.record.events import (
    EVENTS,
    ChannelClosed,
    ChannelOpened,
    Confirmed,
    ConnectionClosed,
    Delivered,
    Event,
    Frame,
    FrameKind,
    Message,
    Published,
    Recovered,
    Refused,
    Returned,
    Settled,
    Settlement,
    Side,
)
from lab_helpers.record.words import fates_of, story_text

E = TypeVar("E", bound=Event)

FORMAT = 1
"""The version of the JSON form; a story written in another one is refused."""


@dataclass(frozen=True)
class Story:
    """What was recorded, as plain data.

    ``events`` and ``frames`` are two views of the same bytes: what was done, and how it looked on the wire.
    """

    events: tuple[Event, ...] = ()
    frames: tuple[Frame, ...] = ()
    messages: Mapping[int, Message] = field(default_factory=dict)
    """Each message's content by its number; numbers count from 1 in the order of first sight."""
    topology: Topology | None = None
    """What existed at the end of the recording, with server-named queues under their friendly names."""
    lost_bytes: int = 0
    """Bytes that passed after the recording's memory was full, and are not in the story."""

    def of(self, kind: type[E]) -> tuple[E, ...]:
        """The events of one kind, in order."""
        return tuple(event for event in self.events if isinstance(event, kind))

    def published(self, exchange: str | None = None) -> tuple[Published, ...]:
        """The publishes, to one exchange if it is given ("" is the default exchange)."""
        return tuple(event for event in self.of(Published) if exchange in (None, event.exchange))

    def returned(self) -> tuple[Returned, ...]:
        """The messages that the broker gave back."""
        return self.of(Returned)

    def confirmed(self) -> tuple[int, ...]:
        """The numbers of the messages that the broker confirmed, in the order of their confirms."""
        return tuple(number for event in self.of(Confirmed) for number in event.messages)

    def refused(self) -> tuple[int, ...]:
        """The numbers of the messages that the broker refused (``basic.nack``)."""
        return tuple(number for event in self.of(Refused) for number in event.messages)

    def unconfirmed(self) -> tuple[int, ...]:
        """Messages published on a channel with confirms that were neither confirmed nor refused."""
        settled = {*self.confirmed(), *self.refused()}
        return tuple(
            event.message for event in self.of(Published) if event.tag is not None and event.message not in settled
        )

    def unroutable(self) -> tuple[Published, ...]:
        """The publishes that reached no queue, by the broker's own account (the firehose)."""
        return tuple(event for event in self.of(Published) if event.queues == ())

    def delivered(self, queue: str | None = None) -> tuple[Delivered, ...]:
        """The deliveries, pushed or fetched, from one queue if it is given."""
        return tuple(event for event in self.of(Delivered) if queue in (None, event.queue))

    def settled(self, how: Settlement | None = None) -> tuple[Settled, ...]:
        """What clients said of deliveries."""
        return tuple(event for event in self.of(Settled) if how in (None, event.how))

    def unacked(self) -> tuple[Delivered, ...]:
        """The deliveries of which the client said nothing, though the broker waited for its word."""
        open_: dict[tuple[str, int, int], Delivered] = {}
        left: list[Delivered] = []
        for event in self.events:
            if isinstance(event, Delivered) and not event.auto_ack:
                open_[event.connection, event.channel, event.delivery_tag] = event
            elif isinstance(event, Settled):
                for tag in self._tags_of(event, open_):
                    open_.pop(tag, None)
            elif isinstance(event, ChannelOpened | Recovered):
                # A new channel counts its delivery tags anew; what was recovered is delivered under new ones.
                for tag in [tag for tag in open_ if tag[:2] == (event.connection, event.channel)]:
                    delivered = open_.pop(tag)
                    left += [delivered] if isinstance(event, ChannelOpened) else []
        return (*left, *open_.values())

    @staticmethod
    def _tags_of(event: Settled, known: Mapping[tuple[str, int, int], Delivered]) -> list[tuple[str, int, int]]:
        """The open deliveries that a settlement names; with ``multiple``, tag 0 stands for all (section 1.8.3.13)."""
        if not event.multiple:
            return [(event.connection, event.channel, event.delivery_tag)]
        return [
            key
            for key in known
            if key[:2] == (event.connection, event.channel) and (not event.delivery_tag or key[2] <= event.delivery_tag)
        ]

    def acked(self) -> tuple[int, ...]:
        """The numbers of the messages that clients acknowledged, in the order in which they did."""
        return tuple(number for event in self.settled(Settlement.ACK) for number in event.messages)

    def closes(self, by: Side | None = None) -> tuple[ChannelClosed | ConnectionClosed, ...]:
        """The ends of channels and connections, with code and text; those by one side if it is given."""
        return tuple(
            event
            for event in self.events
            if isinstance(event, ChannelClosed | ConnectionClosed) and by in (None, event.by)
        )

    def fate(self, message: int) -> str:
        """What became of a message, in words.

        Raises
        ------
        LabsError
            The story has no message of this number.
        """
        if message not in self.messages:
            raise LabsError(
                f"This story has no message {message}.", remedy=f"It has {len(self.messages)}, counted from 1."
            )
        return fates_of(self)[message].lstrip(" ,")

    def text(self) -> str:
        """The story in words, one line a thing, and the same each time the same happens."""
        return story_text(self)

    def connections(self) -> tuple[str, ...]:
        """The connections' names, in the order of first sight."""
        seen: list[Event | Frame] = [*self.events, *self.frames]
        return tuple(dict.fromkeys(item.connection for item in sorted(seen, key=lambda item: item.at)))

    def to_json(self) -> str:
        """The story as JSON; :meth:`from_json` reads it back equal."""
        return json.dumps(
            {
                "format": FORMAT,
                "events": [{"kind": type(event).__name__, **asdict(event)} for event in self.events],
                "frames": [asdict(frame) for frame in self.frames],
                "messages": {
                    str(number): {
                        "body": base64.b64encode(message.body).decode(),
                        "properties": dict(message.properties),
                    }
                    for number, message in self.messages.items()
                },
                "topology": asdict(self.topology) if self.topology else None,
                "lost_bytes": self.lost_bytes,
            },
            sort_keys=True,
        )

    @classmethod
    def from_json(cls, text: str) -> Story:
        """Read a story that :meth:`to_json` wrote.

        Raises
        ------
        LabsError
            The text is no story, or one in another format.
        """
        try:
            found = json.loads(text)
            if found["format"] != FORMAT:
                raise LabsError(
                    f"This story is written in format {found['format']}, and this version reads {FORMAT}.",
                    remedy="Record it anew.",
                )
            return cls(
                tuple(event_from(event) for event in found["events"]),
                tuple(Frame(**{**frame, "kind": FrameKind(frame["kind"])}) for frame in found["frames"]),
                {
                    int(number): Message(base64.b64decode(message["body"]), message["properties"])
                    for number, message in found["messages"].items()
                },
                topology_from(found["topology"]) if found["topology"] else None,
                found["lost_bytes"],
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LabsError(
                f"This is no story ({type(error).__name__}: {error}).", remedy="Give what `to_json` wrote."
            ) from error


ENUMS: Mapping[str, type[Side] | type[Settlement]] = {"by": Side, "how": Settlement}
"""The fields of events whose text in JSON names a member of an enumeration."""


def event_from(found: dict[str, Any]) -> Event:
    """Make an event from its JSON form."""
    kind = EVENTS[found["kind"]]
    values: dict[str, Any] = {}
    for one in fields(kind):
        value = found[one.name]
        if one.name in ENUMS:
            value = ENUMS[one.name](value)
        values[one.name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def topology_from(found: dict[str, Any]) -> Topology:
    """Make a topology from its JSON form."""
    return Topology(
        found["vhost"],
        tuple(Exchange(**exchange) for exchange in found["exchanges"]),
        tuple(Queue(**queue) for queue in found["queues"]),
        tuple(Binding(**binding) for binding in found["bindings"]),
    )
