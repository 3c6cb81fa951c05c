"""A big topology: what is alike shares a box, and the words have every object all the same."""

from __future__ import annotations

import random
import time
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab_helpers.broker.topology import Binding, Exchange, Queue, Topology
from lab_helpers.draw.grouping import MOST_BOXES, boxes, natural
from lab_helpers.draw.topology import topology_picture

SVG = "{http://www.w3.org/2000/svg}"
CITIES = ("denver", "lyon")


def towns(each: int) -> Topology:
    """So many queues a city on one direct exchange, and three different ones on a fanout exchange."""
    names = [f"{city}.{number}" for city in CITIES for number in range(1, each + 1)]
    return Topology(
        "v",
        (Exchange("news", "fanout", durable=True), Exchange("orders", "direct", durable=True)),
        (
            *(Queue(name, "classic", durable=True, messages=1) for name in names),
            Queue("all", "stream", durable=True, messages=9),
            Queue("eu", "quorum", durable=True, arguments={"x-message-ttl": 1000}),
            Queue("us", "quorum", durable=True),
        ),
        tuple(Binding("orders", name, to_exchange=False, key=f"order.{name}") for name in names)
        + tuple(Binding("news", name, to_exchange=False, key="") for name in ("all", "eu", "us")),
    )


def tangle(seed: int, queues: int = 300, exchanges: int = 40, bindings: int = 400) -> Topology:
    """Objects with nothing in common."""
    choose = random.Random(seed)  # noqa: S311
    words = ["ash", "birch", "cedar", "elm", "fir", "hazel", "ivy", "juniper", "larch", "maple", "oak", "pine", "yew"]
    names = [f"{a}.{b}.{c}" for a in words for b in words for c in words]
    choose.shuffle(names)
    sources, targets = names[:exchanges], names[exchanges : exchanges + queues]
    return Topology(
        "v",
        tuple(Exchange(name, choose.choice(["direct", "topic", "fanout"]), durable=True) for name in sorted(sources)),
        tuple(
            Queue(
                name,
                choose.choice(["classic", "quorum"]),
                durable=True,
                arguments={"x-message-ttl": choose.randint(1, 9)},
                messages=choose.randint(0, 50),
            )
            for name in sorted(targets)
        ),
        tuple(
            Binding(choose.choice(sources), choose.choice(targets), to_exchange=False, key=choose.choice(words))
            for _ in range(bindings)
        ),
    )


def drawn(svg: str, kind: str) -> list[ElementTree.Element]:
    root = ElementTree.fromstring(svg)  # noqa: S314
    return [group for group in root.iter(f"{SVG}g") if group.get("class") == kind]


def texts(svg: str) -> str:
    root = ElementTree.fromstring(svg)  # noqa: S314
    words = [(text.text or "").replace("\xa0", " ").strip() for text in root.iter(f"{SVG}text")]
    return " | ".join(word for word in words if word)


def test_a_small_topology_has_a_box_for_each_object() -> None:
    small = towns(17)
    assert len(small.exchanges) + len(small.queues) == MOST_BOXES - 1
    assert boxes(small).count == MOST_BOXES - 1
    assert "shares a box" not in topology_picture(small).svg


def test_queues_that_differ_in_a_number_share_a_box() -> None:
    big = towns(120)
    found = boxes(big)
    assert [(group[0].name, group[-1].name, len(group)) for group in found.queues] == [
        ("all", "all", 1),
        ("denver.1", "denver.120", 120),
        ("eu", "eu", 1),
        ("lyon.1", "lyon.120", 120),
        ("us", "us", 1),
    ]
    picture = topology_picture(big)
    assert (len(drawn(picture.svg, "node")), len(drawn(picture.svg, "edge"))) == (7, 5)
    shown = texts(picture.svg)
    assert "lyon.1 … lyon.120 | 120 classic, durable queues | 120 messages" in shown
    assert "order.lyon.1 … order.lyon.120 | 120 keys" in shown
    assert "2 exchanges and 243 queues in 7 boxes: what is alike shares a box" in shown


def test_the_words_have_every_object() -> None:
    big = towns(120)
    lines = topology_picture(big).text.splitlines()
    assert len(lines) == len(big.exchanges) + len(big.queues) + len(big.bindings)
    assert "queue lyon.77 (classic, durable): 1 message" in lines


@pytest.mark.parametrize(
    "topology", [towns(150), tangle(1), tangle(2, queues=30, exchanges=300)], ids=["towns", "tangle", "exchanges"]
)
def test_big_topologies_stay_pictures(topology: Topology) -> None:
    began = time.monotonic()
    picture = topology_picture(topology)
    assert time.monotonic() - began < 3
    assert len(drawn(picture.svg, "node")) <= MOST_BOXES
    assert 'style="max-width:100%;height:auto"' in picture.svg
    assert topology_picture(topology) == picture


@given(st.integers(0, 1000), st.integers(0, 80), st.integers(0, 80))
def test_every_object_is_in_one_box(seed: int, queues: int, exchanges: int) -> None:
    topology = tangle(seed, queues, exchanges, bindings=60 if queues and exchanges else 0)
    found = boxes(topology)
    assert found.count <= MOST_BOXES or found.count == queues + exchanges <= MOST_BOXES
    assert sorted(queue for group in found.queues for queue in group) == sorted(topology.queues)
    assert sorted(exchange for group in found.exchanges for exchange in group) == sorted(topology.exchanges)


def test_numbers_in_names_count_as_numbers() -> None:
    assert sorted(["q.10", "q.9", "q", "q.9b", "10"], key=natural) == ["10", "q", "q.9", "q.9b", "q.10"]
