# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   lab:
#     title: Publisher confirms
#     promise: Kill the node under a publisher twice, and let the broker's word decide whether orders are lost.
#     part: Reliability
#     minutes: 25
#     objectives:
#     - switch a channel to confirms, and read every answer of the broker
#     - choose between confirms one by one, in batches and asynchronous, by a measurement
#     - say what a confirm promises for each kind of message and queue
#     - write a publisher that loses nothing when a node dies
#     prerequisites: [06_what_exchanges_and_queues_remember, 07_anatomy_of_a_message]
#     cluster: [break-nodes]
# ---

# %% [markdown]
# ## Set up

# %%
import asyncio
import contextlib
import socket
import threading
import time

import aio_pika
import pika

from lab_helpers import Lab
from lab_helpers.draw.charts import bar_chart
from lab_helpers.record.events import Confirmed

lab = Lab("08_publisher_confirms")
parameters = pika.URLParameters(lab.url)
parameters.connection_attempts, parameters.retry_delay = 20, 0.5  # for the moments after a node's death
CLASSIC = {"x-queue-type": "classic"}
QUORUM = {"x-queue-type": "quorum"}


def persistent(order):
    """The properties of an order: kept on disk, and known by its id wherever it turns up."""
    return pika.BasicProperties(delivery_mode=2, message_id=order)


# %% [markdown]
# ## The situation
#
# The website publishes an order, `basic_publish` returns, and the customer reads "Thank you". Last night a node lost
# its power. No program of the shop logged an error, and yet some hundred customers were thanked for orders that no
# warehouse has ever seen.
#
# In AMQP a publish has no answer: the program learns only that the bytes left it. RabbitMQ adds an answer for those
# who ask: the **publisher confirm**. You have called `confirm_delivery()` in almost every lab so far.
#
# The question: what exactly does the broker promise by a confirm, what does it cost, and what must a publisher do to
# deserve its "Thank you"?

# %% [markdown]
# ## Experiment 1: an answer for each publish
#
# `confirm_delivery()` sends `confirm.select`, which switches **one channel** to confirms. From then on both sides
# count its publishes, and the broker answers each with `basic.ack`. The answer names the publish by that number, the
# **delivery tag**.
#
# The cell publishes two orders on one channel with confirms, then one order on another.
#
# > **Predict:** Which delivery tag does the third order's confirm carry?
# >
# > - `3`: it is the third publish of the connection
# > - `1`

# %%
### BEGIN SOLUTION
### STUB lab.predict("tag of the third order", ...)
lab.predict("tag of the third order", 1)
### END SOLUTION

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("lyon", durable=True, arguments=CLASSIC)
    channel.queue_purge("lyon")

with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    first, second = connection.channel(), connection.channel()
    for channel, orders in [(first, ["order 1", "order 2"]), (second, ["order 3"])]:
        channel.confirm_delivery()
        for order in orders:
            channel.basic_publish("", "lyon", order.encode(), persistent(order))

story.sequence()

# %%
lab.happened("tag of the third order", story.of(Confirmed)[-1].tag)

# %% [markdown]
# Each channel counts for itself, from 1. The tag stands nowhere in `basic.publish`: the client must count too. And
# pika's `basic_publish` waits for the answer before it returns, so you see publish, ack, publish, ack.
#
# The broker may also say no. In [lab 06](06_what_exchanges_and_queues_remember.ipynb) a full queue with `x-overflow`
# `reject-publish` answered `basic.nack`. Now a fanout exchange copies each order to two queues: `archive`, which has
# room, and `packing`, which takes one message only. Two orders are published.
#
# > **Predict:** What does the broker answer to the second order, and how many orders are in `archive`?
# >
# > - `ack, 2 in archive`: one queue took it
# > - `nack, 1 in archive`: all or nothing
# > - `nack, 2 in archive`

# %%
### BEGIN SOLUTION
### STUB lab.predict("one queue of two is full", ...)
lab.predict("one queue of two is full", "nack, 2 in archive")
### END SOLUTION

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.exchange_declare("shop.sold", exchange_type="fanout", durable=True)
    full = {**CLASSIC, "x-max-length": 1, "x-overflow": "reject-publish"}
    for queue, arguments in [("archive", CLASSIC), ("packing", full)]:
        channel.queue_declare(queue, durable=True, arguments=arguments)
        channel.queue_purge(queue)
        channel.queue_bind(queue, exchange="shop.sold")

with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    for order in ["order 4", "order 5"]:
        try:
            channel.basic_publish("shop.sold", "", order.encode(), persistent(order))
            answer = "ack"
        except pika.exceptions.NackError:
            answer = "nack"
        print(order, answer)

story.sequence()

# %%
lab.happened("one queue of two is full", f"{answer}, {lab.depth('archive')} in archive")

# %% [markdown]
# A confirm means that **all** queues to which the message was routed took it; one refusal makes it a `basic.nack`.
# But a nack undoes nothing: `archive` has its copy. Whoever publishes the order again, as one should, makes a second
# copy there. So a nack means "not everywhere", and consumers must bear duplicates. (A message that is routed to *no*
# queue is confirmed too: [lab 09](09_returned_messages.ipynb). Of the flags in the picture, `multiple` comes in
# experiment 3, and `requeue` means nothing in a nack to a publisher.)

# %% [markdown]
# ## Experiment 2: three ways to wait
#
# To wait for each confirm before the next publish is simple, and slow: each order pays for the way to the broker, the
# disk, and the way back. The confirms may also come later, while the program goes on. pika's `BlockingConnection`
# cannot do that; aio-pika can. Its channels have confirms from the start, and `await publish(...)` ends when the
# confirm is there.
#
# - **one by one**: wait for each;
# - **in batches**: publish 20, wait for these 20, and so on;
# - **asynchronously**: publish on and on, keep a table of what is **outstanding**, that is published and not yet
#   confirmed, and strike out each as its confirm comes. A limit bounds the table.

# %%
ORDERS = range(1, 201)


async def one_by_one(publish):
    for number in ORDERS:
        await publish(number)


async def in_batches(publish, size=20):
    for start in range(0, len(ORDERS), size):
        await asyncio.gather(*map(publish, ORDERS[start : start + size]))


async def asynchronously(publish, limit=100):
    outstanding = {}
    for number in ORDERS:
        if len(outstanding) == limit:
            await asyncio.wait(outstanding.values(), return_when=asyncio.FIRST_COMPLETED)
        outstanding[number] = asyncio.create_task(publish(number))
        for done in [known for known, task in outstanding.items() if task.done()]:
            outstanding.pop(done).result()  # raises what the broker refused
    await asyncio.gather(*outstanding.values())


# %% [markdown]
# A fourth way is AMQP's own, older than confirms: the **transaction**. `tx.select` switches a channel to it, and
# nothing counts until `tx.commit`, which the broker answers with `tx.commit-ok`. Here each order is a transaction.
#
# The cell measures all four, twice each, and takes the better time for 200 orders.
#
# > **Predict:** Which takes longer, one by one or asynchronously?
# >
# > - `one by one`
# > - `asynchronously`: the table costs time
# > - `no difference`: the broker writes each order to disk in any case

# %%
### BEGIN SOLUTION
### STUB lab.predict("takes longer", ...)
lab.predict("takes longer", "one by one")
### END SOLUTION

# %% tags=["nbval-ignore-output"]
with pika.BlockingConnection(parameters) as connection:
    connection.channel().queue_delete("speed")
    connection.channel().queue_declare("speed", durable=True, arguments=CLASSIC)

best = {}
async with await aio_pika.connect(lab.url) as connection:
    confirming = await connection.channel()
    transacting = await connection.channel(publisher_confirms=False)
    transaction = transacting.transaction()
    await transaction.select()

    async def confirmed(number):
        await confirming.default_exchange.publish(aio_pika.Message(b"%d" % number, delivery_mode=2), "speed")

    async def committed(number):
        await transacting.default_exchange.publish(aio_pika.Message(b"%d" % number, delivery_mode=2), "speed")
        await transaction.commit()

    ways = {
        "one by one": (one_by_one, confirmed),
        "batches of 20": (in_batches, confirmed),
        "asynchronously": (asynchronously, confirmed),
        "transactions": (one_by_one, committed),
    }
    for _ in range(2):
        for way, (run, publish) in ways.items():
            began = time.perf_counter()
            await run(publish)
            best[way] = min(best.get(way, 999), time.perf_counter() - began)

rows = [{"way": way, "ratio": best[way] / best["asynchronously"]} for way in best]
for row in rows:
    print(f"{row['way']:15} {row['ratio']:5.1f} times as long as asynchronously")
bar_chart(
    rows, x="way", y="ratio", title="Time for 200 orders, asynchronously = 1", x_title="", y_title="times as long"
)

# %%
assert best["asynchronously"] < best["one by one"], best
assert best["asynchronously"] < best["transactions"], best
lab.happened("takes longer", max("one by one", "asynchronously", key=best.get))

# %% [markdown]
# No way is less safe than the others: all 200 orders were confirmed or committed in each. Who waits for one order at
# a time leaves both the line and the broker idle in between. A batch is about as quick as asynchronous, with two faults: it
# stands still until its slowest order is confirmed, and after an error the program often does not know which of the
# batch failed.
#
# A transaction for each order waits for each order too, and nothing in AMQP lets it do otherwise: until
# `tx.commit-ok` is there, the channel can begin no other. It can hold many orders, as a batch does. But it is no
# transaction as a database knows it: by [RabbitMQ's own table](https://www.rabbitmq.com/docs/semantics#tx) it is not
# even all or nothing within one queue. A confirm gives the same certainty, so there is little left that speaks for
# transactions.

# %% [markdown]
# ## Experiment 3: one answer for many
#
# Outstanding confirms give the broker room to be brief as well. The queue is a quorum queue now, which is kept on
# several nodes: it stores many messages in one step, and so has many to confirm at once.
#
# > **Predict:** 200 orders are published asynchronously. How many `basic.ack` does the broker send?
# >
# > - `200`
# > - `fewer`
# > - `1`

# %%
### BEGIN SOLUTION
### STUB lab.predict("acks for 200 orders", ...)
lab.predict("acks for 200 orders", "fewer")
### END SOLUTION

# %% tags=["nbval-ignore-output"]
with pika.BlockingConnection(parameters) as connection:
    connection.channel().queue_delete("speed")
    connection.channel().queue_declare("speed", durable=True, arguments=QUORUM)

with lab.record() as story:
    async with await aio_pika.connect(lab.url) as connection:
        confirming = await connection.channel()
        await asynchronously(confirmed)

acks = story.of(Confirmed)
print(f"{len(acks)} answers for {len(story.published())} orders; the first ones with multiple:\n")
print("basic.ack                       settles")
for ack in [ack for ack in acks if ack.multiple][:6]:
    print(f"delivery-tag={ack.tag:<4} multiple=True   {len(ack.messages)} orders, the last is number {ack.tag}")

# %%
assert any(ack.multiple for ack in acks)
assert sum(len(ack.messages) for ack in acks) == len(ORDERS)
lab.happened("acks for 200 orders", "fewer" if 1 < len(acks) < 200 else len(acks))

# %% [markdown]
# With `multiple=True` an answer holds for its tag and **all earlier ones that are still outstanding**. How the broker
# groups them differs from run to run; a `basic.nack` can hold for many too. aio-pika's table takes care of it;
# whoever keeps a table of their own, and counts answers instead of tags, waits for ever for confirms that have long
# arrived (exercise 3).

# %% [markdown]
# ## Experiment 4: the node dies, and nobody asked for a confirm
#
# Now the power cut. A classic queue lives on one node, here `rmq3`. The website is connected to `rmq1` and publishes
# 200 persistent orders **without confirms**. After 100 of them `rmq3` is killed. (`direct` leads past HAProxy to one
# node, so that the two are not the same.)
#
# Beforehand, ten orders were published to another queue on `rmq3` **with** confirms: five of them persistent, five
# transient. All ten were confirmed.
#
# > **Predict:** How many of the 100 publishes after the node's death raise an error?
# >
# > - `all`
# > - `some`
# > - `none`

# %%
### BEGIN SOLUTION
### STUB lab.predict("errors after the node's death", ...)
lab.predict("errors after the node's death", "none")
### END SOLUTION

# %%
ALL = [f"order {number}" for number in range(1, 201)]


def direct(name):
    """Parameters of a connection to one node."""
    host, port = lab.cluster[name].status().amqp.split(":")
    return pika.ConnectionParameters(host, int(port), lab.vhost, parameters.credentials)


if lab.needs("break-nodes"):
    before, unconfirmed, errors = lab.ledger(), lab.ledger(), 0
    with pika.BlockingConnection(direct("rmq3")) as connection:
        channel = connection.channel()
        for queue in ["web", "before"]:
            channel.queue_delete(queue)
            channel.queue_declare(queue, durable=True, arguments=CLASSIC)
        channel.confirm_delivery()
        for number in range(5):
            for kind, mode in [("transient", 1), ("persistent", 2)]:
                order = f"{kind} {number}"
                before.sent(order)
                channel.basic_publish("", "before", order.encode(), pika.BasicProperties(delivery_mode=mode))
                before.confirmed(order)

    with pika.BlockingConnection(direct("rmq1")) as connection:
        channel = connection.channel()
        for order in ALL:
            if order == "order 101":
                lab.cluster["rmq3"].kill()
            unconfirmed.sent(order)
            try:
                channel.basic_publish("", "web", order.encode(), persistent(order))
            except pika.exceptions.AMQPError:
                errors += 1
    lab.happened("errors after the node's death", errors or "none")

# %% [markdown]
# Not one error: the connection leads to `rmq1`, which is in the best of health. `rmq3` is still dead. Ten more orders
# go the same way to the same queue, but now **with confirms**, and `mandatory`, which asks for the return of what
# fits no queue ([lab 09](09_returned_messages.ipynb)):

# %%
if lab.cluster.is_ours:
    asked = lab.ledger()
    with pika.BlockingConnection(direct("rmq1")) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for number in range(201, 211):
            order = f"order {number}"
            asked.sent(order)
            try:
                channel.basic_publish("", "web", order.encode(), persistent(order), mandatory=True)
                asked.confirmed(order)
            except (pika.exceptions.NackError, pika.exceptions.UnroutableError):
                asked.nacked(order)
    print("confirmed:", asked.counts["confirmed"], "| refused:", asked.counts["nacked"])

# %% [markdown]
# All ten are refused, so no customer is thanked in vain. From 4.0 on they are refused by `basic.nack`. On 3.10 a queue
# whose node is down counts as none at all: the orders are **returned**, and without `mandatory` they would be confirmed,
# and gone. Now `rmq3` starts again, and what is left in the queue is
# counted.

# %% tags=["nbval-ignore-output"]
if lab.cluster.is_ours:
    lab.cluster["rmq3"].start()
    lab.drain(unconfirmed, "web")
    display(unconfirmed, asked)

# %%
if lab.cluster.is_ours:
    assert len(unconfirmed.missing) >= 100
    assert asked.counts["nacked"] == 10
    assert asked.missing == asked.lost == []
    print("with confirms, missing:", len(asked.missing))
    print("without, at least half of the orders are missing:", len(unconfirmed.missing) >= 100)

# %% [markdown]
# *Missing* is what was sent, was never received, and nobody was told of it. All orders after the kill are: the broker
# dropped them, because their queue had no process to take them. Of the orders before it some or all are missing too,
# though they are persistent and the queue is durable: they were still on their way to the disk. The ledger calls none
# of them *lost*, because nothing was promised. The ten that asked for a confirm are not missing: their publisher
# knows of each that it must send it again. (The other words of a ledger's verdict: *recovered* was received though it
# was never confirmed, *unexpected* was received though it was never sent.)
#
# And the ten that had been confirmed?
#
# > **Predict:** Which of the ten confirmed orders has the node still got?
# >
# > - `all`
# > - `the persistent ones`

# %%
### BEGIN SOLUTION
### STUB lab.predict("confirmed, in a classic queue", ...)
lab.predict("confirmed, in a classic queue", "the persistent ones")
### END SOLUTION

# %%
if lab.cluster.is_ours:
    lab.drain(before, "before")
    lost = {str(order).split()[0] for order in before.lost}
    print("confirmed and lost:", *before.lost, sep="\n  ")
    lab.happened("confirmed, in a classic queue", "the persistent ones" if lost == {"transient"} else lost)

# %% [markdown]
# A confirm comes when the broker has done what was asked of it:
#
# - a **transient** message: it is in the queue's memory, and dies with the node, confirmed or not;
# - a **persistent** message in a durable classic queue: it is on the disk of the queue's one node;
# - a message in a **quorum queue**: it is on the disks of a **majority** of the queue's nodes.
#
# The confirmed persistent orders came back. But as long as `rmq3` was dead, nobody could have them.

# %% [markdown]
# ## Experiment 5: a publisher that keeps its word
#
# The quorum queue `orders` is kept on all three nodes. One of them leads it; it is `rmq2`, since its client is connected
# there and asks for it (`x-queue-leader-locator`: `client-local`). The publisher below does three things:
#
# - an order is done only when it is **confirmed**; until then it stays in the list;
# - after any error or nack it opens a **new connection and channel** and goes on with what is unconfirmed, since it
#   cannot know what became of the orders on their way;
# - a resent order keeps its `message_id`, so that a consumer can recognise it.


# %%
def publish_surely(queue, orders, ledger, half_way):
    """Publish each order until the broker has confirmed it; call `half_way` once, in the middle."""
    unconfirmed, middle = list(orders), len(orders) // 2
    while unconfirmed:
        try:
            with pika.BlockingConnection(parameters) as connection:
                channel = connection.channel()
                channel.confirm_delivery()
                while unconfirmed:
                    if len(unconfirmed) == middle and half_way:
                        half_way, now = None, half_way
                        now()
                    order = unconfirmed[0]
                    ledger.sent(order)
                    channel.basic_publish("", queue, order.encode(), persistent(order), mandatory=True)
                    ledger.confirmed(order)
                    unconfirmed.pop(0)
        except pika.exceptions.AMQPError:
            time.sleep(0.2)  # not as fast as it can: the cluster is busy enough


# %% [markdown]
# This time the leader itself is killed, from a thread, while orders are on their way.
#
# > **Predict:** How many of the 200 orders are lost or missing?
# >
# > - `0`
# > - `1`: the one on its way
# > - `some`: those in the memory of `rmq2`

# %%
### BEGIN SOLUTION
### STUB lab.predict("lost or missing", ...)
lab.predict("lost or missing", 0)
### END SOLUTION

# %% tags=["nbval-ignore-output"]
if lab.cluster.is_ours:
    with pika.BlockingConnection(direct("rmq2")) as connection:
        channel = connection.channel()
        channel.queue_delete("orders")
        channel.queue_declare("orders", durable=True, arguments={**QUORUM, "x-queue-leader-locator": "client-local"})

    surely, killer = lab.ledger(), threading.Thread(target=lab.cluster["rmq2"].kill)
    publish_surely("orders", ALL, surely, killer.start)
    killer.join()
    lab.cluster.heal()
    lab.drain(surely, "orders")
    display(surely)

# %%
if lab.cluster.is_ours:
    assert surely.lost == surely.missing == surely.unexpected == []
    assert surely.counts["confirmed"] == surely.counts["received"] == 200
    lab.happened("lost or missing", len(surely.lost) + len(surely.missing))

# %% [markdown]
# Nothing is lost and nothing is missing, although one of three nodes died in the middle and two carried on. If the
# ledger shows *duplicated* orders, they were stored, and their confirm died with the node: the publisher could not
# know, and sent them again. That is the price: **at least once**.
#
# What if no majority is left? The next cell holds two of the three nodes for a second, and publishes one order to a
# classic queue and one to a quorum queue, both through the node that still runs.

# %%
if lab.cluster.is_ours:
    with pika.BlockingConnection(direct("rmq1")) as connection:
        channel = connection.channel()
        for queue, arguments in [
            ("alone", CLASSIC),
            ("together", {**QUORUM, "x-queue-leader-locator": "client-local"}),
        ]:
            channel.queue_delete(queue)
            channel.queue_declare(queue, durable=True, arguments=arguments)

    one = direct("rmq1")
    login = {"login": one.credentials.username, "password": one.credentials.password}
    async with await aio_pika.connect(host=one.host, port=one.port, virtualhost=lab.vhost, **login) as connection:
        channels = {queue: await connection.channel() for queue in ["alone", "together"]}
        for node in ["rmq2", "rmq3"]:
            lab.cluster[node].pause()
        order = aio_pika.Message(b"order 211", delivery_mode=2)
        answers = {
            queue: asyncio.create_task(channel.default_exchange.publish(order, queue))
            for queue, channel in channels.items()
        }
        await asyncio.wait([answers["alone"]], timeout=10)
        await asyncio.wait([answers["together"]], timeout=1)
        for queue, answer in answers.items():
            print(f"1 of 3 nodes runs: {queue:9} confirmed: {answer.done()}")
        await asyncio.to_thread(lab.cluster.heal)
        await asyncio.wait(answers.values(), timeout=30)
        print(f"3 of 3 nodes run:  together  confirmed: {answers['together'].done()}")

# %% [markdown]
# Each queue has a channel of its own: tried on a shared one, the publish that has no majority held up the confirm of the
# other too.
# The quorum queue does not lie: without a majority it gives no confirm. The order is not refused either. It waits,
# and is confirmed when the others are back. For the publisher a confirm that does not come is therefore no error and
# no success but **indeterminate**. Give the wait a limit, and then send again.

# %% [markdown]
# ## What can go wrong: confirms and transactions together
#
# "To be quite sure" a developer wants both on one channel:

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    try:
        channel.tx_select()
    except pika.exceptions.ChannelClosedByBroker as error:
        print(error.reply_code, error.reply_text)

# %% [markdown]
# 406: a channel has confirms or transactions, never both, and there is no way back from either. The remedy is to take
# confirms, and a new channel.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.exchange_delete("shop.sold")
    for queue in ["lyon", "archive", "packing", "speed", "web", "before", "orders", "alone", "together"]:
        channel.queue_delete(queue)

# %% [markdown]
# ## Exercises
#
# ### Exercise 1: what was refused
#
# At Lyon's counter there is room for three orders: this cell makes the queue `counter`, which refuses the fourth, and
# the queue `waiting`.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for queue in ["counter", "waiting"]:
        channel.queue_delete(queue)
    limit = {"x-max-length": 3, "x-overflow": "reject-publish"}
    channel.queue_declare("counter", durable=True, arguments={**CLASSIC, **limit})
    channel.queue_declare("waiting", durable=True, arguments=CLASSIC)

# %% [markdown]
# Publish `parcel 1` to `parcel 5` to `counter`, in this order. What the broker refuses is to be published to
# `waiting` instead. Do it inside `with lab.record("refused") as story:`. Before another try, run the cell above again:
# it empties both queues.

# %% exercise="refused"
### BEGIN SOLUTION
with lab.record("refused") as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    for number in range(1, 6):
        parcel = f"parcel {number}"
        try:
            channel.basic_publish("", "counter", parcel.encode(), persistent(parcel))
        except pika.exceptions.NackError:
            channel.basic_publish("", "waiting", parcel.encode(), persistent(parcel))
### END SOLUTION

# %%
lab.check("refused")

# %% [markdown]
# ### Exercise 2: over a bad line
#
# The shop in the mountains has a bad line. The next cell puts one between you and the broker: it passes everything
# on, but its first connection breaks while an order is on its way **to** the broker, and its second while a confirm
# is on its way **back**. From the third on it holds. You need not understand the cell.


# %%
def bad_line():
    """Open a port that leads to the broker, and gives out on its first two connections; return parameters for it."""
    door = socket.create_server(("127.0.0.1", 0))

    def carry(source, target, most):
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                most -= len(data)
                if most < 0:
                    break
                target.sendall(data)
        for end in [source, target]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve():
        for there, back in [(2000, 10**9), (10**9, 750), *[(10**9, 10**9)] * 200]:
            client, _ = door.accept()
            broker = socket.create_connection((parameters.host, parameters.port))
            threading.Thread(target=carry, args=(client, broker, there), daemon=True).start()
            threading.Thread(target=carry, args=(broker, client, back), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    credentials = parameters.credentials
    return pika.ConnectionParameters(*door.getsockname(), lab.vhost, credentials, socket_timeout=5)


# %% [markdown]
# Write `publish_all(line, parcels)`: it connects with the parameters `line` (one connection for many parcels, a new
# one only after a break), publishes each parcel to the queue `mountain` (persistent, with itself as `message_id`),
# and returns when the broker has confirmed **every** one. After a break it goes on; what was confirmed is not sent
# again. The cell below your function runs it with 40 parcels and counts what arrived.


# %% exercise="line" tags=["nbval-ignore-output"]
### BEGIN SOLUTION
### STUB def publish_all(line, parcels):
### STUB     ...  # Your code here
def publish_all(line, parcels):
    unconfirmed = list(parcels)
    while unconfirmed:
        try:
            with pika.BlockingConnection(line) as connection:
                channel = connection.channel()
                channel.confirm_delivery()
                while unconfirmed:
                    channel.basic_publish("", "mountain", unconfirmed[0].encode(), persistent(unconfirmed[0]))
                    unconfirmed.pop(0)
        except pika.exceptions.AMQPError as error:
            print("the line broke:", type(error).__name__)


### END SOLUTION

parcels = [f"parcel {number}" for number in range(1, 41)]
with pika.BlockingConnection(parameters) as connection:
    connection.channel().queue_delete("mountain")
    connection.channel().queue_declare("mountain", durable=True, arguments=CLASSIC)
arrived = lab.ledger(exercise="line")
with lab.record("line") as story:
    publish_all(bad_line(), parcels)
if story.published():
    for parcel in parcels:
        arrived.sent(parcel)
        arrived.confirmed(parcel)  # this is what it says by returning
    lab.drain(arrived, "mountain")

arrived

# %%
lab.check("line")

# %% [markdown]
# Look at the ledger: the parcel that came twice is the one whose confirm was cut off.
#
# ### Exercise 3: the table that never empties
#
# A colleague wrote the table of outstanding publishes. It is told of each publish (`published`), and of each answer
# of the broker, as a client library calls it (`answered`). In tests with one order at a time it works. In production
# it fills up, and the orders in it are sent again and again.


# %%
class Table:
    def __init__(self, ledger):
        self.ledger, self.outstanding, self.tag = ledger, {}, 0

    def published(self, order):
        self.tag += 1
        self.outstanding[self.tag] = order
        self.ledger.sent(order)

    def answered(self, method, tag, multiple):
        order = self.outstanding.pop(tag)
        if method == "basic.ack":
            self.ledger.confirmed(order)
        else:
            self.ledger.nacked(order)


def day(table):
    """A short day of the shop: ten orders are published, and the broker answers."""
    for number in range(1, 11):
        table.published(f"order {number}")
    table.answered("basic.ack", 2, False)
    table.answered("basic.nack", 1, False)
    table.answered("basic.ack", 5, True)
    table.answered("basic.nack", 7, True)
    table.answered("basic.ack", 10, False)
    table.answered("basic.ack", 9, True)


# %% [markdown]
# Repair it: write a class `Repaired`, and let the cell run the day with it. In the end `outstanding` must be empty,
# and the ledger must know of each order whether it was confirmed or refused.

# %% exercise="table"
answers = lab.ledger(exercise="table")


### BEGIN SOLUTION
### STUB class Repaired(Table):
### STUB     ...  # Your code here
class Repaired(Table):
    def answered(self, method, tag, multiple):
        tags = [known for known in self.outstanding if known <= tag] if multiple else [tag]
        for known in tags:
            super().answered(method, known, False)


### END SOLUTION

table = Repaired(answers)
day(table)
print("outstanding:", list(table.outstanding.values()))

# %%
lab.check("table")

# %%
lab.progress()

# %% [markdown]
# ## In production
#
# - Confirms on every channel whose messages matter, asynchronous with a limit of some hundred outstanding. The cost
#   is memory for what is outstanding, and code for resending.
# - One by one is right where orders are rare: it is the simplest code that is safe.
# - Quorum queues for what must survive a node; persistent messages always. A confirm of a transient message promises
#   next to nothing.
# - After an error, a nack or a wait that is too long: a new channel, resend with the same `message_id`, and consumers
#   that bear duplicates.
# - To survive a crash of the publisher itself, its list of unconfirmed orders must be on disk too.
#
# | | 3.10 | 4.0 | 4.3 |
# | --- | --- | --- | --- |
# | Confirms, `multiple`, nack | work | the same | the same |
# | Confirm from a quorum queue | majority on disk | the same | the same |
# | Publish to a classic queue whose node is down | confirmed; `basic.return` with `mandatory` | `basic.nack` | `basic.nack` |
# | Confirms and transactions on one channel | 406 | the same | the same |

# %% [markdown]
# ## Recap
#
# - `confirm.select` switches one channel; the broker answers each publish by its **delivery tag**, with `multiple`
#   for many at once.
# - `basic.ack`: **all** queues that should have it took it. `basic.nack`: not all did. No answer: **indeterminate**.
# - Wait **asynchronously**, with a bounded table of what is outstanding.
# - A confirm is worth what the queue is: memory, one disk, or a majority of disks.
# - Without confirms orders go missing and nobody is told; with confirms, resends and a quorum queue none does, and
#   some may come twice.
#
# Next: [lab 09](09_returned_messages.ipynb) on messages that no queue takes. The official pages: [confirms and
# acknowledgements](https://www.rabbitmq.com/docs/confirms), [data
# safety](https://www.rabbitmq.com/docs/publishers#data-safety), [quorum
# queues](https://www.rabbitmq.com/docs/quorum-queues#data-safety),
# [transactions](https://www.rabbitmq.com/docs/semantics#tx).
