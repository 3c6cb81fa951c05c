"""The exercises of lab 07: a body with its label, an RPC server, priorities."""

import gzip
import itertools
import json
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from lab_helpers.exercises import (
    Bench,
    Difference,
    Exercise,
    Expectation,
    Message,
    WrongAnswer,
    connected,
    no_longer,
    queue,
    story_shows,
)
from lab_helpers.exercises.story_shows import shows
from lab_helpers.record.events import Published, Settled
from lab_helpers.record.story import Story

PRODUCT = {"name": "Café lamp", "cents": 4950, "stock": {"lyon": 3, "denver": 0}}
STOCK = {"teapot": 4, "kettle": 0, "tray": 12}
RANKS = [b"vase", b"lamp", b"rug"]
"""The orders of exercise 3, the most urgent first."""
LEFT = {b"rug": 1, b"lamp": 5, b"vase": 9}
"""Their priorities as the colleague left them, in the order of their publishing."""
DECADE = 10 * 365 * 24 * 3600
DAY = 24 * 3600
REPLY_TO = "amq.rabbitmq.reply-to"


# --- Exercise 1


def only_message(look: Callable[[Message], Difference | None]) -> Expectation:
    """An expectation about the one message in `catalogue`."""

    def check(bench: Bench) -> Difference | None:
        return look(bench.messages("catalogue")[0])

    return check


def named_json(message: Message) -> Difference | None:
    """Its content type is JSON's, and nothing else."""
    found = message.properties.get("content_type")
    if found == "application/json":
        return None
    charset = str(found).startswith("application/json;")
    return Difference(
        "The `content_type` should be `application/json` and nothing more: a consumer such as `read` above compares it "
        "whole."
        if charset
        else "The message should have `content_type: application/json`.",
        "`content_type: application/json`",
        f"`content_type: {found}`" if found else "no `content_type`",
        "JSON is always UTF-8, so it has no `charset`." if charset else "",
    )


def timed(message: Message) -> Difference | None:
    """Its timestamp is about now, in seconds."""
    found = message.properties.get("timestamp")
    if found is None:
        return Difference("The message has no `timestamp`: the broker sets none.")
    now = time.time()
    if abs(found - now) < DAY:
        return None
    if abs(found - now) < DECADE:
        return Difference(
            "The `timestamp` is not the time at which you published the message.",
            "`int(time.time())`",
            f"`{found}`: {datetime.fromtimestamp(found, UTC):%Y-%m-%d %H:%M} UTC",
        )
    milliseconds = " It looks like milliseconds." if abs(found / 1000 - now) < DECADE else ""
    return Difference(
        f"The `timestamp` is not a moment of these years, read in seconds.{milliseconds}",
        "whole seconds since 1970",
        f"`{found}`",
    )


def packed(message: Message) -> Difference | None:
    """Its body is the product as JSON, packed with gzip."""
    try:
        text = gzip.decompress(message.body)
    except (OSError, EOFError, zlib.error):
        return Difference(
            "The label says `gzip`, and the body is not packed with gzip: a consumer that believes the label fails.",
            "a body that begins with the bytes `1f 8b`",
            f"`{message.body[:2].hex(' ')}`",
        )
    try:
        found = json.loads(text.decode())
    except ValueError:
        return Difference(
            "The body unpacks, and what is in it is not JSON in UTF-8.",
            f"`{json.dumps(PRODUCT, ensure_ascii=False)[:40]}…`",
            f"`{text[:40].decode(errors='replace')}…`",
            "`str()` of a dict is Python, not JSON.",
        )
    if found == PRODUCT:
        return None
    return Difference("The body unpacks to JSON, and the product in it is another one than `PRODUCT`.")


def catalogue(body: str, label: str) -> str:
    """A cell that publishes this body with these properties to `catalogue`."""
    return f"PRODUCT = {PRODUCT!r}\n" + connected(
        'channel.queue_declare("catalogue", durable=True, arguments=CLASSIC)',
        'channel.queue_purge("catalogue")',
        "channel.confirm_delivery()",
        f'channel.basic_publish("", "catalogue", {body}, BasicProperties({label}))',
    )


PACKED = "gzip.compress(json.dumps(PRODUCT).encode())"
LABEL = 'content_type="application/json", content_encoding="gzip", delivery_mode=2, timestamp=int(time.time())'


# --- Exercise 2


def answered(story: Story) -> Difference | None:
    """Each question got its answer, at the right place and with the right correlation id."""
    questions: dict[Any, str] = {}
    for one in story.published(""):
        if one.routing_key == "stock.rpc":
            message = story.messages[one.message]
            questions[message.properties.get("correlation_id")] = message.body.decode()
    given: dict[str, str] = {}
    for one in story.delivered(REPLY_TO):
        message = story.messages[one.message]
        text, question = message.body.decode(errors="replace"), message.properties.get("correlation_id")
        if question not in questions:
            return Difference(
                f"The reply `{text}` has {'no' if question is None else 'another'} `correlation_id`: the website "
                "cannot tell which question it answers.",
                "the `correlation_id` of the request",
                "none" if question is None else f"`{question}`",
            )
        given[questions[question]] = text
    if not given:
        sent = sorted({one.routing_key for one in story.published("") if one.routing_key != "stock.rpc"})
        return Difference(
            "The questions were taken, and no reply came to the website.",
            "a publish to the request's `reply_to`",
            f"a publish with the key `{sent[0]}`" if sent else "no publish",
            "`request.reply_to` is the routing key, and the exchange is the default one.",
        )
    for product in questions.values():
        wanted = str(STOCK.get(product, "unknown"))
        if product not in given:
            return Difference(f"The question about `{product}` got no reply: the website waits for it in vain.")
        if given[product] != wanted:
            return Difference(f"The reply about `{product}` is `{given[product]}`, and should be `{wanted}`.")
    return None


def taken(story: Story) -> Difference | None:
    """Somebody took a question."""
    if story.delivered("stock.rpc"):
        return None
    return Difference("`serve` took no question from `stock.rpc`.")


def acked_after_reply(story: Story) -> Difference | None:
    """Each question was acknowledged by hand, and only when the reply to it was published."""
    asked = {one.message: story.messages[one.message] for one in story.delivered("stock.rpc")}
    if any(one.auto_ack for one in story.delivered("stock.rpc")):
        return Difference(
            "The questions were fetched with automatic acknowledgement: one that `serve` fetches and cannot answer "
            "is lost.",
            "`basic.ack` after the reply",
            "`auto_ack=True`",
            story_shows.LOOK,
        )
    replied: set[Any] = set()
    for event in story.events:
        if isinstance(event, Published) and event.routing_key != "stock.rpc":
            replied.add(story.messages[event.message].properties.get("correlation_id"))
        elif isinstance(event, Settled):
            for number in event.messages:
                if number in asked and event.how != "ack":
                    return Difference(
                        f"The question about `{asked[number].body.decode()}` was rejected, not acknowledged.",
                        "`basic.ack`",
                        f"`basic.{event.how}`",
                        story_shows.LOOK,
                    )
                if number in asked and asked[number].properties.get("correlation_id") not in replied:
                    return Difference(
                        f"The question about `{asked[number].body.decode()}` was acknowledged before its reply was "
                        "published: if `serve` ends in between, nobody answers it.",
                        "`basic.publish`, then `basic.ack`",
                        "`basic.ack` first",
                        story_shows.LOOK,
                    )
    return None


def serve(*lines: str, get: str = 'channel.basic_get("stock.rpc")') -> str:
    """The cell of exercise 2 with a server that does these lines for each question."""
    body = "".join(f"            {line}\n" for line in lines)
    return (
        "def serve():\n"
        "    with pika.BlockingConnection(parameters) as connection:\n"
        "        channel = connection.channel()\n"
        "        while True:\n"
        f"            method, request, body = {get}\n"
        "            if method is None:\n"
        "                return\n"
        f"{body}\n\n"
        'with lab.record("rpc") as story:\n'
        '    answers = ask(["teapot", "spoon", "kettle"], serve)\n'
    )


ANSWER = 'answer = str(STOCK.get(body.decode(), "unknown")).encode()'
SAME = "label = BasicProperties(correlation_id=request.correlation_id)"
REPLY = 'channel.basic_publish("", request.reply_to, answer, label)'
ACK = "channel.basic_ack(method.delivery_tag)"


# --- Exercise 3


def as_left(bench: Bench) -> Difference | None:
    """The queue and the messages of exercise 3 are as the colleague left them."""
    found = bench.topology().queue("dispatch")
    if found is None or "x-max-priority" in found.arguments:
        return Difference("The queue is another one.")
    if different := queue("dispatch").holds(list(LEFT))(bench):
        return different
    priorities = [message.properties.get("priority") for message in bench.messages("dispatch")]
    return None if priorities == list(LEFT.values()) else Difference("The messages are others.")


def sorts(bench: Bench) -> Difference | None:
    """The queue has priorities at all."""
    found = bench.topology().queue("dispatch")
    if found is not None and "x-max-priority" in found.arguments:
        return None
    return Difference(
        "The queue `dispatch` has no `x-max-priority`: the next express order would wait behind all others.",
        "the argument `x-max-priority`",
        "a queue that takes no notice of priorities",
    )


def none_lost(bench: Bench) -> Difference | None:
    """The three orders are there, in whatever order."""
    found = sorted(message.body for message in bench.messages("dispatch"))
    if found == sorted(RANKS):
        return None
    return queue("dispatch").holds(RANKS)(bench)


def ranked(bench: Bench) -> Difference | None:
    """The orders have three ranks, as the queue counts them, the vase's the highest."""
    found = bench.topology().queue("dispatch")
    highest = int(found.arguments["x-max-priority"]) if found is not None else 0
    given = {message.body: message.properties.get("priority") or 0 for message in bench.messages("dispatch")}
    for first, second in itertools.pairwise(RANKS):
        upper, lower = min(given[first], highest), min(given[second], highest)
        one, other = f"`{first.decode()}`", f"`{second.decode()}`"
        if upper == lower:
            return Difference(
                f"{one} and {other} both count as {upper}, so the one that comes first leaves first.",
                "three ranks",
                f"priorities {given[first]} and {given[second]}, `x-max-priority` {highest}",
                "A priority above the queue's maximum counts as the maximum, and none as 0.",
            )
        if upper < lower:
            return Difference(
                f"{one} has the priority {given[first]} and {other} {given[second]}: larger numbers are more urgent."
            )
    return None


def same_ids(bench: Bench) -> Difference | None:
    """Each order has the id that it had."""
    for message in bench.messages("dispatch"):
        wanted, found = f"order-{message.body.decode()}", message.properties.get("message_id")
        if found != wanted:
            return Difference(
                f"The order `{message.body.decode()}` has lost its `message_id`.",
                f"`{wanted}`",
                f"`{found}`" if found else "no `message_id`",
            )
    return None


def rebuild(maximum: str, *publish: str, take: str = "") -> str:
    """A cell that moves the messages of `dispatch` through a new queue with these arguments."""
    return connected(
        "waiting = []",
        f'while (message := channel.basic_get("dispatch"{take}))[0]:',
        "    waiting.append(message)",
        'channel.queue_delete("dispatch")',
        f'channel.queue_declare("dispatch", durable=True, arguments={{**CLASSIC{maximum}}})',
        "channel.confirm_delivery()",
        *publish,
    )


AS_THEY_CAME = (
    "for _, properties, body in waiting:",
    '    channel.basic_publish("", "dispatch", body, properties)',
)

EXERCISES = (
    Exercise(
        name="catalogue",
        attempted=(queue("catalogue").exists(),),
        expect=(
            queue("catalogue").has(type="classic", durable=True),
            queue("catalogue").holds_count(1),
            queue("catalogue").messages_have(content_encoding="gzip", delivery_mode=2),
            only_message(named_json),
            only_message(packed),
            only_message(timed),
        ),
        passed="A consumer can read this message by its label alone, and knows when it was sent.",
        hints=(
            "The cell under 'The second thing that goes wrong' packs a body and labels it. Two properties of "
            "experiment 1 are missing there.",
            "From inside to outside: `json.dumps` gives a text, `.encode()` bytes, `gzip.compress` the packed body. "
            "The label needs `content_type`, `content_encoding`, `delivery_mode` and `timestamp`.",
            '`BasicProperties(content_type="application/json", content_encoding="gzip", delivery_mode=2, '
            "timestamp=int(time.time()))`",
        ),
        wrong=(
            WrongAnswer(
                "labels the body as packed, and does not pack it",
                catalogue("json.dumps(PRODUCT).encode()", LABEL),
                "the body is not packed with gzip",
            ),
            WrongAnswer(
                "packs with zlib, which is another format",
                "import zlib\n" + catalogue("zlib.compress(json.dumps(PRODUCT).encode())", LABEL),
                "the body is not packed with gzip",
            ),
            WrongAnswer(
                "gives gzip as the content type",
                catalogue(PACKED, LABEL.replace("application/json", "application/gzip")),
                "should have `content_type: application/json`",
            ),
            WrongAnswer(
                "adds a character set to the content type",
                catalogue(PACKED, LABEL.replace("application/json", "application/json; charset=utf-8")),
                "`application/json` and nothing more",
            ),
            WrongAnswer(
                "packs Python's text of the dict",
                catalogue("gzip.compress(str(PRODUCT).encode())", LABEL),
                "what is in it is not JSON in UTF-8",
            ),
            WrongAnswer(
                "gives the time of the lab's order",
                catalogue(PACKED, LABEL.replace("time.time()", "ordered_at.timestamp()")),
                "is not the time at which you published",
            ),
            WrongAnswer(
                "gives the time in milliseconds",
                catalogue(PACKED, LABEL.replace("time.time()", "time.time() * 1000")),
                "It looks like milliseconds",
            ),
        ),
    ),
    Exercise(
        name="rpc",
        attempted=(shows(taken),),
        expect=(
            shows(answered),
            story_shows.acked_before_close(),
            shows(acked_after_reply),
            story_shows.not_closed_by_broker(),
        ),
        passed="Each question got its own answer, also the one about the spoon, and was acknowledged after it.",
        hints=(
            "Experiment 3 has the server's two lines: publish to the request's `reply_to`, with the request's "
            "`correlation_id`. Here they stand in a loop.",
            '`channel.basic_get("stock.rpc")` gives `(None, None, None)` when no question is left. '
            '`STOCK.get(product, "unknown")` has an answer for every product; a body is bytes, so '
            "`str(…).encode()` it.",
            'For each question: `channel.basic_publish("", request.reply_to, answer, '
            "BasicProperties(correlation_id=request.correlation_id))`, then "
            "`channel.basic_ack(method.delivery_tag)`.",
        ),
        wrong=(
            WrongAnswer(
                "does not copy the correlation id",
                serve(ANSWER, "label = BasicProperties()", REPLY, ACK),
                "The reply `4` has no `correlation_id`",
            ),
            WrongAnswer(
                "replies to the name that the website wrote, not to the one that it reads",
                serve(ANSWER, SAME, REPLY.replace("request.reply_to", '"amq.rabbitmq.reply-to"'), ACK),
                "no reply came to the website",
            ),
            WrongAnswer(
                "passes over what it does not know",
                serve(
                    "if body.decode() in STOCK:",
                    f"    {ANSWER}",
                    f"    {SAME}",
                    f"    {REPLY}",
                    ACK,
                ),
                "The question about `spoon` got no reply",
            ),
            WrongAnswer(
                "takes none left for none known",
                serve(
                    ANSWER.replace('STOCK.get(body.decode(), "unknown")', 'STOCK.get(body.decode()) or "unknown"'),
                    SAME,
                    REPLY,
                    ACK,
                ),
                "The reply about `kettle` is `unknown`, and should be `0`",
            ),
            WrongAnswer(
                "acknowledges first",
                serve(ACK, ANSWER, SAME, REPLY),
                "was acknowledged before its reply was published",
            ),
            WrongAnswer(
                "lets the broker forget a question as it is fetched",
                serve(ANSWER, SAME, REPLY, get='channel.basic_get("stock.rpc", auto_ack=True)'),
                "fetched with automatic acknowledgement",
            ),
            WrongAnswer(
                "rejects what it has answered",
                serve(ANSWER, SAME, REPLY, "channel.basic_nack(method.delivery_tag, requeue=False)"),
                "was rejected, not acknowledged",
            ),
            WrongAnswer(
                "forgets to acknowledge",
                serve(ANSWER, SAME, REPLY),
                "The broker heard nothing of 3 deliveries",
            ),
        ),
    ),
    Exercise(
        name="inversion",
        attempted=(
            queue("dispatch").exists("Run the cell above that builds it."),
            no_longer(as_left, "Queue and messages are as your colleague left them."),
        ),
        expect=(
            queue("dispatch").has(type="classic", durable=True),
            sorts,
            none_lost,
            ranked,
            queue("dispatch").holds(RANKS),
            same_ids,
            queue("dispatch").messages_have(delivery_mode=2),
        ),
        passed="`vase`, `lamp` and `rug` leave in this order, with their ids, and from now on the urgent overtakes.",
        hints=(
            "Which of the three queues of experiment 2 is `dispatch`? A queue cannot get `x-max-priority` later, so "
            "the messages must be moved, as in the last exercise of lab 06.",
            "`basic_get` gives the properties too: publish each message again with the properties that it had. "
            "Then compare their priorities with the maximum of your queue.",
            'Take all three, delete `dispatch`, declare it with `"x-max-priority": 3`, set `properties.priority` to '
            "1, 2 and 3, publish. (A maximum of 9 and the old priorities would do as well, and cost the queue more.)",
        ),
        wrong=(
            WrongAnswer(
                "chooses a maximum below the priorities in use",
                rebuild(', "x-max-priority": 3', *AS_THEY_CAME),
                "`vase` and `lamp` both count as 3",
            ),
            WrongAnswer(
                "publishes the bodies alone",
                rebuild(
                    ', "x-max-priority": 9',
                    *AS_THEY_CAME[:1],
                    AS_THEY_CAME[1].replace("properties)", "BasicProperties())"),
                ),
                "`vase` and `lamp` both count as 0",
            ),
            WrongAnswer(
                "sorts by hand, and leaves the queue without priorities",
                rebuild(
                    "",
                    AS_THEY_CAME[0].replace("in waiting", "in sorted(waiting, key=lambda one: -one[1].priority)"),
                    AS_THEY_CAME[1],
                ),
                "has no `x-max-priority`",
            ),
            WrongAnswer(
                "keeps the priority and forgets the rest of the label",
                rebuild(
                    ', "x-max-priority": 9',
                    AS_THEY_CAME[0],
                    AS_THEY_CAME[1].replace("properties)", "BasicProperties(priority=properties.priority))"),
                ),
                "has lost its `message_id`",
            ),
            WrongAnswer(
                "gives the most urgent order the number 1",
                rebuild(
                    ', "x-max-priority": 3',
                    AS_THEY_CAME[0],
                    "    properties.priority = {9: 1, 5: 2, 1: 3}[properties.priority]",
                    AS_THEY_CAME[1],
                ),
                "larger numbers are more urgent",
            ),
            WrongAnswer(
                "deletes the queue with the orders in it",
                connected(
                    'channel.queue_delete("dispatch")',
                    'channel.queue_declare("dispatch", durable=True, arguments={**CLASSIC, "x-max-priority": 9})',
                ),
                "holds nothing; it should hold",
            ),
        ),
    ),
)
