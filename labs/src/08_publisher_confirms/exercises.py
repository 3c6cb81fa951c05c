"""The exercises of lab 08: a nack, a line that breaks, and a table of outstanding publishes."""

from lab_helpers.exercises import (
    Bench,
    Difference,
    Exercise,
    WrongAnswer,
    connected,
    ledger_shows,
    queue,
    story_shows,
)
from lab_helpers.record.events import ConnectionClosed, ConnectionOpened, Side
from lab_helpers.record.story import Story

PARCELS = [f"parcel {number}".encode() for number in range(1, 6)]


def refused(*lines: str, confirms: bool = True) -> str:
    """A cell that does these lines for each of the five parcels, in a recording."""
    body = connected(
        *(["channel.confirm_delivery()"] if confirms else []),
        "for number in range(1, 6):",
        '    parcel = f"parcel {number}"',
        *(f"    {line}" for line in lines),
    )
    recorded = "".join(f"    {line}\n" for line in body.splitlines())
    return f'with lab.record("refused") as story:\n{recorded}'


LEFT_OVER = [f"order {number}" for number in (3, 4, 6, 8)]
"""What the table of the colleague never settles."""
TO_COUNTER = 'channel.basic_publish("", "counter", parcel.encode(), persistent(parcel))'
TO_WAITING = 'channel.basic_publish("", "waiting", parcel.encode(), persistent(parcel))'

RUN = """

parcels = [f"parcel {number}" for number in range(1, 41)]
with pika.BlockingConnection(parameters) as connection:
    connection.channel().queue_delete("mountain")
    connection.channel().queue_declare("mountain", durable=True, arguments=CLASSIC)
arrived = lab.ledger(exercise="line")
with lab.record("line") as story:
    publish_all(bad_line(), parcels)
if story.published():
    for parcel in parcels:
        arrived.sent(parcel)
        arrived.confirmed(parcel)
    lab.drain(arrived, "mountain")
"""


def line(*lines: str) -> str:
    """A cell that defines `publish_all` with these lines, and runs it as the lab does."""
    return "def publish_all(line, parcels):\n" + "\n".join(f"    {text}" for text in lines) + RUN


def reconnecting(*lines: str) -> str:
    """The same, with a new connection after each break, on which these lines publish from the list `left`."""
    return line(
        "left = list(parcels)",
        "while left:",
        "    try:",
        "        with pika.BlockingConnection(line) as connection:",
        "            channel = connection.channel()",
        "            channel.confirm_delivery()",
        "            while left:",
        *(f"                {text}" for text in lines),
        "    except pika.exceptions.AMQPError:",
        "        pass",
    )


def table(*lines: str) -> str:
    """A cell with a table whose `answered` has these lines, and the day of the shop."""
    body = "\n".join(f"        {text}" for text in lines)
    return (
        'answers = lab.ledger(exercise="table")\n\n\n'
        "class Repaired(Table):\n"
        "    def answered(self, method, tag, multiple):\n"
        f"{body}\n\n\n"
        "day(Repaired(answers))\n"
    )


def refused_twice(story: Story) -> Difference | None:
    """The broker refused two publishes."""
    count = len(set(story.refused()))
    if count == 2:
        return None
    return Difference(
        f"The broker refused {count} of your publishes: send each parcel to `counter` first, and let it say no.",
        "2 × `basic.nack`",
        f"{count} × `basic.nack`",
        "Look at `story.sequence()`.",
    )


def persistent_and_known(story: Story) -> Difference | None:
    """Every parcel that was published is persistent, and has itself as its message id."""
    for message in story.messages.values():
        body = message.body.decode(errors="replace")
        if message.properties.get("message_id") != body:
            return Difference(f"`{body}` was published without itself as `message_id`.")
        if message.properties.get("delivery_mode") != 2:
            return Difference(f"`{body}` was published as a transient message.", "persistent", "transient")
    return None


def over_the_break(story: Story) -> Difference | None:
    """The line broke under the publisher both times."""
    opened = len(story.of(ConnectionOpened))
    broken = sum(close.by is Side.NETWORK for close in story.of(ConnectionClosed))
    if broken >= 2 and opened <= 5:
        return None
    return Difference(
        f"{words_of(opened)} opened, and the line broke {broken} times under them: use one for many parcels, and a new "
        "one only after a break.",
        "3 connections, 2 breaks",
        f"{opened} connections, {broken} breaks",
        "Look at `story.sequence()`.",
    )


def words_of(connections: int) -> str:
    """How many connections, as a sentence begins with them."""
    return "1 connection was" if connections == 1 else f"{connections} connections were"


def not_again(bench: Bench) -> Difference | None:
    """Only what was on its way when the line broke arrived twice."""
    ledger = bench.ledger()
    twice = len(ledger.duplicated) if ledger else 0
    if twice > 1:
        return Difference(
            f"{twice} parcels arrived more than once: after a break, only the one without a confirm is to be sent "
            "again.",
            "1 parcel",
            f"{twice} parcels",
        )
    return None


def told(bench: Bench) -> Difference | None:
    """The repaired table was told of the day."""
    ledger = bench.ledger()
    if ledger is None or not len(ledger):
        return Difference("`Repaired` has not been through the day yet.")
    if ledger.indeterminate == LEFT_OVER:
        return Difference("`Repaired` leaves as much in the table as `Table` does.")
    return None


def published(bench: Bench) -> Difference | None:
    """`publish_all` published something."""
    if bench.story is None or not bench.story.published():
        return Difference("`publish_all` has published nothing yet.")
    return None


EXERCISES = (
    Exercise(
        name="refused",
        attempted=(queue("counter").exists("Run the cell above that makes it."), queue("counter").holds_something()),
        expect=(
            story_shows.published_with_confirms(),
            queue("counter").holds(PARCELS[:3]),
            queue("waiting").holds(PARCELS[3:]),
            story_shows.shows(refused_twice),
        ),
        passed="Three parcels are at the counter, and the two that it refused are waiting.",
        hints=(
            "The broker's `basic.nack` reaches you only on a channel with confirms. Experiment 1 catches it.",
            "pika raises `pika.exceptions.NackError` from `basic_publish`. Catch it around each single publish, so "
            "that the loop goes on.",
            "`channel.confirm_delivery()`; then for each parcel `try:` publish to `counter`, "
            "`except pika.exceptions.NackError:` publish the same to `waiting`.",
        ),
        wrong=(
            WrongAnswer(
                "does not ask for confirms, and never hears of the refusal",
                refused(TO_COUNTER, confirms=False),
                "5 messages went out on a channel without confirms",
            ),
            WrongAnswer(
                "catches the nack and forgets the parcel",
                refused("try:", f"    {TO_COUNTER}", "except pika.exceptions.NackError:", "    pass"),
                "The queue `waiting` holds nothing; it should hold `parcel 4`, `parcel 5`",
            ),
            WrongAnswer(
                "stops at the first refusal",
                refused(
                    "try:", f"    {TO_COUNTER}", "except pika.exceptions.NackError:", f"    {TO_WAITING}", "    break"
                ),
                "The queue `waiting` holds `parcel 4`; it should hold `parcel 4`, `parcel 5`",
            ),
            WrongAnswer(
                "knows beforehand which ones the broker would refuse",
                refused("if number < 4:", f"    {TO_COUNTER}", "else:", f"    {TO_WAITING}"),
                "The broker refused 0 of your publishes",
            ),
        ),
    ),
    Exercise(
        name="line",
        attempted=(published,),
        expect=(
            story_shows.published_with_confirms(),
            story_shows.shows(persistent_and_known),
            ledger_shows(lost=0, missing=0, unexpected=0),
            not_again,
            story_shows.shows(over_the_break),
        ),
        passed="All 40 parcels arrived, though the line broke twice.",
        hints=(
            "`publish_surely` of experiment 5 has all that is needed: a list of what is unconfirmed, and two loops.",
            "The outer loop connects, the inner one publishes. A parcel leaves the list only after its `basic_publish` "
            "has returned. `pika.exceptions.AMQPError` around the connection catches a break.",
            "`unconfirmed = list(parcels)`; `while unconfirmed:` `try:` `with pika.BlockingConnection(line) as "
            "connection:` a channel with `confirm_delivery()`, and `while unconfirmed:` publish `unconfirmed[0]`, then "
            "`unconfirmed.pop(0)`; `except pika.exceptions.AMQPError: pass`.",
        ),
        wrong=(
            WrongAnswer(
                "gives up when the line breaks",
                line(
                    "try:",
                    "    with pika.BlockingConnection(line) as connection:",
                    "        channel = connection.channel()",
                    "        channel.confirm_delivery()",
                    "        for parcel in parcels:",
                    '            channel.basic_publish("", "mountain", parcel.encode(), persistent(parcel))',
                    "except pika.exceptions.AMQPError:",
                    "    return",
                ),
                "confirmed messages were never received",
            ),
            WrongAnswer(
                "goes on with the next parcel after a break",
                reconnecting(
                    "parcel = left.pop(0)",
                    'channel.basic_publish("", "mountain", parcel.encode(), persistent(parcel))',
                ),
                "1 confirmed message was never received",
            ),
            WrongAnswer(
                "starts again with the first parcel",
                line(
                    "while True:",
                    "    try:",
                    "        with pika.BlockingConnection(line) as connection:",
                    "            channel = connection.channel()",
                    "            channel.confirm_delivery()",
                    "            for parcel in parcels:",
                    '                channel.basic_publish("", "mountain", parcel.encode(), persistent(parcel))',
                    "            return",
                    "    except pika.exceptions.AMQPError:",
                    "        pass",
                ),
                "parcels arrived more than once: after a break, only the one without a confirm is to be sent again",
            ),
            WrongAnswer(
                "opens a connection for each parcel",
                line(
                    "for parcel in parcels:",
                    "    with pika.BlockingConnection(line) as connection:",
                    "        channel = connection.channel()",
                    "        channel.confirm_delivery()",
                    '        channel.basic_publish("", "mountain", parcel.encode(), persistent(parcel))',
                ),
                "40 connections were opened, and the line broke 0 times",
            ),
            WrongAnswer(
                "sends transient messages",
                reconnecting(
                    "known = pika.BasicProperties(message_id=left[0])",
                    'channel.basic_publish("", "mountain", left[0].encode(), known)',
                    "left.pop(0)",
                ),
                "`parcel 1` was published as a transient message",
            ),
            WrongAnswer(
                "does not wait for confirms",
                line(
                    "with pika.BlockingConnection(parameters) as connection:",
                    "    channel = connection.channel()",
                    "    for parcel in parcels:",
                    '        channel.basic_publish("", "mountain", parcel.encode(), persistent(parcel))',
                ),
                "went out on a channel without confirms",
            ),
        ),
    ),
    Exercise(
        name="table",
        attempted=(told,),
        expect=(
            ledger_shows(sent=10, indeterminate=0),
            ledger_shows(nacked=3),
            ledger_shows(confirmed=7),
        ),
        passed="Seven orders are confirmed, three refused, and nothing is outstanding.",
        hints=(
            "What does `multiple` say of the tags before this one? Experiment 3.",
            "With `multiple`, every tag up to this one that is **still in the table** is settled, by a nack too. Tags "
            "that were settled before are not in the table any more.",
            "Take `[known for known in self.outstanding if known <= tag]` if `multiple`, else `[tag]`, and do for each "
            "of them what the old method does for one.",
        ),
        wrong=(
            WrongAnswer(
                "takes multiple for a detail of acks only",
                table(
                    'both = multiple and method == "basic.ack"',
                    "for known in [k for k in self.outstanding if k <= tag] if both else [tag]:",
                    "    super().answered(method, known, False)",
                ),
                "2 messages were nacked; it should be 3",
            ),
            WrongAnswer(
                "leaves out the tag itself",
                table(
                    "for known in [k for k in self.outstanding if k < tag] if multiple else [tag]:",
                    "    super().answered(method, known, False)",
                ),
                "message was sent and neither confirmed, nacked nor returned",
            ),
            WrongAnswer(
                "settles earlier tags whether multiple or not",
                table(
                    "for known in [k for k in self.outstanding if k <= tag]:",
                    "    super().answered(method, known, False)",
                ),
                "2 messages were nacked; it should be 3",
            ),
        ),
    ),
)
