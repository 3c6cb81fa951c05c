"""The exercises of lab 04: routing by exact keys."""

from lab_helpers.exercises import Bench, Exercise, Verdict, WrongAnswer, incorrect, not_attempted, passed

REGIONS = {
    "parcel.eu": {"parcels.eu", "parcels.all"},
    "parcel.us": {"parcels.us", "parcels.all"},
    "parcel.asia": {"parcels.all"},
}
MONEY = {
    "payment.received": {"payments"},
    "payment.refunded": {"refunds"},
    "payment.refund": set(),
}


def misrouted(reached: dict[str, frozenset[str]], expected: dict[str, set[str]]) -> str:
    """Name the first key that goes astray, or return an empty string."""
    for key, queues in expected.items():
        for queue in sorted(queues - reached[key]):
            return f"A message with the key `{key}` should reach `{queue}`, and did not."
        for queue in sorted(reached[key] - queues):
            return f"A message with the key `{key}` reached `{queue}`, and should not."
    return ""


def regions(bench: Bench) -> Verdict:
    """The keys reach the queues that the text asks for, through a durable direct exchange."""
    topology = bench.topology()
    exchange = topology.exchange("shop.parcels")
    if exchange is None:
        return not_attempted("There is no exchange named `shop.parcels` yet.")
    if exchange.type != "direct":
        return incorrect(f"`shop.parcels` is a {exchange.type} exchange; a direct one was asked for.")
    if not exchange.durable:
        return incorrect("The exchange `shop.parcels` is not durable: a restart of the broker would remove it.")
    for name in ("parcels.eu", "parcels.us", "parcels.all"):
        queue = topology.queue(name)
        if queue is None:
            return incorrect(f"There is no queue named `{name}`.")
        if not queue.durable:
            return incorrect(f"The queue `{name}` is not durable.")
    astray = misrouted(bench.routes("shop.parcels", REGIONS), REGIONS)
    return incorrect(astray) if astray else passed("Each of the three keys reached the queues that it should.")


def repair(bench: Bench) -> Verdict:
    """The key that programs use reaches `refunds`, the old one nothing, and the waiting refund is still there."""
    topology = bench.topology()
    if topology.exchange("shop.money") is None:
        return not_attempted("There is no exchange `shop.money`: run the cell above that builds it.")
    if topology.keys("shop.money", "refunds") == ("payment.refund",):
        return not_attempted("`refunds` is bound as your colleague left it, with `payment.refund` alone.")
    refunds = topology.queue("refunds")
    if refunds is None or b"refund 1: 12 euros" not in [message.body for message in bench.messages("refunds")]:
        return incorrect("The refund that waited in `refunds` is gone: was the queue deleted or purged?")
    astray = misrouted(bench.routes("shop.money", MONEY), MONEY)
    if astray:
        return incorrect(astray)
    return passed("`payment.refunded` reaches `refunds`, `payment.refund` nothing, and the waiting refund is there.")


def default(bench: Bench) -> Verdict:
    """A message went to `labels` through the default exchange."""
    topology = bench.topology()
    queue = topology.queue("labels")
    if queue is None:
        return not_attempted("There is no queue named `labels` yet.")
    if not queue.durable:
        return incorrect("The queue `labels` is not durable.")
    bound = [binding for binding in topology.bindings if binding.destination == "labels"]
    if bound:
        return incorrect(f"`labels` is bound to the exchange `{bound[0].source}`; the task was to bind nothing.")
    if not queue.messages:
        return incorrect("The queue `labels` is there, and empty: the message went elsewhere, or was dropped.")
    message = bench.messages("labels")[0]
    if message.body != b"label 1":
        return incorrect(f"The body of the message is `{message.body.decode(errors='replace')}`, not `label 1`.")
    return passed("`label 1` came through the default exchange: its routing key is the queue's name, `labels`.")


def connected(*lines: str) -> str:
    """A cell that opens a connection and a channel, and then does these lines."""
    body = "\n".join(f"    {line}" for line in lines)
    return f"with pika.BlockingConnection(parameters) as connection:\n    channel = connection.channel()\n{body}"


def parcels(*, exchange_type: str = "direct", bindings: tuple[tuple[str, str], ...]) -> str:
    """A cell that builds exercise 1 with these bindings, each a queue and a key."""
    return connected(
        f'channel.exchange_declare("shop.parcels", exchange_type="{exchange_type}", durable=True)',
        'for queue in ["parcels.eu", "parcels.us", "parcels.all"]:',
        "    channel.queue_declare(queue, durable=True, arguments=CLASSIC)",
        f"for queue, key in {list(bindings)!r}:",
        '    channel.queue_bind(queue, exchange="shop.parcels", routing_key=key)',
    )


EXERCISES = (
    Exercise(
        "regions",
        regions,
        hints=(
            "Experiments 1 to 3 have all the parts: one exchange, a queue for each reader, a binding for each key.",
            "`parcels.all` needs one binding for each of the three keys; a direct exchange knows no 'all'.",
            "Five bindings in all: `parcels.eu` with `parcel.eu`, `parcels.us` with `parcel.us`, and `parcels.all` "
            "with each of `parcel.eu`, `parcel.us`, `parcel.asia`.",
        ),
        wrong=(
            WrongAnswer(
                "forgets the region without a warehouse",
                parcels(
                    bindings=(
                        ("parcels.eu", "parcel.eu"),
                        ("parcels.us", "parcel.us"),
                        ("parcels.all", "parcel.eu"),
                        ("parcels.all", "parcel.us"),
                    )
                ),
                "`parcel.asia` should reach `parcels.all`, and did not",
            ),
            WrongAnswer(
                "binds by a pattern, as a topic exchange would take it",
                parcels(
                    bindings=(
                        ("parcels.eu", "parcel.eu"),
                        ("parcels.us", "parcel.us"),
                        ("parcels.all", "parcel.*"),
                    )
                ),
                "`parcel.eu` should reach `parcels.all`, and did not",
            ),
            WrongAnswer(
                "takes a fanout exchange",
                parcels(
                    exchange_type="fanout",
                    bindings=(("parcels.eu", ""), ("parcels.us", ""), ("parcels.all", "")),
                ),
                "is a fanout exchange",
            ),
        ),
    ),
    Exercise(
        "repair",
        repair,
        hints=(
            "A binding cannot be changed: make the one you want, and remove the other.",
            "`queue_bind` makes a binding; `queue_unbind` removes the one with exactly that exchange, queue and key.",
            'Bind `refunds` with `payment.refunded` first, then `queue_unbind` it with `routing_key="payment.refund"`.',
        ),
        wrong=(
            WrongAnswer(
                "adds the new binding and leaves the old one",
                connected(
                    'channel.queue_bind("refunds", exchange="shop.money", routing_key="payment.refunded")',
                ),
                "`payment.refund` reached `refunds`, and should not",
            ),
            WrongAnswer(
                "deletes the queue and makes it anew",
                connected(
                    'channel.queue_delete("refunds")',
                    'channel.queue_declare("refunds", durable=True, arguments=CLASSIC)',
                    'channel.queue_bind("refunds", exchange="shop.money", routing_key="payment.refunded")',
                ),
                "The refund that waited in `refunds` is gone",
            ),
            WrongAnswer(
                "removes the old binding only",
                connected(
                    'channel.queue_unbind("refunds", exchange="shop.money", routing_key="payment.refund")',
                ),
                "`payment.refunded` should reach `refunds`, and did not",
            ),
        ),
    ),
    Exercise(
        "default",
        default,
        hints=(
            "Which routing key does the default exchange bind a queue with? Look at the picture in experiment 4.",
            "Declare `labels`; publish with an empty exchange name and the queue's name as the routing key.",
            '`basic_publish(exchange="", routing_key="labels", body=b"label 1")`',
        ),
        wrong=(
            WrongAnswer(
                "takes the body's name for the key",
                connected(
                    'channel.queue_declare("labels", durable=True, arguments=CLASSIC)',
                    'channel.basic_publish(exchange="", routing_key="label", body=b"label 1")',
                ),
                "is there, and empty",
            ),
            WrongAnswer(
                "binds it to a predeclared exchange",
                connected(
                    'channel.queue_declare("labels", durable=True, arguments=CLASSIC)',
                    'channel.queue_bind("labels", exchange="amq.direct", routing_key="labels")',
                    'channel.basic_publish(exchange="amq.direct", routing_key="labels", body=b"label 1")',
                ),
                "is bound to the exchange `amq.direct`",
            ),
        ),
    ),
)
