# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   lab:
#     title: HAProxy and failover
#     promise: Put one address in front of three nodes, break the nodes, and measure to the hundredth how long nobody is served.
#     part: The cluster
#     minutes: 35
#     objectives:
#     - write the part of an HAProxy configuration that leads clients to healthy nodes
#     - choose a health check that sees a broker that hangs
#     - measure a failover, and say which part of it which setting shortens
#     - write a publisher and a consumer that come through it without a loss
#     prerequisites: [19_replicated_queues, 11_prefetch]
#     cluster: [break-nodes]
# ---

# %% [markdown]
# ## Set up

# %%
import asyncio
import contextlib
import logging
import threading
import time
import warnings

import aio_pika
import pika
from pika.adapters.utils.connection_workflow import AMQPConnectorException

from lab_helpers import Lab
from lab_helpers.draw.timeline import timeline_picture
from lab_helpers.errors import LabsError
from lab_helpers.record.failover import failover

for name in ("aio_pika", "aiormq"):
    logging.getLogger(name).setLevel(logging.CRITICAL)  # what breaks here is meant to
warnings.filterwarnings("ignore", "coroutine 'Connection.close'")  # aio-pika, of a connection that never came about
lab = Lab("20_haproxy_failover")
parameters = pika.URLParameters(lab.url)
parameters.connection_attempts, parameters.retry_delay = 20, 0.5
QUORUM = {"x-queue-type": "quorum"}
NODES = ("rmq1", "rmq2", "rmq3")
# What pika raises when a connection breaks, and when one does not come about in time
BROKEN = (pika.exceptions.AMQPError, AMQPConnectorException)


def led_from(node, queue):
    """Declare a quorum queue anew, led from this node, and wait until its copies are there."""
    there = pika.URLParameters(lab.through(lab.cluster[node].status().amqp))
    with pika.BlockingConnection(there) as connection:
        channel = connection.channel()
        with contextlib.suppress(LabsError):  # there is none yet
            lab.placement(queue)
            channel.queue_delete(queue)
            time.sleep(1.5)  # a node that is not done with its old copy starts no new one
        channel.queue_declare(queue, durable=True, arguments={**QUORUM, "x-queue-leader-locator": "client-local"})
    lab.wait_until(lambda: lab.placement(queue).online == NODES, seconds=30)


def up(door):
    """Whether a front door holds all its nodes for healthy."""
    return all(server.state == "up" for server in door.servers())


def looked(door):
    """Whether a front door has looked at all its nodes; INI stands for a check that has had no answer yet."""
    return all(server.check not in ("", "INI") for server in door.servers())


# %% [markdown]
# ## The situation
#
# Lyon and Denver have a cluster of three nodes and quorum queues. Yet when `rmq1` died last week, every program that had `rmq1` in its configuration stood still until somebody changed it. The cluster was alive, and nobody knew its address.
#
# One address is needed that is always right: a **front door**, a proxy that knows which nodes are well. You have had one since lab 00, **HAProxy**. Today you write its configuration yourself.
#
# The question: how soon after a node's death is a customer served again, and what decides it?

# %% [markdown]
# ## Experiment 1: one address, three nodes
#
# A **backend** in HAProxy's configuration is a list of servers. `lab.front_door` starts a second HAProxy with the backend that you give it; all else it fills in. (`${LABS_RMQ1_AMQP}` stands for the address of `rmq1`.) `balance roundrobin` gives each new connection to the next server, and `check` has HAProxy look whether
# the server is well.

# %%
ROUND_ROBIN = """
backend amqp_nodes
    balance roundrobin
    server rmq1 "${LABS_RMQ1_AMQP}" check inter 500ms
    server rmq2 "${LABS_RMQ2_AMQP}" check inter 500ms
    server rmq3 "${LABS_RMQ3_AMQP}" check inter 500ms
"""


def connect(door):
    """Connect by way of a front door; three seconds are enough."""
    there = pika.URLParameters(lab.through(door.address))
    there.socket_timeout = there.stack_timeout = 3
    return pika.BlockingConnection(there)


# %% [markdown]
# > **Predict:** Six connections are opened one after the other, and all stay open. How many does each node have?
# >
# > - `6 0 0`
# > - `2 2 2`
# > - `it depends`: on the nodes' load

# %%
### BEGIN SOLUTION
### STUB lab.predict("six connections", ...)
lab.predict("six connections", "2 2 2")
### END SOLUTION

# %%
if lab.needs("break-nodes"):
    door = lab.front_door(ROUND_ROBIN)
    lab.wait_until(lambda: up(door))
    with contextlib.ExitStack() as stack:
        for _ in range(6):
            stack.enter_context(connect(door))
        sessions = lab.wait_until(
            lambda: (now := [server.sessions for server in door.servers()]) and sum(now) == 6 and now
        )
    lab.happened("six connections", " ".join(map(str, sessions)))

# %% [markdown]
# Clients with one connection each are spread evenly. It is **connections** that are spread, not messages: a connection stays where it is for as long as it lives.
#
# HAProxy does this for tens of thousands of connections in [one process](https://docs.haproxy.org/3.2/intro.html#3.2). It waits for **events** instead of keeping a thread for each connection, passes on a piece of data from the one buffer that it was read into (or leaves it in the kernel altogether, by
# [`splice`](https://docs.haproxy.org/3.2/configuration.html#4.2-option%20splice-auto)), and finds the next timeout in an [elastic binary tree](https://wtarreau.blogspot.com/2011/12/elastic-binary-trees-ebtree.html), whatever the number of connections.
#
# What it knows, it shows on its **statistics page**. `lab.servers()` reads that of the door that you have had all along:

# %% tags=["nbval-ignore-output"]
if lab.cluster.is_ours:
    display(lab.servers())

# %% [markdown]
# ## Experiment 2: a broker that hangs
#
# A node can fail in two ways. Killed, it refuses connections. **Hung**, it still has its port: the operating system accepts a connection for it, and nobody ever answers. `pause` makes a node hang.
#
# The `check` of experiment 1 opens a TCP connection and closes it. The labs' own front door asks the management API instead, over HTTP, whether the node is
# [ready to serve clients](https://www.rabbitmq.com/docs/monitoring#readiness-probes).
#
# > **Predict:** `rmq3` hangs. Which of the two front doors sees it?
# >
# > - `both`
# > - `the one with the HTTP check`
# > - `none`

# %%
### BEGIN SOLUTION
### STUB lab.predict("sees the hung node", ...)
lab.predict("sees the hung node", "the one with the HTTP check")
### END SOLUTION

# %%
if lab.cluster.is_ours:
    lab.cluster["rmq3"].pause()
    lab.wait_until(lambda: {server.name: server.state for server in lab.servers()}["rmq3"] == "down", seconds=30)
    by_tcp, by_http = door.servers()[2], lab.servers()[2]
    print("TCP check: ", by_tcp.name, by_tcp.state, "\nHTTP check:", by_http.name, by_http.state)

    answers = []
    for _ in range(3):
        try:
            connect(door).close()
            answers.append("served")
        except BROKEN:
            answers.append("no answer")
    print("three clients of the TCP door:", ", ".join(sorted(answers)))
    lab.cluster["rmq3"].resume()

# %%
if lab.cluster.is_ours:
    assert sorted(answers) == ["no answer", "served", "served"]
    seen = {("up", "down"): "the one with the HTTP check", ("down", "down"): "both", ("up", "up"): "none"}
    lab.happened("sees the hung node", seen[by_tcp.state, by_http.state])

# %% [markdown]
# A check must ask for what the clients need. "The port is open" is the kernel's answer, and not the broker's: every third client ran into the hung node, and waited until its own patience was over.

# %% [markdown]
# ## Experiment 3: one works, the others wait
#
# Instead of sharing the work, one node can do all of it, with the others as its reserve. A pair of brokers that is run so is known as a **Warren**. A server with the word `backup` gets connections only when no other is well. This is also the place for the settings that make a failover quick:
#
# - `inter 500ms`: how often HAProxy looks; `fall 1`, `rise 1`: how many looks it takes to believe it;
# - `on-marked-down shutdown-sessions`: it cuts the connections to a node that is down, instead of letting them hang;
# - `option redispatch 1`: a client that cannot be connected to one server is given to another at once;
# - `timeout connect 300ms`: how long "cannot" takes, for a machine that is gone does not even refuse.
#
# `CHECKS` below is the check over HTTP, and `check port` says on which port the management API listens. Any answer is a good one but those that begin with 5: a node that is not ready says 503.

# %%
CHECKS = """
    option httpchk
    http-check send meth GET uri /api/health/checks/ready-to-serve-clients ver HTTP/1.1 hdr Host localhost
    http-check expect ! rstatus ^5
    timeout check 2s
"""
WARREN = (
    """
backend amqp_nodes
    option redispatch 1
    timeout connect 300ms
    default-server inter 500ms fall 1 rise 1 on-marked-down shutdown-sessions
    server rmq1 "${LABS_RMQ1_AMQP}" check port "${LABS_RMQ1_CHECK}"
    server rmq2 "${LABS_RMQ2_AMQP}" check port "${LABS_RMQ2_CHECK}" backup
    server rmq3 "${LABS_RMQ3_AMQP}" check port "${LABS_RMQ3_CHECK}" backup
"""
    + CHECKS
)
# What most compose files for a RabbitMQ cluster on the web have:
STOCK = """
backend amqp_nodes
    balance roundrobin
    server rmq1 "${LABS_RMQ1_AMQP}" check inter 5s rise 2 fall 3
    server rmq2 "${LABS_RMQ2_AMQP}" check inter 5s rise 2 fall 3
    server rmq3 "${LABS_RMQ3_AMQP}" check inter 5s rise 2 fall 3
"""

# %% [markdown]
# The publisher is that of [lab 08](08_publisher_confirms.ipynb): what is not confirmed is sent again, on a new connection. It notes when each confirm comes, and when it loses and gets a connection.


# %%
class Publisher(threading.Thread):
    """Publishes orders to a queue until it is told to end; `ledger` and the lists say what happened."""

    def __init__(self, url, queue):
        super().__init__(daemon=True)
        self.queue = queue
        self.parameters, self.ledger = pika.URLParameters(url), lab.ledger()
        self.parameters.socket_timeout = self.parameters.stack_timeout = 2
        self.confirms, self.disconnects, self.reconnects = [], [], []
        self.over = threading.Event()

    def run(self):
        number = 0
        while not self.over.is_set():
            try:
                with pika.BlockingConnection(self.parameters) as connection:
                    channel = connection.channel()
                    channel.confirm_delivery()
                    self.reconnects.append(time.monotonic())
                    while not self.over.is_set():
                        self.ledger.sent(number)
                        order = pika.BasicProperties(delivery_mode=2, message_id=str(number))
                        channel.basic_publish("", self.queue, b"an order", order, mandatory=True)
                        self.ledger.confirmed(number)
                        self.confirms.append(time.monotonic())
                        number += 1
            except BROKEN:
                self.disconnects.append(time.monotonic())
                time.sleep(0.02)  # and again


PATIENCE = 8  # seconds; a failover that is not over by then does not end by itself


def under_load(backend, fault, queue):
    """Publish to a queue through this backend, let the publisher's node be killed or hang, and measure."""
    door = lab.front_door(backend)
    lab.wait_until(lambda: up(door), seconds=30)
    led_from("rmq2", queue)
    publisher = Publisher(lab.through(door.address), queue)
    publisher.start()
    # For a while all is well. (Each run has a queue of its own, and time: on 3.10 a node that dies soon after a queue was
    # declared anew under an old name may not find its copy again.)
    lab.wait_until(lambda: publisher.confirms and publisher.confirms[-1] > publisher.confirms[0] + 2, seconds=30)
    victim = max(door.servers(), key=lambda server: server.sessions).name
    began, down = time.monotonic(), []
    {"kill": lab.cluster[victim].kill, "hang": lab.cluster[victim].pause}[fault]()
    while not (through := publisher.confirms[-1] > began + 0.5 and publisher.reconnects[-1] > began):
        state = {server.name: server.state for server in door.servers()}[victim]
        if not down and state == "down":
            down.append(time.monotonic())
        if time.monotonic() > began + PATIENCE + 1:
            break
    served = {server.name: server.state for server in door.servers()}[victim]
    to = max(door.servers(), key=lambda server: server.sessions).name
    if not through:
        lab.cluster.heal()
        lab.wait_until(lambda: publisher.confirms[-1] > began + 0.5, seconds=60)
    publisher.over.set()
    publisher.join()
    lab.cluster.heal()
    lab.wait_until(lambda: lab.placement(queue).online == NODES, seconds=60)
    lab.drain(publisher.ledger, queue, seconds=60)
    marks = {"disconnects": publisher.disconnects, "reconnects": publisher.reconnects}
    measured = failover(began, publisher.confirms, detections=down, **marks)
    return door, publisher, measured, [moment - began for moment in publisher.confirms], (victim, to, served)


# %% [markdown]
# The publisher's node is killed, first behind the Warren, then behind the configuration that one finds on the web.
#
# > **Predict:** How many orders that were confirmed are lost when the publisher's node is killed?
# >
# > - `0`
# > - `1`: the one on its way
# > - `some`

# %%
### BEGIN SOLUTION
### STUB lab.predict("lost in the failover", ...)
lab.predict("lost in the failover", 0)
### END SOLUTION

# %% tags=["nbval-ignore-output"]
if lab.cluster.is_ours:
    warren, publisher, killed, confirms, (victim, to, _) = under_load(WARREN, "kill", "orders.killed")
    print("from", victim, "to", to)
    display(timeline_picture(killed, confirms, "The Warren: the publisher's node is killed"))

# %%
if lab.cluster.is_ours:
    assert victim == "rmq1"
    assert to in ("rmq2", "rmq3")
    assert publisher.ledger.lost == publisher.ledger.unexpected == []
    lab.happened("lost in the failover", len(publisher.ledger.lost))
    # Fail-back: rmq1 is well again, so that the next connection goes there.
    lab.wait_until(lambda: up(warren), seconds=30)
    before = warren.servers()[0].total
    connect(warren).close()
    print("rmq1 is back and has the next connection:", lab.wait_until(lambda: warren.servers()[0].total > before))

# %% [markdown]
# The blue strokes are confirms, the red field is the **gap**: as long as it lasts, no customer is thanked. What it goes into:
#
# - **noticing**: a killed program's connections are closed by its operating system, so that the client knows at once (the tenths of a second that you see here are the command that kills);
# - **connecting again**: the door may still lead to the dead node. Then it takes `timeout connect`, and `redispatch` to another server. Behind a Warren there is no other until the check has failed;
# - **the first confirm**: if the dead node led the queue, its members must elect a leader before anything is confirmed. (Here `rmq2` leads, so that the door alone is measured.)
#
# Now the node hangs, first behind the Warren, then behind the second configuration. The publisher has no limit for its waiting: pika waits for a confirm as long as the connection stands.
#
# > **Predict:** Behind the second configuration, with its TCP check: when does the publisher get a confirm again?
# >
# > - `in time`: after some seconds, as the check fails three times
# > - `never`: not before the node goes on

# %%
### BEGIN SOLUTION
### STUB lab.predict("behind the TCP check", ...)
lab.predict("behind the TCP check", "never")
### END SOLUTION

# %% tags=["nbval-ignore-output"]
if lab.cluster.is_ours:
    _, first, hung, confirms, _ = under_load(WARREN, "hang", "orders.hung")
    display(timeline_picture(hung, confirms, "The Warren: the publisher's node hangs"))

# %% tags=["nbval-ignore-output"]
if lab.cluster.is_ours:
    _, second, stuck, confirms, (_, _, served) = under_load(STOCK, "hang", "orders.stuck")
    display(timeline_picture(stuck, confirms, "The second configuration: the node hangs, until it is let go on"))
    print(f"{'':24} {'gap':>7}   parts")
    for name, one in [("Warren, killed", killed), ("Warren, hung", hung), ("second one, hung", stuck)]:
        parts = ", ".join(f"{part.name} {part.seconds:.2f} s" for part in one.parts)
        print(f"{name:24} {one.gap:5.2f} s   {parts}")

# %%
if lab.cluster.is_ours:
    assert first.ledger.lost == first.ledger.unexpected == second.ledger.lost == second.ledger.unexpected == []
    assert killed.gap < 5, killed.gap
    assert hung.gap < PATIENCE < stuck.gap, (hung.gap, stuck.gap)
    print("HAProxy of the second configuration says of the node that hangs:", served)
    lab.happened("behind the TCP check", "never" if stuck.gap > PATIENCE else "in time")

# %% [markdown]
# A machine that hangs, or that loses its power, closes no connection. Here **noticing** is nearly all of the gap, and it is the door that notices: up to 0.5 s until the next look (`inter`), 2 s until the look has failed (`timeout check`), and then it cuts the connection (`on-marked-down`). Without that the publisher would
# wait for an [AMQP heartbeat](https://www.rabbitmq.com/docs/heartbeats) to be missed, after a minute or two by default. So a publisher needs a limit of its own too: aio-pika's `publish` takes a `timeout`; pika has none, and a heartbeat of 10 s must do.
#
# When its node is killed, the second configuration may be as quick as the Warren, or quicker: the next server in turn is a living one two times of three. The third time it is the dead one: the attempt fails when somebody's patience is over (here the publisher's two seconds), and only the next attempt gets the next server. The check believes in the dead node for up to 15 seconds (three times
# `inter 5s`), and as long as it does, every third connection has this bad luck. `python -m benchmarks.failover` in this checkout measures them all.

# %% [markdown]
# ## Experiment 4: out of service, without anybody noticing
#
# `rmq2` gets a new disk. HAProxy can **drain** a server: it gets no new connection, and those that it has are kept.

# %%
if lab.cluster.is_ours:
    door = lab.front_door(ROUND_ROBIN)
    lab.wait_until(lambda: up(door))
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(connect(door))
        door.drain("rmq2")
        for _ in range(4):
            stack.enter_context(connect(door))
        sessions = lab.wait_until(
            lambda: (now := [server.sessions for server in door.servers()]) and sum(now) == 7 and now
        )
        print("state of rmq2:", door.servers()[1].state, "| connections:", *sessions)
    door.ready("rmq2")

# %% [markdown]
# Old connections end with their programs, which may be never. [`rabbitmq-upgrade drain`](https://www.rabbitmq.com/docs/upgrade#maintenance-mode) on the node itself goes further: the node takes no new clients, closes the connections of those that it has, and hands the leadership of its quorum queues to others.

# %%
if lab.cluster.is_ours:
    led_from("rmq2", "parcels")
    print("before: rmq2 leads `parcels`:", lab.placement("parcels").leader == "rmq2")

    try:
        lab.cluster["rmq2"].run("rabbitmq-upgrade", "drain")
        lab.wait_until(lambda: door.servers()[1].state == "down", seconds=30)
        lab.wait_until(lambda: lab.placement("parcels").leader in ("rmq1", "rmq3"), seconds=30)
        print("now:    another node leads it, and HAProxy holds rmq2 for", door.servers()[1].state)
    finally:
        lab.cluster["rmq2"].run("rabbitmq-upgrade", "revive")
    lab.wait_until(lambda: up(door), seconds=30)
    print("then:   rmq2 is", door.servers()[1].state)

# %% [markdown]
# In this order nobody waits for anything: drain in HAProxy, drain the node, do the work, `revive`, and back into HAProxy.

# %% [markdown]
# ## Experiment 5: both sides, in aio-pika
#
# So far only a publisher came through. A consumer needs the same loop: connect again, consume again, and acknowledge **after** the work. In aio-pika both fit into one cell. They work at the same time, and their node is killed in the middle.

# %%
# What aio-pika raises when a connection breaks, or something does not come about in time
GONE = (aio_pika.exceptions.AMQPError, ConnectionError, RuntimeError, asyncio.TimeoutError)


async def send(url, count, ledger, midway):
    """Publish so many orders until each is confirmed; call `midway` once, after a quarter."""
    left = list(range(count))
    while left:
        with contextlib.suppress(*GONE):
            async with await aio_pika.connect(url, timeout=3) as connection:
                channel = await connection.channel()
                while left:
                    if len(left) == count * 3 // 4 and midway:
                        midway, now = None, midway
                        now()
                    ledger.sent(left[0])
                    order = aio_pika.Message(b"an order", delivery_mode=2, message_id=str(left[0]))
                    await channel.default_exchange.publish(order, "invoices", timeout=5)
                    ledger.confirmed(left.pop(0))
        await asyncio.sleep(0.05)


async def take(url, count, ledger):
    """Receive until every order was received, each at least once."""
    received = set()
    while len(received) < count:
        with contextlib.suppress(*GONE):
            async with await aio_pika.connect(url, timeout=3) as connection:
                channel = await connection.channel()
                await channel.set_qos(prefetch_count=20)
                queue = await channel.get_queue("invoices")
                async with queue.iterator(timeout=1) as messages:
                    async for message in messages:
                        received.add(message.message_id)
                        ledger.received(message.message_id)
                        await message.ack()
                        ledger.acked(message.message_id)
                        if len(received) == count:
                            return
        await asyncio.sleep(0.05)


# %%
if lab.cluster.is_ours:
    warren = lab.front_door(WARREN)
    lab.wait_until(lambda: up(warren), seconds=30)
    led_from("rmq2", "invoices")
    counted, there = lab.ledger(), lab.through(warren.address)
    killer = threading.Thread(target=lab.cluster["rmq1"].kill)
    await asyncio.wait_for(
        asyncio.gather(send(there, 500, counted, killer.start), take(there, 500, counted)), timeout=100
    )
    killer.join()
    lab.cluster.heal()
    assert counted.lost == counted.missing == counted.unexpected == []
    print(
        f"confirmed: {counted.counts['confirmed']} | received: {counted.counts['received']} | lost: {len(counted.lost)}"
    )

# %% [markdown]
# Nothing is lost. An order may have come twice, if its acknowledgement or its confirm died with the node: the ledger allows it, and so must the program ([lab 17](17_idempotent_consumers.ipynb)).
#
# aio-pika's `connect_robust` connects again by itself. It does not publish again by itself, and its channel may stay closed when the node dies between a publish and its confirm. So the loop is the program's own in any case, and then a plain connection is simpler.

# %% [markdown]
# ## What can go wrong: a healthy cluster that nobody can reach
#
# After a change of the firewall every program gets the same error, while all nodes are well. The check asks a port that no longer answers:

# %%
if lab.cluster.is_ours:
    door = lab.front_door(ROUND_ROBIN.replace("check inter", "check port 9 inter"))
    lab.wait_until(lambda: {server.state for server in door.servers()} == {"down"}, seconds=30)
    try:
        connect(door)
    except BROKEN as error:
        print(type(error).__name__)
    for server in door.servers():
        print(server.name, server.state, server.check)

# %% [markdown]
# HAProxy accepts the client, has nowhere to lead it, and closes. pika expected the broker's greeting, and so it speaks of an incompatible protocol. Whoever sees this error behind a proxy looks at the proxy's statistics first: `L4CON` is a check that could not even connect (`L4TOUT`: not in time).
#
# The other mistake stands in the file itself. Then HAProxy does not start at all, which is why one has it checked before (`haproxy -c`, which `lab.front_door` does), and reloads instead of restarting:

# %% tags=["nbval-ignore-output"]
refusal = ""
if lab.cluster.is_ours:
    try:
        lab.front_door(WARREN.replace("backup", "back-up"))
    except LabsError as error:
        refusal = str(error)
    print(refusal)

# %%
if lab.cluster.is_ours:
    assert "at line 6" in refusal
    assert "unknown keyword 'back-up'" in refusal
    print("refused, with the line and the word:", "back-up" in refusal)

# %%
with pika.BlockingConnection(parameters) as connection:
    for queue in ["orders.killed", "orders.hung", "orders.stuck", "parcels", "invoices"]:
        connection.channel().queue_delete(queue)

# %% [markdown]
# ## Exercises
#
# ### Exercise 1: a reserve
#
# Denver's clients are to work on `rmq2`. Only if `rmq2` is not well may they go to `rmq1` or `rmq3`: make these two `backup`. A node that hangs is not well. Write the backend into `DENVER`; the cell starts a front door with it.

# %% exercise="reserve"
### BEGIN SOLUTION
### STUB DENVER = """
### STUB backend amqp_nodes
### STUB """
DENVER = (
    """
backend amqp_nodes
    option redispatch 1
    timeout connect 300ms
    default-server inter 500ms fall 1 rise 1 on-marked-down shutdown-sessions
    server rmq1 "${LABS_RMQ1_AMQP}" check port "${LABS_RMQ1_CHECK}" backup
    server rmq2 "${LABS_RMQ2_AMQP}" check port "${LABS_RMQ2_CHECK}"
    server rmq3 "${LABS_RMQ3_AMQP}" check port "${LABS_RMQ3_CHECK}" backup
"""
    + CHECKS
)
### END SOLUTION

if lab.cluster.is_ours:
    denver = lab.front_door(DENVER)
    if denver.servers():
        with contextlib.suppress(LabsError):  # it never looks
            lab.wait_until(lambda: looked(denver))

# %%
lab.check("reserve")

# %% [markdown]
# ### Exercise 2: come through
#
# Payments are sent to the quorum queue `payments` and taken from it, and in the middle the node dies on which both programs work. Write the two:
#
# - `publish_all(url, orders, ledger)` publishes each order, with the order as `message_id`, notes `ledger.sent` and `ledger.confirmed`, and returns when all are confirmed;
# - `consume_all(url, ledger, over)` takes what comes, notes `ledger.received` and then `ledger.acked` for each `message_id`, and returns soon after `over.is_set()`.
#
# `through_a_failover` lets both work behind the Warren, kills `rmq1` after the hundredth payment, and shows the ledger.


# %%
def through_a_failover():
    """Run both functions behind the Warren, and kill their node in the middle."""
    ledger, over = lab.ledger(exercise="through"), threading.Event()
    payments = [f"payment {number}" for number in range(1, 1001)]
    warren = lab.front_door(WARREN)
    lab.wait_until(lambda: up(warren), seconds=30)
    led_from("rmq2", "payments")

    def begin(function, *arguments):
        def work():
            with contextlib.suppress(*BROKEN):  # it gave up
                function(lab.through(warren.address), *arguments)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread

    consumer, publisher = begin(consume_all, ledger, over), begin(publish_all, payments, ledger)
    with contextlib.suppress(LabsError):  # nobody works
        lab.wait_until(lambda: ledger.counts["sent"] >= 100 or not publisher.is_alive(), seconds=20)
    if ledger.counts["sent"]:
        lab.cluster["rmq1"].kill()
        publisher.join(60)
        lab.cluster.heal()
        with contextlib.suppress(LabsError):  # the ledger says what is missing
            lab.wait_until(lambda: lab.depth("payments") == 0 or not consumer.is_alive(), seconds=80)
            lab.wait_until(lambda: not ledger.verdict["missing"] or not consumer.is_alive(), seconds=5)
        display(ledger)
    over.set()
    consumer.join(10)


# %% exercise="through" tags=["nbval-ignore-output"]
### BEGIN SOLUTION
### STUB def publish_all(url, orders, ledger):
### STUB     ...  # Your code here
### STUB
### STUB
### STUB def consume_all(url, ledger, over):
### STUB     ...  # Your code here
def impatient(url):
    there = pika.URLParameters(url)
    there.socket_timeout = there.stack_timeout = 2
    return there


def publish_all(url, orders, ledger):
    unconfirmed = list(orders)
    while unconfirmed:
        try:
            with pika.BlockingConnection(impatient(url)) as connection:
                channel = connection.channel()
                channel.confirm_delivery()
                while unconfirmed:
                    ledger.sent(unconfirmed[0])
                    properties = pika.BasicProperties(delivery_mode=2, message_id=unconfirmed[0])
                    channel.basic_publish("", "payments", b"30", properties, mandatory=True)
                    ledger.confirmed(unconfirmed.pop(0))
        except BROKEN:
            time.sleep(0.05)


def consume_all(url, ledger, over):
    while not over.is_set():
        try:
            with pika.BlockingConnection(impatient(url)) as connection:
                channel = connection.channel()
                channel.basic_qos(prefetch_count=20)
                for method, properties, _ in channel.consume("payments", inactivity_timeout=0.2):
                    if over.is_set():
                        break
                    if method:  # None when nothing has come for 0.2 s
                        ledger.received(properties.message_id)
                        channel.basic_ack(method.delivery_tag)
                        ledger.acked(properties.message_id)
        except BROKEN:
            time.sleep(0.05)


### END SOLUTION


if lab.cluster.is_ours:
    through_a_failover()

# %%
lab.check("through")

# %% [markdown]
# ### Exercise 3: the door that does not see
#
# Behind this backend every third client waits in vain when a node hangs:
#
# ```
# backend amqp_nodes
#     balance roundrobin
#     server rmq1 "${LABS_RMQ1_AMQP}" check inter 500ms
#     server rmq2 "${LABS_RMQ2_AMQP}" check inter 500ms
#     server rmq3 "${LABS_RMQ3_AMQP}" check inter 500ms
# ```
#
# Write a `SEEING` that still shares the connections between all three, and notices. `while_a_node_hangs` lets `rmq3` hang, waits until your door has noticed, four seconds at most, and then has six clients publish one message each to the queue `alive`.


# %%
def while_a_node_hangs():
    """Six clients publish through the door while rmq3 hangs."""
    seeing = lab.front_door(SEEING)
    if not seeing.servers():
        return
    with contextlib.suppress(LabsError):  # it never looks
        lab.wait_until(lambda: looked(seeing))
    led_from("rmq1", "alive")
    lab.cluster["rmq3"].pause()
    with contextlib.suppress(Exception):  # it does not see
        lab.wait_until(lambda: any(server.state == "down" for server in seeing.servers()), seconds=4)
    for number in range(1, 7):
        with contextlib.suppress(*BROKEN), connect(seeing) as connection:
            connection.channel().basic_publish("", "alive", f"client {number}".encode())
    lab.cluster["rmq3"].resume()
    lab.wait_until(lambda: lab.cluster.status().is_whole, seconds=60)


# %% exercise="hung"
### BEGIN SOLUTION
### STUB SEEING = """
### STUB backend amqp_nodes
### STUB """
SEEING = (
    """
backend amqp_nodes
    balance roundrobin
    option redispatch 1
    default-server inter 500ms fall 1 rise 1 on-marked-down shutdown-sessions
    server rmq1 "${LABS_RMQ1_AMQP}" check port "${LABS_RMQ1_CHECK}"
    server rmq2 "${LABS_RMQ2_AMQP}" check port "${LABS_RMQ2_CHECK}"
    server rmq3 "${LABS_RMQ3_AMQP}" check port "${LABS_RMQ3_CHECK}"
"""
    + CHECKS
)
### END SOLUTION


if lab.cluster.is_ours:
    while_a_node_hangs()

# %%
lab.check("hung")

# %%
lab.progress()

# %% [markdown]
# ## In production
#
# - One address in front of the cluster, and two HAProxies behind that address: one alone is the next thing that fails.
# - A check that asks the broker, twice a second, with `fall 1`; `on-marked-down shutdown-sessions`; `option redispatch`. The price: a node that is only slow is left by its clients. On machines that are often busy take `fall 2`, and a longer `timeout check`.
# - A killed leader is replaced at once, one that hangs after some looks of a failure detector (table): after 2.0 s in the median of ten times with RabbitMQ 4.3.6 and a look each second. The detector is [adaptive](https://github.com/rabbitmq/aten): it compares with the node's last thousand heartbeats, 100 seconds. A node that has hung among them is given
#   up late the next time: measured after 8 s, and after some more hangs only after the [net tick time](https://www.rabbitmq.com/docs/nettick) of a minute. So a machine that hangs again and again is best switched off.
# - No check here sees a node that the network has cut off from the others: it calls itself ready, and a login on it hangs. With `roundrobin` the client's next attempt leads elsewhere (measured: 5 s, with a publisher that waits no longer than that). A door that keeps each client on its node, by `stick on src` as in these labs or as a Warren, leads it back
#   there until the partition ends.
# - Timeouts of the proxy longer than AMQP's heartbeat, and a heartbeat of 10 to 30 seconds: TCP keepalives do not cross a proxy.
# - Share the connections (`roundrobin`, `leastconn`) where nodes are alike; a Warren where one site is near and the other far.
# - Clients: new connection, resend with the same id, a short pause in between, and a limit for each wait.
#
# | | 3.10 | 4.0 | 4.3 |
# | --- | --- | --- | --- |
# | `/api/health/checks/ready-to-serve-clients`, without a login | no (answers 401 or 404) | from 4.1 | yes |
# | A queue's leader that hangs is replaced after | 5 to 10 s; about 2 s where `{aten, [{poll_interval, 1000}]}` stands in advanced.config, as in these labs | the same, also as `raft.adaptive_failure_detector.poll_interval` in rabbitmq.conf | the same as 4.0 |

# %% [markdown]
# ## Recap
#
# - A front door spreads **connections** over the nodes that its **check** holds for well.
# - A TCP check sees a dead node, and not one that **hangs**. Ask the broker.
# - `backup` makes a **Warren**: fail-over when the primary is down, fail-back when it is well.
# - A failover is noticing, connecting again, and waiting for the first confirm; each has its own settings.
# - Quorum queue, confirms and resends: nothing that was confirmed is lost.
#
# Back to [lab 19](19_replicated_queues.ipynb) on the queues behind the door. The official pages:
# [RabbitMQ behind a load balancer](https://www.rabbitmq.com/docs/clustering#clients),
# [readiness probes](https://www.rabbitmq.com/docs/monitoring#readiness-probes),
# [HAProxy's configuration](https://docs.haproxy.org/3.2/configuration.html),
# [heartbeats](https://www.rabbitmq.com/docs/heartbeats).
