"""A topology in words and as a drawing: deterministic, escaped, and both saying the same."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from lab_helpers.broker.topology import FIREHOSE_QUEUE, Binding, Exchange, Queue, Topology
from lab_helpers.draw.picture import Picture
from lab_helpers.draw.topology import SHOWN_MESSAGES, topology_picture, topology_text

SVG = "{http://www.w3.org/2000/svg}"

SHOP = Topology(
    "04",
    (
        Exchange("shop.audit", "fanout", durable=False, auto_delete=True, internal=True),
        Exchange("shop.orders", "direct", durable=True, arguments={"alternate-exchange": "lost"}),
    ),
    (
        Queue("eu", "classic", durable=True, messages=2, consumers=1),
        Queue("idle", "quorum", durable=True, messages=0, consumers=0),
        Queue("mine", "classic", durable=False, exclusive=True, auto_delete=True, arguments={"x-b": 2, "x-a": True}),
    ),
    (
        Binding("shop.orders", "eu", to_exchange=False, key="order.eu"),
        Binding("shop.orders", "eu", to_exchange=False, key="", arguments={"x-match": "all", "b": 1}),
        Binding("shop.orders", "shop.audit", to_exchange=True, key="#"),
    ),
)
SHOP_TEXT = """\
exchange shop.audit (fanout, transient, auto-delete, internal)
exchange shop.orders (direct, durable, alternate exchange lost)
    order.eu -> queue eu
    (no key) b=1 x-match=all -> queue eu
    # -> exchange shop.audit
queue eu (classic, durable): 2 messages, 1 consumer
queue idle (quorum, durable): empty
queue mine (classic, transient, exclusive, auto-delete, x-a=True, x-b=2)"""


def one(name: str, key: str = "k", queue: Queue | None = None) -> Topology:
    """One exchange bound to one queue, both of this name unless the queue is given."""
    queue = queue or Queue(name, "classic", durable=True)
    return Topology(
        "v",
        (Exchange(name, "direct", durable=True),),
        (queue,),
        (Binding(name, queue.name, to_exchange=False, key=key),),
    )


def drawing(picture: Picture) -> ElementTree.Element:
    root = ElementTree.fromstring(picture.svg)  # noqa: S314
    assert root.tag == f"{SVG}svg"
    return root


def drawn(picture: Picture, kind: str) -> list[ElementTree.Element]:
    """The drawing's nodes or edges."""
    return [group for group in drawing(picture).iter(f"{SVG}g") if group.get("class") == kind]


def texts(picture: Picture) -> list[str]:
    # Without the no-break spaces beside the words, which Graphviz may also draw as texts of their own.
    words = [(text.text or "").replace("\xa0", " ").strip() for text in drawing(picture).iter(f"{SVG}text")]
    return [word for word in words if word]


# --- Words


def test_every_object_has_its_line() -> None:
    assert topology_text(SHOP) == SHOP_TEXT


def test_nothing_declared() -> None:
    assert topology_text(Topology("v", (), (), ())) == "nothing declared yet"


def test_the_default_exchange_has_a_name_to_show() -> None:
    assert topology_text(one("", queue=Queue("q", "classic", durable=True))).startswith(
        "exchange (default) (direct, durable)\n"
    )


@pytest.mark.parametrize(
    ("messages", "consumers", "words"),
    [(0, 0, "empty"), (1, 0, "1 message"), (0, 2, "empty, 2 consumers"), (1000, 1, "1000 messages, 1 consumer")],
)
def test_depths(messages: int, consumers: int, words: str) -> None:
    queue = Queue("q", "classic", durable=True, messages=messages, consumers=consumers)
    assert topology_text(Topology("v", (), (queue,), ())) == f"queue q (classic, durable): {words}"


# --- Drawings


def test_the_drawing_carries_its_words() -> None:
    picture = topology_picture(SHOP)
    root = drawing(picture)
    assert picture.text == repr(picture) == SHOP_TEXT
    assert root.get("role") == "img"
    # An attribute's line ends are read as spaces.
    assert root.get("aria-label") == SHOP_TEXT.replace("\n", " ")
    assert picture._repr_mimebundle_() == {"image/svg+xml": picture.svg, "text/plain": SHOP_TEXT}
    assert "<?xml" not in picture.svg


def test_the_drawing_is_the_same_each_time() -> None:
    assert topology_picture(SHOP) == topology_picture(SHOP)


def test_everything_is_drawn() -> None:
    picture = topology_picture(SHOP)
    assert (len(drawn(picture, "node")), len(drawn(picture, "edge"))) == (5, 3)
    assert {"shop.orders", "shop.audit", "eu", "idle", "mine", "order.eu", "#"} <= set(texts(picture))


@pytest.mark.parametrize("name", ["a<b", "R&D", 'say "hi"', "it's", "<b>bold", "&amp;", "größe", "{0}%s"])
def test_names_and_keys_are_escaped(name: str) -> None:
    picture = topology_picture(one(name, key=name))
    assert texts(picture).count(name) == 3
    assert f"exchange {name} (direct, durable)" in (drawing(picture).get("aria-label") or "")
    assert (len(drawn(picture, "node")), len(drawn(picture, "edge"))) == (2, 1)


def test_a_key_and_a_queue_in_angle_brackets() -> None:
    assert texts(topology_picture(one("<dead>", key="<any>"))).count("<dead>") == 2


def test_arguments_are_escaped() -> None:
    queue = Queue("q", "classic", durable=True, arguments={"x-note": '<&"'})
    assert any('x-note=<&"' in text for text in texts(topology_picture(one("x", queue=queue))))


@pytest.mark.parametrize("name", ["orders:eu", "Shop.Events:OrderPaid", "a:b:c"])
def test_names_with_colons_are_drawn_once(name: str) -> None:
    assert len(drawn(topology_picture(one(name)), "node")) == 2


@pytest.mark.filterwarnings("ignore::graphviz.exceptions.DotSyntaxWarning")
@pytest.mark.parametrize("name", ["ends with \\", "bell\x07"], ids=["backslash", "control"])
def test_names_that_graphviz_does_not_take(name: str) -> None:
    picture = topology_picture(one(name))
    assert picture.text == topology_text(one(name))
    assert not picture.svg or len(drawn(picture, "node")) == 2


def test_a_few_messages_are_drawn_one_by_one() -> None:
    few, many = (
        " ".join(texts(topology_picture(one("x", queue=Queue("q", "classic", durable=True, messages=number)))))
        for number in (SHOWN_MESSAGES, SHOWN_MESSAGES + 1)
    )
    assert (few.count("✉"), many.count("✉")) == (SHOWN_MESSAGES, 0)
    assert f"{SHOWN_MESSAGES + 1} messages" in many


def test_implicit_bindings_are_dashed() -> None:
    queue = Queue("q", "classic", durable=True)
    [implicit], [explicit] = (drawn(topology_picture(one(name, queue=queue)), "edge") for name in ("", "x"))
    assert [any(line.get("stroke-dasharray") for line in edge.iter(f"{SVG}path")) for edge in (implicit, explicit)] == [
        True,
        False,
    ]


def test_without_graphviz_the_words_stand_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    picture = topology_picture(one("a<b"))
    assert picture.svg == ""
    shown = picture._repr_mimebundle_()
    assert shown["text/plain"] == topology_text(one("a<b"))
    assert "image/svg+xml" not in shown
    assert "Graphviz" in shown["text/html"]
    assert "exchange a&lt;b (direct, durable)" in shown["text/html"]


# --- What is the learner's own


ALL = Topology(
    "v",
    (
        Exchange("", "direct", durable=True),
        Exchange("amq.direct", "direct", durable=True),
        Exchange("amq.fanout", "fanout", durable=True),
        Exchange("amq.topic", "topic", durable=True),
        Exchange("own", "direct", durable=True),
    ),
    (Queue("q", "classic", durable=True),),
    (
        Binding("", "q", to_exchange=False, key="q"),
        Binding("amq.topic", "q", to_exchange=False, key="a.*"),
        Binding("own", "amq.fanout", to_exchange=True, key=""),
    ),
)


def test_declared_leaves_out_what_was_always_there() -> None:
    own = ALL.declared()
    assert [exchange.name for exchange in own.exchanges] == ["amq.fanout", "amq.topic", "own"]
    assert own.queues == ALL.queues
    assert own.bindings == ALL.bindings[1:]


def test_declared_with_the_default_exchange() -> None:
    own = ALL.declared(default_exchange=True)
    assert [exchange.name for exchange in own.exchanges] == ["", "amq.fanout", "amq.topic", "own"]
    assert own.bindings == ALL.bindings


def test_declared_of_a_fresh_virtual_host() -> None:
    fresh = Topology("v", ALL.exchanges[:4], (), ())
    assert fresh.declared() == Topology("v", (), (), ())


def test_asking_a_snapshot() -> None:
    assert SHOP.exchange("shop.orders") == SHOP.exchanges[1]
    assert SHOP.queue("eu") == SHOP.queues[0]
    assert (SHOP.exchange("eu"), SHOP.queue("shop.orders")) == (None, None)
    assert SHOP.bindings_of("shop.orders") == SHOP.bindings
    assert SHOP.keys("shop.orders", "eu") == ("", "order.eu")
    assert SHOP.keys("shop.audit", "eu") == ()


def test_the_queue_of_a_recording_is_left_out() -> None:
    name = f"{FIREHOSE_QUEUE}.1a2b"
    traced = Topology(
        "v",
        (*ALL.exchanges, Exchange("amq.rabbitmq.trace", "topic", durable=True, internal=True)),
        (*ALL.queues, Queue(name, "classic", durable=False, exclusive=True)),
        (
            *ALL.bindings,
            Binding("", name, to_exchange=False, key=name),
            Binding("amq.rabbitmq.trace", name, to_exchange=False, key="publish.#"),
        ),
    )
    for default_exchange in (False, True):
        assert traced.declared(default_exchange=default_exchange) == ALL.declared(default_exchange=default_exchange)
