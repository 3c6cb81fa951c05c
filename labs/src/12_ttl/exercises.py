"""The exercises of lab 12: a message that ends, a queue that ends, and delays that do not block each other."""

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
from lab_helpers.record.story import Story

TO_REMINDERS = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "reminders"}
QUEUE_LIMIT = 2000
DELAYS = {"soon": 300, "later": 600_000}
LONG_BEFORE_SHORT = (
    'channel.basic_publish("shop.wait", "later", b"call Denver", lives(600_000))',
    'channel.basic_publish("shop.wait", "soon", b"call Lyon", lives(300))',
)


def as_long_as_the_queue(expiration: str | None) -> bool:
    """Whether this `expiration` takes nothing from the 2 s that the queue gives: the lesser limit holds."""
    return expiration is None or (expiration.isdecimal() and int(expiration) >= QUEUE_LIMIT)


def lifetimes(wanted: dict[bytes, str | None]) -> Expectation:
    """The messages with these bodies were published, each with this `expiration`, or without one."""

    def read(story: Story) -> Difference | None:
        sent = {
            story.messages[one.message].body: story.messages[one.message].properties.get("expiration")
            for one in story.published()
        }
        for body, expiration in wanted.items():
            name = body.decode()
            if body not in sent:
                return Difference(f"No message `{name}` was published.", look=story_shows.LOOK)
            if sent[body] != expiration and not (expiration is None and as_long_as_the_queue(sent[body])):
                asked = f"`expiration` {expiration}" if expiration else "no `expiration`"
                seen = f"`expiration` {sent[body]}" if sent[body] else "no `expiration`"
                return Difference(f"`{name}` was published with {seen}; it should have {asked}.", asked, seen)
        return None

    return story_shows.shows(read)


def offer(arguments: str, teapot: str, lamp: str = "") -> str:
    """A cell that solves exercise 1 with these arguments and these properties."""
    cell = connected(
        f'channel.queue_declare("phone.flash", durable=True, arguments={{**CLASSIC{arguments}}})',
        "channel.confirm_delivery()",
        f'channel.basic_publish("", "phone.flash", b"teapot", {teapot})',
        f'channel.basic_publish("", "phone.flash", b"lamp"{lamp})',
    )
    return 'with lab.record("offer") as story:\n' + "".join(f"    {line}\n" for line in cell.splitlines())


def visitor(arguments: str, properties: str = "") -> str:
    """A cell that declares the queue of exercise 2 with these arguments, and publishes with these properties."""
    return connected(
        f'channel.queue_declare("phone.visitor", durable=True, {arguments})',
        "channel.confirm_delivery()",
        'channel.basic_publish("", "phone.visitor", b"welcome"' + properties + ")",
    )


def reminders(
    *publishes: str, soon: str = '"x-message-ttl": 300', dead: str = "**to_reminders", old: str = "delete"
) -> str:
    """A cell that builds exercise 3 with these arguments of the queue for short delays, and publishes."""
    forget = {
        "delete": ('channel.queue_delete("wait")',),
        "keep": (),
    }
    return (
        connected(
            *forget[old],
            f'for key, ttl in [("soon", {{{soon}}}), ("later", {{"x-message-ttl": 600_000}})]:',
            f'    channel.queue_declare(f"wait.{{key}}", durable=True, arguments={{**CLASSIC, {dead}, **ttl}})',
            '    channel.queue_bind(f"wait.{key}", exchange="shop.wait", routing_key=key)',
            *publishes,
        )
        + "\ntime.sleep(0.5)"
    )


def as_left(bench: Bench) -> Difference | None:
    """No queue of the new design is there, and the old one still gets what is published."""
    for name in ("wait.soon", "wait.later"):
        if queue(name).exists()(bench) is None:
            return Difference("Something was built.")
    return queue("wait").exists()(bench)


def there(name: str) -> Expectation:
    """The queue exists."""
    return queue(name).exists("If you declared it, it has ended: `x-expires` ends a queue, not its messages.")


def keeps_messages(bench: Bench) -> Difference | None:
    """The queue of exercise 2 sets its messages no time to live."""
    found = bench.topology().queue("phone.visitor")
    if found is None or "x-message-ttl" not in found.arguments:
        return queue("phone.visitor").messages_have(expiration=None)(bench) and Difference(
            "`welcome` has an `expiration` of its own: it should stay as long as the queue does.",
            "no `expiration`",
            "an `expiration`",
        )
    return Difference(
        "The queue `phone.visitor` has an `x-message-ttl`: its messages should stay as long as the queue does.",
        "no `x-message-ttl`",
        f"`x-message-ttl: {found.arguments['x-message-ttl']}`",
    )


EXERCISES = (
    Exercise(
        name="offer",
        attempted=(queue("phone.flash").exists(),),
        expect=(
            queue("phone.flash").has(durable=True, arguments={"x-message-ttl": 2000}),
            lifetimes({b"teapot": "300", b"lamp": None}),
        ),
        passed="The queue limits every message to 2 s, and `teapot` limited itself to 300 ms.",
        hints=(
            "Two limits: an argument of the queue (experiment 2), and a property of a message (experiment 1).",
            "The queue's is a number of milliseconds: `\"x-message-ttl\": 2000`. The message's is a text.",
            'Publish `teapot` with `pika.BasicProperties(expiration="300")`, and `lamp` without properties.',
        ),
        wrong=(
            WrongAnswer(
                "counts in seconds",
                offer(', "x-message-ttl": 2', "lives(300)"),
                "should have the argument `x-message-ttl: 2000`",
            ),
            WrongAnswer(
                "gives each message its limit, and the queue none",
                offer("", "lives(300)", ", lives(2000)"),
                "should have the argument `x-message-ttl: 2000`",
            ),
            WrongAnswer(
                "gives both messages the same life",
                offer(', "x-message-ttl": 2000', "lives(300)", ", lives(300)"),
                "`lamp` was published with `expiration` 300; it should have no `expiration`",
            ),
            WrongAnswer(
                "lets the queue expire instead of its messages",
                offer(', "x-expires": 2000', "lives(300)"),
                "should have the argument `x-message-ttl: 2000`",
            ),
        ),
    ),
    Exercise(
        name="visitor",
        attempted=(
            queue("phone.visitor").exists(
                "If you declared it, it may have expired. After more than a minute, run your cell again and check at "
                "once; else mind that `x-expires` counts milliseconds."
            ),
        ),
        expect=(
            queue("phone.visitor").has(durable=True, auto_delete=False, arguments={"x-expires": 60_000}),
            queue("phone.visitor").holds([b"welcome"]),
            keeps_messages,
        ),
        passed="`phone.visitor` goes when nobody used it for a minute, and until then it keeps what it has.",
        hints=(
            "Which of the three limits deletes a queue? Experiment 5.",
            "A minute has 60 000 milliseconds; auto-delete is something else: it waits for a last consumer.",
            '`queue_declare("phone.visitor", durable=True, arguments={**CLASSIC, "x-expires": 60_000})`',
        ),
        wrong=(
            WrongAnswer(
                "limits the messages",
                visitor('arguments={**CLASSIC, "x-message-ttl": 60_000}'),
                "should have the argument `x-expires: 60000`",
            ),
            WrongAnswer(
                "limits both",
                visitor('arguments={**CLASSIC, "x-expires": 60_000, "x-message-ttl": 60_000}'),
                "its messages should stay as long as the queue",
            ),
            WrongAnswer(
                "limits the message instead of leaving it to the queue",
                visitor('arguments={**CLASSIC, "x-expires": 60_000}', ", lives(60_000)"),
                "`welcome` has an `expiration` of its own",
            ),
            WrongAnswer(
                "takes auto-delete for it",
                visitor('auto_delete=True, arguments={**CLASSIC, "x-expires": 60_000}'),
                "The queue `phone.visitor` is auto-delete, and should not be",
            ),
        ),
    ),
    Exercise(
        name="reminders",
        attempted=(
            exchange("shop.wait").exists("Run the cell above that builds it."),
            no_longer(as_left, "The design is as your colleague left it: one queue, `wait`, for all delays."),
        ),
        expect=(
            *(there(f"wait.{key}") for key in DELAYS),
            *(
                queue(f"wait.{key}").has(durable=True, arguments={"x-message-ttl": milliseconds, **TO_REMINDERS})
                for key, milliseconds in DELAYS.items()
            ),
            routes("shop.wait", {key: {f"wait.{key}"} for key in DELAYS}),
            queue("reminders").contains(
                b"call Lyon",
                "`call Lyon` is not in `reminders`. Was it published with the key `soon`, to `shop.wait`, after the "
                "new queues were there?",
            ),
            queue("wait.later").holds([b"call Denver"]),
        ),
        passed="`call Lyon` is due, and `call Denver` waits its ten minutes in a queue of its own.",
        hints=(
            "Only the head of a queue can expire. So all messages of one queue must have the same time to live.",
            "Two queues, each with an `x-message-ttl` of its own and the two dead-letter arguments of `wait`; each "
            "bound to `shop.wait` with its key. The old queue is bound with both keys: unbind or delete it.",
            'For `soon`: `queue_declare("wait.soon", durable=True, arguments={**CLASSIC, **to_reminders, '
            '"x-message-ttl": 300})`, then `queue_bind("wait.soon", exchange="shop.wait", routing_key="soon")`.',
        ),
        wrong=(
            WrongAnswer(
                "leaves the delays to the messages",
                reminders(*LONG_BEFORE_SHORT, soon=""),
                "The queue `wait.soon` should have the argument `x-message-ttl: 300`",
            ),
            WrongAnswer(
                "leaves the old queue bound",
                reminders(*LONG_BEFORE_SHORT, old="keep"),
                "A message with the key `soon` reached `wait`, and should not",
            ),
            WrongAnswer(
                "forgets the dead letter's key, so that it keeps the key `soon`, which is no queue's name",
                reminders(*LONG_BEFORE_SHORT, dead='"x-dead-letter-exchange": ""'),
                "should have the argument `x-dead-letter-routing-key: reminders`",
            ),
            WrongAnswer(
                "publishes nothing",
                reminders(),
                "`call Lyon` is not in `reminders`",
            ),
        ),
    ),
)
