# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   lab:
#     title: Replicated queues
#     promise: Kill the node that leads a queue, see another one elected, and count whether a confirmed order is missing.
#     part: The cluster
#     minutes: 35
#     objectives:
#     - say which failures a quorum queue survives, and what it does when there are too many
#     - see an election, and find leader and members of a queue
#     - change a queue's members, and balance leaders over the nodes
#     - tell mirrored queues, quorum queues and streams apart
#     prerequisites: [18_building_a_cluster, 08_publisher_confirms]
#     cluster: [break-nodes]
# ---

# %% [markdown]
# ## Set up

# %%
import asyncio
import time

import aio_pika
import pika

from lab_helpers import Lab
from lab_helpers.errors import LabsError

lab = Lab("19_replicated_queues")
parameters = pika.URLParameters(lab.url)
parameters.connection_attempts, parameters.retry_delay = 20, 0.5  # for the moments after a node's death
CLASSIC, QUORUM = {"x-queue-type": "classic"}, {"x-queue-type": "quorum"}
NODES = ("rmq1", "rmq2", "rmq3")
ORDERS = [f"order {number}" for number in range(1, 21)]


def direct(name):
    """Parameters of a connection to one node, past HAProxy."""
    host, port = lab.cluster[name].status().amqp.split(":")
    return pika.ConnectionParameters(
        host, int(port), lab.vhost, parameters.credentials, connection_attempts=20, retry_delay=0.5
    )


def publish(channel, queue, ledger):
    """Publish the twenty orders, persistent, and note what the broker confirms."""
    channel.confirm_delivery()
    for order in ORDERS:
        ledger.sent(order)
        properties = pika.BasicProperties(delivery_mode=2, message_id=order)
        channel.basic_publish("", queue, order.encode(), properties, mandatory=True)
        ledger.confirmed(order)


# %% [markdown]
# ## The situation
#
# The shop's cluster has three nodes, and still a single machine's death stops a whole city: its queue is classic, it
# lives on one node, and nobody else can stand in ([lab 18](18_building_a_cluster.ipynb)).
#
# A **replicated** queue has a copy on several nodes. One of the copies **leads**, the others **follow**: all clients
# speak to the leader, wherever they are connected, and it passes on to the followers everything that it does. When it
# dies, another one takes over. That sounds simple, and the first way in which RabbitMQ did it lost messages.
#
# The question: what must copies agree on, and when, so that a confirmed order is never lost?

# %% [markdown]
# ## Experiment 1: the old way
#
# Up to 3.13 a policy turned a classic queue into a **mirrored** queue: `ha-mode` `all` puts a mirror on each node.
# The cell asks your version for it.


# %% tags=["nbval-ignore-output"]
def mirror(name, pattern):
    """Mirror the classic queues of this name to all nodes; mirrors that come later get only what is new."""
    definition = '{"ha-mode": "all", "ha-sync-mode": "manual"}'
    policy = [name, pattern, definition, "--apply-to", "queues"]
    lab.cluster["rmq1"].ctl("set_policy", "--vhost", lab.vhost, *policy)


mirrored, refusal = False, ""
if lab.needs("break-nodes"):
    mirrored = lab.needs("mirrored-queues")
    try:
        mirror("ha-all", "^mirrored$")
        print("The policy is set.")
    except LabsError as error:
        refusal = error.what
        print(refusal)

# %%
if lab.cluster.is_ours:
    assert mirrored or "not recognised policy settings" in refusal

# %% [markdown]
# On 4.0 and later the broker refuses: it does not know these settings any more. What mirrored queues did, and why
# they are gone, stands after the next experiment. If your version still has them, two of them take part in it:
# `mirrored`, which has its mirrors from the start, and `late`, which gets them when its orders are already there.

# %% [markdown]
# ## Experiment 2: a node dies
#
# Their successor is the **quorum queue**: `x-queue-type` `quorum`, nothing else. It has a **member** on each of the
# three nodes. The cell makes one for each city, and a classic queue beside them:
#
# - `lyon` is declared through `rmq1`, and so led from there; `denver` is led from `rmq2`;
# - `alone` is classic, and lives on `rmq1`.
#
# Each gets twenty persistent orders, and all are confirmed.

# %%
if lab.cluster.is_ours:
    homes = {"lyon": "rmq1", "denver": "rmq2", "alone": "rmq1"}
    if mirrored:
        homes |= {"mirrored": "rmq1", "late": "rmq1"}
    ledgers = {queue: lab.ledger() for queue in homes}
    for queue, home in homes.items():
        with pika.BlockingConnection(direct(home)) as connection:
            channel = connection.channel()
            channel.queue_delete(queue)
            channel.queue_declare(queue, durable=True, arguments=QUORUM if queue in ("lyon", "denver") else CLASSIC)
            publish(channel, queue, ledgers[queue])
    lab.wait_until(lambda: lab.placement("lyon").online == lab.placement("denver").online == NODES)
    display(lab.status("lyon", "denver", "alone"))

# %% [markdown]
# In the picture you see who leads. Where there are mirrored queues, the next cell shows them, and which of their
# mirrors have all messages (**synchronised**):

# %% tags=["nbval-ignore-output"]
if mirrored:
    mirror("ha-late", "^late$")
    lab.wait_until(lambda: len(lab.placement("late").members) == 3)
    display(lab.status("mirrored", "late"))
else:
    print("Your version has no mirrored queues.")

# %% [markdown]
# Now `rmq1` is killed. `lyon` loses its leader by that, and `denver` a follower.
#
# > **Predict:** How many of its twenty confirmed orders can a consumer get from each queue, while `rmq1` is dead?
# >
# > - `lyon 20, denver 20, alone 20`
# > - `lyon 20, denver 20, alone 0`
# > - `lyon 0, denver 20, alone 0`: nobody leads `lyon`

# %%
### BEGIN SOLUTION
### STUB lab.predict("while rmq1 is dead", ...)
lab.predict("while rmq1 is dead", "lyon 20, denver 20, alone 0")
### END SOLUTION

# %% tags=["nbval-ignore-output"]
if lab.cluster.is_ours:
    time.sleep(1.5)  # on 3.10 a node that dies soon after a queue got an old name again may not find its copy
    began = time.perf_counter()
    lab.cluster["rmq1"].kill()
    lab.wait_until(lambda: lab.placement("lyon").leader in ("rmq2", "rmq3"), seconds=60)
    print(
        f"lyon is led from {lab.placement('lyon').leader}, {time.perf_counter() - began:.1f} s after the order to kill"
    )
    display(lab.status("lyon", "denver", *(["mirrored", "late"] if mirrored else []), "alone"))

# %%
if lab.cluster.is_ours:
    assert lab.placement("lyon").leader in ("rmq2", "rmq3")
    lab.wait_until(
        lambda: lab.placement("lyon").online == lab.placement("denver").online == ("rmq2", "rmq3"), seconds=30
    )
    print("denver is led from", lab.placement("denver").leader)
    print("alone  is led from", lab.placement("alone").leader or "nowhere")

# %% [markdown]
# `denver` lost a follower, and nothing happened: it has the same leader as before. The members of `lyon` noticed that
# their leader was gone, and **elected** one among themselves; which of the two is up to chance. `alone` has nobody to
# elect.
#
# Now a consumer takes from each queue what it can get, and the ledgers tell.

# %%
if lab.cluster.is_ours:
    for queue, ledger in ledgers.items():
        if queue != "alone":
            lab.drain(ledger, queue, seconds=60)
    try:
        lab.drain(ledgers["alone"], "alone")
    except LabsError as error:
        print("alone:", error.what)
    display(ledgers["lyon"], ledgers["alone"])

# %%
if lab.cluster.is_ours:
    assert ledgers["lyon"].lost == ledgers["denver"].lost == []
    assert len(ledgers["alone"].lost) == 20  # as long as its node is dead
    got = [f"{queue} {ledgers[queue].counts['received']}" for queue in ["lyon", "denver", "alone"]]
    lab.happened("while rmq1 is dead", ", ".join(got))

# %% [markdown]
# (The ledger of `alone`, the second one, calls its twenty orders lost, for now nobody can get them. Experiment 3 shows
# whether it stays so.)
#
# All twenty orders of `lyon` were there, although the node that had taken them is dead. The broker had confirmed each
# order only when a **majority** of the members, two of three, had it on disk. Two of three are also needed to elect a
# leader. Two majorities share at least one member, so among those who elect there is always one that has every
# confirmed order, and nobody who lacks one is elected. The algorithm is [Raft](https://raft.github.io/).
#
# And the mirrors, where there are any?

# %% tags=["nbval-ignore-output"]
for queue in ["mirrored", "late"] if mirrored else []:
    ledger = ledgers[queue]
    print(f"{queue:9} confirmed: 20, received: {ledger.counts['received']:2}, lost: {len(ledger.lost)}")
if not mirrored:
    print("Your version has no mirrored queues.")

# %%
if mirrored:
    assert ledgers["mirrored"].lost == []
    assert len(ledgers["late"].lost) == 20

# %% [markdown]
# On 3.10 `mirrored` lost nothing, for its mirrors had everything. `late` lost **all twenty confirmed orders**. Its
# mirrors were **not synchronised**: they came when the orders were already there, and had only what was new. When the
# leader died, one of them became leader all the same, empty. No majority had been asked, neither before the confirm
# nor before the election. The mirror of a node that was restarted [is in the same
# position](https://www.rabbitmq.com/docs/3.13/ha#unsynchronised-mirrors).

# %% [markdown]
# ## Experiment 3: too few
#
# `rmq1` is still dead: two members of three are left, a majority. One more order goes to `lyon`, through `rmq2`. Then
# `rmq3` is held too (`pause`), so that one of three is left, and another order is published.
#
# > **Predict:** Which of the two is confirmed within two seconds?
# >
# > - `both`
# > - `the first`
# > - `none`

# %%
### BEGIN SOLUTION
### STUB lab.predict("confirmed", ...)
lab.predict("confirmed", "the first")
### END SOLUTION


# %%
async def publish_one(connection, order):
    """Publish one order to lyon in the background, and give it two seconds."""
    channel = await connection.channel()
    message = aio_pika.Message(order.encode(), delivery_mode=2, message_id=order)
    publish = asyncio.create_task(channel.default_exchange.publish(message, "lyon"))
    ledgers["lyon"].sent(order)
    await asyncio.wait([publish], timeout=2)
    return publish


def note(publish, order, situation):
    """Say whether the order is confirmed, and note it."""
    confirmed = publish.done() and publish.exception() is None
    if confirmed:
        ledgers["lyon"].confirmed(order)
    print(f"{situation}: {order} is {'confirmed' if confirmed else 'indeterminate'}")
    return confirmed


if lab.cluster.is_ours:
    node = direct("rmq2")
    login = {"login": node.credentials.username, "password": node.credentials.password}
    async with await aio_pika.connect(host=node.host, port=node.port, virtualhost=lab.vhost, **login) as connection:
        first = await publish_one(connection, "order 21")
        answers = [note(first, "order 21", "2 of 3 members")]
        lab.cluster["rmq3"].pause()
        second = await publish_one(connection, "order 22")
        answers.append(note(second, "order 22", "1 of 3 members"))
        await asyncio.to_thread(lab.cluster["rmq3"].resume_if_paused)
        await asyncio.wait([second], timeout=30)
        note(second, "order 22", "2 of 3 members")
    lab.happened("confirmed", {(1, 0): "the first", (1, 1): "both", (0, 0): "none"}[tuple(answers)])

# %% [markdown]
# One of three keeps its word by saying **nothing**. It cannot know whether the other two have elected a leader
# meanwhile, so it promises no more. For its publisher the order is **indeterminate**: neither confirmed nor refused.
# Here it waits, and is confirmed when a majority is back.
#
# So the sum is simple. With *n* members more than *n*/2 must be there. Three members bear the loss of **one** node,
# five of **two**.

# %%
if lab.cluster.is_ours:
    lab.cluster.heal()
    lab.wait_until(lambda: lab.placement("lyon").online == lab.placement("denver").online == NODES, seconds=60)
    lab.drain(ledgers["lyon"], "lyon")
    lab.drain(ledgers["alone"], "alone")
    for queue in ["lyon", "alone"]:
        counts = ledgers[queue].counts
        print(f"{queue}: sent {counts['sent']}, received {counts['received']}, lost {len(ledgers[queue].lost)}")
    assert ledgers["lyon"].lost == ledgers["lyon"].missing == []

# %% [markdown]
# All nodes are back, and `lyon` has delivered all that was ever sent to it. And the classic queue? Its orders were
# persistent, and came back with their node. It was no loss, this time, but an outage as long as the node's. Had the
# disk died too, all twenty would be gone.

# %% [markdown]
# ## Experiment 4: members come and go
#
# Members do not move by themselves: a node that joins the cluster gets none, and one that is dead keeps its seats.
# The tool is `rabbitmq-queues`; `delete_member` and `add_member` change one queue. The cell takes the member on
# `rmq3` away from `lyon`.
#
# > **Predict:** `lyon` has members on `rmq1` and `rmq2` only. How many of these two nodes may it lose and still
# > confirm?
# >
# > - `1`
# > - `0`

# %%
### BEGIN SOLUTION
### STUB lab.predict("two members may lose", ...)
lab.predict("two members may lose", "0")
### END SOLUTION


# %%
def queues(*arguments):
    """Run `rabbitmq-queues` on rmq1."""
    lab.cluster["rmq1"].run("rabbitmq-queues", *arguments)


def sum_of(queue):
    """Print a queue's members, and how many of them it may lose; return that number."""
    members = lab.placement(queue).members
    majority = len(members) // 2 + 1
    print(f"{queue}: {' '.join(members)}: a majority is {majority}, so it may lose {len(members) - majority}")
    return len(members) - majority


if lab.cluster.is_ours:
    queues("delete_member", "--vhost", lab.vhost, "lyon", "rmq3@rmq3")
    lab.wait_until(lambda: lab.placement("lyon").members == ("rmq1", "rmq2"))
    lab.happened("two members may lose", sum_of("lyon"))

    queues("add_member", "--vhost", lab.vhost, "lyon", "rmq3@rmq3")
    lab.wait_until(lambda: lab.placement("lyon").online == NODES, seconds=30)
    sum_of("lyon")

# %% [markdown]
# The new member gets what it lacks from the leader. Two members are worse than one: either of two deaths stops the
# queue.
#
# For the week of the sales the shop hires a fourth machine; `rmq4` joins as in lab 18. `grow` gives **every** queue
# that fits two patterns, of virtual hosts and of queues, a member on it.
#
# > **Predict:** `lyon` and `denver` have four members each. How many nodes may they lose now?
# >
# > - `1`
# > - `2`: half of them

# %%
### BEGIN SOLUTION
### STUB lab.predict("four members may lose", ...)
lab.predict("four members may lose", "1")
### END SOLUTION

# %%
if lab.cluster.is_ours:
    rmq4 = lab.cluster.add("rmq4")
    for step in [["stop_app"], ["join_cluster", "rmq1@rmq1"], ["start_app"]]:
        rmq4.ctl(*step)
    rmq4.await_ready()
    print("before:", end=" ")
    sum_of("lyon")

    ours = ["--vhost-pattern", f"^{lab.vhost}$", "--queue-pattern", "^(lyon|denver)$"]
    queues("grow", "rmq4@rmq4", "all", *ours)
    lab.wait_until(
        lambda: lab.placement("lyon").online == lab.placement("denver").online == (*NODES, "rmq4"), seconds=30
    )
    print("grown: ", end=" ")
    lab.happened("four members may lose", sum_of("lyon"))

# %% [markdown]
# A fourth member costs a disk write for each message, and bears no more deaths than three. That is why clusters have
# three nodes, or five.
#
# The sales are over. Before a machine goes for good, its members must go: `shrink` takes **all** members off a node.
# It knows no pattern, so think twice where other people's queues are.

# %%
if lab.cluster.is_ours:

    def shrunk():
        """Ask for it, again where a queue was not done with its last change of members, and refused."""
        queues("shrink", "rmq4@rmq4")
        return lab.placement("lyon").members == lab.placement("denver").members == NODES

    lab.wait_until(shrunk, seconds=30)
    lab.cluster.remove("rmq4")
    for queue in ["lyon", "denver"]:
        sum_of(queue)

# %% [markdown]
# One more thing gets out of order. You saw the leadership of `lyon` move when `rmq1` died, and when a node comes
# back, it does not take over again by itself. After a few restarts one node may lead everything. The next cell makes
# three quorum queues through one node, so that all are led from there, and then has them **rebalanced**.

# %%
if lab.cluster.is_ours:
    with pika.BlockingConnection(direct("rmq2")) as connection:
        for queue in ["a", "b", "c"]:
            connection.channel().queue_delete(queue)
            connection.channel().queue_declare(queue, durable=True, arguments=QUORUM)
    lab.wait_until(lambda: all(lab.placement(queue).online == NODES for queue in "abc"))
    print("leaders before:", *[lab.placement(queue).leader for queue in "abc"])
    queues("rebalance", "quorum", "--vhost-pattern", f"^{lab.vhost}$", "--queue-pattern", "^[abc]$")
    lab.wait_until(lambda: {lab.placement(queue).leader for queue in "abc"} == set(NODES), seconds=30)
    print("nodes that lead one of the three after:", len({lab.placement(queue).leader for queue in "abc"}))

# %% [markdown]
# The leader does the work for its queue. Three leaders on one node are a busy node and two that only write along.
# `rebalance` takes patterns as `grow` does.

# %% [markdown]
# ## Experiment 5: a log instead of a queue
#
# A **stream** has a leader and replicas on a majority of which a message must be before it is confirmed, as in a
# quorum queue. But it does not forget what was read: it is a log. Each consumer says where it wants to begin
# (`x-stream-offset`). It must set a prefetch limit ([lab 11](11_prefetch.ipynb)) and acknowledge, only so that the
# broker knows when to send more. Two consumers read it one after the other.
#
# > **Predict:** Three orders are in the stream. How many does the second consumer get?
# >
# > - `0`: the first had them
# > - `3`

# %%
### BEGIN SOLUTION
### STUB lab.predict("second consumer", ...)
lab.predict("second consumer", "3")
### END SOLUTION


# %%
def read(channel):
    """Read the stream from its beginning."""
    channel.basic_qos(prefetch_count=10)  # a stream refuses a consumer without a limit
    read = []
    for method, _, body in channel.consume("log", arguments={"x-stream-offset": "first"}, inactivity_timeout=2):
        if method is None:
            break
        channel.basic_ack(method.delivery_tag)
        read.append(body.decode())
        if len(read) == 3:
            break
    channel.cancel()
    return read


with pika.BlockingConnection(direct("rmq1") if lab.cluster.is_ours else parameters) as connection:
    channel = connection.channel()
    channel.queue_delete("log")
    channel.queue_declare("log", durable=True, arguments={"x-queue-type": "stream"})
    channel.confirm_delivery()
    for order in ORDERS[:3]:
        channel.basic_publish("", "log", order.encode(), pika.BasicProperties(delivery_mode=2))

if lab.cluster.is_ours:
    lab.wait_until(lambda: lab.placement("log").online == NODES, seconds=30)
    display(lab.status("log"))

for reader in ["first", "second"]:
    with pika.BlockingConnection(parameters) as connection:
        received = read(connection.channel())
    print(f"{reader} consumer: {', '.join(received)}")
lab.happened("second consumer", len(received))

# %% [markdown]
# Both read everything. Nothing leaves a stream by being read; it is cut at its old end, by size or by age, if you set
# a limit.

# %% [markdown]
# ## What can go wrong: half a declaration
#
# A program that was written for classic queues asks for a quorum queue, and keeps the rest:

# %%
for flags in [{"durable": False}, {"durable": True, "exclusive": True}]:
    with pika.BlockingConnection(parameters) as connection:
        try:
            connection.channel().queue_declare("screen", arguments=QUORUM, **flags)
        except pika.exceptions.ChannelClosedByBroker as error:
            print(error.reply_code, error.reply_text.split(" for queue")[0])

# %% [markdown]
# The code is 406: a quorum queue is made to last: durable, not exclusive, and not for messages that nobody would miss. For a
# reply queue or a screen a classic queue is the right thing.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for queue in ["lyon", "denver", "alone", "mirrored", "late", "a", "b", "c", "log"]:
        channel.queue_delete(queue)

# %% [markdown]
# ## Exercises
#
# ### Exercise 1: one too few, two too many
#
# Somebody mixed up two queues. The quorum queue `payments` has a single member (`x-quorum-initial-group-size` 1), and
# `wishes`, which nobody would miss, has three. Three messages wait in each.

# %%
with pika.BlockingConnection(direct("rmq1") if lab.cluster.is_ours else parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    for queue, members in [("payments", 1), ("wishes", 3)]:
        channel.queue_delete(queue)
        arguments = {**QUORUM, "x-quorum-initial-group-size": members}
        channel.queue_declare(queue, durable=True, arguments=arguments)
        for number in range(1, 4):
            body = f"{queue} {number}".encode()
            channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2))

# %% [markdown]
# Give `payments` a member on each of the three nodes, and leave `wishes` only the one on `rmq2`. What is in the
# queues must stay in them.

# %% exercise="members"
### BEGIN SOLUTION
if lab.cluster.is_ours:
    for node in ["rmq2@rmq2", "rmq3@rmq3"]:
        queues("add_member", "--vhost", lab.vhost, "payments", node)
    for node in ["rmq1@rmq1", "rmq3@rmq3"]:
        queues("delete_member", "--vhost", lab.vhost, "wishes", node)
    lab.wait_until(lambda: lab.placement("payments").online == NODES, seconds=30)
    lab.wait_until(lambda: lab.placement("wishes").online == ("rmq2",), seconds=30)
### END SOLUTION

# %%
lab.check("members")

# %% [markdown]
# ### Exercise 2: all on one
#
# Three queues, all led from `rmq1`.

# %%
with pika.BlockingConnection(direct("rmq1") if lab.cluster.is_ours else parameters) as connection:
    for queue in ["north", "west", "south"]:
        connection.channel().queue_delete(queue)
        connection.channel().queue_declare(queue, durable=True, arguments=QUORUM)

# %% [markdown]
# Have each node lead one of them. All three queues keep three members.

# %% exercise="balance"
### BEGIN SOLUTION
if lab.cluster.is_ours:
    queues("rebalance", "quorum", "--vhost-pattern", f"^{lab.vhost}$", "--queue-pattern", "^(north|west|south)$")
    names = ["north", "west", "south"]
    lab.wait_until(lambda: {lab.placement(queue).leader for queue in names} == set(NODES), seconds=30)
### END SOLUTION

# %%
lab.check("balance")

# %% [markdown]
# ### Exercise 3: how many may go?
#
# Three quorum queues with three members, two, and one.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for members in [3, 2, 1]:
        channel.queue_delete(f"members.{members}")
        arguments = {**QUORUM, "x-quorum-initial-group-size": members}
        channel.queue_declare(f"members.{members}", durable=True, arguments=arguments)

# %% [markdown]
# Into each of them publish one message, whose body is a number: how many of the nodes that the queue has a member on
# may die at the same time, so that it **goes on confirming**?

# %% exercise="lose"
### BEGIN SOLUTION
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for members in [3, 2, 1]:
        majority = members // 2 + 1
        channel.basic_publish("", f"members.{members}", str(members - majority).encode())
### END SOLUTION

# %%
lab.check("lose")

# %%
lab.progress()

# %% [markdown]
# ## In production
#
# - Quorum queues for everything that must not be lost, on three nodes, five for what is most dear. Every member costs
#   a disk write for each message. An even number buys nothing.
# - Confirms, always: what is not confirmed, no queue promises.
# - Before a node goes for good: `rabbitmq-queues shrink`, then forget it. After a new one has come: `grow`. After
#   restarts: `rebalance`.
# - Before you stop a node, ask `rabbitmq-diagnostics check_if_node_is_quorum_critical` whether a queue would lose its
#   majority.
# - Streams where many read the same, or where it must be read again.
#
# | | 3.10 | 4.0 | 4.3 |
# | --- | --- | --- | --- |
# | Mirrored classic queues | yes, deprecated | removed: the policy is refused | removed |
# | Quorum queues, streams | yes | yes | yes |
# | Delivery limit of quorum queues | none | 20 | 20 |
# | Priorities in quorum queues | none | 2 | 32 |

# %% [markdown]
# ## Recap
#
# - A quorum queue has a **member** on several nodes; one **leads**. Its death costs an election, and no confirmed
#   message.
# - It confirms when a **majority** has the message on disk. Without a majority it says nothing.
# - A **mirror** that was not synchronised could become leader, and what was confirmed was lost.
# - Members come and go by `rabbitmq-queues`: `add_member` and `delete_member`, `grow` and `shrink`; leaders are
#   balanced by `rebalance`.
# - A **stream** is a replicated log: everyone reads it from where they like.
#
# Back to [lab 08](08_publisher_confirms.ipynb) on what a confirm means. The official pages:
# [quorum queues](https://www.rabbitmq.com/docs/quorum-queues),
# [managing members](https://www.rabbitmq.com/docs/quorum-queues#replica-management),
# [streams](https://www.rabbitmq.com/docs/streams),
# [mirrored queues in 3.13](https://www.rabbitmq.com/docs/3.13/ha).
