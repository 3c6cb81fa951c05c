"""The exercises of lab 18: a node that is refused, where a queue lives, and a member that is dead."""

from lab_helpers.exercises import (
    Bench,
    Difference,
    Exercise,
    Expectation,
    WrongAnswer,
    bound,
    cluster_of,
    connected,
    exchange,
    joined,
    lives_on,
    no_longer,
    queue,
)

QUEUES = ("invoices", "returns", "labels")
LOOK = "Look at `lab.status(...)` with the queue's name."


def tried(bench: Bench) -> Difference | None:
    """The fourth node is a member, or there is the queue that was to live on it."""
    if queue("counter").exists()(bench) is None:
        return None
    return joined("rmq4")(bench)


def sold(bench: Bench) -> Difference | None:
    """The fourth node is a member that does not run."""
    return None if bench.members().get("rmq4") is False else Difference("`rmq4` is no dead member.")


def told(name: str) -> Expectation:
    """The queue holds one message: the name of the node that the queue lives on."""

    def check(bench: Bench) -> Difference | None:
        placed = bench.placements().get(name)
        home = placed.leader if placed else ""
        said = [message.body.decode(errors="replace") for message in bench.messages(name)]
        if said == [home]:
            return None
        if not said:
            return Difference(f"`{name}` holds nothing.", home, "nothing")
        if len(said) > 1:
            return Difference(f"`{name}` holds {len(said)} messages; it should hold one.", "1 message", f"{len(said)}")
        if said[0].strip().split("@")[0] == home:
            return Difference(
                f"The message in `{name}` says `{said[0]}`. The node is right; write its short name, and nothing else."
            )
        return Difference(f"The message in `{name}` says `{said[0]}`, and the queue lives elsewhere.", look=LOOK)

    return check


def any_told(bench: Bench) -> Difference | None:
    """Something was published to one of the queues."""
    for name in QUEUES:
        if (missing := queue(name).exists("Run the cell above that makes it.")(bench)) is not None:
            return missing
    if any(bench.messages(name) for name in QUEUES):
        return None
    return Difference("The three queues are empty.")


def join(cookie: str, *steps: str, through: str = "rmq4") -> str:
    """A cell that starts the node with this cookie, does these steps on it, and declares the queue through a node."""
    lines = "".join(f"    rmq4.ctl({step})\n" for step in steps)
    return (
        f'rmq4 = lab.cluster.add("rmq4"{cookie})\n'
        f"try:\n{lines}except LabsError:\n"
        '    rmq4.ctl("start_app")\n'
        f'with pika.BlockingConnection(direct("{through}")) as connection:\n'
        '    connection.channel().queue_declare("counter", durable=True, arguments=CLASSIC)\n'
    )


def tell(*lines: str) -> str:
    """A cell that does these lines for each of the queues."""
    body = "".join(f"        {line}\n" for line in lines)
    return (
        "with pika.BlockingConnection(parameters) as connection:\n"
        "    channel = connection.channel()\n"
        f"    for queue in {list(QUEUES)}:\n{body}"
    )


FORGET = 'lab.cluster["rmq1"].ctl("forget_cluster_node", "rmq4@rmq4")\n'
DECLARE = 'channel.queue_declare("denver.returns", durable=True, arguments=CLASSIC)'
STOP, JOIN, START = '"stop_app"', '"join_cluster", "rmq1@rmq1"', '"start_app"'

EXERCISES = (
    Exercise(
        name="join",
        attempted=(tried,),
        expect=(joined("rmq4"), queue("counter").has(type="classic", durable=True), lives_on("counter", "rmq4")),
        passed="`rmq4` is a member, and `counter` lives on it.",
        hints=(
            "Experiment 2 has two ways to see why: the log of `rmq1` after a try, and `cookie_hash`.",
            'It has another cookie. `lab.cluster.add("rmq4")` starts it anew, with the cookie of the cluster. Then do '
            "what experiment 3 does.",
            'After `start_app` and `rmq4.await_ready()`, declare `counter` over `direct("rmq4")`: a classic queue '
            "lives where its client is.",
        ),
        wrong=(
            WrongAnswer(
                "keeps a cookie of its own",
                join(', cookie="another-secret"', STOP, JOIN, START, through="rmq1"),
                "`rmq4` is not a member of the cluster",
            ),
            WrongAnswer(
                "never starts the broker again",
                join("", STOP, JOIN, through="rmq1"),
                "is a member of the cluster, and RabbitMQ does not run on it",
            ),
            WrongAnswer(
                "declares the queue through another node",
                join("", STOP, JOIN, START, through="rmq2"),
                "The queue `counter` lives on `rmq2`",
            ),
        ),
    ),
    Exercise(
        name="where",
        attempted=(any_told,),
        expect=tuple(told(name) for name in QUEUES),
        passed="Each queue holds the name of its own node.",
        hints=(
            "Every node knows of every queue where it lives: ask any of them.",
            "`lab.placement(queue).leader` is the node's name. So does `rabbitmqctl list_queues name pid` say it, and "
            "the column *Node* in the management console.",
            '`channel.basic_publish("", queue, lab.placement(queue).leader.encode())` for each of the three.',
        ),
        wrong=(
            WrongAnswer(
                "takes the node that HAProxy led to",
                tell('channel.basic_publish("", queue, b"rmq1")'),
                "and the queue lives elsewhere",
            ),
            WrongAnswer(
                "forgets one",
                tell(
                    'if queue != "labels":',
                    '    channel.basic_publish("", queue, lab.placement(queue).leader.encode())',
                ),
                "`labels` holds nothing",
            ),
            WrongAnswer(
                "tells all three names",
                tell('for node in ["rmq1", "rmq2", "rmq3"]:', '    channel.basic_publish("", queue, node.encode())'),
                "holds 3 messages; it should hold one",
            ),
        ),
    ),
    Exercise(
        name="sold",
        attempted=(
            exchange("shop.returns").exists("Run the cell above that builds it."),
            no_longer(sold, "`rmq4` is still a member of the cluster, and does not run."),
        ),
        expect=(
            cluster_of("rmq1", "rmq2", "rmq3"),
            queue("denver.returns").has(type="classic", durable=True),
            bound("denver.returns", "shop.returns", "return.denver"),
            queue("denver.returns").is_empty(),
        ),
        passed="Three members, all of them run, and `denver.returns` takes Denver's returns again.",
        hints=(
            "The cluster waits for `rmq4` as for any member that is down. Experiment 5 has the command that ends this.",
            'Run it on a node that stays: `lab.cluster["rmq1"].ctl("forget_cluster_node", "rmq4@rmq4")`. With the node '
            "goes its queue, and with the queue its binding.",
            'Then over `direct("rmq1")`: `queue_declare("denver.returns", durable=True, arguments=CLASSIC)` and '
            '`queue_bind("denver.returns", exchange="shop.returns", routing_key="return.denver")`.',
        ),
        wrong=(
            WrongAnswer(
                "starts the machine again",
                "rmq4.start()",
                "`rmq4` is a member of the cluster, and should not be",
            ),
            WrongAnswer(
                "forgets the node, and with it the queue",
                FORGET,
                "There is no queue named `denver.returns` yet",
            ),
            WrongAnswer(
                "declares the queue, and does not bind it again",
                FORGET + connected(DECLARE),
                "`denver.returns` is not bound to `shop.returns` with the key `return.denver`",
            ),
        ),
    ),
)
