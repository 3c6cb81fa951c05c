"""The exercises of lab 20: a reserve behind HAProxy, a publisher that comes through, a node that hangs."""

from lab_helpers.cluster import haproxy
from lab_helpers.cluster.front_door import BACKEND
from lab_helpers.cluster.haproxy import Server, ServerState
from lab_helpers.errors import LabsError
from lab_helpers.exercises import Bench, Difference, Exercise, WrongAnswer, ledger_shows, queue

CLIENTS = {f"client {number}".encode() for number in range(1, 7)}


def servers(bench: Bench) -> dict[str, Server]:
    """How the second front door holds the nodes; nothing where there is none, or it has no servers."""
    try:
        return {server.name: server for server in haproxy.servers(bench.cluster.engine.door[1], BACKEND)}
    except (LabsError, AttributeError):
        return {}


def opened(bench: Bench) -> Difference | None:
    """There is a front door with servers."""
    return None if servers(bench) else Difference("The backend has no servers yet.")


def reserve(bench: Bench) -> Difference | None:
    """One primary and two backups, with a check that asks the broker."""
    found = servers(bench)
    primary = [name for name, server in found.items() if not server.is_backup]
    if sorted(found) != ["rmq1", "rmq2", "rmq3"]:
        return Difference(f"The servers are {', '.join(found)}; all three nodes are needed.")
    if primary != ["rmq2"]:
        return Difference(
            f"Without `backup` are: {', '.join(primary) or 'none'}. Only `rmq2` should be.",
            "primary rmq2",
            f"primary {', '.join(primary) or 'none'}",
        )
    odd = [one for one in found.values() if not one.check.startswith("L7") or one.state is ServerState.DOWN]
    if not odd:
        return None
    name, server = odd[0].name, odd[0]
    if not server.check:
        told = f"`{name}` has no `check`: HAProxy never looks at it."
    elif server.check == "INI":
        told = f"HAProxy has not looked at `{name}` yet: check once more."
    elif server.state is ServerState.DOWN:
        told = f"Your door holds `{name}` for down, and it is well: does the check ask the management API's port?"
    else:
        told = f"The check of `{name}` would not see that it hangs: its last result is `{server.check}`."
    return Difference(told, "a check of layer 7 (`L7OK`)", f"{server.state}, `{server.check or 'no check'}`")


def counted(bench: Bench) -> Difference | None:
    """The function published something."""
    ledger = bench.ledger()
    if ledger is None or not ledger.counts["sent"]:
        return Difference("`publish_all` has sent nothing yet.")
    return None


def tried(bench: Bench) -> Difference | None:
    """The door had servers, and the queue was made."""
    return opened(bench) or queue("alive").exists("No client was there yet.")(bench)


def all_alive(bench: Bench) -> Difference | None:
    """All six clients were served."""
    bodies = {message.body for message in bench.messages("alive")}
    missing = sorted(body.decode() for body in CLIENTS - bodies)
    if not missing:
        return None
    return Difference(
        f"{len(missing)} of 6 clients got no answer: {', '.join(f'`{name}`' for name in missing)}.",
        "6 messages in `alive`",
        f"{6 - len(missing)} messages",
        "Where did the door send them? Look at `lab.front_door(SEEING).servers()` while a node hangs.",
    )


def shared(bench: Bench) -> Difference | None:
    """No server is a mere reserve, and both that were well had clients."""
    found = servers(bench)
    idle = [name for name, server in found.items() if server.is_backup]
    had = [name for name in ("rmq1", "rmq2") if name in found and found[name].total]
    if not idle and len(found) == 3 and len(had) == 2:
        return None
    seen = f"{len(found)} servers, `backup`: {', '.join(idle) or 'none'}, clients on: {', '.join(had) or 'none'}"
    sentence = "The connections are not shared between all three nodes."
    return Difference(sentence, "3 servers, `backup`: none, clients on: rmq1, rmq2", seen)


CHECK = 'check port "${LABS_RMQ%d_CHECK}"'


def lines(*words: str, check: str = CHECK) -> str:
    """The three servers, each with its words behind the check."""
    made = []
    for number, word in enumerate(words, 1):
        own = check % number if "%d" in check else check
        made.append(f'    server rmq{number} "${{LABS_RMQ{number}_AMQP}}" {own} {word}'.rstrip())
    return "\n".join(made)


QUICK = "    default-server inter 500ms fall 1 rise 1 on-marked-down shutdown-sessions\n"


def backend(name: str, servers_: str, *, http: bool = True) -> str:
    """The text of a cell that assigns a backend."""
    text = f"backend amqp_nodes\n    option redispatch 1\n{QUICK}{servers_}\n"
    return f"{name} = {text!r} + CHECKS\n" if http else f"{name} = {text!r}\n"


DENVER_RUN = """
denver = lab.front_door(DENVER)
if denver.servers():
    lab.wait_until(lambda: looked(denver))
"""

THROUGH_RUN = "\n\nthrough_a_failover()\n"
HUNG_RUN = "\nwhile_a_node_hangs()\n"

PUBLISHES = """def publish_all(url, orders, ledger):
    left = list(orders)
    while left:
        try:
            with pika.BlockingConnection(pika.URLParameters(url)) as connection:
                channel = connection.channel()
                channel.confirm_delivery()
                while left:
                    ledger.sent(left[0])
                    properties = pika.BasicProperties(delivery_mode=2, message_id=left[0])
                    channel.basic_publish("", "payments", b"30", properties, mandatory=True)
                    ledger.confirmed(left.pop(0))
        except BROKEN:
            time.sleep(0.05)
"""
GIVES_UP = """def publish_all(url, orders, ledger):
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for order in orders:
            ledger.sent(order)
            properties = pika.BasicProperties(delivery_mode=2, message_id=order)
            channel.basic_publish("", "payments", b"30", properties, mandatory=True)
            ledger.confirmed(order)
"""
BELIEVES = """def publish_all(url, orders, ledger):
    left = list(orders)
    while left:
        try:
            with pika.BlockingConnection(pika.URLParameters(url)) as connection:
                channel = connection.channel()
                while left:
                    order = left.pop(0)
                    ledger.sent(order)
                    ledger.confirmed(order)
                    if len(left) == 150:
                        raise pika.exceptions.AMQPConnectionError("the node died")
                    properties = pika.BasicProperties(delivery_mode=2, message_id=order)
                    channel.basic_publish("", "payments", b"30", properties)
        except BROKEN:
            time.sleep(0.05)
"""
TAKES = """    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=20)
        for method, properties, _ in channel.consume("payments", inactivity_timeout=0.2):
            if over.is_set():
                return
            if method:
                ledger.received(properties.message_id)
                channel.basic_ack(method.delivery_tag)
                ledger.acked(properties.message_id)
"""
STAYS_AWAY = f"""

def consume_all(url, ledger, over):
{TAKES}"""
CONSUMES = f"""

def consume_once(url, ledger, over):
{TAKES}

def consume_all(url, ledger, over):
    while not over.is_set():
        with contextlib.suppress(*BROKEN):
            consume_once(url, ledger, over)
        time.sleep(0.05)
"""

EXERCISES = (
    Exercise(
        name="reserve",
        attempted=(opened,),
        expect=(reserve,),
        passed="`rmq2` has the work, `rmq1` and `rmq3` are its reserve, and a node that hangs is seen.",
        hints=(
            "Experiment 3 has a Warren whose primary is `rmq1`.",
            "The word `backup` behind a server makes it a reserve. `CHECKS` are the lines of the HTTP check.",
            "As `WARREN`, with `backup` behind `rmq1` and `rmq3`, and none behind `rmq2`. Each server's check needs "
            '`port "${LABS_RMQ1_CHECK}"`, with its own number.',
        ),
        wrong=(
            WrongAnswer(
                "forgets the reserve",
                backend("DENVER", lines("", "", "")) + DENVER_RUN,
                "Without `backup` are: rmq1, rmq2, rmq3",
            ),
            WrongAnswer(
                "only looks whether the port is open",
                backend("DENVER", lines("backup", "", "backup", check="check"), http=False) + DENVER_RUN,
                "would not see that it hangs",
            ),
            WrongAnswer(
                "asks over HTTP on the port of AMQP",
                backend("DENVER", lines("backup", "", "backup", check="check")) + DENVER_RUN,
                "Your door holds `rmq1` for down, and it is well",
            ),
            WrongAnswer(
                "leaves a node out",
                backend("DENVER", lines("backup", "")) + DENVER_RUN,
                "all three nodes are needed",
            ),
        ),
    ),
    Exercise(
        name="through",
        attempted=(counted,),
        expect=(ledger_shows(sent=1000, confirmed=1000), ledger_shows(lost=0, missing=0, unexpected=0)),
        passed="1000 payments were confirmed and received, though the node of both programs was killed.",
        hints=(
            "The loop is in experiment 3, in the class `Publisher`: two loops, and `except` around the connection.",
            "A payment leaves the list only after its `basic_publish` has returned on a channel with confirms. The "
            "consumer has the same outer loop; inside, `channel.consume(..., inactivity_timeout=0.2)` gives `None` now "
            "and then, so that it can look at `over`.",
            "`unconfirmed = list(orders)`; `while unconfirmed:` `try:` connect, `confirm_delivery()`, `while "
            "unconfirmed:` publish the first, note, `unconfirmed.pop(0)`; `except BROKEN:` a pause. And `while not "
            "over.is_set():` `try:` connect, `for method, properties, _ in channel.consume(...)`: note, `basic_ack`; "
            "`except BROKEN:` a pause.",
        ),
        wrong=(
            WrongAnswer("gives up when the node dies", GIVES_UP + CONSUMES + THROUGH_RUN, "it should be 1000"),
            WrongAnswer(
                "lets the consumer give up",
                PUBLISHES + STAYS_AWAY + THROUGH_RUN,
                "never received",
            ),
            WrongAnswer(
                "takes a publish for a confirm",
                BELIEVES + CONSUMES + THROUGH_RUN,
                "never received",
            ),
        ),
    ),
    Exercise(
        name="hung",
        attempted=(tried,),
        expect=(all_alive, shared),
        passed="All six clients were served while `rmq3` hung.",
        hints=(
            "What does the check of this backend ask, and who answers it? Experiment 2.",
            "`CHECKS` has the lines of a check over HTTP; its port is the management API's, `check port "
            '"${LABS_RMQ1_CHECK}"`.',
            "`WARREN` without the word `backup`, and with `balance roundrobin`.",
        ),
        wrong=(
            WrongAnswer(
                "looks more often, at the same thing",
                backend("SEEING", lines("inter 100ms", "inter 100ms", "inter 100ms", check="check"), http=False)
                + HUNG_RUN,
                "of 6 clients got no answer",
            ),
            WrongAnswer(
                "leads each client to the same node",
                backend("SEEING", "    balance source\n" + lines("", "", "")) + HUNG_RUN,
                "The connections are not shared between all three nodes",
            ),
            WrongAnswer(
                "makes a Warren of it",
                backend("SEEING", lines("", "backup", "backup")) + HUNG_RUN,
                "The connections are not shared between all three nodes",
            ),
        ),
    ),
)
