"""A real broker through the tap, and without it: clients must not notice a difference."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import aio_pika
import pika
import psutil
import pytest
from aio_pika.abc import AbstractIncomingMessage
from aiormq.exceptions import AMQPError as AioAMQPError
from aiormq.exceptions import InvalidFrameError
from pamqp import base, commands, frame
from pika.adapters.blocking_connection import BlockingChannel

from lab_helpers.broker import vhost
from lab_helpers.broker.management import Management, path
from lab_helpers.broker.waiting import wait_until
from lab_helpers.cluster import Cluster
from lab_helpers.record.tap import Tap

VHOST = "tap"
MIB = 1024 * 1024
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
DURABLE = {"durable": True}


@dataclass(frozen=True)
class Way:
    """A way to the broker."""

    address: str
    password: str
    tap: Tap | None
    management: Management

    def url(self, *, password: str = "", vhost: str = VHOST, options: str = "") -> str:
        return f"amqp://{VHOST}:{password or self.password}@{self.address}/{quote(vhost, safe='')}{options}"

    def pika(self, options: str = "") -> pika.BlockingConnection:
        return pika.BlockingConnection(pika.URLParameters(self.url(options=options)))

    def socket(self) -> socket.socket:
        host, _, port = self.address.partition(":")
        return socket.create_connection((host, int(port)), 10)


@pytest.fixture(scope="module")
def password(engine_cluster: Cluster) -> Iterator[str]:
    engine_cluster.heal()
    yield vhost.make_afresh(engine_cluster.managements(), VHOST)
    with Management(engine_cluster.engine.management("rmq1")) as management:
        vhost.remove(management, VHOST)


@pytest.fixture(scope="module")
def direct(engine_cluster: Cluster, password: str) -> Iterator[Way]:
    """To the first node, as if there were no tap."""
    with Management(engine_cluster.engine.management("rmq1")) as management:
        yield Way(engine_cluster.engine.amqp("rmq1"), password, None, management)


@pytest.fixture(scope="module")
def tapped(direct: Way) -> Iterator[Way]:
    """To the same node, through a tap that records."""
    tap = Tap(direct.address)
    try:
        tap.start_recording()
        yield Way(tap.address, direct.password, tap, direct.management)
        capture = tap.stop_recording()
    finally:
        tap.close()
    kept = b"".join(chunk.data for chunk in capture.chunks if chunk.from_client)
    assert direct.password.encode() not in kept
    assert b"PLAIN" in kept


@pytest.fixture(params=["direct", "tapped"])
def way(request: pytest.FixtureRequest, direct: Way, tapped: Way) -> Way:
    """Each way in turn."""
    return tapped if request.param == "tapped" else direct


def new_queue(channel: BlockingChannel, **arguments: Any) -> str:
    name = f"q-{uuid4()}"
    channel.queue_declare(name, durable=True, arguments=arguments)
    return name


def aio(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, 30))


def test_a_connection_and_its_messages(way: Way) -> None:
    with way.pika() as connection:
        channel = connection.channel()
        queue = new_queue(channel)
        channel.confirm_delivery()
        properties = pika.BasicProperties(delivery_mode=2, headers={"n": 1}, message_id="m")
        channel.basic_publish("", queue, b"hello", properties, mandatory=True)
        with pytest.raises(pika.exceptions.UnroutableError):
            channel.basic_publish("", "nowhere", b"lost", mandatory=True)
        method, got, body = channel.basic_get(queue)
        assert (body, got.headers, got.message_id) == (b"hello", {"n": 1}, "m")
        channel.basic_nack(method.delivery_tag, requeue=True)
        method, _, body = next(channel.consume(queue, inactivity_timeout=10))
        assert method.redelivered
        channel.basic_ack(method.delivery_tag)
        channel.cancel()
        assert channel.queue_declare(queue, passive=True).method.message_count == 0
        channel.queue_delete(queue)


def test_a_connection_and_its_messages_with_aio_pika(way: Way) -> None:
    async def talk() -> None:
        async with await aio_pika.connect(way.url()) as connection:
            channel = await connection.channel(on_return_raises=True)
            queue = await channel.declare_queue(f"q-{uuid4()}", durable=True)
            await channel.default_exchange.publish(aio_pika.Message(b"hello", message_id="m"), queue.name)
            with pytest.raises(aio_pika.exceptions.DeliveryError):
                await channel.default_exchange.publish(aio_pika.Message(b"lost"), "nowhere")
            message = await queue.get(timeout=10)
            assert (message.body, message.message_id) == (b"hello", "m")
            await message.reject(requeue=True)
            async with queue.iterator() as messages:
                async for again in messages:
                    assert again.redelivered
                    await again.ack()
                    break

    aio(talk())


def test_a_wrong_password(way: Way) -> None:
    url = way.url(password="wrong")  # noqa: S106
    with pytest.raises(pika.exceptions.ProbableAuthenticationError, match=r"403.*ACCESS_REFUSED - Login was refused"):
        pika.BlockingConnection(pika.URLParameters(url))
    with pytest.raises(aio_pika.exceptions.ProbableAuthenticationError, match="ACCESS_REFUSED - Login was refused"):
        aio(connect_only(url))


def test_a_virtual_host_that_is_not_there(way: Way) -> None:
    url = way.url(vhost="nowhere")
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError, match=r"530.*NOT_ALLOWED - vhost nowhere not found"):
        pika.BlockingConnection(pika.URLParameters(url))
    # It expects connection.open-ok, and does not read the reason.
    with pytest.raises(InvalidFrameError, match=r"Connection\.Close"):
        aio(connect_only(url))


async def connect_only(url: str) -> None:
    async with await aio_pika.connect(url):
        pass


def no_queue(channel: BlockingChannel, _: BlockingChannel) -> None:
    channel.queue_declare("no-such-queue", passive=True)


def no_exchange(channel: BlockingChannel, _: BlockingChannel) -> None:
    channel.basic_publish("no-such-exchange", "", b"")
    channel.queue_declare("no-such-queue", passive=True)


def anothers_queue(channel: BlockingChannel, other: BlockingChannel) -> None:
    name = f"exclusive-{uuid4()}"
    other.queue_declare(name, exclusive=True)
    channel.queue_declare(name, passive=True)


def other_arguments(channel: BlockingChannel, _: BlockingChannel) -> None:
    channel.queue_declare(new_queue(channel), durable=True, arguments={"x-max-length": 1})


def acknowledged_twice(channel: BlockingChannel, _: BlockingChannel) -> None:
    queue = new_queue(channel)
    channel.basic_publish("", queue, b"")
    method, _, _ = next(channel.consume(queue, inactivity_timeout=10))
    channel.basic_ack(method.delivery_tag)
    channel.basic_ack(method.delivery_tag)
    channel.queue_declare(queue, passive=True)


def a_reserved_name(channel: BlockingChannel, _: BlockingChannel) -> None:
    channel.exchange_declare("amq.mine", "direct", durable=True)


@pytest.mark.parametrize(
    ("wrong", "code", "text"),
    [
        (no_queue, 404, "NOT_FOUND - no queue 'no-such-queue'"),
        (no_exchange, 404, "NOT_FOUND - no exchange 'no-such-exchange'"),
        (anothers_queue, 405, "RESOURCE_LOCKED - cannot obtain exclusive access"),
        (other_arguments, 406, "PRECONDITION_FAILED - inequivalent arg 'x-max-length'"),
        (acknowledged_twice, 406, "PRECONDITION_FAILED - unknown delivery tag 1"),
        (a_reserved_name, 403, "ACCESS_REFUSED - exchange name 'amq.mine'"),
    ],
)
def test_what_closes_a_channel(
    way: Way, wrong: Callable[[BlockingChannel, BlockingChannel], None], code: int, text: str
) -> None:
    with way.pika() as connection, way.pika() as another:
        channel = connection.channel()
        with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
            wrong(channel, another.channel())
        assert caught.value.reply_code == code
        assert caught.value.reply_text.startswith(text)
        # The connection lives on.
        connection.channel().close()


def test_what_closes_a_channel_with_aio_pika(way: Way) -> None:
    async def talk() -> None:
        async with await aio_pika.connect(way.url()) as connection:
            with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity, match="no-such-queue"):
                await (await connection.channel()).declare_queue("no-such-queue", passive=True)
            name = f"q-{uuid4()}"
            await (await connection.channel()).declare_queue(name, durable=True)
            with pytest.raises(aio_pika.exceptions.ChannelPreconditionFailed, match="inequivalent arg"):
                await (await connection.channel()).declare_queue(name, durable=True, arguments={"x-expires": 1000})
            with pytest.raises(AioAMQPError, match="ACCESS_REFUSED"):
                await (await connection.channel()).declare_exchange("amq.mine", durable=True)
            await (await connection.channel()).close()

    aio(talk())


def end(sock: socket.socket) -> tuple[bytes, str]:
    """What still comes, and whether an end or a reset comes after it."""
    got = b""
    try:
        while part := sock.recv(65536):
            got += part
    except ConnectionResetError:
        return got, "reset"
    return got, "end"


class Raw:
    """A client that says whatever it is told to."""

    def __init__(self, way: Way, heartbeat: int = 0) -> None:
        self.socket = way.socket()
        self._held = b""
        self.socket.sendall(PROTOCOL_HEADER)
        self.expect(commands.Connection.Start)
        self.say(commands.Connection.StartOk({}, "PLAIN", f"\0{VHOST}\0{way.password}", "en_US"))
        tune = self.expect(commands.Connection.Tune)
        self.say(commands.Connection.TuneOk(tune.channel_max, tune.frame_max, heartbeat))
        self.say(commands.Connection.Open(VHOST))
        self.expect(commands.Connection.OpenOk)

    def say(self, method: base.Frame, channel: int = 0) -> None:
        self.socket.sendall(frame.marshal(method, channel))

    def expect(self, kind: type[base.Frame]) -> Any:
        """The next method of a kind; others are passed over."""
        while True:
            size, _, method = frame.unmarshal(self._held) if self._is_whole() else (0, 0, None)
            self._held = self._held[size:]
            if isinstance(method, kind):
                return method
            if not size:
                part = self.socket.recv(65536)
                assert part, f"no {kind.__name__} came"
                self._held += part

    def end(self) -> str:
        """How the broker ends the connection."""
        rest, how = end(self.socket)
        self.socket.close()
        return how if not self._held + rest else f"{how} after {len(rest)} bytes"

    def _is_whole(self) -> bool:
        return len(self._held) >= 7 and len(self._held) >= 8 + int.from_bytes(self._held[3:7], "big")


OPEN_CHANNEL = frame.marshal(commands.Channel.Open(), 1)
FOR_BROKERS_ONLY = frame.marshal(commands.Basic.ConsumeOk("consumer"), 1)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        pytest.param(b"no frame at all, and long enough", 501, id="501 frame error"),
        pytest.param(OPEN_CHANNEL + FOR_BROKERS_ONLY, 503, id="503 command invalid"),
        pytest.param(frame.marshal(commands.Basic.Qos(), 7), 504, id="504 channel error"),
        pytest.param(OPEN_CHANNEL * 2, 504, id="504 channel opened twice"),
        pytest.param(OPEN_CHANNEL + b"\x03\x00\x01\x00\x00\x00\x01x\xce", 505, id="505 unexpected frame"),
        pytest.param(OPEN_CHANNEL + frame.marshal(commands.Channel.Flow(False), 1), 540, id="540 not implemented"),
    ],
)
def test_what_closes_a_connection(direct: Way, tapped: Way, said: bytes, code: int) -> None:
    ends = []
    for way in (direct, tapped):
        raw = Raw(way)
        raw.socket.sendall(said)
        close = raw.expect(commands.Connection.Close)
        raw.say(commands.Connection.CloseOk())
        ends.append((close.reply_code, close.reply_text, raw.end()))
    assert ends[0] == ends[1]
    assert ends[0][0] == code


def test_another_protocol_is_answered_with_the_right_one(direct: Way, tapped: Way) -> None:
    ends = []
    for way in (direct, tapped):
        with way.socket() as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            ends.append(end(sock))
    assert ends[0] == ends[1]
    # From 4.0 on it offers AMQP 1.0.
    assert ends[0][0] in (PROTOCOL_HEADER, b"AMQP\x03\x01\x00\x00")


def test_a_body_of_nearly_16_mib(way: Way) -> None:
    body = bytes(range(256)) * (MIB // 16 - 4)
    with way.pika() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        queue = new_queue(channel)
        channel.basic_publish("", queue, body, mandatory=True)
        _, _, got = channel.basic_get(queue, auto_ack=True)
        assert got == body
        channel.queue_delete(queue)


def test_two_hundred_channels(way: Way) -> None:
    with way.pika() as connection:
        channels = [connection.channel() for _ in range(200)]
        queue = new_queue(channels[0])
        for number, channel in enumerate(channels):
            channel.basic_publish("", queue, str(number).encode())
        got = {next(channels[-1].consume(queue, auto_ack=True, inactivity_timeout=10))[2] for _ in channels}
        assert got == {str(number).encode() for number in range(200)}
        channels[0].queue_delete(queue)


def test_a_thousand_connections(way: Way) -> None:
    began = time.monotonic()
    for number in range(1000):
        with way.socket() as sock:
            sock.sendall(PROTOCOL_HEADER)
            assert sock.recv(4)[:3] == b"\x01\x00\x00"
            if number % 2:
                sock.sendall(b"garbage")
    for _ in range(20):
        with way.pika():
            pass
    assert time.monotonic() - began < 60
    if way.tap:
        tap = psutil.Process(way.tap.pid)
        wait_until(lambda: not [c for c in tap.net_connections("tcp") if c.status != "LISTEN"], seconds=30)


def test_a_slow_consumer_with_prefetch(way: Way) -> None:
    async def talk() -> None:
        got: list[AbstractIncomingMessage] = []

        async def collect(message: AbstractIncomingMessage) -> None:
            got.append(message)

        async with await aio_pika.connect(way.url()) as connection:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=5)
            queue = await channel.declare_queue(f"q-{uuid4()}", durable=True)
            for number in range(40):
                message = aio_pika.Message(b"%04d" % number + b"x" * 200_000)
                await channel.default_exchange.publish(message, queue.name)
            await queue.consume(collect)
            seen = []
            for _ in range(8):
                await until(lambda: len(got) == 5)
                await asyncio.sleep(0.02)
                assert len(got) == 5
                seen += [int(message.body[:4]) for message in got]
                last = got[-1]
                got.clear()
                await last.ack(multiple=True)
            assert seen == list(range(40))

    aio(talk())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def test_heartbeats_keep_a_connection(way: Way) -> None:
    with way.pika("?heartbeat=1") as connection:
        connection.process_data_events(3)
        assert connection.is_open


def test_a_lack_of_heartbeats_ends_a_connection(direct: Way, tapped: Way) -> None:
    silent = [Raw(way, heartbeat=1) for way in (direct, tapped)]
    began = time.monotonic()
    assert len({end(raw.socket)[1] for raw in silent}) == 1
    assert 1 < time.monotonic() - began < 10


CONSUMER = """
import pika, sys
channel = pika.BlockingConnection(pika.URLParameters(sys.stdin.readline().strip())).channel()
channel.basic_consume(sys.argv[1], lambda *_: print("got it", flush=True))
channel.start_consuming()
"""


def test_a_client_that_is_killed_gives_its_messages_back(way: Way) -> None:
    with way.pika() as connection:
        channel = connection.channel()
        queue = new_queue(channel)
        channel.basic_publish("", queue, b"precious")
        consumer = subprocess.Popen(
            [sys.executable, "-c", CONSUMER, queue], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert consumer.stdin is not None
        assert consumer.stdout is not None
        consumer.stdin.write(way.url() + "\n")
        consumer.stdin.flush()
        assert consumer.stdout.readline() == "got it\n"
        consumer.send_signal(signal.SIGKILL)
        consumer.communicate()
        method, _, body = next(channel.consume(queue, auto_ack=True, inactivity_timeout=10))
        assert body == b"precious"
        assert method.redelivered
        channel.queue_delete(queue)


def test_a_connection_that_the_broker_closes(way: Way) -> None:
    name = f"closed-{uuid4()}"
    connection = way.pika(f"?client_properties={quote(str({'connection_name': name}))}")

    def known() -> str:
        listed = way.management.get(path("vhosts", VHOST, "connections"))
        return next((c["name"] for c in listed if c["client_properties"].get("connection_name") == name), "")

    way.management.delete(path("connections", wait_until(known, seconds=30)))
    with pytest.raises(
        pika.exceptions.ConnectionClosedByBroker, match=r"320.*CONNECTION_FORCED - Closed via management"
    ):
        connection.process_data_events(10)
