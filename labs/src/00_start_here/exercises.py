"""The exercises of lab 00: a first message sent, and one taken out."""

from lab_helpers.exercises import Bench, Exercise, Verdict, WrongAnswer, incorrect, not_attempted, passed

PARCELS = [b"parcel 1", b"parcel 2", b"parcel 3"]


def send(bench: Bench) -> Verdict:
    """The queue `wishes` is durable and holds a message that says something."""
    queue = bench.topology().queue("wishes")
    if queue is None:
        return not_attempted("There is no queue named `wishes` yet.")
    if not queue.durable:
        return incorrect("The queue `wishes` is not durable: it would not survive a restart of the broker.")
    if not queue.messages:
        return incorrect("The queue `wishes` is there, and empty: no message has reached it.")
    wish = bench.messages("wishes")[0].body
    if not wish.strip():
        return incorrect("A message waits in `wishes`, but its body is empty: it says nothing.")
    return passed("A message waits in the durable queue `wishes`. The judge found it there, as any consumer would.")


def take_one(bench: Bench) -> Verdict:
    """The first parcel has left the queue, and the other two have not."""
    queue = bench.topology().queue("parcels")
    if queue is None:
        return not_attempted("There is no queue named `parcels`: run the cell above that makes it.")
    if queue.messages == len(PARCELS):
        return not_attempted(
            "All three parcels are in the queue. If you took one, it came back, because it was not acknowledged."
        )
    left = [message.body for message in bench.messages("parcels")]
    if left == PARCELS[1:]:
        return passed("`parcel 1` has left the queue; `parcel 2` and `parcel 3` are still there.")
    words = ", ".join(f"`{body.decode()}`" for body in left) or "nothing"
    return incorrect(f"The queue holds {words}; it should hold `parcel 2`, `parcel 3`.")


EXERCISES = (
    Exercise(
        "send",
        send,
        hints=(
            "Experiment 1 does the same with another queue: look at its first code cell.",
            "Two calls on a channel: `queue_declare` makes the queue, `basic_publish` sends the message.",
            'The routing key is the queue\'s name: `basic_publish(exchange="", routing_key="wishes", body=b"...")`.',
        ),
        wrong=(
            WrongAnswer(
                "declared, and nothing published",
                "with pika.BlockingConnection(parameters) as connection:\n"
                '    connection.channel().queue_declare("wishes", durable=True)',
                "is there, and empty",
            ),
            WrongAnswer(
                "published under a misspelt name",
                "with pika.BlockingConnection(parameters) as connection:\n"
                "    channel = connection.channel()\n"
                '    channel.queue_declare("wishes", durable=True)\n'
                '    channel.basic_publish(exchange="", routing_key="wish", body=b"confirms")',
                "no message has reached it",
            ),
            WrongAnswer(
                "an empty message",
                "with pika.BlockingConnection(parameters) as connection:\n"
                "    channel = connection.channel()\n"
                '    channel.queue_declare("wishes", durable=True)\n'
                '    channel.basic_publish(exchange="", routing_key="wishes", body=b"")',
                "its body is empty",
            ),
        ),
    ),
    Exercise(
        "take-one",
        take_one,
        hints=(
            "Experiment 2 takes a message out. Which call makes it leave the queue for good?",
            "`basic_get` hands over one message; `basic_ack` with its `method.delivery_tag` makes it leave the queue.",
            "Call `basic_get` once and `basic_ack` once, inside the same `with` block.",
        ),
        wrong=(
            WrongAnswer(
                "takes all of them",
                "with pika.BlockingConnection(parameters) as connection:\n"
                '    connection.channel().queue_purge("parcels")',
                "holds nothing",
            ),
            WrongAnswer(
                "takes two",
                "with pika.BlockingConnection(parameters) as connection:\n"
                "    channel = connection.channel()\n"
                "    for _ in range(2):\n"
                '        channel.basic_get("parcels", auto_ack=True)',
                "holds `parcel 3`",
            ),
            WrongAnswer(
                "acknowledges the second one and not the first",
                "with pika.BlockingConnection(parameters) as connection:\n"
                "    channel = connection.channel()\n"
                '    channel.basic_get("parcels")\n'
                '    method, properties, body = channel.basic_get("parcels")\n'
                "    channel.basic_ack(method.delivery_tag)",
                "holds `parcel 1`, `parcel 3`",
            ),
        ),
    ),
)
