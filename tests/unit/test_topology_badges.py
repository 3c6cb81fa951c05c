"""What arguments mean, in the picture and in its words; and where messages go that a queue does not keep."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from lab_helpers.broker.topology import Binding, Exchange, Queue, Topology
from lab_helpers.draw.badges import badge
from lab_helpers.draw.picture import Picture
from lab_helpers.draw.topology import OTHER_TYPE, TYPES, topology_picture, topology_text

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("x-message-ttl", 60000, "TTL 60 s"),
        ("x-message-ttl", 0, "TTL 0 ms"),
        ("x-message-ttl", 1500, "TTL 1.5 s"),
        ("x-message-ttl", 250, "TTL 250 ms"),
        ("x-message-ttl", 1234, "TTL 1234 ms"),
        ("x-message-ttl", 600_000, "TTL 10 min"),
        ("x-expires", 7_200_000, "expires after 2 h unused"),
        ("x-dead-letter-exchange", "dlx", "DLX dlx"),
        ("x-dead-letter-exchange", "", "DLX (default)"),
        ("x-dead-letter-routing-key", "late", "dead letter key late"),
        ("x-dead-letter-strategy", "at-least-once", "dead letters at least once"),
        ("x-max-length", 3, "max 3 messages"),
        ("x-max-length", 1, "max 1 message"),
        ("x-max-length-bytes", 1000, "max 1000 bytes"),
        ("x-overflow", "reject-publish", "reject when full"),
        ("x-overflow", "drop-head", "drop oldest when full"),
        ("x-max-priority", 10, "priorities to 10"),
        ("x-single-active-consumer", True, "single active consumer"),
        ("x-delivery-limit", 5, "delivery limit 5"),
        ("alternate-exchange", "lost", "alternate exchange lost"),
        # What is not known, or makes no sense, stands as it was given.
        ("x-note", "hello", "x-note=hello"),
        ("x-message-ttl", "soon", "x-message-ttl=soon"),
        ("x-max-length", True, "x-max-length=True"),
        ("x-max-length", -1, "x-max-length=-1"),
        ("x-overflow", ["drop-head"], "x-overflow=['drop-head']"),
        ("x-single-active-consumer", False, "x-single-active-consumer=False"),
    ],
)
def test_arguments_in_words(name: str, value: Any, words: str) -> None:
    assert badge(name, value) == words


SHOP = Topology(
    "v",
    (
        Exchange("dlx", "fanout", durable=True),
        Exchange("lost", "fanout", durable=True),
        Exchange("orders", "direct", durable=True, arguments={"alternate-exchange": "lost"}),
    ),
    (
        Queue("lyon", "quorum", True, arguments={"x-dead-letter-exchange": "dlx", "x-message-ttl": 60000}, consumers=2),
        Queue("retry", "classic", True, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "lyon"}),
        Queue("gone", "classic", True, arguments={"x-dead-letter-exchange": "no such exchange"}),
    ),
    (Binding("orders", "lyon", to_exchange=False, key="order.eu"),),
)


def edges(picture: Picture) -> dict[str, bool]:
    """The arrows' titles and whether they are dashed."""
    root = ElementTree.fromstring(picture.svg)  # noqa: S314
    return {
        group.findtext(f"{SVG}title") or "": any(path.get("stroke-dasharray") for path in group.iter(f"{SVG}path"))
        for group in root.iter(f"{SVG}g")
        if group.get("class") == "edge"
    }


def texts(picture: Picture) -> list[str]:
    root = ElementTree.fromstring(picture.svg)  # noqa: S314
    assert all(text.get("fill") for text in root.iter(f"{SVG}text"))
    return [(text.text or "").replace("\xa0", " ").strip() for text in root.iter(f"{SVG}text")]


def test_badges_in_the_words() -> None:
    assert topology_text(SHOP).splitlines()[4:] == [
        "queue lyon (quorum, durable, DLX dlx, TTL 60 s)",
        "queue retry (classic, durable, DLX (default), dead letter key lyon)",
        "queue gone (classic, durable, DLX no such exchange)",
    ]


def test_badges_in_the_drawing() -> None:
    picture = topology_picture(SHOP)
    assert {"TTL 60 s", "DLX dlx", "alternate exchange lost"} <= set(texts(picture))


def test_dead_letters_and_unroutable_messages_have_dashed_arrows() -> None:
    picture = topology_picture(SHOP)
    # To what exists only: the exchanges are e0 dlx, e1 lost, e2 orders, the queues q0 gone, q1 lyon, q2 retry.
    assert edges(picture) == {"e2:e->q1:w": False, "q1:_->e0:_": True, "q2:_->q1:_": True, "e2:_->e1:_": True}
    shown = texts(picture)
    assert (shown.count("dead letters"), shown.count("unroutable")) == (2, 1)


def test_consumers_are_shown() -> None:
    queue = Queue("q", "classic", durable=True, messages=0, consumers=2)
    assert "→ 2 consumers" in texts(topology_picture(Topology("v", (), (queue,), ())))


def test_types_of_exchanges_differ_by_more_than_colour() -> None:
    kinds = [*TYPES, "x-delayed-message"]
    topology = Topology("v", tuple(Exchange(kind, kind, durable=True) for kind in kinds), (), ())
    signs = [sign for sign, _ in [*TYPES.values(), OTHER_TYPE]]
    assert len(set(signs)) == len(signs) == 5
    assert set(signs) <= set(texts(topology_picture(topology)))


def test_bindings_between_exchanges_are_drawn() -> None:
    topology = Topology(
        "v",
        (Exchange("all", "fanout", durable=True), Exchange("some", "topic", durable=True)),
        (),
        (Binding("all", "some", to_exchange=True, key="#"),),
    )
    assert list(edges(topology_picture(topology))) == ["e0:e->e1:w"]


def test_long_names_are_short_in_the_drawing_and_whole_in_words() -> None:
    name = "x" * 300
    topology = Topology(
        "v",
        (Exchange(name, "direct", durable=True),),
        (Queue(name, "classic", durable=True),),
        (Binding(name, name, to_exchange=False, key=name),),
    )
    picture = topology_picture(topology)
    assert max(map(len, texts(picture))) <= 40
    assert picture.text.count(name) == 4


@pytest.mark.parametrize("name", ["ends with \\", "bell\x07", "two\nlines", "\\N \\G"])
def test_every_name_is_drawn(name: str) -> None:
    queue = Queue(name, "classic", durable=True, arguments={"x-note": name})
    topology = Topology(
        "v", (Exchange(name, "direct", durable=True),), (queue,), (Binding(name, name, to_exchange=False, key=name),)
    )
    assert list(edges(topology_picture(topology))) == ["e0:e->q0:w"]
