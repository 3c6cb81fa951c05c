"""The exercises of lab 06: a limit, an internal exchange, and what survives a restart."""

from lab_helpers.exercises import (
    Bench,
    Difference,
    Exercise,
    WrongAnswer,
    bound,
    connected,
    exchange,
    no_longer,
    queue,
    routes,
    story_shows,
)

PAGES = [f"page {number}".encode() for number in range(1, 6)]
RETURN = b"return 1: a lamp"
STRAYS = {
    "payment.received": {"payments"},
    "payment.refunded": {"strays"},
    "order.eu": {"strays"},
}
INTERNAL = 'channel.exchange_declare("shop.strays", exchange_type="fanout", durable=True, internal=True)'
PAYMENTS = (
    'channel.exchange_declare("shop.payments", exchange_type="direct", durable=True, '
    'arguments={"alternate-exchange": "shop.strays"})'
)
TAKE = 'body = channel.basic_get("returns")[2]'
DELETE = ('channel.exchange_delete("shop.returns")', 'channel.queue_delete("returns")')
DURABLE = (
    'channel.exchange_declare("shop.returns", exchange_type="direct", durable=True)',
    'channel.queue_declare("returns", durable=True, arguments=CLASSIC)',
)
BIND = 'channel.queue_bind("returns", exchange="shop.returns", routing_key="order.returned")'
PUT_BACK = 'channel.basic_publish("", "returns", body, PERSISTENT)'


def last(arguments: str, *more: str) -> str:
    """A cell that declares `last` with these arguments and publishes the five pages."""
    return connected(
        f'channel.queue_declare("last", durable=True, arguments={{**CLASSIC, {arguments}}})',
        "for number in range(1, 6):",
        '    channel.basic_publish("", "last", f"page {number}".encode())',
        *more,
    )


def strays(declare_strays: str, declare_payments: str) -> str:
    """A cell that builds exercise 2 with these exchanges, and records a publish to `shop.strays`."""
    build = connected(
        declare_strays,
        declare_payments,
        'for queue, exchange, key in [("payments", "shop.payments", "payment.received"), '
        '("strays", "shop.strays", "")]:',
        "    channel.queue_declare(queue, durable=True, arguments=CLASSIC)",
        "    channel.queue_bind(queue, exchange=exchange, routing_key=key)",
    )
    publish = connected(
        "channel.confirm_delivery()",
        "try:",
        '    channel.basic_publish("shop.strays", "", b"a stray")',
        "except pika.exceptions.ChannelClosedByBroker:",
        "    pass",
    )
    recorded = "".join(f"    {line}\n" for line in publish.splitlines())
    return f'{build}\nwith lab.record("internal") as story:\n{recorded}'


def as_left(bench: Bench) -> Difference | None:
    """Exchange, queue and message of exercise 3 are as the colleague left them."""
    return (
        exchange("shop.returns").has(durable=False)(bench)
        or queue("returns").has(auto_delete=True)(bench)
        or queue("returns").holds([RETURN])(bench)
    )


EXERCISES = (
    Exercise(
        name="last",
        attempted=(queue("last").exists(),),
        expect=(
            queue("last").has(durable=True, arguments={"x-max-length": 3}),
            queue("last").holds(PAGES[2:]),
        ),
        passed="`last` holds `page 3`, `page 4` and `page 5`, and will hold the last three of whatever comes.",
        hints=(
            "Experiment 2 has both: the argument for the limit, and the one that says what a full queue does.",
            "The default of `x-overflow` drops the oldest, which is what is asked for: leave it out.",
            '`queue_declare("last", durable=True, arguments={**CLASSIC, "x-max-length": 3})`, then five times '
            "`basic_publish` with an empty exchange name.",
        ),
        wrong=(
            WrongAnswer(
                "refuses the newest instead of dropping the oldest",
                last('"x-max-length": 3, "x-overflow": "reject-publish"'),
                "holds `page 1`, `page 2`, `page 3`; it should hold `page 3`, `page 4`, `page 5`",
            ),
            WrongAnswer(
                "misspells the argument, and takes the first two out by hand",
                last('"x-max-lenght": 3', *['channel.basic_get("last", auto_ack=True)'] * 2),
                "should have the argument `x-max-length: 3`",
            ),
        ),
    ),
    Exercise(
        name="internal",
        attempted=(exchange("shop.strays").exists(),),
        expect=(
            exchange("shop.strays").has(durable=True, internal=True),
            exchange("shop.payments").is_(type="direct", durable=True),
            queue("payments").has(durable=True),
            queue("strays").has(durable=True),
            routes("shop.payments", STRAYS),
            story_shows.closed_by_broker(403),
        ),
        passed="Every stray reaches `strays`, and the broker refused your own publish there with 403.",
        hints=(
            "Experiment 4 is built in the same way: an internal exchange that is the alternate exchange of another.",
            "`shop.strays` is fanout and `internal=True`; `shop.payments` has the argument `alternate-exchange`. An "
            "exchange cannot be changed: delete it before you declare it differently.",
            'For the proof, `with lab.record("internal") as story:` around a connection, `confirm_delivery()`, a '
            "publish to `shop.strays`, and `except pika.exceptions.ChannelClosedByBroker`. Without confirms the "
            "program has gone before the broker answers.",
        ),
        wrong=(
            WrongAnswer(
                "leaves the exchange open to all",
                strays(INTERNAL.replace(", internal=True", ""), PAYMENTS),
                "The exchange `shop.strays` is not internal: clients may publish to it",
            ),
            WrongAnswer(
                "takes a direct exchange, which looks at the key again",
                strays(INTERNAL.replace("fanout", "direct"), PAYMENTS),
                "`payment.refunded` should reach `strays`, and did not",
            ),
            WrongAnswer(
                "names no alternate exchange",
                strays(INTERNAL, 'channel.exchange_declare("shop.payments", exchange_type="direct", durable=True)'),
                "`payment.refunded` should reach `strays`, and did not",
            ),
        ),
    ),
    Exercise(
        name="survive",
        attempted=(
            exchange("shop.returns").exists("Run the cell above that builds it."),
            no_longer(as_left, "Exchange, queue and message are as your colleague left them."),
        ),
        expect=(
            exchange("shop.returns").has(durable=True, auto_delete=False),
            queue("returns").has(durable=True, auto_delete=False),
            bound("returns", "shop.returns", "order.returned"),
            queue("returns").contains(RETURN, "The return that waited in `returns` is gone."),
            queue("returns").holds([RETURN]),
            queue("returns").messages_have(delivery_mode=2),
        ),
        passed="Exchange and queue are durable, the binding is there, and the waiting return is persistent.",
        hints=(
            "Nothing of this can be changed where it is: take the message out, delete, declare anew, publish again.",
            "With the queue goes its binding: bind again. And `basic_publish` makes a transient message unless its "
            "properties say `delivery_mode=2`.",
            "In this order: `basic_get` the message and keep its body; `exchange_delete` and `queue_delete`; declare "
            "both with `durable=True`; `queue_bind` with `order.returned`; publish the body with "
            "`pika.BasicProperties(delivery_mode=2)`.",
        ),
        wrong=(
            WrongAnswer(
                "publishes the message as it came",
                connected(TAKE, *DELETE, *DURABLE, BIND, PUT_BACK.replace(", PERSISTENT", "")),
                "should have `delivery_mode: 2`",
            ),
            WrongAnswer(
                "deletes the queue with the message in it",
                connected(*DELETE, *DURABLE, BIND),
                "The return that waited in `returns` is gone",
            ),
            WrongAnswer(
                "mends only the queue",
                connected(TAKE, DELETE[1], DURABLE[1], BIND, PUT_BACK),
                "The exchange `shop.returns` is not durable",
            ),
        ),
    ),
)
