"""The vocabulary: what each expectation says of a state that is not as wanted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from lab_helpers.broker.topology import Binding, Exchange, Queue, Topology
from lab_helpers.exercises import (
    Bench,
    Difference,
    Expectation,
    Message,
    Probe,
    bound,
    exchange,
    message,
    no_longer,
    only_bound,
    queue,
    routes,
    unbound,
)
from lab_helpers.exercises.probe import PublishRefusedError, definitions
from lab_helpers.exercises.words import shown

TOPOLOGY = Topology(
    "04",
    (Exchange("orders", "direct", durable=True), Exchange("inner", "fanout", durable=False, internal=True)),
    (
        Queue("eu", "quorum", durable=True, arguments={"x-delivery-limit": 3}, messages=2, consumers=1),
        Queue("us", "classic", durable=False, messages=0, consumers=0),
        Queue("own", "classic", durable=True, exclusive=True),
    ),
    (Binding("orders", "eu", False, "order.eu"), Binding("orders", "inner", True, "", {"x-match": "all"})),
)


@dataclass
class Made:
    """A state that was never on a broker; reaching says where each message goes."""

    reaching: dict[str, set[str]] = field(default_factory=dict)
    refused: bool = False
    read: list[str] = field(default_factory=list)

    def topology(self) -> Topology:
        return TOPOLOGY

    def messages(self, name: str) -> list[Message]:
        self.read.append(name)
        died = {"headers": {"x-death": [{"queue": "eu", "reason": "rejected"}, {"queue": "us", "reason": "expired"}]}}
        found = {
            "eu": [Message(b"order 1", "", "", {"delivery_mode": 2}), Message(b"order 2", "", "")],
            "own": [Message(b"order 3", "", "", died)],
        }
        return found.get(name, [])

    def routes(self, _: str, probes: Iterable[Probe]) -> list[frozenset[str]]:
        if self.refused:
            raise PublishRefusedError("The broker closes the channel: 403.")
        return [frozenset(self.reaching[str(probe)]) for probe in probes]


def said(expectation: Expectation, made: Made | None = None) -> Difference | None:
    return expectation(cast(Bench, made or Made()))


@pytest.mark.parametrize(
    "expectation",
    [
        exchange("orders").exists(),
        exchange("orders").is_(type="direct", durable=True, internal=False),
        exchange("inner").has(type="fanout", durable=False, internal=True),
        queue("eu").exists(),
        queue("eu").has(type="quorum", durable=True, exclusive=False, arguments={"x-delivery-limit": 3}),
        queue("eu").has_consumers(1),
        queue("eu").holds([b"order 1", b"order 2"]),
        queue("eu").holds_count(2),
        queue("eu").holds_something(),
        queue("eu").contains(b"order 2"),
        queue("us").is_empty(),
        queue("us").messages_have(delivery_mode=2),
        queue("own").died_in("eu"),
        bound("eu", "orders"),
        bound("eu", "orders", "order.eu"),
        bound("inner", "orders", **{"x-match": "all"}),
        only_bound("eu", "orders", "order.eu"),
        unbound("us"),
        no_longer(queue("us").holds_something(), "It is still full."),
    ],
)
def test_what_holds_says_nothing(expectation: Expectation) -> None:
    assert said(expectation) is None


@pytest.mark.parametrize(
    ("expectation", "sentence", "expected", "seen"),
    [
        (exchange("gone").exists("Run the cell."), "There is no exchange named `gone` yet. Run the cell.", "", ""),
        (exchange("gone").is_(type="topic"), "There is no exchange named `gone` yet.", "", ""),
        (
            exchange("orders").is_(type="topic"),
            "The exchange `orders` is a direct exchange; a topic one was asked for.",
            "type `topic`",
            "type `direct`",
        ),
        (
            exchange("inner").is_(durable=True),
            "The exchange `inner` is not durable: a restart of the broker would remove it.",
            "durable",
            "not durable",
        ),
        (
            exchange("inner").is_(internal=False),
            "The exchange `inner` is internal, and should not be.",
            "not internal",
            "internal",
        ),
        (queue("gone").exists(), "There is no queue named `gone` yet.", "", ""),
        (queue("gone").has(durable=True), "There is no queue named `gone` yet.", "", ""),
        (
            queue("us").has(type="quorum"),
            "The queue `us` is a classic queue; a quorum one was asked for.",
            "type `quorum`",
            "type `classic`",
        ),
        (
            queue("eu").has(arguments={"x-delivery-limit": 5}),
            "The queue `eu` should have the argument `x-delivery-limit: 5`.",
            "`x-delivery-limit: 5`",
            "`x-delivery-limit: 3`",
        ),
        (
            queue("us").has(arguments={"x-max-length": 1}),
            "The queue `us` should have the argument `x-max-length: 1`.",
            "`x-max-length: 1`",
            "none",
        ),
        (
            queue("us").has_consumers(2),
            "The queue `us` has 0 consumers, and should have 2.",
            "2 consumers",
            "0 consumers",
        ),
        (
            queue("eu").holds([b"order 2", b"order 1"]),
            "The queue `eu` holds `order 1`, `order 2`; it should hold `order 2`, `order 1`. The order counts.",
            "`order 2`, `order 1`",
            "`order 1`, `order 2`",
        ),
        (queue("us").holds([b"x"]), "The queue `us` holds nothing; it should hold `x`.", "`x`", "nothing"),
        (
            queue("eu").is_empty(),
            "The queue `eu` holds `order 1`, `order 2`; it should hold nothing.",
            "nothing",
            "`order 1`, `order 2`",
        ),
        (queue("eu").holds_count(1), "The queue `eu` holds 2 messages; it should hold 1.", "1 message", "2 messages"),
        (
            queue("eu").contains(b"order 3"),
            "The queue `eu` does not hold `order 3`.",
            "`order 3`",
            "`order 1`, `order 2`",
        ),
        (queue("eu").contains(b"x", "It is gone."), "It is gone.", "`x`", "`order 1`, `order 2`"),
        (queue("gone").contains(b"x", "It is gone."), "It is gone.", "", ""),
        (queue("gone").is_empty(), "There is no queue named `gone`.", "", ""),
        (
            queue("eu").messages_have(delivery_mode=2),
            "The message `order 2` in `eu` should have `delivery_mode: 2`.",
            "`delivery_mode: 2`",
            "no `delivery_mode`",
        ),
        (
            queue("eu").died_in("us"),
            "The message `order 1` in `eu` did not die in `us`.",
            "a header `x-death` with `us`",
            "none",
        ),
        (
            queue("own").died_in("us"),
            "The message `order 3` in `own` did not die in `us`.",
            "a header `x-death` with `us`",
            "one with `eu`",
        ),
        (
            queue("us").has(arguments={"x-dead-letter-exchange": ""}),
            'The queue `us` should have the argument `x-dead-letter-exchange: ""`.',
            '`x-dead-letter-exchange: ""`',
            "none",
        ),
        (
            bound("us", "orders", "order.us"),
            "`us` is not bound to `orders` with the key `order.us`.",
            "`orders` with `order.us`",
            "no binding",
        ),
        (
            bound("eu", "orders", "order.us"),
            "`eu` is not bound to `orders` with the key `order.us`.",
            "`orders` with `order.us`",
            "`orders` with `order.eu`",
        ),
        (
            only_bound("us", "orders", "a"),
            "`us` should be bound to `orders` with `a` alone.",
            "`orders` with `a`",
            "no binding",
        ),
        (
            unbound("eu"),
            "`eu` is bound to the exchange `orders`, and should not be bound.",
            "no binding",
            "`orders` with `order.eu`",
        ),
        (no_longer(queue("eu").holds_count(2), "It is as it was."), "It is as it was.", "", ""),
    ],
)
def test_what_does_not_hold_is_said(expectation: Expectation, sentence: str, expected: str, seen: str) -> None:
    difference = said(expectation)
    assert difference is not None
    assert (difference.message, difference.expected, difference.seen) == (sentence, expected, seen)


def test_a_queue_that_cannot_be_asked() -> None:
    difference = said(queue("own").is_empty())
    assert difference is not None
    assert "cannot be asked" in difference.message


def test_bodies_are_read_only_where_the_count_leaves_it_open() -> None:
    made = Made()
    said(queue("us").holds([b"x"]), made)
    said(queue("us").contains(b"x"), made)
    said(queue("eu").holds_count(1), made)
    assert made.read == []
    said(queue("eu").holds([b"order 1"]), made)
    assert made.read == ["eu"]


ROUTES = {"the key `a`": {"eu"}, "the key `b`": set[str](), "the headers `x: 1`": {"eu", "us"}}


def test_routes_as_wanted() -> None:
    made = Made(ROUTES)
    assert said(routes("orders", {"a": {"eu"}, "b": set()}), made) is None
    assert said(routes("orders", {message(x=1): {"eu", "us"}}), made) is None
    assert said(routes("", {"a": {"eu"}}), made) is None


@pytest.mark.parametrize(
    ("expected", "sentence", "seen"),
    [
        ({"a": {"us"}}, "A message with the key `a` should reach `us`, and did not.", "the key `a` reaches `eu`"),
        ({"a": set()}, "A message with the key `a` reached `eu`, and should not.", "the key `a` reaches `eu`"),
        ({"b": {"eu"}}, "A message with the key `b` should reach `eu`, and did not.", "the key `b` reaches no queue"),
        (
            {message(x=1): {"eu"}},
            "A message with the headers `x: 1` reached `us`, and should not.",
            "the headers `x: 1` reach `eu`, `us`",
        ),
    ],
)
def test_a_message_that_goes_astray(expected: Any, sentence: str, seen: str) -> None:
    difference = said(routes("orders", expected), Made(ROUTES))
    assert difference is not None
    assert (difference.message, difference.seen) == (sentence, seen)
    assert "bindings of the exchange `orders`" in difference.look


def test_an_exchange_that_takes_no_publishes() -> None:
    difference = said(routes("orders", {"a": {"eu"}}), Made(refused=True))
    assert difference == Difference(
        "The broker closes the channel: 403.",
        look="An internal exchange takes messages only from other exchanges, by bindings.",
    )


def test_routes_of_an_exchange_that_is_not_there() -> None:
    assert said(routes("gone", {"a": {"eu"}})) == Difference("There is no exchange named `gone`.")


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        (message("a"), "the key `a`"),
        (message(), "the key ``"),
        (message("a", x=1, y="z"), "the key `a` and the headers `x: 1`, `y: z`"),
        (message(x=True), "the headers `x: True`"),
    ],
)
def test_a_test_message_in_words(probe: Probe, words: str) -> None:
    assert str(probe) == words


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "(empty)"),
        (b" \n", "(empty)"),
        (b"a `b`\nc", "a 'b' c"),
        (b"x" * 99, "x" * 39 + "…"),
        (b"\xff", "ff (1 byte)"),
        (b"\x1f\x8b\x08\x00\x01", "1f 8b 08 00 … (5 bytes)"),
    ],
)
def test_a_body_in_a_sentence(body: bytes, text: str) -> None:
    assert shown(body) == text


def test_of_policies_only_the_alternate_exchange_is_copied() -> None:
    def policy(name: str, to: str, **definition: Any) -> dict[str, Any]:
        return {"name": name, "pattern": "^a", "apply-to": to, "priority": 1, "definition": definition}

    found = [
        policy("ttl", "queues", **{"message-ttl": 0}),
        policy("both", "all", **{"max-length": 0, "alternate-exchange": "rest"}),
    ]
    (kept,) = definitions(TOPOLOGY, found)["policies"]
    assert (kept["name"], kept["apply-to"], kept["definition"]) == ("both", "exchanges", {"alternate-exchange": "rest"})


def test_the_copy_keeps_what_routes_and_nothing_else() -> None:
    made = definitions(TOPOLOGY)
    assert [(one["name"], one["internal"]) for one in made["exchanges"]] == [("orders", False), ("inner", True)]
    assert all(one["arguments"] == {} and one["durable"] for one in made["queues"])
    assert [one["destination_type"] for one in made["bindings"]] == ["queue", "exchange"]
