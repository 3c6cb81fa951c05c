"""The exercises of lab 02: closes, channels and a header frame."""

from lab_helpers.exercises import (
    Bench,
    Difference,
    Exercise,
    Expectation,
    WrongAnswer,
    connected,
    queue,
    story_shows,
)
from lab_helpers.exercises.story_shows import LOOK, shows
from lab_helpers.record.events import ChannelClosed, ConnectionClosed, Side
from lab_helpers.record.story import Story

PROPERTIES = {"content_type": "text/plain", "delivery_mode": 2, "message_id": "o-17"}
SIZE = 11
"""Bytes of the body, as the header frame in the lab says."""


@shows
def the_channel_stays_an_error_of_its_own(story: Story) -> Difference | None:
    """It was a channel that the broker closed, and no connection."""
    for close in story.of(ConnectionClosed):
        if close.by is Side.BROKER:
            return Difference(
                f"The broker closed the whole connection, with {close.code}.",
                "a channel closed with 406",
                f"the connection closed with {close.code}",
                LOOK,
            )
    codes = [close.code for close in story.of(ChannelClosed) if close.by is Side.BROKER]
    if codes == [406]:
        return None
    seen = ", ".join(f"closed with {code}" for code in codes) or "the broker closed no channel"
    return Difference("The broker should close a channel with 406.", "a channel closed with 406", seen, LOOK)


@shows
def five_channels_on_one_connection(story: Story) -> Difference | None:
    """Five messages to `stock`, each on a channel of its own, all over one connection."""
    sent = [one for one in story.published("") if one.routing_key == "stock"]
    if len(sent) != 5:
        return Difference(
            f"{len(sent)} messages were published to `stock`; there should be 5.", "5 messages", f"{len(sent)}", LOOK
        )
    for what, seen, expected in (
        ("connection", len({one.connection for one in sent}), 1),
        ("channel", len({(one.connection, one.channel) for one in sent}), 5),
    ):
        if seen != expected:
            wanted, found = (f"{number} {what}{'' if number == 1 else 's'}" for number in (expected, seen))
            return Difference(f"The messages went over {found}; it should be {wanted}.", wanted, found, LOOK)
    return None


def one_message_like_the_frame() -> Expectation:
    """The last message in `copy` has exactly the properties and the size of the frame."""

    def check(bench: Bench) -> Difference | None:
        message = bench.messages("copy")[-1]
        for name in [*PROPERTIES, *sorted(set(message.properties) - set(PROPERTIES))]:
            expected, seen = PROPERTIES.get(name), message.properties.get(name)
            if seen != expected:
                wanted, found = (
                    f"no `{name}`" if value is None else f"`{name}: {value}`" for value in (expected, seen)
                )
                return Difference(f"The message in `copy` has {found}; the frame has {wanted}.", wanted, found)
        if len(message.body) != SIZE:
            return Difference(
                f"The body has {len(message.body)} bytes; the frame says {SIZE}.",
                f"{SIZE} bytes",
                f"{len(message.body)} bytes",
                "`0b` is hexadecimal.",
            )
        return None

    return check


def copy(properties: str, body: str = "hello, wire") -> str:
    """A cell that publishes this message to `copy`."""
    return connected(
        'channel.queue_declare("copy", durable=True, arguments=CLASSIC)',
        'channel.queue_purge("copy")',
        f'channel.basic_publish("", "copy", b"{body}", pika.BasicProperties({properties}))',
    )


def recorded(exercise: str, *lines: str) -> str:
    """A cell that records these lines for an exercise, on one connection."""
    body = "".join(f"\n    {line}" for line in lines)
    return f'with lab.record("{exercise}"), pika.BlockingConnection(parameters) as connection:{body}'


EXERCISES = (
    Exercise(
        name="refused",
        attempted=(story_shows.recorded(),),
        expect=(the_channel_stays_an_error_of_its_own,),
        passed="The broker closed the channel with 406: a queue cannot be declared again with other arguments.",
        hints=(
            "The queue `lyon` is durable and of the type classic. Declare it with one argument more.",
            'Record it: `with lab.record("refused") as story, pika.BlockingConnection(parameters) as connection:`, and '
            "catch `pika.exceptions.ChannelClosedByBroker` around the declaration.",
            'For example `channel.queue_declare("lyon", durable=True, arguments={**CLASSIC, "x-max-length": 5})`.',
        ),
        wrong=(
            WrongAnswer(
                "asks for a queue that is not there",
                recorded(
                    "refused",
                    "try:",
                    '    connection.channel().queue_declare("nowhere", passive=True)',
                    "except pika.exceptions.ChannelClosedByBroker:",
                    "    pass",
                ),
                "The broker should close a channel with 406",
            ),
            WrongAnswer(
                "loses the connection instead",
                'with lab.record("refused"):\n'
                "    try:\n"
                "        connection = pika.BlockingConnection(parameters)\n"
                "        connection.channel().basic_qos(prefetch_size=1)\n"
                "    except pika.exceptions.ConnectionClosedByBroker:\n"
                "        pass",
                "The broker closed the whole connection, with 540",
            ),
            WrongAnswer(
                "declares it as it is",
                recorded("refused", 'connection.channel().queue_declare("lyon", durable=True, arguments=CLASSIC)'),
                "The broker should close a channel with 406",
            ),
        ),
    ),
    Exercise(
        name="shared",
        attempted=(story_shows.recorded(),),
        expect=(five_channels_on_one_connection,),
        passed="Five messages, five channels, one connection.",
        hints=(
            "`connection.channel()` opens a new channel each time it is called.",
            'Record it with `lab.record("shared")`; open the connection once, outside the loop, and in the loop '
            "a channel for each part.",
            'In the loop: `connection.channel().basic_publish("", "stock", b"…")`.',
        ),
        wrong=(
            WrongAnswer(
                "opens five connections",
                'with lab.record("shared"):\n'
                "    for number in range(5):\n"
                "        with pika.BlockingConnection(parameters) as connection:\n"
                '            connection.channel().basic_publish("", "stock", b"shelf")',
                "went over 5 connections; it should be 1 connection",
            ),
            WrongAnswer(
                "uses one channel five times",
                recorded(
                    "shared",
                    "channel = connection.channel()",
                    "for number in range(5):",
                    '    channel.basic_publish("", "stock", b"shelf")',
                ),
                "went over 1 channel; it should be 5 channels",
            ),
        ),
    ),
    Exercise(
        name="header",
        attempted=(queue("copy").exists(),),
        expect=(
            queue("copy").has(durable=True),
            queue("copy").holds_something(),
            one_message_like_the_frame(),
        ),
        passed="A message with these properties and 11 bytes has that header frame.",
        hints=(
            "The flags are `9080`: write them in bits, and three are set.",
            "`8000` is the content type, `1000` the delivery mode, `0080` the message id. After the flags: a text of "
            "`0a` = 10 bytes, one byte, a text of 4 bytes. `bytes.fromhex(...)` shows the letters.",
            '`pika.BasicProperties(content_type="text/plain", delivery_mode=2, message_id="o-17")`, and a body of '
            "11 bytes.",
        ),
        wrong=(
            WrongAnswer(
                "overlooks the message id",
                copy('content_type="text/plain", delivery_mode=2'),
                "has no `message_id`; the frame has `message_id: o-17`",
            ),
            WrongAnswer(
                "reads the size as decimal",
                copy('content_type="text/plain", delivery_mode=2, message_id="o-17"', "ten  bytes"),
                "The body has 10 bytes; the frame says 11",
            ),
            WrongAnswer(
                "adds a property",
                copy('content_type="text/plain", delivery_mode=2, message_id="o-17", app_id="shop"'),
                "has `app_id: shop`; the frame has no `app_id`",
            ),
        ),
    ),
)
