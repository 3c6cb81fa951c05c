# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   lab:
#     title: What exchanges and queues remember
#     promise: Say of each exchange, queue and message how long the broker keeps it, and restart a node to see.
#     part: The model
#     minutes: 30
#     objectives:
#     - choose between durable, auto-delete and exclusive
#     - bound a queue, and choose what happens when it is full
#     - set an option by an argument or by a policy, and say which one holds
#     - make an exchange, a queue and a message survive the restart of a node
#     prerequisites: [04_direct_exchange]
#     cluster: [break-nodes]
# ---

# %% [markdown]
# ## Set up

# %%
import pika

from lab_helpers import Lab

lab = Lab("06_what_exchanges_and_queues_remember")
parameters = pika.URLParameters(lab.url)
parameters.connection_attempts, parameters.retry_delay = 5, 0.5  # for the moments after a restart
CLASSIC = {"x-queue-type": "classic"}


def exists(name, kind="queue"):
    """Ask by a passive declaration: it makes nothing, and fails with 404 if there is nothing of that name."""
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        declare = channel.queue_declare if kind == "queue" else channel.exchange_declare
        try:
            declare(name, passive=True)
        except pika.exceptions.ChannelClosedByBroker:
            return False
    return True


# %% [markdown]
# ## The situation
#
# Last night one of the shop's nodes was restarted. In the morning the Lyon warehouse had all its orders. The
# book-keepers missed some. The support desk's screens stayed dark, and a program that had worked for a year could not
# start any more.
#
# Nothing had failed. Each exchange and each queue did what its declaration said, and nobody had read the
# declarations. So far you have copied `durable=True` from one cell to the next. This lab takes a declaration apart.
#
# The question: how long, how much and for whom does the broker keep what you give it?

# %% [markdown]
# ## Experiment 1: gone with its last user
#
# Some queues are not meant to stay. The support desk opens a connection and declares three queues:
#
# - `desk` is **exclusive**: it belongs to this connection.
# - `screen.watched` and `screen.idle` are **auto-delete**. The first one gets a consumer, the second one never has
#   any.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("desk", exclusive=True, arguments=CLASSIC)
    for screen in ["screen.watched", "screen.idle"]:
        channel.queue_declare(screen, durable=True, auto_delete=True, arguments=CLASSIC)
    channel.basic_consume("screen.watched", on_message_callback=print)
    picture = lab.topology()

picture

# %% [markdown]
# The picture was taken while the connection was open. By now the `with` block has closed it, and the consumer has
# gone.
#
# > **Predict:** Which of the three queues are left?
# >
# > - `none`
# > - `screen.idle`
# > - `screen.watched and screen.idle`

# %%
### BEGIN SOLUTION
### STUB lab.predict("left after closing", ...)
lab.predict("left after closing", "screen.idle")
### END SOLUTION

# %%
lab.wait_until(lambda: not exists("screen.watched"))
left = [queue for queue in ["desk", "screen.watched", "screen.idle"] if exists(queue)]
lab.happened("left after closing", " and ".join(left))

# %% [markdown]
# - An **exclusive** queue ends with the connection that declared it. (The picture calls `desk` *transient*: it would
#   not outlive a restart, but it does not live that long anyway.)
# - An **auto-delete** queue ends when its **last consumer** leaves. A queue that never had a consumer has no last
#   one, so `screen.idle` stays, for ever if nobody deletes it. Many a broker is full of such queues.
#
# Exclusive also means that no other connection may use the queue as long as it is there. It is refused with 405:

# %%
with pika.BlockingConnection(parameters) as owner, pika.BlockingConnection(parameters) as other:
    owner.channel().queue_declare("desk", exclusive=True, arguments=CLASSIC)
    try:
        other.channel().basic_get("desk")
    except pika.exceptions.ChannelClosedByBroker as error:
        print(error.reply_code, error.reply_text.split(". ")[0])

# %% [markdown]
# Exchanges can be auto-delete too, but an exchange has no consumers. For a sale of one day the shop makes an
# auto-delete exchange `shop.sale`, and binds the queue `sale` to it.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_delete("screen.idle")
    channel.exchange_declare("shop.sale", exchange_type="direct", durable=True, auto_delete=True)
    channel.queue_declare("sale", durable=True, arguments=CLASSIC)
    channel.queue_bind("sale", exchange="shop.sale", routing_key="order.sale")

lab.topology()

# %% [markdown]
# That connection is closed as well, and the exchange is still there. Now the binding is removed.
#
# > **Predict:** What becomes of the exchange `shop.sale`?
# >
# > - `there`: a binding is not a user
# > - `gone`

# %%
### BEGIN SOLUTION
### STUB lab.predict("shop.sale", ...)
lab.predict("shop.sale", "gone")
### END SOLUTION

# %%
with pika.BlockingConnection(parameters) as connection:
    connection.channel().queue_unbind("sale", exchange="shop.sale", routing_key="order.sale")

lab.topology()

# %%
lab.happened("shop.sale", "there" if exists("shop.sale", "exchange") else "gone")

# %% [markdown]
# So auto-delete has two meanings. A queue's users are its **consumers**; an exchange's users are the **bindings that
# lead away from it**. The queue `sale` is not auto-delete, so it stays, with nothing leading to it.

# %% [markdown]
# ## Experiment 2: a queue that is full
#
# The website shows each customer what they looked at last. Three products are enough. What a declaration says beyond
# its flags are its **arguments**: a table of names and values. `x-max-length` is one of them, the number of messages
# that a queue may hold.
#
# > **Predict:** A queue with `x-max-length` 3 gets the messages 1 to 5, and nobody consumes. Which are in it then?
# >
# > - `1 2 3`: it is full after the third
# > - `3 4 5`: the newest stay
# > - `1 2 3 4 5`: the limit is only a warning

# %%
### BEGIN SOLUTION
### STUB lab.predict("the limit", ...)
lab.predict("the limit", "3 4 5")
### END SOLUTION


# %%
def drain(queue):
    """Take everything out of a queue and return the bodies as one text."""
    bodies = []
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        while (message := channel.basic_get(queue, auto_ack=True))[0]:
            bodies.append(message[2].decode())
    return " ".join(bodies)


with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_delete("sale")
    channel.queue_declare("recent", durable=True, arguments={**CLASSIC, "x-max-length": 3})
    channel.queue_purge("recent")

with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    for number in range(1, 6):
        channel.basic_publish("", "recent", str(number).encode())

story.sequence()

# %%
lab.happened("the limit", drain("recent"))

# %% [markdown]
# The queue drops from its head, the oldest first. Look at the chart: the broker answered each of the five with
# `basic.ack`, also those two that it threw away for the next ones. A confirm says that the queue took the message,
# not that it will keep it.
#
# This is `drop-head`, the default of a second argument, `x-overflow`. The next cell tries all three values it can
# have. Each queue gets the messages 1 to 5 again. It also has a place for what it may not keep:
# `x-dead-letter-exchange` and `x-dead-letter-routing-key` say where such messages are published again. Here that is
# the default exchange, and the key is the name of a queue `parked.…`. (Dead letters have a lab of their own, number
# 13.)

# %%
OVERFLOWS = ["drop-head", "reject-publish", "reject-publish-dlx"]
refused = {overflow: [] for overflow in OVERFLOWS}
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    for overflow in OVERFLOWS:
        full, parked = f"full.{overflow}", f"parked.{overflow}"
        limit = {"x-max-length": 3, "x-overflow": overflow}
        dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": parked}
        channel.queue_declare(parked, durable=True, arguments=CLASSIC)
        channel.queue_declare(full, durable=True, arguments={**CLASSIC, **limit, **dead})
        for number in range(1, 6):
            try:
                channel.basic_publish("", full, str(number).encode())
            except pika.exceptions.NackError:
                refused[overflow].append(str(number))

lab.wait_until(lambda: lab.depth("parked.drop-head") == lab.depth("parked.reject-publish-dlx") == 2)
print(f"{'x-overflow':20}{'kept':8}{'refused':9}parked")
for overflow in OVERFLOWS:
    kept, parked = drain(f"full.{overflow}"), drain(f"parked.{overflow}")
    print(f"{overflow:20}{kept:8}{' '.join(refused[overflow]) or '-':9}{parked or '-'}")

# %% [markdown]
# `drop-head` keeps the newest and tells nobody. The other two keep the oldest and **refuse** the new: the broker
# answers `basic.nack`, which pika raises as `NackError`, so the publisher can wait or give up. A publisher without
# `confirm_delivery` would not hear it. `reject-publish-dlx` also parks what it refused.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for overflow in OVERFLOWS:
        channel.queue_delete(f"full.{overflow}")
        channel.queue_delete(f"parked.{overflow}")

# %% [markdown]
# ## Experiment 3: arguments against policies
#
# An argument belongs to one queue and never changes. A **policy** is a rule in the broker: a pattern for names, and
# options without the `x-`. It holds for every queue or exchange whose name fits, those to come and those that exist.
#
# Two queues get the messages 1 to 5: `visits` has no limit, `recent` still has its argument `x-max-length` 3.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("visits", durable=True, arguments=CLASSIC)
    for queue in ["visits", "recent"]:
        channel.queue_purge(queue)
        for number in range(1, 6):
            channel.basic_publish("", queue, str(number).encode())

lab.wait_until(lambda: lab.depth("visits") == 5)
lab.topology()

# %% [markdown]
# Now an operator sets a policy `short` with `max-length` 4 for both.
#
# > **Predict:** How many messages are in `visits` and in `recent` then?
# >
# > - `5 and 3`: the messages are there already
# > - `4 and 3`
# > - `4 and 4`: the policy replaces the argument

# %%
### BEGIN SOLUTION
### STUB lab.predict("visits and recent", ...)
lab.predict("visits and recent", "4 and 3")
### END SOLUTION

# %% [markdown]
# A policy is set by an operator: in the console, or with `rabbitmqctl`, which `lab.cluster["rmq1"].ctl(...)` runs on
# a node. (`lab.needs` is true where this cluster allows it; elsewhere it says so, and the cell does nothing.) After the policy is in force, the cell publishes a sixth message to each.

# %%
if lab.needs("node-commands"):
    rabbitmqctl = lab.cluster["rmq1"].ctl
    policy = ["short", "^(visits|recent)$", '{"max-length": 4}']
    rabbitmqctl("set_policy", "--vhost", lab.vhost, *policy, "--apply-to", "queues")
    lab.wait_until(lambda: lab.depth("visits") < 5)
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for queue in ["visits", "recent"]:
            channel.basic_publish("", queue, b"6")
    lab.happened("visits and recent", f"{lab.depth('visits')} and {lab.depth('recent')}")
    rabbitmqctl("clear_policy", "--vhost", lab.vhost, "short")
    print("visits:", drain("visits"))
    print("recent:", drain("recent"))

# %% [markdown]
# The policy cut `visits` at once, without anybody declaring it again. In `recent` both limits hold, and for a number
# such as this one the **lower** wins: had the policy said 2, both would have 2. Clearing the policy lifts the limit; the messages that it cost do not come
# back.

# %% [markdown]
# ## Experiment 4: an exchange that nobody may publish to
#
# Exchanges have arguments too. `alternate-exchange` names an exchange that gets every message for which no binding
# fits, so that the orders that lab 04 lost are kept. The shop calls it `shop.unrouted`. Only the broker should write
# there, so it is **internal**. Its type is `fanout`, which takes no notice of the key: a copy goes to every queue
# bound to it.

# %%
with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.exchange_declare("shop.unrouted", exchange_type="fanout", durable=True, internal=True)
    alternate = {"alternate-exchange": "shop.unrouted"}
    channel.exchange_declare("shop.web", exchange_type="direct", durable=True, arguments=alternate)
    for queue, exchange, key in [("denver", "shop.web", "order.us"), ("unrouted", "shop.unrouted", "")]:
        channel.queue_declare(queue, durable=True, arguments=CLASSIC)
        channel.queue_purge(queue)
        channel.queue_bind(queue, exchange=exchange, routing_key=key)
    channel.confirm_delivery()
    channel.basic_publish("shop.web", routing_key="order.us", body=b"order 1: a lamp", mandatory=True)
    channel.basic_publish("shop.web", routing_key="order.usa", body=b"order 2: a vase", mandatory=True)

story.flow()

# %% [markdown]
# The misspelt `order.usa` took the other way. It was not returned either, although it was mandatory: it did reach a
# queue.
#
# > **Predict:** A program publishes to `shop.unrouted` itself. What does the broker do?
# >
# > - `deliver`: the exchange and a queue are there
# > - `drop`: without a word, as for a key that does not fit
# > - `refuse`

# %%
### BEGIN SOLUTION
### STUB lab.predict("publish to an internal exchange", ...)
lab.predict("publish to an internal exchange", "refuse")
### END SOLUTION

# %%
with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    try:
        channel.basic_publish("shop.unrouted", routing_key="order.us", body=b"order 3: a rug")
        answer = "deliver" if lab.depth("unrouted") == 2 else "drop"
    except pika.exceptions.ChannelClosedByBroker as error:
        answer = "refuse"
        print(error.reply_code, error.reply_text)

story.sequence()

# %%
lab.happened("publish to an internal exchange", answer)

# %% [markdown]
# 403, and the channel is closed. An internal exchange gets messages from other exchanges only: as their alternate
# exchange, or through a binding between exchanges ([lab 05](05_fanout_topic_headers.ipynb)). As with every error on a
# publish, you only hear of it if you wait: here `confirm_delivery` did.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for exchange in ["shop.web", "shop.unrouted"]:
        channel.exchange_delete(exchange)
    for queue in ["recent", "visits", "denver", "unrouted"]:
        channel.queue_delete(queue)

# %% [markdown]
# ## Experiment 5: the restart
#
# Now for last night. What outlives the restart of a node is said in three places:
#
# - an exchange or a queue is **durable**, or else **transient**;
# - a message is **persistent** (`delivery_mode=2`), or else transient. That is the default.
#
# The cell makes a durable and a transient exchange, and one durable queue with one message of each kind.

# %%
PERSISTENT = pika.BasicProperties(delivery_mode=2)

with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_delete("lyon")
    channel.exchange_declare("shop.orders", exchange_type="direct", durable=True)
    channel.exchange_declare("shop.flash", exchange_type="direct", durable=False)
    channel.queue_declare("lyon", durable=True, arguments=CLASSIC)
    for exchange in ["shop.orders", "shop.flash"]:
        channel.queue_bind("lyon", exchange=exchange, routing_key="order.eu")
    channel.confirm_delivery()
    channel.basic_publish("shop.orders", "order.eu", b"order 4: a teapot", PERSISTENT)
    channel.basic_publish("shop.orders", "order.eu", b"order 5: a kettle")
    picture = lab.topology()
    try:
        channel.queue_declare("cache", durable=False, arguments=CLASSIC)
        answer = "cache is declared"
    except pika.exceptions.ConnectionClosedByBroker as error:
        answer = f"{error.reply_code} {error.reply_text.splitlines()[0]}"

picture

# %% [markdown]
# The last lines of the cell tried a transient **queue** too, `cache`. What came of it depends on your broker:
# before 4.3 it takes such a queue; from [4.3](https://github.com/rabbitmq/rabbitmq-server/blob/main/release-notes/4.3.0.md)
# on it refuses it and closes the whole connection, unless its configuration or its package permits it.

# %% tags=["nbval-ignore-output"]
print(f"RabbitMQ {lab.version}:", answer)

# %%
assert exists("cache") or answer.startswith("541"), answer

# %% [markdown]
# A classic queue lives on **one** node, the one its declaration went to. The others know its name, and lead clients
# to it. So the cell below first asks `rabbitmqctl` for the queue's process (`pid`), whose name begins with its
# node's. Then it shuts that node down in good order, and starts it again. This takes 10 to 30 seconds. (Where the
# cluster is not yours to break, the cell says so, and nothing is restarted: read on for what would have happened.)
#
# > **Predict:** How many of the two messages are in `lyon` afterwards?
# >
# > - `2`: the queue is durable, and the node shut down in good order
# > - `1`: the persistent one
# > - `0`: messages are in memory

# %%
### BEGIN SOLUTION
### STUB lab.predict("messages in lyon", ...)
lab.predict("messages in lyon", "1")
### END SOLUTION

# %% [markdown]
# > **Predict:** And the transient exchange, `shop.flash`?
# >
# > - `gone`: it is not durable
# > - `there`

# %%
### BEGIN SOLUTION
### STUB lab.predict("shop.flash", ...)
lab.predict("shop.flash", "there")
### END SOLUTION

# %%
if lab.needs("break-nodes"):
    listing = lab.cluster["rmq1"].ctl("list_queues", "--vhost", lab.vhost, "name", "pid")
    [lyon] = [line for line in listing.splitlines() if line.startswith("lyon\t")]
    home = next(node for node in lab.cluster if f"<{node.name}@" in lyon)
    home.restart()

# %%
lab.wait_until(lambda: exists("lyon"))
lab.topology()

# %%
with pika.BlockingConnection(parameters) as connection:
    method, properties, body = connection.channel().basic_get("lyon")

print(body.decode(), "| delivery mode", properties.delivery_mode)
if lab.cluster.is_ours:
    lab.wait_until(lambda: lab.depth("lyon") > 0)  # it was not acknowledged, and so it goes back
    lab.happened("messages in lyon", lab.depth("lyon"))
    lab.happened("shop.flash", "there" if exists("shop.flash", "exchange") else "gone")
    print("cache is there:", exists("cache"))

# %% [markdown]
# The durable queue came back, and with it the **persistent** message. Durable says that the *queue* is kept, and
# nothing about what is in it: the transient message is lost even in an orderly shut-down. Whatever must survive needs
# both. A transient queue such as `cache` is gone, messages and all, and so is every exclusive queue whose connection
# led to that node. Those are the dark screens.
#
# And the surprise: the transient exchange is still there. Exchanges and bindings are **metadata**, which every node
# of the cluster has. The node that came back asked the others. Only if all nodes are down at the same time may a
# transient exchange be lost, and the newest versions keep it even then (table below). Do not build on either: declare
# exchanges durable.

# %% [markdown]
# ## What can go wrong: the program that could not start
#
# A new version of a program wants more room in its queue. And another one takes `shop.orders` for a fanout exchange.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("viewings", durable=True, arguments={**CLASSIC, "x-max-length": 3})
    try:
        channel.queue_declare("viewings", durable=True, arguments={**CLASSIC, "x-max-length": 5})
    except pika.exceptions.ChannelClosedByBroker as error:
        print(error.reply_code, error.reply_text)
    channel = connection.channel()
    try:
        channel.exchange_declare("shop.orders", exchange_type="fanout", durable=True)
    except pika.exceptions.ChannelClosedByBroker as error:
        print(error.reply_code, error.reply_text)

# %% [markdown]
# 406, `PRECONDITION_FAILED`: to declare again is harmless only if everything is **equal**, type, flags and arguments.
# The text names the first thing that is not. There is no "change": the queue must be deleted and made anew, with its
# messages moved before. A limit that may change one day is therefore better set by a policy, which no declaration
# mentions.
#
# The opposite mistake is silent: an argument that the broker does not know is kept, and does nothing.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("typo", durable=True, arguments={**CLASSIC, "x-max-lenght": 3})
    channel.queue_purge("typo")
    channel.confirm_delivery()
    for number in range(1, 6):
        channel.basic_publish("", "typo", str(number).encode())

print("messages in typo:", lab.depth("typo"))

# %% [markdown]
# Before the exercises, the table is cleared.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for exchange in ["shop.orders", "shop.flash"]:
        channel.exchange_delete(exchange)
    for queue in ["lyon", "cache", "viewings", "typo"]:
        channel.queue_delete(queue)

# %% [markdown]
# ## Exercises
#
# ### Exercise 1: the last three
#
# Make a durable queue `last`, limited by an **argument** so that it always keeps the **last** three messages. Publish
# `page 1`, `page 2`, … `page 5` to it, in this order, through the default exchange.
#
# (If you declared `last` differently before, delete it first: `channel.queue_delete("last")`.)

# %% exercise="last"
### BEGIN SOLUTION
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("last", durable=True, arguments={**CLASSIC, "x-max-length": 3})
    for number in range(1, 6):
        channel.basic_publish("", "last", f"page {number}".encode())
### END SOLUTION

# %%
lab.check("last")

# %% [markdown]
# ### Exercise 2: nobody's exchange
#
# Payments are published to the durable direct exchange `shop.payments`; those with the key `payment.received` go to
# the durable queue `payments`. Build that, in such a way that
#
# - a payment with **any other key** reaches the durable queue `strays`, by way of an exchange `shop.strays`,
# - no program can publish to `shop.strays`.
#
# Then prove the second point: inside `with lab.record("internal") as story:`, publish something to `shop.strays`, and
# catch the error that you get.

# %% exercise="internal"
### BEGIN SOLUTION
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.exchange_declare("shop.strays", exchange_type="fanout", durable=True, internal=True)
    alternate = {"alternate-exchange": "shop.strays"}
    channel.exchange_declare("shop.payments", exchange_type="direct", durable=True, arguments=alternate)
    for queue, exchange, key in [
        ("payments", "shop.payments", "payment.received"),
        ("strays", "shop.strays", ""),
    ]:
        channel.queue_declare(queue, durable=True, arguments=CLASSIC)
        channel.queue_bind(queue, exchange=exchange, routing_key=key)

with lab.record("internal") as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    try:
        channel.basic_publish("shop.strays", routing_key="", body=b"a stray")
    except pika.exceptions.ChannelClosedByBroker as error:
        print(error.reply_code, error.reply_text)
### END SOLUTION

# %%
lab.check("internal")

# %% [markdown]
# ### Exercise 3: before the next restart
#
# The next cell builds what a colleague left behind: parcels that come back are announced to `shop.returns`. Run it,
# and read it with care.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.exchange_delete("shop.returns")
    channel.queue_delete("returns")
    channel.exchange_declare("shop.returns", exchange_type="direct")
    channel.queue_declare("returns", durable=True, auto_delete=True, arguments=CLASSIC)
    channel.queue_bind("returns", exchange="shop.returns", routing_key="order.returned")
    channel.basic_publish("shop.returns", "order.returned", b"return 1: a lamp")

lab.wait_until(lambda: lab.depth("returns") == 1)
lab.topology()

# %% [markdown]
# Three things are wrong: the exchange is transient, the queue goes when its consumer does, and the return that waits
# is transient. Repair all three, under the same names: a direct exchange, a classic queue, the same binding. When you are done,
# `return 1: a lamp` must be waiting in `returns`, and nothing else.

# %% exercise="survive"
### BEGIN SOLUTION
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    waiting = []
    while (message := channel.basic_get("returns"))[0]:
        waiting.append(message[2])
    channel.exchange_delete("shop.returns")
    channel.queue_delete("returns")
    channel.exchange_declare("shop.returns", exchange_type="direct", durable=True)
    channel.queue_declare("returns", durable=True, arguments=CLASSIC)
    channel.queue_bind("returns", exchange="shop.returns", routing_key="order.returned")
    channel.confirm_delivery()
    for body in waiting:
        channel.basic_publish("shop.returns", "order.returned", body, PERSISTENT)
### END SOLUTION

# %%
lab.check("survive")

# %% [markdown]
# To see it hold on a cluster of your own, add a cell with `home.restart()`, and check once more.

# %%
lab.progress()

# %% [markdown]
# ## In production
#
# - Durable exchanges, durable queues and persistent messages by default. The cost is the disk: a confirm comes only
#   after the message was written.
# - A queue for one client only, for replies or for a screen: exclusive. It cleans up after itself, also when the
#   client crashes.
# - Bound every queue that nobody may be reading. `reject-publish` where the publisher can wait, `drop-head` where
#   only the newest counts. `x-max-length-bytes` bounds by the size of the bodies instead of their number, or both are
#   set, and the first limit reached holds.
# - Limits and dead-letter exchanges by policy, so that they can change. Only what makes the queue what it is by
#   argument: its type. Of the policies that fit a queue, one holds: that with the highest priority.
# - Give each exchange that takes orders or money an alternate exchange, and an alarm on the queue behind it.
#
# | | 3.10 | 4.0 | 4.3 |
# | --- | --- | --- | --- |
# | Transient queue that is not exclusive | works | works, deprecated | refused with 541, connection closed, unless `deprecated_features.permit.transient_nonexcl_queues` is set; some packages permit it |
# | Transient exchange, one node restarted | stays | stays | stays |
# | Transient exchange, all nodes down at once | gone | gone, if in Mnesia | stays: Khepri keeps all metadata on disk |
# | `x-overflow` of classic queues | all three | all three | all three |
# | `x-overflow` of quorum queues | `drop-head`, `reject-publish`; `reject-publish-dlx` is taken and acts as `drop-head` | the same | the same |

# %% [markdown]
# ## Recap
#
# - **Exclusive** ends with its connection; **auto-delete** ends with the last consumer of a queue, or the last
#   binding of an exchange.
# - To survive a restart, a message must be **persistent** *and* in a **durable** queue.
# - A full queue drops its head, or with `reject-publish` refuses the new and says so to a publisher that waits for
#   confirms.
# - A declaration must equal what exists, or the channel ends with **406**; a **policy** can change at any time.
# - Nobody publishes to an **internal** exchange; an **alternate exchange** gets what fits no binding.
#
# Next: [lab 07](07_anatomy_of_a_message.ipynb) on what a message carries. The official pages:
# [queues](https://www.rabbitmq.com/docs/queues), [exchanges](https://www.rabbitmq.com/docs/exchanges), [length
# limits](https://www.rabbitmq.com/docs/maxlength), [policies](https://www.rabbitmq.com/docs/policies), [alternate
# exchanges](https://www.rabbitmq.com/docs/ae).
