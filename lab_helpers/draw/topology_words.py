"""A topology in words: one line an object, in the terms of its declaration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab_helpers.broker.topology import Binding, Exchange, Queue, Topology
from lab_helpers.draw.badges import badges


def topology_text(topology: Topology) -> str:
    """The snapshot in words, one line an object, in an order that does not change from run to run."""
    lines: list[str] = []
    for exchange in topology.exchanges:
        lines.append(exchange_words(exchange))
        lines += [f"    {binding_words(binding)}" for binding in topology.bindings_of(exchange.name)]
    lines += [queue_words(queue) for queue in topology.queues]
    return "\n".join(lines) or "nothing declared yet"


def exchange_words(exchange: Exchange) -> str:
    """One exchange: "exchange shop.orders (direct, durable)"."""
    features = [exchange.type, "durable" if exchange.durable else "transient"]
    features += ["auto-delete"] * exchange.auto_delete + ["internal"] * exchange.internal
    return f"exchange {shown_name(exchange.name)} ({', '.join(features + badges(exchange.arguments))})"


def queue_words(queue: Queue) -> str:
    """One queue: "queue eu (classic, durable, TTL 60 s): 2 messages, 1 consumer"."""
    words = f"queue {queue.name} ({', '.join(queue_features(queue) + badges(queue.arguments))})"
    if queue.messages is None:
        return words
    contents = [counted(queue.messages, "message") if queue.messages else "empty"]
    if queue.consumers:
        contents.append(counted(queue.consumers, "consumer"))
    return f"{words}: {', '.join(contents)}"


def queue_features(queue: Queue) -> list[str]:
    """What a queue is, without its arguments."""
    features = [queue.type, "durable" if queue.durable else "transient"]
    return features + ["exclusive"] * queue.exclusive + ["auto-delete"] * queue.auto_delete


def binding_words(binding: Binding) -> str:
    """One binding, seen from its exchange: "order.eu -> queue eu"."""
    kind = "exchange" if binding.to_exchange else "queue"
    return f"{key_words(binding)} -> {kind} {binding.destination}"


def key_words(binding: Binding) -> str:
    """A binding's key and arguments."""
    return " ".join([binding.key or "(no key)", *arguments_words(binding.arguments)])


def arguments_words(arguments: Mapping[str, Any]) -> list[str]:
    """Arguments as "x-match=all", sorted."""
    return [f"{name}={value}" for name, value in sorted(arguments.items())]


def shown_name(exchange: str) -> str:
    """An exchange's name; the default exchange has none."""
    return exchange or "(default)"


def counted(number: int, thing: str) -> str:
    """ "1 message", "2 messages"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
