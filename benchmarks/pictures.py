"""How long pictures take: a story of 10,000 events as flow and as sequence chart, and a topology of 300 objects.

    .venv/bin/python -m benchmarks.pictures [--rounds 5]

Needs no broker. The story is read from bytes as the tap would hand them over, and that is measured too.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

from pamqp import body as bodies
from pamqp import commands, frame, header

from lab_helpers.broker.topology import Binding, Exchange, Queue, Topology
from lab_helpers.draw.flow import flow_picture
from lab_helpers.draw.sequence import sequence_picture
from lab_helpers.draw.topology import topology_picture
from lab_helpers.record.capture import Capture, Chunk
from lab_helpers.record.reading import read
from lab_helpers.record.story import Story

EVENTS = 10_000


def conversation(messages: int) -> Capture:
    """One client that publishes so many messages with confirms: two events for each."""
    chunks: list[Chunk] = []

    def say(from_client: bool, *frames: bytes) -> None:
        chunks.append(Chunk(len(chunks) / 1e4, 1, from_client, b"".join(frames)))

    def method(which: commands.base.Frame, channel: int = 1) -> bytes:
        return bytes(frame.marshal(which, channel))

    say(True, b"AMQP\x00\x00\x09\x01")
    say(False, method(commands.Connection.Start(), 0))
    say(True, method(commands.Connection.StartOk(response="***"), 0))
    say(False, method(commands.Connection.Tune(2047, 131072, 60), 0))
    say(True, method(commands.Connection.TuneOk(2047, 131072, 60), 0), method(commands.Connection.Open("shop"), 0))
    say(False, method(commands.Connection.OpenOk(), 0))
    say(True, method(commands.Channel.Open()))
    say(False, method(commands.Channel.OpenOk()))
    say(True, method(commands.Confirm.Select()))
    say(False, method(commands.Confirm.SelectOk()))
    for number in range(1, messages + 1):
        body = b"order %d" % number
        properties = commands.Basic.Properties(delivery_mode=2)
        say(
            True,
            method(commands.Basic.Publish(exchange="shop.orders", routing_key=f"order.{number % 7}")),
            bytes(frame.marshal(header.ContentHeader(0, len(body), properties), 1)),
            bytes(frame.marshal(bodies.ContentBody(body), 1)),
        )
        say(False, method(commands.Basic.Ack(number)))
    return Capture(tuple(chunks))


def large_topology() -> Topology:
    """40 exchanges and 260 queues with a binding each."""
    exchanges = tuple(Exchange(f"shop.{number:02}", "topic", True) for number in range(40))
    queues = tuple(Queue(f"queue {number:03}", "classic", True, messages=number % 5) for number in range(260))
    bindings = tuple(
        Binding(exchanges[number % 40].name, queue.name, False, f"order.{number}.#")
        for number, queue in enumerate(queues)
    )
    return Topology("shop", exchanges, queues, bindings)


def seconds(work: Callable[[], object], rounds: int) -> str:
    """The median of some runs, and their range."""
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return f"{statistics.median(took):6.2f} s   ({min(took):.2f} to {max(took):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    capture = conversation(EVENTS // 2)
    story: Story = read(capture)
    topology = large_topology()
    print(f"{len(story.events)} events, {len(story.frames)} frames; medians of {rounds}:")
    print(f"  read the story   {seconds(lambda: read(capture), rounds)}")
    print(f"  flow             {seconds(lambda: flow_picture(story), rounds)}")
    print(f"  sequence         {seconds(lambda: sequence_picture(story), rounds)}")
    print(f"topology of {len(topology.exchanges) + len(topology.queues)} objects:")
    print(f"  drawn            {seconds(lambda: topology_picture(topology), rounds)}")


if __name__ == "__main__":
    main()
