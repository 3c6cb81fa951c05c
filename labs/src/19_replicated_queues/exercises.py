"""The exercises of lab 19: members of a queue, leaders in balance, and how many nodes may be lost."""

from lab_helpers.exercises import (
    Bench,
    Difference,
    Exercise,
    Expectation,
    WrongAnswer,
    connected,
    has_members,
    leaders_balanced,
    lives_on,
    no_longer,
    queue,
)

NODES = ("rmq1", "rmq2", "rmq3")
PAYMENTS = [b"payments 1", b"payments 2", b"payments 3"]
WISHES = [b"wishes 1", b"wishes 2", b"wishes 3"]
CITIES = ("north", "west", "south")


def as_built(bench: Bench) -> Difference | None:
    """All three queues are led from the first node."""
    for name in CITIES:
        if (difference := lives_on(name, "rmq1")(bench)) is not None:
            return difference
    return None


def answers(three: int, two: int, one: int) -> str:
    """A cell that publishes these numbers."""
    numbers = {3: three, 2: two, 1: one}
    return connected(*(f'channel.basic_publish("", "members.{n}", b"{m}")' for n, m in numbers.items()))


def untouched(bench: Bench) -> Difference | None:
    """Both queues have the members with which the lab made them."""
    return has_members("payments", "rmq1")(bench) or has_members("wishes", *NODES)(bench)


def change(command: str, name: str, *nodes: str) -> str:
    """Lines that add or delete members of a queue."""
    return "".join(f'queues("{command}", "--vhost", lab.vhost, "{name}", "{node}@{node}")\n' for node in nodes)


def bears(name: str, members: int) -> Expectation:
    """The queue holds one message: how many of its members may go."""
    right = members - (members // 2 + 1)

    def check(bench: Bench) -> Difference | None:
        found = bench.messages(name)
        said = found[0].body.decode(errors="replace").strip() if found else ""
        if len(found) != 1:
            again = "Run the cell above to begin anew." if found else ""
            return Difference(f"`{name}` should hold one message.", "1 message", f"{len(found)}", again)
        if said == str(right):
            return None
        if said.isdecimal() and int(said) < members:
            left = members - int(said)
            return Difference(
                f"You say that `{name}` may lose {said}. Then {left} of its {members} would be left."
                f" {'Is that more than half?' if int(said) > right else 'May it lose more?'}"
            )
        return Difference(f"`{name}` holds `{said}`, which is not a number of members that may be lost.")

    return check


def settled(name: str, condition: str) -> str:
    """A line that waits until a queue's placement fulfils a condition."""
    return f'lab.wait_until(lambda: lab.placement("{name}").{condition}, seconds=30)'


EXERCISES = (
    Exercise(
        name="members",
        attempted=(
            *(queue(name).exists("Run the cell above that makes it.") for name in ("payments", "wishes")),
            no_longer(untouched, "`payments` has its one member still, and `wishes` its three."),
        ),
        expect=(
            has_members("payments", *NODES),
            queue("payments").holds(PAYMENTS),
            has_members("wishes", "rmq2"),
            queue("wishes").holds(WISHES),
        ),
        passed="`payments` has three members, `wishes` one, and what was in them is there.",
        hints=(
            "The tool and the commands are in experiment 4. They are asked of one queue and one node at a time.",
            '`queues("add_member", "--vhost", lab.vhost, "payments", "rmq2@rmq2")`, and the same for the third node. '
            "`delete_member` takes the same arguments.",
            "A member counts when it is online: wait with "
            '`lab.wait_until(lambda: lab.placement("payments").online == NODES, seconds=30)`. From `wishes` delete the '
            "members on `rmq1@rmq1` and `rmq3@rmq3`; that the leader is among them does no harm.",
        ),
        wrong=(
            WrongAnswer(
                "adds one member only",
                change("add_member", "payments", "rmq2") + settled("payments", 'online == ("rmq1", "rmq2")'),
                "has members on `rmq1`, `rmq2`; it should be `rmq1`, `rmq2`, `rmq3`",
            ),
            WrongAnswer(
                "declares the queue anew, without what was in it",
                connected(
                    'channel.queue_delete("payments")',
                    'channel.queue_declare("payments", durable=True, arguments=QUORUM)',
                )
                + "\n"
                + settled("payments", "online == NODES"),
                "The queue `payments` holds nothing; it should hold `payments 1`, `payments 2`, `payments 3`",
            ),
            WrongAnswer(
                "leaves two members, one of which may not die",
                change("add_member", "payments", "rmq2", "rmq3")
                + change("delete_member", "wishes", "rmq1")
                + settled("payments", "online == NODES")
                + "\n"
                + settled("wishes", 'online == ("rmq2", "rmq3")'),
                "The queue `wishes` has members on `rmq2`, `rmq3`; it should be `rmq2`",
            ),
        ),
    ),
    Exercise(
        name="balance",
        attempted=(
            *(queue(name).exists("Run the cell above that makes it.") for name in CITIES),
            no_longer(as_built, "All three queues are led from `rmq1` still."),
        ),
        expect=(leaders_balanced(*CITIES), *(has_members(name, *NODES) for name in CITIES)),
        passed="Each node leads one queue, and each queue has three members.",
        hints=(
            "Experiment 4, second half: one command does it.",
            "`rabbitmq-queues rebalance quorum`, limited to this virtual host by `--vhost-pattern` and to these queues "
            "by `--queue-pattern`.",
            '`queues("rebalance", "quorum", "--vhost-pattern", f"^{lab.vhost}$", "--queue-pattern", '
            '"^(north|west|south)$")`.',
        ),
        wrong=(
            WrongAnswer(
                "makes them anew through another node",
                'with pika.BlockingConnection(direct("rmq2")) as connection:\n'
                f"    for queue in {list(CITIES)}:\n"
                "        connection.channel().queue_delete(queue)\n"
                "        connection.channel().queue_declare(queue, durable=True, arguments=QUORUM)\n"
                + settled("south", "online == NODES"),
                "The leaders are not in balance: rmq1 0, rmq2 3, rmq3 0",
            ),
            WrongAnswer(
                "takes the members of rmq1 away",
                f'for queue in {list(CITIES)}:\n    queues("delete_member", "--vhost", lab.vhost, queue, "rmq1@rmq1")\n'
                + 'lab.wait_until(lambda: all(lab.placement(q).leader in ("rmq2", "rmq3") for q in '
                + f"{list(CITIES)}), seconds=30)",
                "The leaders are not in balance: rmq1 0",
            ),
        ),
    ),
    Exercise(
        name="lose",
        attempted=(
            queue("members.3").exists("Run the cell above that makes it."),
            queue("members.3").holds_something(),
        ),
        expect=(
            bears("members.3", 3),
            bears("members.2", 2),
            bears("members.1", 1),
        ),
        passed="Three members bear one loss; two and one bear none.",
        hints=(
            "More than half of the members must be there. Experiment 3 has the sum.",
            "A majority of three is two, a majority of two is two, and of one it is one.",
            "`members - (members // 2 + 1)`: 1, 0 and 0.",
        ),
        wrong=(
            WrongAnswer("takes any copy for enough", answers(2, 1, 0), "`members.3` may lose 2. Then 1 of its 3"),
            WrongAnswer("takes half for a majority", answers(1, 1, 0), "`members.2` may lose 1. Then 1 of its 2"),
            WrongAnswer("trusts no majority", answers(0, 0, 0), "`members.3` may lose 0. Then 3 of its 3"),
            WrongAnswer(
                "publishes them twice", "\n".join([answers(1, 0, 0)] * 2), "`members.3` should hold one message"
            ),
        ),
    ),
)
