"""Made-up conversations between clients and a broker, as captures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pamqp import base, body, commands, frame, header, heartbeat
from pamqp.commands import Basic, Confirm, Queue
from pamqp.commands import Channel as ChannelClass
from pamqp.commands import Connection as ConnectionClass

from lab_helpers.record.capture import Capture, Chunk
from lab_helpers.record.content import Content, Envelope
from lab_helpers.record.reading import read
from lab_helpers.record.routing import Trace
from lab_helpers.record.story import Story

PIKA_TAG = "ctag1.0123456789abcdef0123456789abcdef"
GEN = "amq.gen-JzTY20BRgKO-HjmUJj0wLg"


def bytes_of(*frames: frame.FrameTypes, channel: int = 1) -> bytes:
    return b"".join(frame.marshal(one, channel) for one in frames)


def content(
    method: base.Frame, text: bytes = b"", properties: Mapping[str, Any] | None = None, parts: int = 1
) -> tuple[frame.FrameTypes, ...]:
    """A method with a message, its body in so many frames."""
    size = -(-len(text) // parts) if text else 1
    return (
        method,
        header.ContentHeader(0, len(text), Basic.Properties(**(properties or {}))),
        *(body.ContentBody(text[at : at + size]) for at in range(0, len(text), size)),
    )


class Conversation:
    """Collects what is said. Each saying is one chunk, 1 ms after the one before."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.prelude: dict[int, tuple[Chunk, ...]] = {}
        self._clock = 0

    def raw(self, data: bytes, *, from_client: bool, connection: int = 1, reset: bool = False) -> None:
        self._clock += 1
        self.chunks.append(Chunk(self._clock / 1000, connection, from_client, data, reset))

    def client(self, *frames: frame.FrameTypes, channel: int = 1, connection: int = 1) -> None:
        self.raw(bytes_of(*frames, channel=channel), from_client=True, connection=connection)

    def broker(self, *frames: frame.FrameTypes, channel: int = 1, connection: int = 1) -> None:
        self.raw(bytes_of(*frames, channel=channel), from_client=False, connection=connection)

    def end(self, connection: int = 1, *, reset: bool = False, from_client: bool = True) -> None:
        self.raw(b"", from_client=from_client, connection=connection, reset=reset)

    def connect(self, connection: int = 1, *, name: str = "", response: str = "\0shop\0secret") -> None:
        """The whole opening, with channel 1."""
        properties = {"product": "Pika", **({"connection_name": name} if name else {})}
        steps: Sequence[tuple[base.Frame, bool]] = [
            (ConnectionClass.Start(mechanisms="PLAIN"), False),
            (ConnectionClass.StartOk(properties, "PLAIN", response, "en_US"), True),
            (ConnectionClass.Tune(2047, 131072, 60), False),
            (ConnectionClass.TuneOk(2047, 131072, 30), True),
            (ConnectionClass.Open("04"), True),
            (ConnectionClass.OpenOk(), False),
        ]
        self.raw(b"AMQP\x00\x00\x09\x01", from_client=True, connection=connection)
        for method, from_client in steps:
            self.raw(bytes_of(method, channel=0), from_client=from_client, connection=connection)
        self.open_channel(connection=connection)

    def open_channel(self, channel: int = 1, connection: int = 1) -> None:
        self.client(ChannelClass.Open(), channel=channel, connection=connection)
        self.broker(ChannelClass.OpenOk(), channel=channel, connection=connection)

    def confirms(self, channel: int = 1, connection: int = 1) -> None:
        self.client(Confirm.Select(), channel=channel, connection=connection)
        self.broker(Confirm.SelectOk(), channel=channel, connection=connection)

    def declare(self, queue: str, *, answer: str = "", **arguments: Any) -> None:
        self.client(Queue.Declare(queue=queue, **arguments))
        self.broker(Queue.DeclareOk(answer or queue, 0, 0))

    def publish(
        self,
        text: bytes,
        *,
        exchange: str = "shop",
        key: str = "eu",
        properties: Mapping[str, Any] | None = None,
        mandatory: bool = False,
        connection: int = 1,
        channel: int = 1,
    ) -> None:
        method = Basic.Publish(exchange=exchange, routing_key=key, mandatory=mandatory)
        self.client(*content(method, text, properties), connection=connection, channel=channel)

    def consume(self, queue: str, tag: str = "worker", *, connection: int = 1, auto_ack: bool = False) -> None:
        self.client(Basic.Consume(queue=queue, consumer_tag=tag, no_ack=auto_ack), connection=connection)
        self.broker(Basic.ConsumeOk(tag), connection=connection)

    def deliver(
        self,
        tag: int,
        text: bytes,
        *,
        exchange: str = "shop",
        key: str = "eu",
        properties: Mapping[str, Any] | None = None,
        redelivered: bool = False,
        consumer: str = "worker",
        connection: int = 1,
    ) -> None:
        method = Basic.Deliver(consumer, tag, redelivered, exchange, key)
        self.broker(*content(method, text, properties), connection=connection)

    def record_from_here(self) -> None:
        """All that was said so far was before the recording."""
        for connection in sorted({chunk.connection for chunk in self.chunks}):
            self.prelude[connection] = tuple(
                Chunk(chunk.at - 10, connection, chunk.from_client, chunk.data, chunk.reset)
                for chunk in self.chunks
                if chunk.connection == connection
            )
        self.chunks.clear()

    @property
    def capture(self) -> Capture:
        return Capture(tuple(self.chunks), dict(self.prelude))

    def story(self, traces: Sequence[Trace] | None = None, existing: Sequence[str] | None = None) -> Story:
        return read(self.capture, traces, existing=existing)


def opened(**arguments: Any) -> Conversation:
    """A conversation in which one client has connected."""
    made = Conversation()
    made.connect(**arguments)
    return made


def death(queue: str, reason: str, exchange: str = "shop", key: str = "eu", count: int = 1) -> dict[str, Any]:
    """One entry of ``x-death``."""
    return {"queue": queue, "reason": reason, "exchange": exchange, "routing-keys": [key], "count": count}


def plain_content(text: bytes, properties: Mapping[str, Any] | None = None) -> Content:
    return Content(text, Envelope.of(properties or {}))


HEARTBEAT = heartbeat.Heartbeat()
ALL_METHODS: tuple[type[base.Frame], ...] = tuple(commands.INDEX_MAPPING.values())
