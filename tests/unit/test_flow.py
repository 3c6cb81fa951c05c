"""Stories as flows: who takes part, what moves and in which words; and what a notebook gets of it."""

from __future__ import annotations

import json
import time
from collections import Counter

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from lab_helpers.broker.topology import Binding, Exchange, Queue, Topology
from lab_helpers.build.execute import WIDGET, normalise
from lab_helpers.draw.flow import FLOW, flow_data, flow_picture, flow_text
from lab_helpers.draw.flow_contents import message_data
from lab_helpers.draw.flow_moves import Step
from lab_helpers.draw.flow_words import messages_words
from lab_helpers.record.events import (
    ChannelClosed,
    Confirmed,
    ConnectionClosed,
    Delivered,
    Message,
    NothingToGet,
    Published,
    Recovered,
    Refused,
    Removed,
    Returned,
    Side,
)
from lab_helpers.record.story import Story
from tests.browser.stories import Script, many, shop


def captions(story: Story) -> list[str]:
    return [step["caption"] for step in flow_data(story)["steps"]]


def looks(story: Story) -> list[list[str]]:
    return [[move["look"] for move in step["moves"]] for step in flow_data(story)["steps"]]


def names(data: dict[str, list[dict[str, str]]], ids: list[str]) -> list[str]:
    by_id = {actor["id"]: actor["name"] for actor in data["actors"]}
    return [by_id[one] for one in ids]


def last(story: Story) -> tuple[str, list[list[str]], dict[str, int]]:
    """The last step: its caption, the paths of its moves by name, the depths it changes by name."""
    data = flow_data(story)
    step = data["steps"][-1]
    depths = {names(data, [queue])[0]: depth for queue, depth in step["depths"].items()}
    return step["caption"], [names(data, move["path"]) for move in step["moves"]], depths


def test_who_takes_part_stands_in_columns_with_kinds() -> None:
    actors = [(actor["role"], actor["name"], actor["kind"]) for actor in flow_data(shop())["actors"]]
    assert actors == [
        ("publisher", "shop", "publisher"),
        ("exchange", "orders", "topic exchange"),
        ("exchange", "orders.dead", "fanout exchange"),
        ("queue", "audit", "quorum queue"),
        ("queue", "eu", "quorum queue"),
        ("queue", "us", "classic queue"),
        ("queue", "dead", "classic queue"),
        ("consumer", "lyon", "consumer"),
        ("consumer", "dallas", "consumer"),
        ("consumer", "morgue", "consumer"),
    ]


def test_links_are_bindings_with_their_keys_and_ways_to_and_from_clients() -> None:
    data = flow_data(shop())
    links = {(*names(data, [link["source"], link["target"]]), link["kind"], link["label"]) for link in data["links"]}
    assert links == {
        ("shop", "orders", "publish", ""),
        ("orders", "audit", "binding", "order.#"),
        ("orders", "eu", "binding", "order.eu.*"),
        ("orders", "us", "binding", "order.us.*"),
        ("orders.dead", "dead", "binding", ""),
        ("eu", "orders.dead", "dead-letter", "dead letters"),
        ("eu", "lyon", "consume", ""),
        ("us", "dallas", "consume", ""),
        ("dead", "morgue", "consume", ""),
    }


def test_what_the_story_does_not_touch_is_not_drawn() -> None:
    script = Script()
    script.publish(b"x", "order.eu", ("eu",))
    other = Topology(
        "lab",
        (Exchange("orders", "topic", True), Exchange("unused", "fanout", True)),
        (Queue("eu", "quorum", True), Queue("idle", "classic", True)),
        (Binding("orders", "eu", False, "order.#"), Binding("unused", "idle", False, "")),
    )
    shown = {actor["name"] for actor in flow_data(script.story(other))["actors"]}
    assert shown == {"shop", "orders", "eu"}


def test_the_default_exchange_stands_there_only_when_it_is_used() -> None:
    script = Script()
    script.publish(b"x", "to.eu", ("eu",), exchange="")
    data = flow_data(script.story())
    assert ("exchange", "(default)", "direct exchange") in {(a["role"], a["name"], a["kind"]) for a in data["actors"]}
    assert "implicit" in {link["kind"] for link in data["links"]}
    assert last(script.story())[:2] == (
        "The default exchange routes message 1 to queue eu.",
        [["(default)", "eu"]],
    )
    assert "(default)" not in {actor["name"] for actor in flow_data(shop())["actors"]}


def test_a_message_goes_through_exchanges_that_are_bound_to_one_another() -> None:
    chained = Topology(
        "lab",
        (Exchange("orders", "topic", True), Exchange("europe", "fanout", True)),
        (Queue("eu", "quorum", True),),
        (Binding("orders", "europe", True, "order.eu.#"), Binding("europe", "eu", False, "")),
    )
    script = Script()
    script.publish(b"x", "order.eu.1", ("eu",))
    assert last(script.story(chained))[1] == [["orders", "europe", "eu"]]


def test_the_steps_of_the_whole_story_in_words() -> None:
    assert captions(shop()) == [
        'shop publishes message 1 to exchange orders with routing key "order.eu.paid".',
        "Exchange orders routes message 1 to queues audit and eu.",
        "The broker confirms message 1 to shop.",
        "Queue eu delivers message 1 to lyon.",
        'shop publishes message 2 to exchange orders with routing key "order.us.paid".',
        "Exchange orders routes message 2 to queues audit and us.",
        "Queue us delivers message 2 to dallas.",
        'shop publishes message 3 to exchange orders with routing key "order.nowhere".',
        "The broker returns message 3 to shop: 312 NO_ROUTE.",
        'shop publishes message 4 to exchange orders with routing key "order.lost".',
        "Exchange orders has no queue for message 4: it is dropped.",
        "The broker confirms messages 2–4 to shop, with one word for all of them.",
        "lyon acknowledges message 1.",
        "dallas nacks message 2: back to queue us.",
        "Queue us delivers message 2 again to dallas.",
        "dallas acknowledges message 2.",
        'shop publishes message 5 to exchange orders with routing key "order.eu.new".',
        "Exchange orders routes message 5 to queues audit and eu.",
        "Queue eu delivers message 5 to lyon.",
        "lyon rejects message 5: not to be requeued.",
        "Queue eu dead-letters message 5 (rejected): by exchange orders.dead it comes to queue dead.",
        "Queue dead delivers message 5 to morgue.",
    ]


def test_a_dead_letter_goes_from_its_queue_through_the_exchange_to_the_next_queue() -> None:
    data = flow_data(shop())
    step = next(step for step in data["steps"] if step["kind"] == "dead-lettered")
    assert names(data, step["moves"][0]["path"]) == ["eu", "orders.dead", "dead"]
    assert {names(data, [queue])[0]: depth for queue, depth in step["depths"].items()} == {"dead": 1}


def test_an_expired_message_leaves_the_depth_of_its_queue() -> None:
    script = Script()
    script.publish(b"x", "order.eu.1", ("eu",))
    script.dead_letter(1, "eu")
    script.deliver(1, "dead", "morgue", exchange="orders.dead")
    data = flow_data(script.story())
    step = next(step for step in data["steps"] if step["kind"] == "dead-lettered")
    assert {names(data, [queue])[0]: depth for queue, depth in step["depths"].items()} == {"dead": 1, "eu": 0}


def test_unknown_routing_is_said_and_learnt_from_a_delivery() -> None:
    script = Script()
    script.publish(b"x", "order.eu.1", None)
    assert last(script.story())[0] == "Exchange orders routes message 1; where to was not recorded."
    script.deliver(1, "eu", "lyon")
    assert last(script.story()) == ("Queue eu delivers message 1 to lyon.", [["orders", "eu", "lyon"]], {})


def test_a_message_from_before_the_recording_does_not_count() -> None:
    script = Script()
    script.messages[1] = Message(b"old")
    script.deliver(1, "eu", "lyon")
    script.settle(1, "eu")
    data = flow_data(script.story())
    assert [step["depths"] for step in data["steps"]] == [{}, {}]


def test_a_broker_may_refuse_and_a_get_may_find_nothing() -> None:
    script = Script()
    script.publish(b"x", "order.eu.1", ("eu",))
    script.events += [
        Refused(0.1, "shop", 1, 1, False, (1,)),
        NothingToGet(0.2, "warehouse", 1, "us"),
        Delivered(0.3, "warehouse", 1, 1, "eu", "", 1, False, True, "orders", "order.eu.1"),
    ]
    assert captions(script.story())[2:] == [
        "The broker refuses message 1 (basic.nack) to shop.",
        "warehouse asks queue us for a message: it has none ready.",
        "warehouse gets message 1 from queue eu (auto-ack: it counts as acknowledged).",
    ]
    assert ("consumer", "warehouse", "basic.get") in {
        (actor["role"], actor["name"], actor["kind"]) for actor in flow_data(script.story())["actors"]
    }


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            ChannelClosed(1.0, "warehouse", 1, Side.BROKER, 406, "PRECONDITION_FAILED"),
            "The broker closes channel 1 of warehouse: 406 PRECONDITION_FAILED.",
        ),
        (ChannelClosed(1.0, "warehouse", 1, Side.CLIENT, 200, "Normal shutdown"), "warehouse closes its channel 1."),
        (ConnectionClosed(1.0, "warehouse", 0, Side.NETWORK, 0, ""), "The network ends the connection of warehouse."),
        (
            Recovered(1.0, "warehouse", 1, (1,), ("eu",)),
            "warehouse gives back what it holds (basic.recover): message 1.",
        ),
    ],
)
def test_what_is_not_acknowledged_goes_back(event: ChannelClosed, words: str) -> None:
    script = Script()
    script.publish(b"x", "order.eu.1", ("eu",))
    script.deliver(1, "eu", "lyon")
    script.events.append(event)
    caption, paths, depths = last(script.story())
    assert caption.startswith(words)
    assert (paths, depths) == ([["lyon", "eu"]], {"eu": 1})


def test_a_goodbye_is_no_step() -> None:
    script = Script()
    script.events += [
        ChannelClosed(1.0, "shop", 1, Side.CLIENT, 200, "bye"),
        ConnectionClosed(1.1, "shop", 0, Side.CLIENT, 200, "bye"),
    ]
    assert captions(script.story()) == []


@pytest.mark.parametrize(("what", "gone", "held"), [("messages", 1, 1), ("queue", 2, 0)])
def test_a_purge_takes_what_is_ready_and_a_deletion_what_is_held_too(what: str, gone: int, held: int) -> None:
    script = Script()
    for _ in range(2):
        script.publish(b"x", "order.eu.1", ("eu",))
    script.deliver(1, "eu", "lyon")
    script.events.append(Removed(1.0, "shop", 1, what, "eu"))
    assert Counter(looks(script.story())[-1]) == {"removed": gone}
    script.events.append(ConnectionClosed(1.1, "warehouse", 0, Side.NETWORK, 0, ""))
    assert len(looks(script.story())[-1]) == held


def test_confirms_and_returns_of_what_was_published_before_move_nothing() -> None:
    story = Story(
        (Confirmed(0.0, "shop", 1, 9, False, (9,)), Returned(0.1, "shop", 1, 9, 312, "NO_ROUTE", "orders", "k")),
        messages={9: Message(b"")},
    )
    assert looks(story) == [[], []]


def test_the_words_are_those_of_the_story() -> None:
    assert flow_text(shop()) == shop().text() == repr(flow_picture(shop()))


def test_the_data_is_json_and_the_same_each_time_whatever_the_times() -> None:
    def with_times(factor: float) -> Story:
        story = shop()
        events = [type(event)(**{**vars(event), "at": event.at * factor}) for event in story.events]
        return Story(tuple(events), (), story.messages, story.topology)

    texts = {json.dumps(flow_data(with_times(factor)), allow_nan=False) for factor in (1, 1, 3.7)}
    assert len(texts) == 1


def test_messages_are_shown_whole_or_with_a_notice() -> None:
    text = message_data(1, Message("héllo".encode(), {"message_id": "m-1", "headers": {"a": {"b": float("nan")}}}))
    assert (text["body"], text["encoding"], text["notice"], text["label"]) == ("héllo", "text", "", "m-1")
    assert (text["properties"], text["headers"]) == ({"message_id": "m-1"}, {"a": {"b": "nan"}})
    binary = message_data(2, Message(b"\xff\x00"))
    assert (binary["body"], binary["encoding"], binary["label"], binary["size"]) == ("ff 00", "hex", "2 bytes", 2)
    assert message_data(3, Message(b""))["label"] == "(empty)"
    # A character that the limit cuts in two is left out.
    cut = message_data(4, Message("é".encode() * 3000))
    assert (cut["body"], cut["notice"]) == ("é" * 2048, "the first 4,096 of 6,000 bytes")
    assert message_data(5, Message("aé".encode()), limit=2)["body"] == "a"


def test_many_messages_share_the_room_for_bodies() -> None:
    script = Script()
    for _ in range(1000):
        script.publish(b"x" * 5000, "order.eu.1", ("eu",))
    assert len(json.dumps(flow_data(script.story())["messages"])) < 1_500_000


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((3,), "message 3"),
        ((1, 2, 3, 7), "messages 1–3 and 7"),
        ((1, 3, 5, 7, 9), "5 messages"),
    ],
)
def test_numbers_in_words(numbers: tuple[int, ...], words: str) -> None:
    assert messages_words(numbers) == words


def test_a_notebook_gets_the_widget_the_picture_the_words_and_the_data() -> None:
    player = flow_picture(shop())
    bundle = player._repr_mimebundle_()
    assert bundle["text/plain"] == player.text
    assert bundle["image/svg+xml"].startswith("<svg")
    assert bundle[FLOW] == player.data == flow_data(shop())
    assert bundle[WIDGET]["model_id"] == player.widget.model_id
    # Shown twice, it is one widget.
    assert player._repr_mimebundle_()[WIDGET] == bundle[WIDGET]


def test_the_picture_says_how_many_went_which_way() -> None:
    svg = flow_picture(shop()).svg
    for words in ("orders.dead", "order.eu.*", "4 confirmed", "1 returned", "1 dropped", "1 rejected", "3 ready"):
        assert words in svg


def test_the_build_stores_no_widget_and_the_same_from_run_to_run() -> None:
    def stored() -> str:
        bundle = flow_picture(shop())._repr_mimebundle_()
        cell = new_code_cell("show()", id="one", outputs=[new_output("execute_result", bundle, execution_count=1)])
        return json.dumps(normalise(new_notebook(cells=[cell])))

    assert stored() == stored()
    assert WIDGET not in stored()
    assert FLOW in stored()


def test_ten_thousand_events_are_a_player_in_a_few_seconds() -> None:
    story = many(2500)
    assert len(story.events) > 10_000 - 1
    story.text()
    began = time.process_time()
    flow_data(story)
    assert time.process_time() - began < 4


def test_a_step_is_plain_data() -> None:
    assert Step("flow", "x").data() == {"kind": "flow", "caption": "x", "moves": [], "depths": {}}


def test_a_published_event_without_a_routing_key_says_so() -> None:
    story = Story((Published(0.0, "shop", 1, 1, "orders", "", False, None, ("eu",)),), messages={1: Message(b"")})
    assert captions(story)[0] == "shop publishes message 1 to exchange orders with no routing key."
