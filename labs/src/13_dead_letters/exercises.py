"""The exercises of lab 13: a dead-letter exchange, the cause of a death, and a retry that ends."""

from lab_helpers.exercises import (
    Bench,
    Difference,
    Exercise,
    Expectation,
    WrongAnswer,
    connected,
    exchange,
    no_longer,
    queue,
    routes,
    story_shows,
)
from lab_helpers.record.events import Delivered, Published, Settled
from lab_helpers.record.story import Story

ANY_KEY = {
    "order.returned": {"dlx.queue"},
    "payment.refunded.eu": {"dlx.queue"},
    "stock": {"dlx.queue"},
}
CAUSES = {"teapot": "rejected", "vase": "rejected", "lamp": "expired", "tray": "expired", "rug": "maxlen"}
TRIES = {b"invoice 1": 1, b"invoice 2": 2, b"invoice 3": 3}
PAUSES = (0.1, 0.4)
EARLY = 0.03
"""Seconds by which a pause may seem too short: what is measured lies between the broker and its client."""


# --- Exercise 1


def keeps_keys(bench: Bench) -> Difference | None:
    """The queue of exercise 1 gives its dead letters no key of its own."""
    found = bench.topology().queue("returns")
    key = found.arguments.get("x-dead-letter-routing-key") if found is not None else None
    if key is None:
        return None
    return Difference(
        f"The queue `returns` gives its dead letters the key `{key}`: they should keep the keys that they have.",
        "no `x-dead-letter-routing-key`",
        f"`x-dead-letter-routing-key: {key}`",
    )


def wire(*, kind: str = "topic", key: str = "#", dead: str = "", settle: str = "", bound: str = "") -> str:
    """A cell that solves exercise 1 but for what is given here."""
    return connected(
        f'channel.exchange_declare("dlx.exchange", exchange_type="{kind}", durable=True)',
        'fresh(channel, "dlx.queue", CLASSIC)',
        f'channel.queue_bind("dlx.queue", exchange="dlx.exchange", routing_key="{key}")',
        'channel.exchange_declare("shop.returns", exchange_type="direct", durable=True)',
        f'fresh(channel, "returns", {{**CLASSIC, {dead or DEAD}}})',
        'channel.queue_bind("returns", exchange="shop.returns", routing_key="order.returned")',
        "channel.confirm_delivery()",
        'for body in [b"return 1", b"return 2"]:',
        '    channel.basic_publish("shop.returns", "order.returned", body)',
        'method, properties, body = channel.basic_get("returns")',
        settle or "channel.basic_reject(method.delivery_tag, requeue=False)",
    )


DEAD = '"x-dead-letter-exchange": "dlx.exchange"'


# --- Exercise 2


def as_left(bench: Bench) -> Difference | None:
    """The five orders lie in the pile, and nothing was built."""
    for reason in set(CAUSES.values()):
        if queue(f"parked.{reason}").exists()(bench) is None:
            return Difference("Something was built.")
    return queue("pile").holds_count(len(CAUSES))(bench)


def parked(bench: Bench) -> Difference | None:
    """Each order lies once in the queue of its last death, with the header that says so."""
    places: dict[str, list[str]] = {order: [] for order in CAUSES}
    for reason in sorted(set(CAUSES.values())):
        for message in bench.messages(f"parked.{reason}"):
            order = message.body.decode(errors="replace")
            if order not in CAUSES:
                return Difference(f"In `parked.{reason}` is a message that was not in the pile: `{order}`.")
            places[order].append(reason)
            if not (message.properties.get("headers") or {}).get("x-death"):
                return Difference(
                    f"The order `{order}` in `parked.{reason}` has lost its headers.",
                    "a header `x-death`",
                    "none",
                    "Publish each order with the properties that it came with.",
                )
    for order, reason in CAUSES.items():
        if not places[order]:
            return Difference(f"The order `{order}` is in none of the three queues.")
        if len(places[order]) > 1:
            return Difference(f"The order `{order}` is parked {len(places[order])} times.")
        if places[order] != [reason]:
            return Difference(
                f"The order `{order}` is in `parked.{places[order][0]}`, and belongs elsewhere.",
                "the queue of its last death",
                f"`parked.{places[order][0]}`",
                "Which row of `x-death` is the newest?",
            )
    return None


def sort_pile(
    reason: str = 'properties.headers["x-death"][0]["reason"]', label: str = ", properties", ack: bool = True
) -> str:
    """A cell that moves the orders of exercise 2 by this reason, with this label."""
    return connected(
        'for reason in ["rejected", "expired", "maxlen"]:',
        '    channel.queue_declare(f"parked.{reason}", durable=True, arguments=CLASSIC)',
        "channel.confirm_delivery()",
        'while (message := channel.basic_get("pile"))[0]:',
        "    method, properties, body = message",
        f"    reason = {reason}",
        f'    channel.basic_publish("", f"parked.{{reason}}", body{label})',
        *(["    channel.basic_ack(method.delivery_tag)"] if ack else []),
    )


# --- Exercise 3


def tried(story: Story) -> dict[bytes, list[float]]:
    """When each invoice was delivered from `invoices`, by its body."""
    found: dict[bytes, list[float]] = {body: [] for body in TRIES}
    for one in story.delivered("invoices"):
        found.setdefault(story.messages[one.message].body, []).append(one.at)
    return found


def ran(story: Story) -> Difference | None:
    """Something was delivered from `invoices`."""
    if story.delivered("invoices"):
        return None
    return Difference("No invoice was delivered while you recorded: call `run(handle)` there.")


def tried_often(story: Story) -> Difference | None:
    """Each invoice was delivered as often as it had to be."""
    times = tried(story)
    for body, wanted in sorted(TRIES.items(), reverse=True):
        number = len(times[body])
        if number != wanted:
            return Difference(
                f"`{body.decode()}` should be delivered {counted(wanted)}, and was delivered {counted(number)}.",
                counted(wanted),
                counted(number),
                story_shows.LOOK,
            )
    return None


def counted(number: int) -> str:
    """How often, in words."""
    return "once" if number == 1 else f"{number} times"


def paused(story: Story) -> Difference | None:
    """Between the tries lay the pauses of the ladder."""
    for body, times in tried(story).items():
        for number, wanted in zip(range(1, len(times)), PAUSES, strict=False):
            if times[number] - times[number - 1] < wanted - EARLY:
                milliseconds = round(wanted * 1000)
                return Difference(
                    f"Try {number + 1} of `{body.decode()}` came too early: less than {milliseconds} ms after the "
                    "one before.",
                    look="The line under `run(handle)` may be `story.sequence()`: it shows what went where.",
                )
    return None


def sent_on_first(story: Story) -> Difference | None:
    """What failed was published again before its delivery was acknowledged."""
    held: dict[int, bytes] = {one.message: story.messages[one.message].body for one in story.delivered("invoices")}
    acknowledged: set[bytes] = set()
    for event in story.events:
        if isinstance(event, Settled):
            acknowledged |= {held[message] for message in event.messages if message in held}
        elif isinstance(event, Published):
            body = story.messages[event.message].body
            if event.routing_key != "invoices" and body in acknowledged:
                return Difference(
                    f"`{body.decode()}` was acknowledged before it was published to `{event.routing_key}`: a crash in "
                    "between would lose it.",
                    "`basic.publish`, then `basic.ack`",
                    "`basic.ack`, then `basic.publish`",
                    story_shows.LOOK,
                )
        elif isinstance(event, Delivered) and event.message in held:
            acknowledged.discard(held[event.message])
    return None


def rung(milliseconds: int) -> Expectation:
    """A queue of exercise 3 lets all that it gets wait so long."""
    return queue(f"invoices.{milliseconds}").has(durable=True, arguments={"x-message-ttl": milliseconds})


def ladder(
    *,
    steps: str = '["invoices.100", "invoices.400", "invoices.parked"]',
    dead: str = '**dead_to("invoices")',
    waits: str = '{"invoices.100": 100, "invoices.400": 400}',
    failed: tuple[str, ...] = (),
    ack: bool = True,
) -> str:
    """A cell that solves exercise 3 but for what is given here."""
    publish = (
        "tries = (properties.headers or {}).get('tries', 0)",
        "label = pika.BasicProperties(headers={'tries': tries + 1}, delivery_mode=2)",
        "channel.basic_publish('', steps[tries], body, label)",
    )
    build = connected(
        f"for name, milliseconds in {waits}.items():",
        f'    arguments = {{**CLASSIC, {dead}, "x-message-ttl": milliseconds}}',
        "    channel.queue_declare(name, durable=True, arguments=arguments)",
        'channel.queue_declare("invoices.parked", durable=True, arguments=CLASSIC)',
    )
    lines = (
        f"steps = {steps}",
        "def handle(channel, method, properties, body):",
        "    try:",
        "        book(body)",
        "    except ValueError:",
        *(f"        {line}" for line in failed or publish),
        *(["    channel.basic_ack(method.delivery_tag)"] if ack else []),
        'with lab.record("ladder") as story:',
        "    run(handle)",
    )
    return "\n".join((build, *lines))


EXERCISES = (
    Exercise(
        name="wire",
        attempted=(exchange("dlx.exchange").exists(),),
        expect=(
            exchange("dlx.exchange").is_(type="topic", durable=True),
            queue("dlx.queue").has(durable=True),
            routes("dlx.exchange", ANY_KEY),
            exchange("shop.returns").is_(type="direct", durable=True),
            queue("returns").has(durable=True, arguments={"x-dead-letter-exchange": "dlx.exchange"}),
            keeps_keys,
            routes("shop.returns", {"order.returned": {"returns"}}),
            queue("returns").holds([b"return 2"]),
            queue("dlx.queue").holds([b"return 1"]),
            queue("dlx.queue").died_in("returns"),
        ),
        passed="`return 1` died in `returns` and lies in `dlx.queue`, under its own key; `return 2` still waits.",
        hints=(
            "Experiment 1 is built in the same way, with a fanout exchange. Only the queue that gives letters up gets "
            "an argument; the queue that takes them is an ordinary one.",
            "In a topic exchange `#` fits every key, and `*` only one word. The argument is `x-dead-letter-exchange`; "
            "without `x-dead-letter-routing-key` the letters keep their keys.",
            '`fresh(channel, "returns", {**CLASSIC, "x-dead-letter-exchange": "dlx.exchange"})`; bind `dlx.queue` with '
            "`#`; then `basic_get` one message and `basic_reject(method.delivery_tag, requeue=False)`.",
        ),
        wrong=(
            WrongAnswer(
                "takes `*` for any key",
                wire(key="*"),
                "`order.returned` should reach `dlx.queue`, and did not",
            ),
            WrongAnswer(
                "names the queue where an exchange is asked for",
                wire(dead='"x-dead-letter-exchange": "dlx.queue"'),
                "The queue `returns` should have the argument `x-dead-letter-exchange: dlx.exchange`",
            ),
            WrongAnswer(
                "gives the letters a key out of habit",
                wire(dead=f'{DEAD}, "x-dead-letter-routing-key": "dlx.queue"'),
                "they should keep the keys that they have",
            ),
            WrongAnswer(
                "rejects with requeue",
                wire(settle="channel.basic_reject(method.delivery_tag, requeue=True)"),
                "The queue `returns` holds `return 1`, `return 2`; it should hold `return 2`",
            ),
            WrongAnswer(
                "acknowledges it, and publishes a copy",
                wire(
                    settle="channel.basic_ack(method.delivery_tag); "
                    'channel.basic_publish("dlx.exchange", "order.returned", body)'
                ),
                "The message `return 1` in `dlx.queue` did not die in `returns`",
            ),
            WrongAnswer(
                "acknowledges it",
                wire(settle="channel.basic_ack(method.delivery_tag)"),
                "The queue `dlx.queue` holds nothing; it should hold `return 1`",
            ),
        ),
    ),
    Exercise(
        name="causes",
        attempted=(
            queue("pile").exists("Run the cell above that builds it."),
            no_longer(as_left, "All five orders still lie in the pile."),
        ),
        expect=(
            *(queue(f"parked.{reason}").has(durable=True) for reason in ("rejected", "expired", "maxlen")),
            parked,
            queue("pile").is_empty(),
        ),
        passed="Each order is parked by its last death, with its headers, and the pile is empty.",
        hints=(
            '`properties.headers["x-death"]` is a list of tables: one row for each queue and reason, as printed in '
            "experiment 2. Which row is the newest?",
            'The reason of the last death is `properties.headers["x-death"][0]["reason"]`: `rejected`, `expired` or '
            "`maxlen`. `x-first-death-reason` is that of the first.",
            'For each message of `pile`: `channel.basic_publish("", f"parked.{reason}", body, properties)`, and then '
            "`channel.basic_ack(method.delivery_tag)`.",
        ),
        wrong=(
            WrongAnswer(
                "asks for the first death",
                sort_pile('properties.headers["x-first-death-reason"]'),
                "The order `vase` is in `parked.expired`, and belongs elsewhere",
            ),
            WrongAnswer(
                "takes the last row of the list for the last death",
                sort_pile('properties.headers["x-death"][-1]["reason"]'),
                "The order `vase` is in `parked.expired`, and belongs elsewhere",
            ),
            WrongAnswer(
                "publishes the bodies alone",
                sort_pile(label=""),
                "has lost its headers",
            ),
            WrongAnswer(
                "does not acknowledge, so that the orders are there twice",
                sort_pile(ack=False),
                "it should hold nothing",
            ),
        ),
    ),
    Exercise(
        name="ladder",
        attempted=(
            queue("invoices").exists("Run the cell above that builds it."),
            story_shows.shows(ran),
        ),
        expect=(
            rung(100),
            rung(400),
            queue("invoices.parked").has(durable=True),
            story_shows.shows(tried_often),
            story_shows.shows(paused),
            story_shows.acked_before_close(),
            story_shows.shows(sent_on_first),
            queue("invoices.parked").holds([b"invoice 3"]),
            *(queue(name).is_empty() for name in ("invoices", "invoices.100", "invoices.400")),
        ),
        passed="`invoice 2` was booked at the second try, and `invoice 3` is parked after three, with growing pauses.",
        hints=(
            "Experiment 4 has a ladder of three rungs. Yours has two, and the third failure ends it.",
            "Each rung is a queue with `x-message-ttl`, and its dead letters go back to `invoices`: `dead_to`. Count "
            "the tries in a header of your own, which you publish one higher each time.",
            "In `handle`: `book(body)` inside `try`. In `except ValueError` read `tries` from the headers (0 if there "
            'are none), and publish the body to `["invoices.100", "invoices.400", "invoices.parked"][tries]`, with '
            "`tries + 1` in its headers. After that, in both cases, `basic_ack`.",
        ),
        wrong=(
            WrongAnswer(
                "gives it back at once, as the colleague did",
                ladder(failed=("channel.basic_nack(method.delivery_tag, requeue=True)", "return")),
                "`invoice 3` should be delivered 3 times, and was delivered 1",
            ),
            WrongAnswer(
                "forgets the dead letters' key, so that they keep the name of the rung",
                ladder(dead='"x-dead-letter-exchange": ""'),
                "`invoice 3` should be delivered 3 times, and was delivered once",
            ),
            WrongAnswer(
                "takes the short rung twice",
                ladder(steps='["invoices.100", "invoices.100", "invoices.parked"]'),
                "Try 3 of `invoice 3` came too early: less than 400 ms",
            ),
            WrongAnswer(
                "stops one try too early",
                ladder(steps='["invoices.100", "invoices.parked"]'),
                "`invoice 3` should be delivered 3 times, and was delivered 2 times",
            ),
            WrongAnswer(
                "counts the tries in seconds",
                ladder(waits='{"invoices.100": 1, "invoices.400": 4}'),
                "The queue `invoices.100` should have the argument `x-message-ttl: 100`",
            ),
            WrongAnswer(
                "throws away what fails for the third time",
                ladder(
                    failed=(
                        "tries = (properties.headers or {}).get('tries', 0)",
                        "label = pika.BasicProperties(headers={'tries': tries + 1})",
                        "if tries < 2:",
                        "    channel.basic_publish('', steps[tries], body, label)",
                    )
                ),
                "The queue `invoices.parked` holds nothing; it should hold `invoice 3`",
            ),
            WrongAnswer(
                "acknowledges before the invoice is safe elsewhere",
                ladder(
                    failed=(
                        "channel.basic_ack(method.delivery_tag)",
                        "tries = (properties.headers or {}).get('tries', 0)",
                        "label = pika.BasicProperties(headers={'tries': tries + 1})",
                        "channel.basic_publish('', steps[tries], body, label)",
                        "return",
                    )
                ),
                "was acknowledged before it was published to `invoices.100`",
            ),
            WrongAnswer(
                "does not acknowledge",
                ladder(ack=False),
                "The broker heard nothing",
            ),
        ),
    ),
)
