"""Recordings made by hand, frame by frame as pika and RabbitMQ exchange them."""

from __future__ import annotations

from typing import Any

from lab_helpers.record.events import ConnectionClosed, Frame, FrameKind, Side
from lab_helpers.record.story import Story

FRAME_END = 8
"""Bytes of a frame that are not its payload."""


class Tape:
    """Frames in order, a millisecond apart; each method returns the tape, so that calls read like a conversation."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.events: list[ConnectionClosed] = []
        self.client = "client 1"
        self.channel = 1

    @property
    def now(self) -> float:
        return len(self.frames) / 1000

    def on(self, channel: int = 1, client: str = "client 1") -> Tape:
        """What follows is on this channel of this client's connection."""
        self.channel, self.client = channel, client
        return self

    def add(self, kind: FrameKind, name: str, *, said: bool, size: int = 20, **fields: Any) -> Tape:
        self.frames.append(Frame(self.now, self.client, self.channel, said, kind, name, size, fields))
        return self

    def say(self, method: str, **fields: Any) -> Tape:
        """A method from the client."""
        return self.add(FrameKind.METHOD, method, said=True, **fields)

    def hear(self, method: str, **fields: Any) -> Tape:
        """A method from the broker."""
        return self.add(FrameKind.METHOD, method, said=False, **fields)

    def content(self, *bodies: bytes, said: bool = True, **properties: Any) -> Tape:
        """A content header and body frames."""
        self.add(FrameKind.HEADER, "header", said=said, body_size=sum(map(len, bodies)), properties=properties)
        for body in bodies:
            self.add(FrameKind.BODY, "body", said=said, size=len(body) + FRAME_END)
        return self

    def publish(self, *bodies: bytes, key: str = "order.eu", exchange: str = "shop.orders", **properties: Any) -> Tape:
        self.say("basic.publish", ticket=0, exchange=exchange, routing_key=key, mandatory=False, immediate=False)
        return self.content(*bodies, **properties)

    def ack(self, tag: int, *, multiple: bool = False) -> Tape:
        return self.hear("basic.ack", delivery_tag=tag, multiple=multiple)

    def open(self) -> Tape:
        """Connect, up to the first channel."""
        channel, self.channel = self.channel, 0
        limits = {"channel_max": 2047, "frame_max": 131072, "heartbeat": 60}
        self.add(FrameKind.PROTOCOL_HEADER, "protocol header", said=True, size=8)
        self.hear(
            "connection.start",
            version_major=0,
            version_minor=9,
            server_properties={"product": "RabbitMQ", "version": "4.3.6"},
            mechanisms="PLAIN AMQPLAIN",
            locales="en_US",
        )
        self.say("connection.start-ok", client_properties={"platform": "Python"}, mechanism="PLAIN", locale="en_US")
        self.hear("connection.tune", **limits).say("connection.tune-ok", **limits)
        self.say("connection.open", virtual_host="02", capabilities="", insist=False)
        self.hear("connection.open-ok", known_hosts="")
        self.channel = channel
        return self.say("channel.open", out_of_band="").hear("channel.open-ok", channel_id="")

    def close(self) -> Tape:
        self.channel = 0
        self.say("connection.close", reply_code=200, reply_text="Normal shutdown", class_id=0, method_id=0)
        return self.hear("connection.close-ok")

    def lose(self) -> Tape:
        """The connection breaks."""
        self.events.append(ConnectionClosed(self.now - 0.0005, self.client, 0, Side.NETWORK, 0, ""))
        return self

    def story(self, **parts: Any) -> Story:
        return Story(tuple(self.events), tuple(self.frames), **parts)


def session() -> Story:
    """Declare, publish with confirms and mandatory, get, nack, an error on a second channel, goodbye."""
    tape = Tape().open()
    tape.say(
        "queue.declare",
        queue="orders",
        passive=False,
        durable=True,
        exclusive=False,
        auto_delete=False,
        nowait=False,
        arguments={"x-queue-type": "quorum", "x-max-length": 3},
    )
    tape.hear("queue.declare-ok", queue="orders", message_count=0, consumer_count=0)
    tape.say("confirm.select", nowait=False).hear("confirm.select-ok")
    tape.publish(b"order 1", delivery_mode=2, content_type="text/plain", headers={"x-trace": 7}, message_id="f" * 32)
    tape.ack(1)
    tape.say("basic.publish", exchange="", routing_key="nowhere", mandatory=True).content(b"?")
    tape.hear("basic.return", reply_code=312, reply_text="NO_ROUTE", exchange="", routing_key="nowhere")
    tape.content(b"?", said=False).ack(2)
    tape.say("basic.get", queue="orders", no_ack=False)
    tape.hear("basic.get-ok", delivery_tag=1, redelivered=False, exchange="", routing_key="orders", message_count=0)
    tape.content(b"order 1", said=False, delivery_mode=2)
    tape.say("basic.nack", delivery_tag=1, multiple=False, requeue=True)
    tape.on(0).add(FrameKind.HEARTBEAT, "heartbeat", said=True, size=8)
    tape.on(2).say("channel.open").hear("channel.open-ok").say("queue.declare", queue="none", passive=True)
    tape.hear("channel.close", reply_code=404, reply_text="NOT_FOUND - no queue 'none'", class_id=50, method_id=10)
    return tape.say("channel.close-ok").close().story()
