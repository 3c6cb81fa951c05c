"""From a capture to a story: what the frames say, who said it, and which message is which."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from pamqp import base
from pamqp.commands import Basic
from pamqp.commands import Connection as ConnectionClass

from lab_helpers.broker.topology import Topology
from lab_helpers.record import events
from lab_helpers.record.capture import Capture
from lab_helpers.record.content import Content
from lab_helpers.record.dialogue import Assembly, Channel, Connection, Consumer
from lab_helpers.record.events import Event, Frame, FrameKind, Message, Side
from lab_helpers.record.frames import Piece, decode, without_collecting
from lab_helpers.record.matching import Messages, Tracked
from lab_helpers.record.methods import CONTENT, EARLY, FROM_BROKER, FROM_CLIENT, REQUESTS
from lab_helpers.record.names import Names
from lab_helpers.record.plain import METHOD_NAMES, METHODS
from lab_helpers.record.routing import Routing, Trace
from lab_helpers.record.spot import Method, Spot
from lab_helpers.record.story import Story

ANSWERED: Mapping[str, type[base.Frame]] = {
    answer: request for request in METHODS for answer in request.valid_responses
}
"""Which method each answer answers, by the answer's name."""
ATOMS = frozenset({int, bool, float})
"""The types of values in which no names are."""


def read(
    capture: Capture,
    traces: Iterable[Trace] | None = None,
    *,
    existing: Collection[str] | None = None,
    topology: Topology | None = None,
) -> Story:
    """Read a capture; never raises, whatever the bytes are.

    Parameters
    ----------
    capture
        What the tap kept. What happened before the recording gives the state it began with, and no events.
    traces
        What the firehose saw meanwhile; None where it was not used.
    existing
        The queues that existed when the recording began.
    topology
        What existed at its end.
    """
    return story_of(decode(capture), traces, existing=existing, topology=topology, lost_bytes=capture.lost_bytes)


@without_collecting()
def story_of(
    pieces: list[Piece],
    traces: Iterable[Trace] | None = None,
    *,
    existing: Collection[str] | None = None,
    topology: Topology | None = None,
    lost_bytes: int = 0,
) -> Story:
    """Tell the story of decoded pieces; see :func:`read`."""
    reader = Reader(connections_in(pieces), Routing(traces, existing))
    for piece in pieces:
        reader.take(piece)
    return reader.story(topology, lost_bytes)


class Reader:
    """Follows every connection, piece by piece.

    Parameters
    ----------
    chosen
        The connections in the order in which they are named, each with the name its client chose, or none.
    routing
        Where publishes went.
    """

    def __init__(self, chosen: Mapping[int, str], routing: Routing) -> None:
        self.routing = routing
        self.messages = Messages()
        self._names = Names()
        named = self._names.connections({number: name for number, name in chosen.items() if name}, list(chosen))
        self._connections = {number: Connection(number, name) for number, name in named.items()}
        self._events: list[Event] = []
        self._frames: list[Frame] = []
        self._numbers: dict[int, int] = {}
        self._contents: dict[int, Message] = {}
        self._unroutable: set[int] = set()
        self._takers: Mapping[FrameKind, Callable[[Spot, Piece], None]] = {
            FrameKind.METHOD: self._method,
            FrameKind.HEADER: self._header,
            FrameKind.BODY: self._body,
            FrameKind.OPAQUE: self._opaque,
        }

    def story(self, topology: Topology | None, lost_bytes: int) -> Story:
        """Everything so far."""
        told = tuple(
            replace(event, queues=())
            if isinstance(event, events.Published) and event.message in self._unroutable
            else event
            for event in self._events
        )
        named = self.named_topology(topology) if topology else None
        return Story(told, tuple(self._frames), self._contents, named, lost_bytes)

    # --- Pieces

    def take(self, piece: Piece) -> None:
        """Take the next piece of any connection."""
        connection = self._connections[piece.connection]
        if piece.kind is None:
            if not connection.is_closed:
                spot = Spot(piece.at, connection, connection.channel(0))
                self.end_connection(spot, Side.NETWORK, 0, "reset" if piece.value else "")
            return
        take = self._takers.get(piece.kind)
        if take is not None:
            take(Spot(piece.at, connection, connection.channel(piece.channel)), piece)
        if piece.at >= 0:
            self._frames.append(self._frame(piece, connection))

    def _frame(self, piece: Piece, connection: Connection) -> Frame:
        at, _, from_client, kind, channel, size, value, fields = piece
        kind = kind or FrameKind.OPAQUE
        name = METHOD_NAMES.get(type(value)) or str(kind)
        if fields:
            fields = self._names.plain(fields)
            if tag := fields.get("consumer_tag"):
                fields = {**fields, "consumer_tag": self._names.consumer(connection.number, channel, tag)}
        return Frame(at, connection.name, channel, from_client, kind, name, size, fields)

    def _method(self, spot: Spot, piece: Piece) -> None:
        method, kind = piece.value, type(piece.value)
        if kind in CONTENT:
            spot.channel.incoming[piece.from_client] = Assembly(method)
        elif piece.from_client:
            self._from_client(spot, method, kind)
        elif kind in FROM_BROKER:
            FROM_BROKER[kind](self, spot, method)
        else:
            asked = ANSWERED.get(method.name)
            if asked and asked in REQUESTS and (request := self.asked(spot.channel, asked)) is not None:
                REQUESTS[asked](self, spot, request, method)

    def _from_client(self, spot: Spot, method: Method, kind: type[base.Frame]) -> None:
        if kind in EARLY:
            EARLY[kind](spot)
        if kind in FROM_CLIENT:
            FROM_CLIENT[kind](self, spot, method)
        elif getattr(method, "nowait", False):
            if kind in REQUESTS:
                REQUESTS[kind](self, spot, method, None)
        elif kind in REQUESTS or kind is Basic.Get:
            spot.channel.pending.append(method)

    def asked(self, channel: Channel, kind: type[base.Frame]) -> Method | None:
        """The first request of this kind that the broker has not answered: it is answered now."""
        for request in channel.pending:
            if type(request) is kind:
                channel.pending.remove(request)
                return request
        return None

    def _opaque(self, spot: Spot, piece: Piece) -> None:
        self.tell(spot, events.Opaque, by=Side.CLIENT if piece.from_client else Side.BROKER, size=piece.size)

    def _header(self, spot: Spot, piece: Piece) -> None:
        assembly = spot.channel.incoming.get(piece.from_client)
        if assembly is not None:
            assembly.size = piece.value.size
            assembly.envelope = piece.value.envelope
            self._complete(spot, piece, assembly)

    def _body(self, spot: Spot, piece: Piece) -> None:
        assembly = spot.channel.incoming.get(piece.from_client)
        if assembly is not None:
            assembly.parts.append(piece.value)
            assembly.received += len(piece.value)
            self._complete(spot, piece, assembly)

    def _complete(self, spot: Spot, piece: Piece, assembly: Assembly) -> None:
        if assembly.received < assembly.size:
            return
        del spot.channel.incoming[piece.from_client]
        content = Content(b"".join(assembly.parts), assembly.envelope)
        CONTENT[type(assembly.method)](self, spot, assembly.method, content)

    # --- What handlers tell

    def tell(self, spot: Spot, kind: type[Event], **values: Any) -> None:
        """Add an event, with friendly names and with numbers for messages; not if it was before the recording."""
        if spot.at < 0:
            return
        named = {name: value if type(value) in ATOMS else self._named(value) for name, value in values.items()}
        self._events.append(kind(spot.at, spot.connection.name, spot.channel.number, **named))

    def deliver(
        self,
        spot: Spot,
        method: Method,
        content: Content,
        queue: str,
        consumer: Consumer | str,
        *,
        auto_ack: bool,
    ) -> None:
        """Tell of a delivery, and before it of the deaths that it shows."""
        copy = self.messages.deliver(
            queue, method.exchange, method.routing_key, content, redelivered=method.redelivered
        )
        for death in copy.message.new_deaths(content):
            self.tell(
                spot,
                events.DeadLettered,
                message=copy.message,
                queue=death.queue,
                reason=death.reason,
                exchange=death.exchange,
                count=death.times,
            )
        if auto_ack:
            copy.acknowledge()
        else:
            spot.channel.unsettled[method.delivery_tag] = copy
        self.tell(
            spot,
            events.Delivered,
            message=copy.message,
            queue=queue,
            consumer=consumer,
            delivery_tag=method.delivery_tag,
            redelivered=method.redelivered,
            auto_ack=auto_ack,
            exchange=method.exchange,
            routing_key=method.routing_key,
        )

    def end_connection(self, spot: Spot, by: Side, code: int, text: str) -> None:
        """Tell of a connection's end; what was not settled goes back to its queues."""
        spot.connection.is_closed = True
        for copy in spot.connection.take_all():
            copy.requeue()
        self.tell(spot, events.ConnectionClosed, by=by, code=code, text=text)

    def unroutable(self, message: Tracked) -> None:
        """A publish came back, so it was routed nowhere."""
        number = self._numbers.get(message.order)
        if number is not None:
            self._unroutable.add(number)

    # --- Names and numbers

    def _named(self, value: Any) -> Any:
        kind = type(value)
        if kind is Tracked:
            return self._number(value)
        if kind is Consumer:
            return self._names.consumer(value.connection, value.channel, value.tag)
        if kind is tuple:
            return tuple([self._named(one) for one in value])
        if kind is frozenset:
            return tuple(sorted([self._names.text(one) for one in sorted(value)]))
        return self._names.plain(value)

    def _number(self, message: Tracked) -> int:
        number = self._numbers.get(message.order)
        if number is None:
            number = self._numbers[message.order] = len(self._numbers) + 1
            content = message.content
            self._contents[number] = Message(content.body, self._names.plain(content.envelope.properties))
        return number

    def named_topology(self, topology: Topology) -> Topology:
        """A topology with friendly names for queues that have none of their own."""
        text = self._names.text
        return replace(
            topology,
            queues=tuple(sorted(replace(queue, name=text(queue.name)) for queue in topology.queues)),
            bindings=tuple(
                replace(binding, destination=text(binding.destination), key=text(binding.key))
                for binding in topology.bindings
            ),
        )


def connections_in(pieces: Iterable[Piece]) -> dict[int, str]:
    """The connections in the order in which they are named, each with the name that its client chose, or none.

    Those that did nothing while it was recorded come last, so that one that was left open does not change the names
    of the others.
    """
    chosen: dict[int, str] = {}
    active = set()
    for piece in pieces:
        chosen.setdefault(piece.connection, "")
        if piece.at >= 0 and piece.kind is not FrameKind.HEARTBEAT:
            active.add(piece.connection)
        if isinstance(piece.value, ConnectionClass.StartOk):
            properties = piece.fields.get("client_properties") or {}
            chosen[piece.connection] = str(properties.get("connection_name") or "")
    return {number: chosen[number] for number in sorted(chosen, key=lambda one: (one not in active, one))}
