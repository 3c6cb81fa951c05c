"""The exercises of lab 10: settling deliveries, a worker that crashes, and a message that fails for ever."""

from lab_helpers.exercises import (
    Bench,
    Difference,
    Exercise,
    WrongAnswer,
    ledger_shows,
    no_longer,
    queue,
    story_shows,
)
from lab_helpers.record.events import Settlement

PARCELS = [b"fine: a lamp", b"broken: a vase", b"late: a rug", b"fine: a tray"]


def settle(*lines: str, get: str = 'channel.basic_get("parcels")') -> str:
    """A cell that fetches the four parcels and settles each in these lines."""
    body = "\n".join(f"        {line}" for line in lines)
    return (
        'with lab.record("parcels") as story, pika.BlockingConnection(parameters) as connection:\n'
        "    channel = connection.channel()\n"
        f"    for method, _, body in [{get} for _ in range(4)]:\n"
        f"{body}\n"
    )


def worker(*lines: str, get: str = 'channel.basic_get("jobs")') -> str:
    """A cell that defines `work` with these lines for a job, and runs it twice as the lab does."""
    body = "\n".join(f"            {line}" for line in lines)
    return f"""
def work(handle):
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        while True:
            method, _, body = {get}
            if method is None:
                return
{body}


jobs = [f"job {{number}}" for number in range(1, 7)]
with pika.BlockingConnection(parameters) as connection:
    connection.channel().queue_declare("jobs", durable=True, arguments=CLASSIC)
    connection.channel().queue_purge("jobs")
publish("jobs", *jobs)
ledger, crashes = lab.ledger(exercise="worker"), iter([Crash("somebody pulled the plug")])
for job in jobs:
    ledger.sent(job)
    ledger.confirmed(job)


def handle(body):
    if body == b"job 3" and (crash := next(crashes, None)):
        raise crash
    ledger.received(body.decode())


for _ in range(2):
    try:
        work(handle)
    except Crash:
        pass
"""


def labels(arguments: str) -> str:
    """A cell that declares `labels` with these arguments, publishes, and prints."""
    return (
        "with pika.BlockingConnection(parameters) as connection:\n"
        "    channel = connection.channel()\n"
        '    channel.queue_declare("labels.poison", durable=True, arguments=CLASSIC)\n'
        f'    channel.queue_declare("labels", durable=True, arguments={{{arguments}}})\n'
        'publish("labels", "label 1", "?label 2", "label 3")\n'
        "print_labels()\n"
    )


def worked(bench: Bench) -> Difference | None:
    """The worker handled something."""
    ledger = bench.ledger()
    if ledger is None or not ledger.counts["received"]:
        return Difference("`work` has handled no job yet.")
    return None


DEAD = '"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "labels.poison"'


def parked(bench: Bench) -> Difference | None:
    """The label that cannot be printed is where the queue sends what it gives up."""
    found = bench.topology().queue("labels")
    difference = queue("labels.poison").holds([b"?label 2"])(bench)
    if difference and found and "x-dead-letter-exchange" not in found.arguments:
        return Difference(
            "`labels` gave `?label 2` up, and it went nowhere: the queue does not say where its dead letters go.",
            "an argument `x-dead-letter-exchange`",
            "none",
            "Look at `lab.topology()`.",
        )
    if (
        difference
        and found
        and found.arguments["x-dead-letter-exchange"] == ""
        and "x-dead-letter-routing-key" not in found.arguments
    ):
        return Difference(
            "`labels` gave `?label 2` up, and it did not arrive: a dead letter keeps its old key, here `labels`, "
            "unless the queue names another one.",
            "an argument `x-dead-letter-routing-key`",
            "none",
            "Look at `lab.topology()`.",
        )
    return difference


EXERCISES = (
    Exercise(
        name="parcels",
        attempted=(
            queue("parcels").exists("Run the cell above that fills it."),
            no_longer(queue("parcels").holds(PARCELS), "The four parcels are in the queue, and nobody settled them."),
        ),
        expect=(
            queue("parcels.broken").holds([b"broken: a vase"]),
            queue("parcels").holds([b"late: a rug"]),
            story_shows.settled(Settlement.ACK, 2),
            story_shows.acked_before_close(),
        ),
        passed="Two are done, the vase is parked, and the rug waits for another day.",
        hints=(
            "Three outcomes, three calls: experiment 2 has all of them. Fetch with manual acknowledgement.",
            "`requeue=False` parks a message where the queue has a dead-letter exchange; `requeue=True` puts it back.",
            "First fetch all four into a list, so that the one that you put back is not fetched again; then for each "
            "`basic_ack(tag)`, `basic_reject(tag, requeue=False)` or `basic_reject(tag, requeue=True)`.",
        ),
        wrong=(
            WrongAnswer(
                "puts the broken one back as well",
                settle(
                    'if body.startswith(b"fine"):',
                    "    channel.basic_ack(method.delivery_tag)",
                    "else:",
                    "    channel.basic_nack(method.delivery_tag, requeue=True)",
                ),
                "The queue `parcels.broken` holds nothing; it should hold `broken: a vase`",
            ),
            WrongAnswer(
                "acknowledges all, and publishes the late one again",
                settle("channel.basic_ack(method.delivery_tag)")
                + 'publish("parcels.broken", "broken: a vase")\npublish("parcels", "late: a rug")',
                "4 messages ended with `basic.ack`; it should be 2",
            ),
            WrongAnswer(
                "parks the late one too",
                settle(
                    'if body.startswith(b"fine"):',
                    "    channel.basic_ack(method.delivery_tag)",
                    "else:",
                    "    channel.basic_nack(method.delivery_tag, requeue=False)",
                ),
                "The queue `parcels.broken` holds `broken: a vase`, `late: a rug`",
            ),
            WrongAnswer(
                "fetches with automatic acknowledgement",
                settle("pass", get='channel.basic_get("parcels", auto_ack=True)'),
                "The queue `parcels.broken` holds nothing",
            ),
        ),
    ),
    Exercise(
        name="worker",
        attempted=(worked,),
        expect=(
            ledger_shows(lost=0),
            ledger_shows(duplicated=0),
            ledger_shows(sent=6, unexpected=0),
            queue("jobs").is_empty(),
        ),
        passed="All six jobs were handled, once each, though the worker died in the middle of the third.",
        hints=(
            "Fetch with manual acknowledgement, so that a job whose worker dies is put back.",
            "The order counts: `handle` first, `basic_ack` after it. Do not catch what `handle` raises.",
            'A loop: `method, _, body = channel.basic_get("jobs")`; return if `method` is None; `handle(body)`; '
            "`channel.basic_ack(method.delivery_tag)`.",
        ),
        wrong=(
            WrongAnswer(
                "takes automatic acknowledgement",
                worker("handle(body)", get='channel.basic_get("jobs", auto_ack=True)'),
                "1 confirmed message was never received: `job 3`",
            ),
            WrongAnswer(
                "acknowledges before the work",
                worker("channel.basic_ack(method.delivery_tag)", "handle(body)"),
                "1 confirmed message was never received: `job 3`",
            ),
            WrongAnswer(
                "catches the failure and acknowledges all the same",
                worker(
                    "try:",
                    "    handle(body)",
                    "except BaseException:",
                    "    pass",
                    "channel.basic_ack(method.delivery_tag)",
                ),
                "1 confirmed message was never received: `job 3`",
            ),
            WrongAnswer(
                "forgets the acknowledgement",
                worker("handle(body)"),
                "messages were received more than once",
            ),
        ),
    ),
    Exercise(
        name="poison",
        attempted=(queue("labels").exists(),),
        expect=(
            queue("labels").has(type="quorum", arguments={"x-delivery-limit": 2}),
            queue("labels.poison").has(durable=True),
            queue("labels").holds_count(0),
            parked,
            queue("labels.poison").died_in("labels"),
        ),
        passed="Two labels are printed, and `?label 2` is parked after three deliveries.",
        hints=(
            "Which type of queue counts failed deliveries, and by which argument does it stop? Experiment 4.",
            "`labels` also needs the two dead-letter arguments of experiment 4, with the key `labels.poison`.",
            '`queue_declare("labels", durable=True, arguments={**QUORUM, "x-delivery-limit": 2, '
            '"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "labels.poison"})`',
        ),
        wrong=(
            WrongAnswer(
                "takes a classic queue, which does not count",
                labels(f"**CLASSIC, {DEAD}"),
                "The queue `labels` is a classic queue; a quorum one was asked for",
            ),
            WrongAnswer(
                "counts the first delivery too",
                labels(f'**QUORUM, "x-delivery-limit": 3, {DEAD}'),
                "The queue `labels` should have the argument `x-delivery-limit: 2`",
            ),
            WrongAnswer(
                "stops the message and does not keep it",
                labels('**QUORUM, "x-delivery-limit": 2'),
                "it went nowhere: the queue does not say where its dead letters go",
            ),
            WrongAnswer(
                "leaves the dead letter its old key",
                labels('**QUORUM, "x-delivery-limit": 2, "x-dead-letter-exchange": ""'),
                "a dead letter keeps its old key, here `labels`",
            ),
            WrongAnswer(
                "parks the label by hand",
                labels(f'**QUORUM, "x-delivery-limit": 2, {DEAD}')
                + "with pika.BlockingConnection(parameters) as connection:\n"
                '    connection.channel().queue_purge("labels.poison")\n'
                'publish("labels.poison", "?label 2")\n',
                "The message `?label 2` in `labels.poison` did not die in `labels`",
            ),
        ),
    ),
)
