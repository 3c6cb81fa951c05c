"""Stories made by hand: each thing that can happen to a message, and many messages."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab_helpers.broker.topology import Binding, Exchange, Queue, Topology
from lab_helpers.record.events import (
    Confirmed,
    Consuming,
    DeadLettered,
    Delivered,
    Event,
    Message,
    Published,
    Returned,
    Settled,
    Settlement,
)
from lab_helpers.record.story import Story

INJECTION = "<img src=x onerror=\"document.title='stolen'\"><script>document.title='stolen'</script>"

SHOP = Topology(
    "lab",
    (Exchange("orders", "topic", True), Exchange("orders.dead", "fanout", True)),
    (
        Queue("audit", "quorum", True, messages=1),
        Queue("dead", "classic", True),
        Queue("eu", "quorum", True, arguments={"x-dead-letter-exchange": "orders.dead"}),
        Queue("us", "classic", True),
    ),
    (
        Binding("orders", "audit", False, "order.#"),
        Binding("orders", "eu", False, "order.eu.*"),
        Binding("orders", "us", False, "order.us.*"),
        Binding("orders.dead", "dead", False, ""),
    ),
)


@dataclass
class Script:
    """Writes a story down, event by event, with shop's publishers and warehouse's consumers."""

    events: list[Event] = field(default_factory=list)
    messages: dict[int, Message] = field(default_factory=dict)

    def publish(self, body: bytes, key: str, queues: tuple[str, ...] | None, *, exchange: str = "orders") -> int:
        number = len(self.messages) + 1
        self.messages[number] = Message(body, {"delivery_mode": 2, "headers": {"region": key.split(".")[1]}})
        self.events.append(Published(self.now, "shop", 1, number, exchange, key, True, number, queues))
        return number

    @property
    def now(self) -> float:
        return len(self.events) / 100

    def confirm(self, *numbers: int) -> None:
        self.events.append(Confirmed(self.now, "shop", 1, numbers[-1], len(numbers) > 1, numbers))

    def give_back(self, number: int) -> None:
        self.events.append(Returned(self.now, "shop", 1, number, 312, "NO_ROUTE", "orders", "order.nowhere"))

    def consume(self, queue: str, consumer: str, *, auto_ack: bool = False) -> None:
        self.events.append(Consuming(self.now, "warehouse", 1, queue, consumer, auto_ack, False))

    def deliver(self, number: int, queue: str, consumer: str, *, again: bool = False, exchange: str = "orders") -> None:
        self.events.append(
            Delivered(self.now, "warehouse", 1, number, queue, consumer, number, again, False, exchange, "order.eu.1")
        )

    def settle(self, number: int, queue: str, how: Settlement = Settlement.ACK, *, requeue: bool = False) -> None:
        self.events.append(Settled(self.now, "warehouse", 1, how, number, False, requeue, (number,), (queue,)))

    def dead_letter(self, number: int, queue: str) -> None:
        self.events.append(DeadLettered(self.now, "warehouse", 1, number, queue, "rejected", "orders", 1))

    def story(self, topology: Topology = SHOP) -> Story:
        return Story(tuple(self.events), (), self.messages, topology)


def shop() -> Story:
    """Each thing once: routed to two queues, to one, returned, dropped, acked, requeued, dead-lettered."""
    script = Script()
    script.consume("eu", "lyon")
    script.consume("us", "dallas")
    script.consume("dead", "morgue")
    first = script.publish(b'{"order": 1, "paid": true}', "order.eu.paid", ("audit", "eu"))
    script.confirm(first)
    script.deliver(first, "eu", "lyon")
    second = script.publish(INJECTION.encode(), "order.us.paid", ("audit", "us"))
    script.deliver(second, "us", "dallas")
    third = script.publish(b"order 3", "order.nowhere", ())
    script.give_back(third)
    fourth = script.publish(bytes(range(250, 256)), "order.lost", ())
    script.confirm(second, third, fourth)
    script.settle(first, "eu")
    script.settle(second, "us", Settlement.NACK, requeue=True)
    script.deliver(second, "us", "dallas", again=True)
    script.settle(second, "us")
    fifth = script.publish(b"order 5", "order.eu.new", ("audit", "eu"))
    script.deliver(fifth, "eu", "lyon")
    script.settle(fifth, "eu", Settlement.REJECT)
    script.dead_letter(fifth, "eu")
    script.deliver(fifth, "dead", "morgue", exchange="orders.dead")
    return script.story()


def many(count: int = 400) -> Story:
    """As many messages as a benchmark sends, each confirmed, delivered and acknowledged."""
    script = Script()
    script.consume("eu", "lyon")
    for number in range(1, count + 1):
        script.publish(f"order {number}".encode(), "order.eu.new", ("audit", "eu"))
        script.confirm(number)
    for number in range(1, count + 1):
        script.deliver(number, "eu", "lyon")
        script.settle(number, "eu")
    return script.story()
