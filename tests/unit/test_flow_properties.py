"""Any story is a flow that adds up: nothing raises, and depths are what the moves make of them."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lab_helpers.draw.flow import flow_data
from lab_helpers.record.events import (
    ChannelClosed,
    Confirmed,
    ConnectionClosed,
    Consuming,
    DeadLettered,
    Delivered,
    Event,
    Message,
    NothingToGet,
    Published,
    Recovered,
    Refused,
    Removed,
    Returned,
    Settled,
    Settlement,
    Side,
)
from lab_helpers.record.story import Story
from tests.browser.stories import SHOP

CLIENTS = st.sampled_from(["shop", "warehouse"])
CHANNELS = st.integers(1, 2)
EXCHANGES = st.sampled_from(["", "orders", "orders.dead", "unheard of"])
QUEUES = st.sampled_from(["audit", "eu", "us", "dead", "amq.gen-1"])
CONSUMERS = st.sampled_from(["", "lyon", "dallas"])
NUMBERS = st.integers(1, 6)
SEVERAL = st.lists(NUMBERS, max_size=4, unique=True).map(tuple)
ZERO = st.just(0.0)
PAIRS = st.lists(st.tuples(NUMBERS, QUEUES), max_size=3, unique=True)
SIDES = st.sampled_from(Side)

HOWS = st.sampled_from(
    [(Settlement.ACK, False), *((how, requeue) for how in ("nack", "reject") for requeue in (True, False))]
).map(lambda one: (Settlement(one[0]), one[1]))


def apart(pairs: list[tuple[int, str]]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    return tuple(number for number, _ in pairs), tuple(queue for _, queue in pairs)


SETTLED = st.builds(
    lambda client, channel, how, pairs: Settled(0.0, client, channel, how[0], 1, True, how[1], *apart(pairs)),
    CLIENTS, CHANNELS, HOWS, PAIRS,
)  # fmt: skip
RECOVERED = st.builds(
    lambda client, channel, pairs: Recovered(0.0, client, channel, *apart(pairs)), CLIENTS, CHANNELS, PAIRS
)
EVENTS = st.one_of(
    st.builds(
        Published, ZERO, CLIENTS, CHANNELS, NUMBERS, EXCHANGES, st.text(max_size=5), st.booleans(), st.none(),
        st.none() | st.lists(QUEUES, max_size=3, unique=True).map(tuple),
    ),
    st.builds(Confirmed, ZERO, CLIENTS, CHANNELS, NUMBERS, st.booleans(), SEVERAL),
    st.builds(Refused, ZERO, CLIENTS, CHANNELS, NUMBERS, st.booleans(), SEVERAL),
    st.builds(Returned, ZERO, CLIENTS, CHANNELS, NUMBERS, st.just(312), st.just("NO_ROUTE"), EXCHANGES, st.just("k")),
    st.builds(Consuming, ZERO, CLIENTS, CHANNELS, QUEUES, CONSUMERS.filter(bool), st.booleans(), st.booleans()),
    st.builds(
        Delivered, ZERO, CLIENTS, CHANNELS, NUMBERS, QUEUES, CONSUMERS, NUMBERS, st.booleans(), st.booleans(),
        EXCHANGES, st.just("k"),
    ),
    st.builds(DeadLettered, ZERO, CLIENTS, CHANNELS, NUMBERS, QUEUES, st.just("expired"), EXCHANGES, st.just(1)),
    SETTLED,
    RECOVERED,
    st.builds(NothingToGet, ZERO, CLIENTS, CHANNELS, QUEUES),
    st.builds(Removed, ZERO, CLIENTS, CHANNELS, st.sampled_from(["queue", "messages", "exchange"]), QUEUES),
    st.builds(ChannelClosed, ZERO, CLIENTS, CHANNELS, SIDES, st.sampled_from([0, 200, 404]), st.just("x")),
    st.builds(ConnectionClosed, ZERO, CLIENTS, st.just(0), SIDES, st.sampled_from([0, 200, 320]), st.just("x")),
)  # fmt: skip
TAKING = {"message", "returned", "requeued", "dead-lettered", "acked", "rejected", "dropped", "removed"}


@settings(deadline=None, max_examples=150)
@given(st.lists(EVENTS, max_size=30), st.booleans())
def test_any_story_is_a_flow(events: list[Event], with_topology: bool) -> None:
    messages = {number: Message(f"body {number}".encode()) for number in range(1, 7)}
    story = Story(tuple(events), (), messages, SHOP if with_topology else None)
    data = flow_data(story)
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    ids = {actor["id"] for actor in data["actors"]}
    assert len(ids) == len(data["actors"])
    assert {end for link in data["links"] for end in (link["source"], link["target"])} <= ids
    for step in data["steps"]:
        assert step["caption"].endswith(".")
        for move in step["moves"]:
            assert set(move["path"]) <= ids
            assert len(move["path"]) >= 1


@st.composite
def lives(draw: st.DrawFn) -> list[Event]:
    """What really can happen to messages: each is published once, and settled by who holds it."""
    events: list[Event] = []
    ready: dict[str, list[int]] = {"audit": [], "eu": []}
    held: list[tuple[int, str]] = []
    published = 0
    for _ in range(draw(st.integers(1, 25))):
        act = draw(st.sampled_from(["publish", "deliver", "settle", "close", "purge"]))
        queue = draw(st.sampled_from(["audit", "eu"]))
        if act == "publish":
            published += 1
            queues = tuple(sorted(draw(st.sets(st.sampled_from(["audit", "eu"])))))
            for one in queues:
                ready[one].append(published)
            events.append(Published(0.0, "shop", 1, published, "orders", "k", False, None, queues))
        elif act == "deliver" and ready[queue]:
            number, auto = ready[queue].pop(0), draw(st.booleans())
            held += [] if auto else [(number, queue)]
            events.append(Delivered(0.0, "warehouse", 1, number, queue, "lyon", 1, False, auto, "orders", "k"))
        elif act == "settle" and held:
            number, queue = held.pop(draw(st.integers(0, len(held) - 1)))
            how, requeue = draw(st.sampled_from([(Settlement.ACK, False), (Settlement.NACK, True)]))
            if requeue:
                ready[queue].append(number)
            events.append(Settled(0.0, "warehouse", 1, how, 1, False, requeue, (number,), (queue,)))
        elif act == "close":
            for number, one in held:
                ready[one].append(number)
            held.clear()
            events.append(ChannelClosed(0.0, "warehouse", 1, Side.BROKER, 404, "x"))
        elif act == "purge":
            ready[queue].clear()
            events.append(Removed(0.0, "warehouse", 1, "messages", queue))
    return events


@settings(deadline=None, max_examples=150)
@given(lives())
def test_depths_are_what_the_moves_make_of_them(events: list[Event]) -> None:
    messages = {event.message: Message(b"x") for event in events if isinstance(event, Published)}
    data = flow_data(Story(tuple(events), (), messages, SHOP))
    places: dict[str, Counter[int]] = {actor["id"]: Counter() for actor in data["actors"]}
    depths: dict[str, int] = {actor["id"]: 0 for actor in data["actors"] if actor["role"] == "queue"}
    for step in data["steps"]:
        move_all(places, step["moves"])
        depths |= step["depths"]
        assert {queue: places[queue].total() for queue in depths} == depths


def move_all(places: dict[str, Counter[int]], moves: list[dict[str, Any]]) -> None:
    """Move messages as the player does."""
    for move in moves:
        if move["look"] in TAKING and places[move["path"][0]][move["message"]]:
            places[move["path"][0]][move["message"]] -= 1
    for move in moves:
        if move["stays"] and len(move["path"]) > 1:
            places[move["path"][-1]][move["message"]] += 1
