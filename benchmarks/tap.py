"""What the tap costs: publishing rates through it, recording or not, against direct ones in the same run.

    .venv/bin/python -m benchmarks.tap [--url amqp://…] [--engine native] [--rounds 7]
    .venv/bin/python -m benchmarks.tap --idle 60

In each round every way has its turn, so that all meet the same machine; what counts is the ratio to the direct one.
With ``--idle`` it is asked instead what memory a tap takes whose one client does nothing, for so many minutes.
Without ``--url`` it brings up a cluster of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import aio_pika
import pika
import psutil

from lab_helpers.cluster import lifecycle
from lab_helpers.record.tap import Tap
from tests import engines

UNCONFIRMED = {100: 15_000, 10_000: 6_000}
"""Messages in a turn, by their bytes: half a second and more, and not more than a recording may hold."""
CONFIRMED = 1_500
"""Messages in a turn, each confirmed before the next."""
WAYS = ("direct", "tap", "recording")

QUEUE = "benchmark"
AT_MOST = {"x-max-length": 1}
"""The broker drops what is too much at once, so that no turn is slower for those before it."""

Publish = Callable[[str, int, int], float]


def by_pika(url: str, count: int, size: int, *, confirmed: bool) -> float:
    """Publish, and give messages per second; the last answer of the broker ends the time."""
    body = os.urandom(size)
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        if confirmed:
            channel.confirm_delivery()
        began = time.perf_counter()
        for _ in range(count):
            channel.basic_publish("", QUEUE, body)
        channel.queue_declare(QUEUE, passive=True)
        return count / (time.perf_counter() - began)


async def publish_by_aio_pika(url: str, count: int, size: int, *, confirmed: bool) -> float:
    message = aio_pika.Message(os.urandom(size))
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=confirmed)
        exchange = channel.default_exchange
        began = time.perf_counter()
        for _ in range(count):
            await exchange.publish(message, QUEUE, mandatory=False)
        await channel.declare_queue(QUEUE, passive=True)
        return count / (time.perf_counter() - began)


def by_aio_pika(url: str, count: int, size: int, *, confirmed: bool) -> float:
    """The same with aio-pika."""
    return asyncio.run(publish_by_aio_pika(url, count, size, confirmed=confirmed))


@contextmanager
def way(name: str, url: str, taps: dict[str, Tap]) -> Iterator[str]:
    """The URL for one way."""
    if name == "direct":
        yield url
        return
    tap = taps[name]
    if name == "recording":
        tap.start_recording()
    yield through_tap(url, tap)
    if name == "recording":
        capture = tap.stop_recording()
        assert capture.chunks
        assert not capture.lost_bytes


def measure_idle(url: str, minutes: int) -> None:
    """Print the tap's memory every so often, while nothing but heartbeats passes."""
    parts = urlsplit(url)
    tap = Tap(f"{parts.hostname}:{parts.port}")
    process = psutil.Process(tap.pid)
    through = pika.URLParameters(through_tap(url, tap))
    through.heartbeat = 5
    with pika.BlockingConnection(through) as connection:
        for minute in range(minutes + 1):
            used = process.memory_full_info()
            spent = sum(process.cpu_times()[:2])
            print(
                f"  after {minute:3} min: {used.rss / 1e6:.2f} MB resident, {used.uss / 1e6:.2f} MB its own, "
                f"{process.num_fds()} descriptors, {process.num_threads()} thread, {spent:.2f} s of processor",
                flush=True,
            )
            if minute < minutes:
                connection.sleep(60)
    tap.close()


def through_tap(url: str, tap: Tap) -> str:
    """The same URL, by way of the tap."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@{tap.address}"))


def measure(url: str, rounds: int) -> None:
    parts = urlsplit(url)
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        connection.channel().queue_declare(QUEUE, durable=True, arguments=AT_MOST)
    target = f"{parts.hostname}:{parts.port}"
    taps = {name: Tap(target) for name in WAYS[1:]}
    print(f"{rounds} rounds, medians of messages per second, and of the ratio to direct in the same round:")
    for client, publish in (("pika", by_pika), ("aio-pika", by_aio_pika)):
        for size in UNCONFIRMED:
            for confirmed in (False, True):
                count = CONFIRMED if confirmed else UNCONFIRMED[size]
                rates: dict[str, list[float]] = {name: [] for name in WAYS}
                for turn in range(rounds + 1):
                    for name in WAYS[turn % 3 :] + WAYS[: turn % 3]:
                        with way(name, url, taps) as through:
                            rate = publish(through, count, size, confirmed=confirmed)
                        # The first round warms up.
                        if turn:
                            rates[name].append(rate)
                figures = []
                for name in WAYS:
                    ratio = statistics.median(a / b for a, b in zip(rates[name], rates["direct"], strict=True))
                    figures.append(f"{name} {statistics.median(rates[name]):8.0f} ({ratio:.2f})")
                kind = "one by one " if confirmed else "unconfirmed"
                added = 1e6 / statistics.median(rates["recording"]) - 1e6 / statistics.median(rates["direct"])
                cost = f"   {added:+.0f} µs a confirm" if confirmed else ""
                print(f"  {client:8} {kind} {size:6} B   {'   '.join(figures)}{cost}", flush=True)
    for tap in taps.values():
        tap.close()
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        connection.channel().queue_delete(QUEUE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--url", help="a broker that runs")
    parser.add_argument("--engine", choices=["compose", "native"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--idle", type=int, metavar="MINUTES", help="measure an idle tap's memory instead")
    asked = parser.parse_args()
    measured = (
        partial(measure, rounds=asked.rounds) if asked.idle is None else partial(measure_idle, minutes=asked.idle)
    )
    if asked.url:
        measured(asked.url)
        return
    folder = Path(tempfile.mkdtemp(prefix="labs-bench-"))
    with engines.settings_of(engines.environment(asked.engine or engines.tested()[0], folder)):
        try:
            cluster = lifecycle.up()
            login = cluster.engine.management()
            measured(f"amqp://{login.user}:{login.password}@{cluster.engine.amqp('rmq1')}/%2F")
        finally:
            lifecycle.down()
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
