"""The exercises of lab 00: a first message sent, and one taken out."""

from lab_helpers.exercises import Bench, Difference, Exercise, WrongAnswer, connected, no_longer, queue

PARCELS = [b"parcel 1", b"parcel 2", b"parcel 3"]
DECLARE = 'channel.queue_declare("wishes", durable=True)'


def says_something(bench: Bench) -> Difference | None:
    """The wish is the learner's own, so any text will do."""
    if bench.messages("wishes")[0].body.strip():
        return None
    return Difference("A message waits in `wishes`, but its body is empty: it says nothing.", "a text", "an empty body")


EXERCISES = (
    Exercise(
        name="send",
        attempted=(queue("wishes").exists(),),
        expect=(queue("wishes").has(durable=True), queue("wishes").holds_something(), says_something),
        passed="A message waits in the durable queue `wishes`. The judge found it there, as any consumer would.",
        hints=(
            "Experiment 1 does the same with another queue: look at its first code cell.",
            "Two calls on a channel: `queue_declare` makes the queue, `basic_publish` sends the message.",
            'The routing key is the queue\'s name: `basic_publish(exchange="", routing_key="wishes", body=b"...")`.',
        ),
        wrong=(
            WrongAnswer("declared, and nothing published", connected(DECLARE), "is there, and empty"),
            WrongAnswer(
                "published under a misspelt name",
                connected(DECLARE, 'channel.basic_publish(exchange="", routing_key="wish", body=b"confirms")'),
                "the message went elsewhere",
            ),
            WrongAnswer(
                "an empty message",
                connected(DECLARE, 'channel.basic_publish(exchange="", routing_key="wishes", body=b"")'),
                "its body is empty",
            ),
        ),
    ),
    Exercise(
        name="take-one",
        attempted=(
            queue("parcels").exists("Run the cell above that makes it."),
            no_longer(
                queue("parcels").holds_count(3),
                "All three parcels are in the queue. If you took one, it came back, because it was not acknowledged.",
            ),
        ),
        expect=(queue("parcels").holds(PARCELS[1:]),),
        passed="`parcel 1` has left the queue; `parcel 2` and `parcel 3` are still there.",
        hints=(
            "Experiment 2 takes a message out. Which call makes it leave the queue for good?",
            "`basic_get` hands over one message; `basic_ack` with its `method.delivery_tag` makes it leave the queue.",
            "Call `basic_get` once and `basic_ack` once, inside the same `with` block.",
        ),
        wrong=(
            WrongAnswer("takes all of them", connected('channel.queue_purge("parcels")'), "holds nothing"),
            WrongAnswer(
                "takes two",
                connected("for _ in range(2):", '    channel.basic_get("parcels", auto_ack=True)'),
                "holds `parcel 3`",
            ),
            WrongAnswer(
                "acknowledges the second one and not the first",
                connected(
                    'channel.basic_get("parcels")',
                    'method, properties, body = channel.basic_get("parcels")',
                    "channel.basic_ack(method.delivery_tag)",
                ),
                "holds `parcel 1`, `parcel 3`",
            ),
        ),
    ),
)
