"""The exercises of lab 04: routing by exact keys."""

from lab_helpers.exercises import (
    Exercise,
    WrongAnswer,
    connected,
    exchange,
    no_longer,
    only_bound,
    queue,
    routes,
    unbound,
)

REGIONS = {
    "parcel.eu": {"parcels.eu", "parcels.all"},
    "parcel.us": {"parcels.us", "parcels.all"},
    "parcel.asia": {"parcels.all"},
}
QUEUES = ("parcels.eu", "parcels.us", "parcels.all")
MONEY = {
    "payment.received": {"payments"},
    "payment.refunded": {"refunds"},
    "payment.refund": set[str](),
}
LABELS = 'channel.queue_declare("labels", durable=True, arguments=CLASSIC)'
BIND_REFUNDED = 'channel.queue_bind("refunds", exchange="shop.money", routing_key="payment.refunded")'


def parcels(eu: str, us: str, *everything: str, exchange_type: str = "direct") -> str:
    """A cell that builds exercise 1 with these binding keys: one, one, and those of `parcels.all`."""
    bindings = [("parcels.eu", eu), ("parcels.us", us), *(("parcels.all", key) for key in everything)]
    return connected(
        f'channel.exchange_declare("shop.parcels", exchange_type="{exchange_type}", durable=True)',
        f"for queue in {list(QUEUES)}:",
        "    channel.queue_declare(queue, durable=True, arguments=CLASSIC)",
        f"for queue, key in {bindings}:",
        '    channel.queue_bind(queue, exchange="shop.parcels", routing_key=key)',
    )


EXERCISES = (
    Exercise(
        name="regions",
        attempted=(exchange("shop.parcels").exists(),),
        expect=(
            exchange("shop.parcels").is_(type="direct", durable=True),
            *(queue(name).has(durable=True) for name in QUEUES),
            routes("shop.parcels", REGIONS),
        ),
        passed="Each of the three keys reached the queues that it should.",
        hints=(
            "Experiments 1 to 3 have all the parts: one exchange, a queue for each reader, a binding for each key.",
            "`parcels.all` needs one binding for each of the three keys; a direct exchange knows no 'all'.",
            "Five bindings in all: `parcels.eu` with `parcel.eu`, `parcels.us` with `parcel.us`, and `parcels.all` "
            "with each of `parcel.eu`, `parcel.us`, `parcel.asia`.",
        ),
        wrong=(
            WrongAnswer(
                "forgets the region without a warehouse",
                parcels("parcel.eu", "parcel.us", "parcel.eu", "parcel.us"),
                "`parcel.asia` should reach `parcels.all`, and did not",
            ),
            WrongAnswer(
                "binds by a pattern, as a topic exchange would take it",
                parcels("parcel.eu", "parcel.us", "parcel.*"),
                "`parcel.eu` should reach `parcels.all`, and did not",
            ),
            WrongAnswer("takes a fanout exchange", parcels("", "", "", exchange_type="fanout"), "is a fanout exchange"),
        ),
    ),
    Exercise(
        name="repair",
        attempted=(
            exchange("shop.money").exists("Run the cell above that builds it."),
            no_longer(
                only_bound("refunds", "shop.money", "payment.refund"),
                "`refunds` is bound as your colleague left it, with `payment.refund` alone.",
            ),
        ),
        expect=(
            queue("refunds").contains(
                b"refund 1: 12 euros",
                "The refund that waited in `refunds` is gone: was the queue deleted or purged?",
            ),
            routes("shop.money", MONEY),
        ),
        passed="`payment.refunded` reaches `refunds`, `payment.refund` nothing, and the waiting refund is there.",
        hints=(
            "A binding cannot be changed: make the one you want, and remove the other.",
            "`queue_bind` makes a binding; `queue_unbind` removes the one with exactly that exchange, queue and key.",
            'Bind `refunds` with `payment.refunded` first, then `queue_unbind` it with `routing_key="payment.refund"`.',
        ),
        wrong=(
            WrongAnswer(
                "adds the new binding and leaves the old one",
                connected(BIND_REFUNDED),
                "`payment.refund` reached `refunds`, and should not",
            ),
            WrongAnswer(
                "deletes the queue and makes it anew",
                connected(
                    'channel.queue_delete("refunds")',
                    'channel.queue_declare("refunds", durable=True, arguments=CLASSIC)',
                    BIND_REFUNDED,
                ),
                "The refund that waited in `refunds` is gone",
            ),
            WrongAnswer(
                "removes the old binding only",
                connected('channel.queue_unbind("refunds", exchange="shop.money", routing_key="payment.refund")'),
                "`payment.refunded` should reach `refunds`, and did not",
            ),
        ),
    ),
    Exercise(
        name="default",
        attempted=(queue("labels").exists(),),
        expect=(
            queue("labels").has(durable=True),
            unbound("labels"),
            queue("labels").holds_something(),
            queue("labels").contains(b"label 1"),
        ),
        passed="`label 1` came through the default exchange: its routing key is the queue's name, `labels`.",
        hints=(
            "Which routing key does the default exchange bind a queue with? Look at the picture in experiment 4.",
            "Declare `labels`; publish with an empty exchange name and the queue's name as the routing key.",
            '`basic_publish(exchange="", routing_key="labels", body=b"label 1")`',
        ),
        wrong=(
            WrongAnswer(
                "takes the body's name for the key",
                connected(LABELS, 'channel.basic_publish(exchange="", routing_key="label", body=b"label 1")'),
                "is there, and empty",
            ),
            WrongAnswer(
                "binds it to a predeclared exchange",
                connected(
                    LABELS,
                    'channel.queue_bind("labels", exchange="amq.direct", routing_key="labels")',
                    'channel.basic_publish(exchange="amq.direct", routing_key="labels", body=b"label 1")',
                ),
                "is bound to the exchange `amq.direct`",
            ),
        ),
    ),
)
