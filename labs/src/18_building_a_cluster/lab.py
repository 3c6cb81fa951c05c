# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   lab:
#     title: Building a cluster
#     promise: Start a fourth node, have it refused, join it by hand, use it and let it go, all on a running cluster.
#     part: The cluster
#     minutes: 30
#     objectives:
#     - join a node to a cluster by hand, and say what its Erlang cookie and its name have to do with it
#     - tell what all nodes of a cluster share, and what only one of them has
#     - find the node on which a queue lives
#     - take a node out of a cluster for good
#     prerequisites: [06_what_exchanges_and_queues_remember, 10_acknowledgements_and_requeue]
#     cluster: [break-nodes]
# ---

# %% [markdown]
# ## Set up

# %%
import json

import pika

from lab_helpers import Lab
from lab_helpers.errors import LabsError
from lab_helpers.settings import ROOT

lab = Lab("18_building_a_cluster")
parameters = pika.URLParameters(lab.url)
parameters.connection_attempts, parameters.retry_delay = 20, 0.5  # for the moments after a node has gone
CLASSIC = {"x-queue-type": "classic"}


def direct(name):
    """Parameters of a connection to one node, past HAProxy."""
    return pika.URLParameters(lab.through(lab.cluster[name].status().amqp))


def members(name):
    """The nodes of the cluster that this node belongs to, as `rabbitmqctl cluster_status` on it lists them."""
    status = json.loads(lab.cluster[name].ctl("cluster_status", "--formatter", "json"))
    return sorted(status["disk_nodes"] + status.get("ram_nodes", []))


# %% [markdown]
# ## The situation
#
# The shop has grown. It sells in two cities now, Lyon and Denver, and one broker no longer does: when it is restarted, both cities stand still. Since you began, your own labs have run on a **cluster** of three nodes, and you never had
# to know it. Somebody built it. Today that is you.
#
# The question: what makes three brokers one, what do they share, and what does only one of them have?
#
# `lab.cluster[...]` is a node, and `.ctl(...)` runs `rabbitmqctl` on it.

# %%
lab.status()

# %% [markdown]
# ## Experiment 1: what all nodes have, and what only one has
#
# An exchange, a queue and a binding are made through `rmq1`, and a message goes into the queue. Then each of the three nodes is asked what it knows. (A **passive** declaration makes nothing. It fails if there is nothing of that name.)

# %%
if lab.needs("break-nodes"):
    with pika.BlockingConnection(direct("rmq1")) as connection:
        channel = connection.channel()
        channel.queue_delete("lyon")
        channel.exchange_declare("shop.orders", exchange_type="direct", durable=True)
        channel.queue_declare("lyon", durable=True, arguments=CLASSIC)
        channel.queue_bind("lyon", exchange="shop.orders", routing_key="order.lyon")
        channel.confirm_delivery()
        persistent = pika.BasicProperties(delivery_mode=2)
        channel.basic_publish("shop.orders", "order.lyon", b"order 1: a lamp", persistent)

    for name in ["rmq1", "rmq2", "rmq3"]:
        with pika.BlockingConnection(direct(name)) as connection:
            channel = connection.channel()
            channel.exchange_declare("shop.orders", passive=True)
            waiting = channel.queue_declare("lyon", passive=True).method.message_count
        print(f"asked {name}: the exchange is there, and lyon has {waiting} message")

# %% [markdown]
# Each node knows everything. And yet the message is not on each of them:

# %%
if lab.cluster.is_ours:
    display(lab.status("lyon"))

# %% [markdown]
# A client of `rmq2` that asks for `lyon` is served all the same: `rmq2` passes the question on to `rmq1`. Now `rmq1` is shut down in good order.
#
# > **Predict:** A client connects to `rmq2`. What does it still find there?
# >
# > - `both`: the exchange and the queue with its message
# > - `the exchange`: and the queue is known, but cannot be used
# > - `nothing`

# %%
### BEGIN SOLUTION
### STUB lab.predict("rmq1 is down", ...)
lab.predict("rmq1 is down", "the exchange")
### END SOLUTION

# %%
if lab.cluster.is_ours:
    lab.cluster["rmq1"].stop()
    lab.wait_until(lambda: lab.placement("lyon").leader == "", seconds=30)  # the others have noticed
    with pika.BlockingConnection(direct("rmq2")) as connection:
        connection.channel().exchange_declare("shop.orders", passive=True)
        found = "the exchange"
        try:
            connection.channel().basic_get("lyon")
            found = "both"
        except pika.exceptions.ChannelClosedByBroker as error:
            reason = error
            print(error.reply_code, error.reply_text.split(" - ")[0])
    lab.happened("rmq1 is down", found)

# %% tags=["nbval-ignore-output"]
if lab.cluster.is_ours:
    print(reason.reply_text)

# %%
if lab.cluster.is_ours:
    lab.cluster["rmq1"].start()
    with pika.BlockingConnection(direct("rmq3")) as connection:
        method, _, body = connection.channel().basic_get("lyon", auto_ack=True)
    print("through rmq3:", body.decode())

# %% [markdown]
# 404, though every node knows the queue. The rest of the text differs from version to version: that its node is down, or that its `process is stopped by supervisor`. A classic queue is a process on one node, `rmq1` here, and it went with the node.
#
# What the nodes share is the **metadata**: virtual hosts, users and their permissions, exchanges, bindings, and that there is a queue `lyon`. What they do not share is the content of a **classic queue**: it is on one node, and nobody else can stand in for it.
# (Quorum queues keep copies on several nodes: [lab 19](19_replicated_queues.ipynb).) A cluster of classic queues is therefore no protection of messages. It is one address book for several houses.

# %% [markdown]
# ## Experiment 2: refused
#
# A fourth machine comes into service. Somebody has installed RabbitMQ on it, and started it. `lab.cluster.add` does that, in five to fifteen seconds: `rmq4` runs, as a broker of its own.
#
# To its cluster a node needs three things: a name that the others can resolve, `rmq4@rmq4` here (name of the program, `@`, name of the machine); a way to reach their ports; and the same **Erlang cookie**, a secret that each node has in a file.
# Ours has another one.
#
# > **Predict:** `rmq4` wants to join. What happens?
# >
# > - `joined`: the cookie is for users
# > - `refused`

# %%
### BEGIN SOLUTION
### STUB lab.predict("another cookie", ...)
lab.predict("another cookie", "refused")
### END SOLUTION

# %%
if lab.cluster.is_ours:
    rmq4 = lab.cluster.add("rmq4", cookie="another-secret")
    print("rmq4 is in a cluster of:", *members("rmq4"))

# %% tags=["nbval-ignore-output"]
if lab.cluster.is_ours:
    rmq4.ctl("stop_app")
    answer = "joined"
    try:
        rmq4.ctl("join_cluster", "rmq1@rmq1")
    except LabsError as error:
        answer = "refused"
        print("rabbitmqctl says:\n ", error.what)


def refusals():
    """The lines in which rmq1 noted that it refused a node."""
    lines = lab.cluster["rmq1"].log(300).splitlines()
    return [line for line in lines if "Connection attempt from" in line and "rmq4" in line]


if lab.cluster.is_ours:
    print("The log of rmq1 says:\n ", lab.wait_until(refusals)[-1])

# %%
if lab.cluster.is_ours:
    assert answer == "refused"
    assert members("rmq1") == ["rmq1@rmq1", "rmq2@rmq2", "rmq3@rmq3"]
    lab.happened("another cookie", answer)

# %% [markdown]
# What `rabbitmqctl` says differs from version to version and is seldom clear. The reason stands in the log of the node that **refused**: `Connection attempt from node rmq4@rmq4 rejected. Invalid challenge reply.` The two nodes challenge each other to prove the cookie
# without sending it. Whoever has it may do everything on every node, so it is a password: random, readable by the broker's user alone, and never in git.
#
# How do you compare two secrets without showing them? Each node tells a **hash** of its cookie, by another of RabbitMQ's tools, `rabbitmq-diagnostics`:


# %%
def cookie_hash(name):
    """A text that is the same on two nodes if their cookies are."""
    return lab.cluster[name].run("rabbitmq-diagnostics", "erlang_cookie_hash").strip()


if lab.cluster.is_ours:
    print("rmq1 and rmq2 have the same cookie:", cookie_hash("rmq1") == cookie_hash("rmq2"))
    print("rmq1 and rmq4 have the same cookie:", cookie_hash("rmq1") == cookie_hash("rmq4"))

# %% [markdown]
# These tools are small Erlang nodes themselves, and prove the cookie of the node that they talk to. So a `rabbitmqctl` that cannot reach a healthy node has often just been started by a user with another cookie file.

# %% [markdown]
# ## Experiment 3: joined
#
# The remedy is to copy the cookie (on Linux it is in `/var/lib/rabbitmq/.erlang.cookie`), and to start the node anew. `lab.cluster.add` without a cookie gives `rmq4` the cluster's own. Before it joins, `rmq4` gets a virtual host of its own.
#
# A node joins in three steps. `stop_app` stops RabbitMQ but not Erlang, `join_cluster` takes the name of any member, `start_app` starts RabbitMQ again.
#
# > **Predict:** What becomes of the virtual host that was only on `rmq4`?
# >
# > - `gone`
# > - `shared`: all nodes have it now

# %%
### BEGIN SOLUTION
### STUB lab.predict("rmq4's own", ...)
lab.predict("rmq4's own", "gone")
### END SOLUTION

# %%
if lab.cluster.is_ours:
    rmq4 = lab.cluster.add("rmq4")
    rmq4.ctl("add_vhost", "denver.test")
    for step in [["stop_app"], ["join_cluster", "rmq1@rmq1"], ["start_app"]]:
        rmq4.ctl(*step)
    rmq4.await_ready()
    print("rmq4 is in a cluster of:", *members("rmq4"))
    lab.happened("rmq4's own", "shared" if "denver.test" in rmq4.ctl("list_vhosts", "name") else "gone")

# %%
if lab.cluster.is_ours:
    lab.wait_until(lambda: lab.cluster.status().is_whole, seconds=30)
    display(lab.status())

# %% [markdown]
# Whoever joins gives up what they had, and takes over the metadata of the cluster, with its users and passwords: a node that joins is **reset**. Its messages are gone too, so only an empty broker may join.
#
# The three others never ran these commands. They found each other by **peer discovery**. This stands in their configuration, and not in that of `rmq4`:

# %%
discovery = (ROOT / "cluster" / "discovery.conf").read_text()
print(*[line for line in discovery.splitlines() if line.startswith("cluster_formation")], sep="\n")

# %% [markdown]
# A **blank** node that starts asks those on the list whether they have a cluster, and joins it by itself. A node that has data no longer looks at the list. In production this is the usual way, and the list often comes from Kubernetes, Consul or DNS. By hand is for repair.
#
# Up to 3.x a node could be a member in two ways: a **disc node** kept the metadata on disk too, a **RAM node** (`join_cluster --ram`) only in memory. It made declarations faster, and nothing else. Where the running version still has both, a member can change from one to the other:

# %% tags=["nbval-ignore-output"]
if lab.cluster.is_ours and lab.needs("ram-nodes"):
    for step in [["stop_app"], ["change_cluster_node_type", "ram"], ["start_app"]]:
        rmq4.ctl(*step)
    rmq4.await_ready()
    status = json.loads(rmq4.ctl("cluster_status", "--formatter", "json"))
    print("disc nodes:", *status["disk_nodes"], "| RAM nodes:", *status["ram_nodes"])

# %% [markdown]
# ## Experiment 4: in use
#
# A queue is made through `rmq4`, and used through `rmq2`. The cluster also gets a name of its own, which every node tells.

# %%
if lab.cluster.is_ours:
    with pika.BlockingConnection(direct("rmq4")) as connection:
        connection.channel().queue_declare("denver", durable=True, arguments=CLASSIC)
    lab.wait_until(lambda: lab.placement("denver").leader == "rmq4")

    with pika.BlockingConnection(direct("rmq2")) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("", "denver", b"order 2: a vase", persistent)

    rmq4.ctl("set_cluster_name", "two-cities")
    try:
        status = json.loads(lab.cluster["rmq1"].ctl("cluster_status", "--formatter", "json"))
        print("rmq1 belongs to the cluster", status["cluster_name"])
    finally:
        rmq4.ctl("set_cluster_name", "rabbitmq-labs")  # as it was, for the labs to come

    display(lab.status("denver"))

# %% [markdown]
# Where a queue lives is decided when it is declared: on the node that the client is connected to, unless a policy or the argument `x-queue-leader-locator` says otherwise. A client of `rmq2` need not know it. It only pays for the way from `rmq2` to `rmq4`.
#
# An operator may want to know. The picture shows it; so do the column *Node* in the management console and `rabbitmqctl list_queues name pid`. In a cell, `lab.placement("denver").leader` is the node's name.

# %% [markdown]
# ## Experiment 5: good-bye
#
# The machine is to get more memory. Before such work, `rabbitmq-upgrade drain` puts a node into **maintenance mode**: it takes no new clients, cuts those that it has, and hands over what others can take over. `rabbitmq-upgrade revive` ends it. (The work itself is left out.)


# %%
def takes_clients(name):
    try:
        pika.BlockingConnection(direct(name)).close()
    except pika.exceptions.AMQPConnectionError:
        return False
    return True


if lab.cluster.is_ours:
    rmq4.run("rabbitmq-upgrade", "drain")
    print("drained, rmq4 takes clients:", takes_clients("rmq4"))
    rmq4.run("rabbitmq-upgrade", "revive")
    lab.wait_until(lambda: takes_clients("rmq4"))
    print("revived, rmq4 takes clients:", takes_clients("rmq4"))

# %% [markdown]
# Then the machine is to go for good. It is drained again, RabbitMQ is stopped on it, and a node that stays tells the cluster to **forget** it.
#
# > **Predict:** What becomes of the classic queue `denver` and its message?
# >
# > - `moved`: to another node
# > - `gone`

# %%
### BEGIN SOLUTION
### STUB lab.predict("denver, after the node is forgotten", ...)
lab.predict("denver, after the node is forgotten", "gone")
### END SOLUTION

# %%
if lab.cluster.is_ours:
    rmq4.run("rabbitmq-upgrade", "drain")
    rmq4.ctl("stop_app")
    lab.cluster["rmq1"].ctl("forget_cluster_node", "rmq4@rmq4")
    print("members:", *members("rmq1"))

    with pika.BlockingConnection(direct("rmq1")) as connection:
        try:
            connection.channel().queue_declare("denver", passive=True)
            lab.happened("denver, after the node is forgotten", "moved")
        except pika.exceptions.ChannelClosedByBroker as error:
            print(error.reply_code, error.reply_text.split(" in vhost")[0])
            lab.happened("denver, after the node is forgotten", "gone")

# %% [markdown]
# A drain saves what has a copy elsewhere. A classic queue has none, so it must be emptied, or moved by hand, **before** its node goes.

# %% [markdown]
# ## What can go wrong: a node that only went away
#
# "`rmq3` is down for a repair, so we take it out of the cluster." It is not down, it only seemed so from where somebody looked:

# %% tags=["nbval-ignore-output"]
if lab.cluster.is_ours:
    forgotten = True
    try:
        lab.cluster["rmq1"].ctl("forget_cluster_node", "rmq3@rmq3")
    except LabsError as error:
        forgotten = False
        print(error.what)

# %%
if lab.cluster.is_ours:
    assert not forgotten
    assert members("rmq1") == ["rmq1@rmq1", "rmq2@rmq2", "rmq3@rmq3"]

# %% [markdown]
# A running node is not forgotten, luckily. But one that is down is, and perhaps its machine comes back. `rmq4` was forgotten a moment ago. Somebody starts RabbitMQ on it again:

# %% tags=["nbval-ignore-output"]
if lab.cluster.is_ours:
    try:
        rmq4.ctl("start_app")
        print("rmq4 runs, in a cluster of:", *members("rmq4"))
    except LabsError as error:
        print(error.what)

# %%
if lab.cluster.is_ours:
    print("rmq1 is in a cluster of:", *members("rmq1"))
    lab.cluster.remove("rmq4")
    display(lab.status())

# %% [markdown]
# It is not back. On 3.10 it still takes itself for a member, the others disagree (`inconsistent_cluster`), and RabbitMQ does not start on it before `rabbitmqctl reset`. On 4.3 `forget_cluster_node` has reset it, because Erlang still ran on it and could be told: it
# starts as an empty broker of its own. Either way its data are lost, and it can only join as a new node does.
#
# So **forget** is for ever. A node that is to come back is simply stopped and started: the others wait for it.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.exchange_delete("shop.orders")
    for queue in ["lyon", "denver"]:
        channel.queue_delete(queue)

# %% [markdown]
# ## Exercises
#
# ### Exercise 1: it does not join
#
# Denver gets its node back. A colleague has started `rmq4`, and says: "It runs, but it does not join." The next cell is what the colleague did.

# %%
import secrets

if lab.cluster.is_ours:
    rmq4 = lab.cluster.add("rmq4", cookie=secrets.token_hex(8))

# %% [markdown]
# Find out why, and mend it: `rmq4` becomes a member of the cluster. Then declare the durable classic queue `counter` so that it lives **on** `rmq4`.

# %% exercise="join"
### BEGIN SOLUTION
if lab.cluster.is_ours:
    print("The same cookie:", cookie_hash("rmq1") == cookie_hash("rmq4"))
    rmq4 = lab.cluster.add("rmq4")  # anew, with the cluster's cookie
    for step in [["stop_app"], ["join_cluster", "rmq1@rmq1"], ["start_app"]]:
        rmq4.ctl(*step)
    rmq4.await_ready()
    with pika.BlockingConnection(direct("rmq4")) as connection:
        connection.channel().queue_declare("counter", durable=True, arguments=CLASSIC)
### END SOLUTION

# %%
lab.check("join")

# %% [markdown]
# ### Exercise 2: where does it live?
#
# The next cell makes three queues, each through a node that it does not tell you.

# %%
import random

NODES = random.sample(["rmq1", "rmq2", "rmq3"], 3)
if lab.cluster.is_ours:
    for queue, node in zip(["invoices", "returns", "labels"], NODES, strict=True):
        with pika.BlockingConnection(direct(node)) as connection:
            channel = connection.channel()
            channel.queue_delete(queue)
            channel.queue_declare(queue, durable=True, arguments=CLASSIC)

# %% [markdown]
# Publish one message to each of them, whose body is the name of the node that the queue lives on: `rmq1`, `rmq2` or `rmq3`. (Without peeping at `NODES`: in production there is no such list.)

# %% exercise="where"
### BEGIN SOLUTION
if lab.cluster.is_ours:
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        for queue in ["invoices", "returns", "labels"]:
            channel.basic_publish("", queue, lab.placement(queue).leader.encode())
### END SOLUTION

# %%
lab.check("where")

# %% [markdown]
# ### Exercise 3: sold
#
# The next cell joins `rmq4`, unless it is a member from exercise 1. Denver's returned goods have the queue `denver.returns` there, bound to the exchange `shop.returns` with the key `return.denver`. Then the machine is switched off and sold. Nobody has told the cluster.

# %%
if lab.cluster.is_ours:
    if "rmq4@rmq4" not in members("rmq1") or rmq4.status().state != "ready":
        rmq4 = lab.cluster.add("rmq4")
        for step in [["stop_app"], ["join_cluster", "rmq1@rmq1"], ["start_app"]]:
            rmq4.ctl(*step)
        rmq4.await_ready()
    with pika.BlockingConnection(direct("rmq4")) as connection:
        channel = connection.channel()
        channel.queue_delete("denver.returns")
        channel.exchange_declare("shop.returns", exchange_type="direct", durable=True)
        channel.queue_declare("denver.returns", durable=True, arguments=CLASSIC)
        channel.queue_bind("denver.returns", exchange="shop.returns", routing_key="return.denver")
    rmq4.kill()
    lab.wait_until(lambda: lab.placement("denver.returns").leader == "", seconds=30)  # the others have noticed
    display(lab.status("denver.returns"))

# %% [markdown]
# Put it in order: the cluster has the three members that run and no other, and `denver.returns` is there again, durable, classic, and bound as it was, on a node that runs. Use `rabbitmqctl` as you would on machines of your own. (`lab.cluster.remove` would do half of it, and you
# would not have learnt which command it was.)

# %% exercise="sold"
### BEGIN SOLUTION
if lab.cluster.is_ours:
    lab.cluster["rmq1"].ctl("forget_cluster_node", "rmq4@rmq4")
    with pika.BlockingConnection(direct("rmq1")) as connection:
        channel = connection.channel()
        channel.queue_declare("denver.returns", durable=True, arguments=CLASSIC)
        channel.queue_bind("denver.returns", exchange="shop.returns", routing_key="return.denver")
### END SOLUTION

# %%
lab.check("sold")

# %% [markdown]
# The spare node has done its work. Its data go too:

# %%
lab.cluster.remove("rmq4")
lab.progress()

# %% [markdown]
# ## In production
#
# - Three nodes or five, never two: a majority decides what the cluster may do. All of one version, all with the same plugins.
# - Peer discovery from a list, DNS or Kubernetes; `join_cluster` by hand only for repair.
# - The cookie is a password: long, random, mode 0400, the same on all nodes. The ports between the nodes (4369, 25672, and [6000 to 6500](https://www.rabbitmq.com/docs/networking#ports) for streams) are open to the nodes and to nobody else.
# - Queues that must survive a node are quorum queues. Classic queues are for what may wait until their node is back.
# - Planned work: `rabbitmq-upgrade drain`, stop, work, start. For good: drain, stop, `forget_cluster_node`.
#
# | | 3.10 | 4.0 | 4.3 |
# | --- | --- | --- | --- |
# | Metadata are kept in | Mnesia | Mnesia, Khepri on request | Khepri |
# | RAM nodes: `join_cluster --ram`, `change_cluster_node_type` | yes | deprecated | gone |
# | A node that was forgotten starts again | refused until `reset` | refused until `reset` with Mnesia | as a broker of its own if Erlang ran on it meanwhile, else not at all |
# | A client asks for a classic queue whose node stopped cleanly | 404 at once | 404 at once | 404 at once |
# | The same, where the node was killed | 404 at once | 404 after a minute | 404 after a minute |
# | A declaration without a majority of nodes | works, where the minority does not pause | the same with Mnesia | waits, then fails |
# | `force_reset`, `forget_cluster_node --offline` | work | work with Mnesia | refused |

# %% [markdown]
# ## Recap
#
# - Nodes that have the same **cookie**, and names that they can resolve, can be one cluster. The refusal stands in the log of the one that refuses.
# - `stop_app`, `join_cluster`, `start_app`: who joins is reset.
# - Shared: users, virtual hosts, exchanges, bindings, the names of queues. Not shared: what is **in** a classic queue. It lives on the node through which it was declared.
# - Every node leads a client to every queue, as long as the queue's node is up.
# - Drain, stop, **forget**: for good. To come back, a node is only stopped.
#
# Next: [lab 19](19_replicated_queues.ipynb) on queues that survive the loss of their node. The official pages:
# [clustering](https://www.rabbitmq.com/docs/clustering),
# [cluster formation](https://www.rabbitmq.com/docs/cluster-formation),
# [the Erlang cookie](https://www.rabbitmq.com/docs/clustering#erlang-cookie),
# [maintenance mode](https://www.rabbitmq.com/docs/upgrade#maintenance-mode).
