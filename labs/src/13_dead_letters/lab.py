# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   lab:
#     title: Dead letters
#     promise: Give messages that a queue gives up a place to go, read there why they died, and try them again.
#     part: Reliability
#     minutes: 30
#     objectives:
#     - send what a queue gives up to a queue of its own
#     - read from the x-death header where, why and how often a message died
#     - build a retry that waits longer each time, and ends
#     - say which dead letters can be lost, and keep those that must not be
#     prerequisites: [12_ttl]
#     cluster: []
# ---

# %% [markdown]
# ## Set up

# %%
import time
from collections import Counter
from itertools import pairwise

import pika

from lab_helpers import Lab
from lab_helpers.draw.charts import line_chart

lab = Lab("13_dead_letters")
parameters = pika.URLParameters(lab.url)
CLASSIC = {"x-queue-type": "classic"}
QUORUM = {"x-queue-type": "quorum"}


def fresh(channel, queue, arguments):
    """Declare a durable queue, anew if it is there."""
    channel.queue_delete(queue)
    channel.queue_declare(queue, durable=True, arguments=arguments)


def fetch(channel, queue, auto_ack=False):
    """Fetch the next message of a queue, as soon as there is one."""
    return lab.wait_until(lambda: (message := channel.basic_get(queue, auto_ack))[0] and message)


def dead_to(queue):
    """The arguments of a queue whose dead letters go to another queue."""
    return {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue}


# %% [markdown]
# ## The situation
#
# An order with a broken address cannot be packed in Lyon. The packer's program failed, gave the order back, got it
# again, and failed again. So somebody made it reject such orders. Since then it runs well, and a customer waits for a
# kettle of which no queue knows anything any more. Other orders expired over a long weekend ([lab 12](12_ttl.ipynb)),
# or fell out of a queue that was full ([lab 06](06_what_exchanges_and_queues_remember.ipynb)).
#
# A message that its queue gives up is a **dead letter**. As a rule it is thrown away. But a queue can name an
# exchange to which the broker publishes its dead letters: its **dead-letter exchange**, DLX for short. That is an
# exchange like any other.
#
# The question: what becomes a dead letter, what is written on it, and can you rely on it?

# %% [markdown]
# ## Experiment 1: three ways to die
#
# The queue `picking` has room for three orders (`x-max-length`), and its argument `x-dead-letter-exchange` names
# `shop.dead`. That is a fanout exchange with one queue behind it, `dead`.

# %%
TO_DEAD = {"x-dead-letter-exchange": "shop.dead"}

with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.exchange_declare("shop.dead", exchange_type="fanout", durable=True)
    fresh(channel, "dead", CLASSIC)
    channel.queue_bind("dead", exchange="shop.dead")
    fresh(channel, "picking", {**CLASSIC, **TO_DEAD, "x-max-length": 3})

lab.topology()

# %% [markdown]
# Three things happen to orders in `picking`, one after the other. A consumer rejects order 1, without requeue. Order
# 2 lives 100 ms, and nobody comes. Then four orders arrive where three have room. After each, the cell fetches what
# came to `dead`, and prints the reason that the broker wrote on it.


# %%
def read_letter(channel):
    """Fetch what is in `dead`, as soon as something is, and print why it died."""
    lab.wait_until(lambda: lab.depth("dead"))
    _, properties, body = channel.basic_get("dead", auto_ack=True)
    print(body.decode(), "died:", properties.headers["x-death"][0]["reason"])


with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_purge("picking")
    channel.confirm_delivery()
    channel.basic_publish("", "picking", b"order 1")
    method, properties, body = channel.basic_get("picking")
    channel.basic_reject(method.delivery_tag, requeue=False)
    read_letter(channel)

    channel.basic_publish("", "picking", b"order 2", pika.BasicProperties(expiration="100"))
    read_letter(channel)

    for number in range(3, 7):
        channel.basic_publish("", "picking", f"order {number}".encode())
    read_letter(channel)

# %% tags=["nbval-ignore-output"]
story.flow()

# %%
assert len(story.delivered("dead")) == lab.depth("picking") == 3

# %% [markdown]
# Three **reasons**, in the broker's words: `rejected`, `expired` and `maxlen`. Order 3 died of the length limit: it
# was the oldest, and a full queue drops its head. A `basic.nack` without requeue is a rejection too. With requeue
# nothing dies, as the message goes back to its queue ([lab 10](10_acknowledgements_and_requeue.ipynb)).
#
# A detail of the picture: RabbitMQ 4.3 hands order 1 over from `dead` with `redelivered` set, as it had been delivered
# before it died. 3.10 does not. (To repeat the cell, run the one above first.)
#
# > **Predict:** `picking` still holds three orders. Now somebody deletes the queue. How many of the three come to
# > `dead`?
# >
# > - `3`: the queue gave them up
# > - `0`

# %%
### BEGIN SOLUTION
### STUB lab.predict("a deleted queue", ...)
lab.predict("a deleted queue", "0")
### END SOLUTION

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    fresh(channel, "picking.fr", {**CLASSIC, **TO_DEAD})
    channel.confirm_delivery()
    channel.basic_publish("", "picking.fr", b"order 0")
    print("purged:", channel.queue_purge("picking.fr").method.message_count)
    channel.queue_delete("picking.fr")
    print("deleted:", channel.queue_delete("picking").method.message_count)
    time.sleep(0.2)  # more than a dead letter takes

lab.happened("a deleted queue", lab.depth("dead"))

# %% [markdown]
# Nothing arrives. Dead letters are single messages that a queue gives up by its rules. To purge or to delete is an
# order to throw away. By the documentation the same holds for a queue that expires (`x-expires`, lab 12).

# %% [markdown]
# ## Experiment 2: what is written on it
#
# Now an order goes through an exchange first, with the key `order.eu`, and it has an `expiration`. A consumer rejects
# it.
#
# > **Predict:** With which routing key does it arrive at `shop.dead`?
# >
# > - `picking`: the queue that it comes from
# > - `order.eu`: the key that it had
# > - `none`: a fanout exchange needs no key

# %%
### BEGIN SOLUTION
### STUB lab.predict("the key", ...)
lab.predict("the key", "order.eu")
### END SOLUTION


# %%
def reject_one(channel, arguments):
    """Reject an order in a queue with these arguments; returns what arrives in `dead`."""
    channel.exchange_declare("shop.orders", exchange_type="direct", durable=True)
    channel.queue_purge("dead")
    fresh(channel, "picking", {**CLASSIC, **TO_DEAD, **arguments})
    channel.queue_bind("picking", exchange="shop.orders", routing_key="order.eu")
    channel.confirm_delivery()
    channel.basic_publish("shop.orders", "order.eu", b"order 7", pika.BasicProperties(expiration="60000"))
    channel.basic_reject(fetch(channel, "picking")[0].delivery_tag, requeue=False)
    return fetch(channel, "dead", auto_ack=True)


keys = []
for arguments in [{}, {"x-dead-letter-routing-key": "address.broken"}]:
    with pika.BlockingConnection(parameters) as connection:
        method, properties, body = reject_one(connection.channel(), arguments)
    keys.append(method.routing_key)
    print(f"exchange {method.exchange}, key {method.routing_key}, expiration {properties.expiration}")

lab.happened("the key", keys[0])

# %% [markdown]
# A dead letter keeps its **own key**, unless the queue has an `x-dead-letter-routing-key`. So a DLX that is not a
# fanout exchange must be bound with all keys that can come, or be a topic exchange bound with `#` ([lab
# 05](05_fanout_topic_headers.ipynb)). The `expiration` is gone, or the letter would die again where it is kept.
#
# All else is in the header `x-death`, a list of tables. To fill it, the next cell builds a loop. What is rejected in
# `picking` goes to `wait`, by the default exchange. It expires there after 50 ms, and comes back to `picking`. The
# order is rejected twice, and then read.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    fresh(channel, "wait", {**CLASSIC, **dead_to("picking"), "x-message-ttl": 50})
    fresh(channel, "picking", {**CLASSIC, **dead_to("wait")})
    channel.queue_bind("picking", exchange="shop.orders", routing_key="order.eu")
    channel.confirm_delivery()
    channel.basic_publish("shop.orders", "order.eu", b"order 7", pika.BasicProperties(expiration="60000"))
    for _ in range(2):
        channel.basic_reject(fetch(channel, "picking")[0].delivery_tag, requeue=False)
    method, properties, body = fetch(channel, "picking", auto_ack=True)

COLUMNS = {"queue": 9, "reason": 10, "count": 7, "exchange": 13, "routing-keys": 15, "original-expiration": 0}
print("".join(name.ljust(width) for name, width in COLUMNS.items()))
for death in properties.headers["x-death"]:
    values = {**death, "routing-keys": " ".join(death["routing-keys"]), "exchange": death["exchange"] or "(default)"}
    print("".join(str(values.get(name, "-")).ljust(width) for name, width in COLUMNS.items()))

# %% [markdown]
# Four deaths, and two rows: there is one row for each **queue and reason**, with a `count`. The newest death is the
# first row. `exchange` and `routing-keys` say how the message had come into the queue when it first died there for that
# reason, and `original-expiration` is what was taken away. A field `time` (left out here) holds the time of that first death.
#
# Beside it are three headers on the very first death, which never change:

# %%
for name in ["x-first-death-queue", "x-first-death-reason", "x-first-death-exchange"]:
    print(f"{name:24}{properties.headers[name]}")

# %% [markdown]
# ## Experiment 3: the fourth reason
#
# An order that fails each time and is put back each time is a poison message ([lab
# 10](10_acknowledgements_and_requeue.ipynb)). A quorum queue with `x-delivery-limit` ends that. Here the limit is 2,
# and the consumer puts the order back with one of two words.


# %%
def deliveries(put_back):
    """Put an order back until it is dead; returns the number of deliveries, or "no end" after ten."""
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        fresh(channel, "packing", {**QUORUM, **TO_DEAD, "x-delivery-limit": 2})
        channel.queue_purge("dead")
        channel.confirm_delivery()
        channel.basic_publish("", "packing", b"order 8")
        for number in range(1, 11):
            put_back(channel, fetch(channel, "packing")[0].delivery_tag)
            lab.wait_until(lambda: lab.depth("packing") or lab.depth("dead"))
            if lab.depth("dead"):
                return number
    return "no end"


by_nack = deliveries(lambda channel, tag: channel.basic_nack(tag, requeue=True))
by_reject = deliveries(lambda channel, tag: channel.basic_reject(tag, requeue=True))
with pika.BlockingConnection(parameters) as connection:
    method, properties, body = fetch(connection.channel(), "dead", auto_ack=True)
    for death in properties.headers["x-death"]:
        print(f"died in {death['queue']}: {death['reason']}, after {by_reject} deliveries")

# %% tags=["nbval-ignore-output"]
print(f"RabbitMQ {lab.version}: deliveries with reject: {by_reject}, with nack: {by_nack}")

# %%
assert by_reject == 3
assert by_nack == (3 if lab.version.startswith(("3.", "4.0", "4.1", "4.2")) else "no end")

# %% [markdown]
# The reason is `delivery_limit`: two returns are allowed, and the third is one too many. Whether `basic.nack` gets
# there depends on the version. Up to 4.2 every return counts. From 4.3 on only **failed** deliveries do: a
# `basic.reject`, or a consumer that went away. Without a DLX the order would be dropped at the limit.

# %% [markdown]
# ## Experiment 4: a loop, and a ladder
#
# The loop of experiment 2 is a simple retry: the consumer rejects, and gets the order again a little later. Three
# such loops follow. From a queue `first` the order dies in one of three ways, goes to `pause` for 50 ms, and from
# there to `first` again and also to the queue `log`, by a fanout exchange.
#
# > **Predict:** From which kind of death does the order come back to `first`?
# >
# > - `all`
# > - `rejected`
# > - `delivery_limit and rejected`: those that a consumer caused

# %%
### BEGIN SOLUTION
### STUB lab.predict("comes back", ...)
lab.predict("comes back", "rejected")
### END SOLUTION

# %%
LOOPS = {"expired": CLASSIC, "delivery_limit": {**QUORUM, "x-delivery-limit": 0}, "rejected": CLASSIC}
back = []
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    channel.exchange_declare("shop.round", exchange_type="fanout", durable=True)
    fresh(channel, "pause", {**CLASSIC, "x-dead-letter-exchange": "shop.round", "x-message-ttl": 50})
    print(f"{'died in first':16}{'deaths, newest first':27}back in first")
    for reason, arguments in LOOPS.items():
        fresh(channel, "first", {**arguments, **dead_to("pause")})
        fresh(channel, "log", CLASSIC)
        for queue in ["first", "log"]:
            channel.queue_bind(queue, exchange="shop.round")
        lives = "50" if reason == "expired" else None
        channel.basic_publish("", "first", b"order 9", pika.BasicProperties(expiration=lives))
        if reason != "expired":
            channel.basic_reject(fetch(channel, "first")[0].delivery_tag, requeue=reason == "delivery_limit")
        deaths = fetch(channel, "log", auto_ack=True)[1].headers["x-death"]
        time.sleep(0.2)  # more than the way to the queue `first` takes
        back += [reason] * lab.depth("first")
        print(f"{reason:16}{', '.join(death['reason'] for death in deaths):27}{lab.depth('first')}")

lab.happened("comes back", " and ".join(back))

# %% [markdown]
# All three got as far as `log`. But where the broker would put a dead letter into a queue in which it died before, it
# looks for a **rejection** in its deaths since. If there is none, the loop is automatic: no program could ever stop
# it. Then the broker drops the message there, and says so only in its log. A delivery limit counts as automatic. So
# "quorum queue, delivery limit, back after a pause" is not a retry, it is a loss.
#
# Even a loop with a rejection goes round for ever, always with the same pause. A retry should wait longer each time,
# and end. In a **retry ladder** each rung is a queue with a time to live of its own. The consumer itself publishes
# what failed to the next rung, and acknowledges it **then**. In between, the order exists twice rather than not at
# all. With `mandatory` and confirms, a rung that is missing raises an error before the acknowledgement.

# %%
RUNGS = [100, 200, 400]  # milliseconds


def next_queue(properties):
    """Where a failed order goes: to the next rung, or to `parked` after the last one."""
    tries = (properties.headers or {}).get("tries", 0)
    return f"retry.{RUNGS[tries]}" if tries < len(RUNGS) else "parked"


def fail(channel, method, properties, body):
    """Send an order on, counting its tries, and acknowledge it after that."""
    tries = (properties.headers or {}).get("tries", 0) + 1
    label = pika.BasicProperties(headers={"tries": tries}, delivery_mode=2)
    channel.basic_publish("", next_queue(properties), body, label, mandatory=True)
    channel.basic_ack(method.delivery_tag)


with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for queue in ["orders", "parked"]:
        fresh(channel, queue, CLASSIC)
    for rung in RUNGS:
        fresh(channel, f"retry.{rung}", {**CLASSIC, **dead_to("orders"), "x-message-ttl": rung})

with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_publish("", "orders", b"order 10", pika.BasicProperties(delivery_mode=2))
    for method, properties, body in channel.consume("orders"):
        fail(channel, method, properties, body)
        if next_queue(properties) == "parked":
            break

began, *tries = [one.at for one in story.delivered("orders")]
measured = [0, *(at - began for at in tries)]
asked = [sum(RUNGS[:number]) / 1000 for number in range(len(RUNGS) + 1)]
story.flow()

# %% tags=["nbval-ignore-output"]
rows = [
    {"line": line, "seconds": at, "delivery": number}
    for line, times in [("asked", asked), ("measured", measured)]
    for number, at in enumerate(times, 1)
]
line_chart(rows, x="seconds", y="delivery", series="line", title="Order 10 on the retry ladder")

# %%
pauses = [later - earlier for earlier, later in pairwise(measured)]
assert all(pause > rung / 1000 - 0.02 for pause, rung in zip(pauses, RUNGS, strict=True))

# %% [markdown]
# Each pause is as long as its rung, and a little longer. After the fourth failure the order rests in `parked`, where
# a person can look at it. Each rung is a queue, as messages with different times to live block each other in one
# queue (lab 12).
#
# The next experiment begins on a clear table.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.exchange_delete("shop.round")
    for queue in [
        "picking",
        "wait",
        "packing",
        "first",
        "log",
        "pause",
        "orders",
        *(f"retry.{rung}" for rung in RUNGS),
    ]:
        channel.queue_delete(queue)

# %% [markdown]
# ## Experiment 5: at most once, at least once
#
# Between two queues a dead letter can be lost. By default the broker publishes it without waiting for a confirm, and
# forgets it: **at most once**. Quorum queues can do better: with `x-dead-letter-strategy` `at-least-once` the queue
# keeps a dead letter until the target queue has confirmed it. Three queues with room for three orders each
# (`x-max-length`), and three orders rejected in each:
#
# - `fast` has the default;
# - `half` has the strategy `at-least-once`, and nothing more;
# - `safe` has it too, together with `x-overflow` `reject-publish`.
#
# There is a mistake in all three. Their DLX `shop.letters` is a direct exchange. It has a binding with the key
# `parked`, but the letters keep their own keys, and so they fit nothing.

# %%
STRATEGY = {"x-dead-letter-strategy": "at-least-once"}
KINDS = {"fast": {}, "half": STRATEGY, "safe": {**STRATEGY, "x-overflow": "reject-publish"}}
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.exchange_declare("shop.letters", exchange_type="direct", durable=True)
    fresh(channel, "parked", CLASSIC)
    channel.queue_bind("parked", exchange="shop.letters", routing_key="parked")
    channel.confirm_delivery()
    for queue, arguments in KINDS.items():
        letters = {"x-dead-letter-exchange": "shop.letters", "x-max-length": 3}
        fresh(channel, queue, {**QUORUM, **letters, **arguments})
        for number in range(3):
            channel.basic_publish("", queue, f"order {number} of {queue}".encode())
        for _ in range(3):
            channel.basic_reject(fetch(channel, queue)[0].delivery_tag, requeue=False)

lab.topology()

# %% [markdown]
# Nine orders, and all queues show 0. Are the nine gone? Let a publisher ask. It publishes one order after the other,
# and a consumer takes each away at once, so that there is always room:


# %%
def takes_orders(channel, queue):
    """Whether a queue takes thirty orders, one after the other, each of them consumed at once."""
    try:
        for _ in range(30):
            channel.basic_publish("", queue, b"one more order")
            fetch(channel, queue, auto_ack=True)
    except pika.exceptions.NackError:
        return False
    return True


with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    takes = {queue: takes_orders(channel, queue) for queue in KINDS}

for queue, answer in takes.items():
    print(f"{queue} {'takes orders' if answer else 'refuses an order: basic.nack'}")
assert takes == {"fast": True, "half": True, "safe": False}

# %% [markdown]
# `safe` is full, with a depth of 0. It holds three dead letters that found no target, and they count against its
# limit.
#
# Now an operator corrects the key, for all three queues, by a policy: `dead-letter-routing-key` is to be `parked`. No
# queue is declared anew.
#
# > **Predict:** How many of the nine orders come to `parked`?
# >
# > - `0`: what found no target is gone
# > - `3`: those of `safe`
# > - `6`: those of `half` and `safe`

# %%
### BEGIN SOLUTION
### STUB lab.predict("come to parked", ...)
lab.predict("come to parked", "3")
### END SOLUTION

# %%
if lab.needs("node-commands"):
    rabbitmqctl = lab.cluster["rmq1"].ctl
    policy = ["letters", "^(fast|half|safe)$", '{"dead-letter-routing-key": "parked"}']
    rabbitmqctl("set_policy", "--vhost", lab.vhost, *policy, "--apply-to", "queues")
    lab.wait_until(lambda: lab.depth("parked") >= 3)
    rabbitmqctl("clear_policy", "--vhost", lab.vhost, "letters")
    lab.happened("come to parked", lab.depth("parked"))
    with pika.BlockingConnection(parameters) as connection:
        while (message := connection.channel().basic_get("parked", auto_ack=True))[0]:
            print(message[2].decode())

# %% [markdown]
# What `safe` kept came at once, since the broker tries again when the policy changes. (Otherwise it does so every few
# minutes.) The letters of `fast` had been gone since their rejection, and so had those of `half`: at-least-once needs
# **both** arguments. Without `reject-publish` the broker falls back to at-most-once, and says so only in its log.
#
# The price: the letters stay in the queue, and fill it as long as their target fails. And "at least once" means that
# the target may get a letter twice.

# %% [markdown]
# ## What can go wrong: letters to nowhere, and a count that stops
#
# Experiment 5 began with a key that fits nothing. A DLX that does not exist has the same effect: the declaration
# succeeds, as the exchange may come later. Here both happen to a classic queue, which knows only at-most-once. In the
# third case the DLX has an **alternate exchange** (lab 06).

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    channel.exchange_declare("shop.unread", exchange_type="fanout", durable=True, internal=True)
    channel.exchange_declare(
        "shop.caught", exchange_type="direct", durable=True, arguments={"alternate-exchange": "shop.unread"}
    )
    fresh(channel, "unread", CLASSIC)
    channel.queue_bind("unread", exchange="shop.unread")
    for exchange in ["shop.daed", "shop.letters", "shop.caught"]:
        fresh(channel, "picking", {**CLASSIC, "x-dead-letter-exchange": exchange})
        channel.basic_publish("", "picking", exchange.encode())
        channel.basic_reject(fetch(channel, "picking")[0].delivery_tag, requeue=False)
    print("kept:", fetch(channel, "unread", auto_ack=True)[2].decode())
    print("others:", lab.depth("unread") + lab.depth("dead") + lab.depth("parked"))

# %% [markdown]
# No error and no return: the consumer who rejected hears nothing of it. So test a DLX by a rejection, not by a look
# at it.
#
# The second trap is a retry that counts its tries by `x-death`. It works as long as the broker alone moves the
# message. But a ladder publishes it again, and then it depends on the version. The cell does that three times, with
# all its headers, and counts in a header `tries` beside it:

# %%
in_x_death, in_tries = [], []
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    fresh(channel, "picking", {**CLASSIC, **TO_DEAD})
    properties = pika.BasicProperties(headers={"tries": 0})
    for _ in range(3):
        channel.basic_publish("", "picking", b"order 11", properties)
        channel.basic_reject(fetch(channel, "picking")[0].delivery_tag, requeue=False)
        method, properties, body = fetch(channel, "dead", auto_ack=True)
        properties.headers["tries"] += 1
        in_x_death.append(int(properties.headers["x-death"][0]["count"]))
        in_tries.append(properties.headers["tries"])

# %% tags=["nbval-ignore-output"]
print(f"RabbitMQ {lab.version}: x-death counts {in_x_death}, tries {in_tries}")

# %%
assert in_tries == [1, 2, 3]
counts_on = lab.version.startswith("3.") and lab.version not in ("3.13.0", "3.13.1", "3.13.2")
assert in_x_death == ([1, 2, 3] if counts_on else [1, 1, 1])

# %% [markdown]
# From 4.0 on (and in 3.13.0 to 3.13.2), `x-death` belongs to the broker: what a client publishes in it is carried, but no death is added to it.
# A retry that counted on it never ends after the upgrade. Count in a header of your own.

# %% [markdown]
# ## Exercises
#
# ### Exercise 1: wire it
#
# Returned parcels are announced to the durable direct exchange `shop.returns`, and those with the key
# `order.returned` go to the durable queue `returns`. Build that, and see to its dead letters:
#
# - by an argument of `returns` they go to a durable **topic** exchange `dlx.exchange`, and keep the keys that they have;
# - a durable queue `dlx.queue` gets whatever is published to `dlx.exchange`, with any key.
#
# Then publish `return 1` and `return 2` to `shop.returns`. Fetch the first and reject it for good; leave the second
# where it is.
#
# (If you declare both queues by `fresh` of the first cell, each try begins with empty ones.)

# %% exercise="wire"
### BEGIN SOLUTION
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.exchange_declare("dlx.exchange", exchange_type="topic", durable=True)
    fresh(channel, "dlx.queue", CLASSIC)
    channel.queue_bind("dlx.queue", exchange="dlx.exchange", routing_key="#")
    channel.exchange_declare("shop.returns", exchange_type="direct", durable=True)
    fresh(channel, "returns", {**CLASSIC, "x-dead-letter-exchange": "dlx.exchange"})
    channel.queue_bind("returns", exchange="shop.returns", routing_key="order.returned")
    channel.confirm_delivery()
    for body in [b"return 1", b"return 2"]:
        channel.basic_publish("shop.returns", "order.returned", body)
    method, properties, body = channel.basic_get("returns")
    channel.basic_reject(method.delivery_tag, requeue=False)
### END SOLUTION

# %%
lab.check("wire")

# %% [markdown]
# ### Exercise 2: the coroner
#
# Five orders lie in the queue `pile`, and each came there as a dead letter. The next cell makes it so; you need not
# read it.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for queue in ["parked.rejected", "parked.expired", "parked.maxlen"]:
        channel.queue_delete(queue)
    soon = {"x-message-ttl": 30}
    fresh(channel, "pile", CLASSIC)
    fresh(channel, "desk", {**CLASSIC, **dead_to("pile")})
    fresh(channel, "late", {**CLASSIC, **dead_to("pile"), **soon})
    fresh(channel, "full", {**CLASSIC, **dead_to("pile"), "x-max-length": 1})
    fresh(channel, "late.desk", {**CLASSIC, **dead_to("desk"), **soon})
    fresh(channel, "desk.late", {**CLASSIC, **dead_to("late")})
    channel.confirm_delivery()
    for queue, order in [("full", "rug"), ("full", "pen"), ("late", "lamp"), ("late.desk", "vase")]:
        channel.basic_publish("", queue, order.encode())
    channel.basic_reject(fetch(channel, "desk")[0].delivery_tag, requeue=False)
    for queue, order in [("desk", "teapot"), ("desk.late", "tray")]:
        channel.basic_publish("", queue, order.encode())
        channel.basic_reject(fetch(channel, queue)[0].delivery_tag, requeue=False)

lab.wait_until(lambda: lab.depth("pile") == 5)
print("orders in the pile:", lab.depth("pile"))

# %% [markdown]
# Some of them died twice, on their way through several queues. What counts is the **last** death. Move each order
# from `pile` to one of the durable queues `parked.rejected`, `parked.expired` and `parked.maxlen`, by the reason of
# its last death. Keep its headers, as others want to read them too. At the end `pile` is empty.
#
# (To try again, run the cell above first.)

# %% exercise="causes"
### BEGIN SOLUTION
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for reason in ["rejected", "expired", "maxlen"]:
        channel.queue_declare(f"parked.{reason}", durable=True, arguments=CLASSIC)
    channel.confirm_delivery()
    while (message := channel.basic_get("pile"))[0]:
        method, properties, body = message
        reason = properties.headers["x-death"][0]["reason"]
        channel.basic_publish("", f"parked.{reason}", body, properties)
        channel.basic_ack(method.delivery_tag)
### END SOLUTION

# %%
lab.check("causes")

# %% [markdown]
# ### Exercise 3: a ladder with an end
#
# Invoices are booked by a program that a colleague wrote. `book` is the work itself: `invoice 1` is booked at once,
# `invoice 2` at the second attempt, and `invoice 3` never. `run` publishes the three, and calls your function
# `handle` for each delivery from `invoices`, until nothing has come for a while, or after 20 deliveries. Run the
# cell.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for queue in ["invoices", "invoices.100", "invoices.400", "invoices.parked"]:
        channel.queue_delete(queue)
    channel.queue_declare("invoices", durable=True, arguments=CLASSIC)

attempts = Counter()


def book(body):
    attempts[body] += 1
    if body == b"invoice 3" or (body == b"invoice 2" and attempts[body] == 1):
        raise ValueError(f"cannot book {body.decode()}")


def colleague(channel, method, properties, body):
    try:
        book(body)
        channel.basic_ack(method.delivery_tag)
    except ValueError:
        channel.basic_nack(method.delivery_tag, requeue=True)


def run(handle):
    attempts.clear()
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_purge("invoices")
        for number in range(1, 4):
            channel.basic_publish("", "invoices", f"invoice {number}".encode())
        for method, properties, body in channel.consume("invoices", inactivity_timeout=0.7):
            if method is not None:
                handle(channel, method, properties, body)
            if method is None or attempts.total() == 20:
                break


run(colleague)
print("invoice 3 was tried", attempts[b"invoice 3"], "times")

# %% [markdown]
# Write a better `handle`, and the queues that it needs, all of them durable:
#
# - an invoice that fails for the first time waits 100 ms in `invoices.100`, and is tried again;
# - one that fails for the second time waits 400 ms in `invoices.400`, and is tried again;
# - one that fails for the third time goes to `invoices.parked`;
# - every delivery is acknowledged, what failed only after it was published to its next queue.
#
# Then run it, inside `with lab.record("ladder") as story:`, by `run(handle)`. (To try again, run the cell above
# first.)

# %% exercise="ladder"
### BEGIN SOLUTION
STEPS = ["invoices.100", "invoices.400", "invoices.parked"]

with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for milliseconds in [100, 400]:
        arguments = {**CLASSIC, **dead_to("invoices"), "x-message-ttl": milliseconds}
        channel.queue_declare(f"invoices.{milliseconds}", durable=True, arguments=arguments)
    channel.queue_declare("invoices.parked", durable=True, arguments=CLASSIC)


def handle(channel, method, properties, body):
    try:
        book(body)
    except ValueError:
        tries = (properties.headers or {}).get("tries", 0)
        label = pika.BasicProperties(headers={"tries": tries + 1}, delivery_mode=2)
        channel.basic_publish("", STEPS[tries], body, label, mandatory=True)
    channel.basic_ack(method.delivery_tag)


with lab.record("ladder") as story:
    run(handle)
### END SOLUTION

# %%
lab.check("ladder")

# %%
lab.progress()

# %% [markdown]
# ## In production
#
# - Every queue whose messages matter has a dead-letter exchange, and somebody looks at the queue behind it: an alarm
#   on its depth, and a limit on its length.
# - Set the DLX and its key by policy (`dead-letter-exchange`, `dead-letter-routing-key`). A policy can be corrected,
#   as in experiment 5; an argument cannot.
# - Give the DLX a queue bound with `#`, or an alternate exchange. Reject a test message after each change.
# - Letters that must not be lost: quorum queue, `at-least-once` **and** `reject-publish`, with a length limit. The
#   cost is memory, and publishers that are refused when the target fails.
# - A retry waits longer each time and ends in a parking queue. Count in your own header.
#
# | | 3.10 | 4.0 | 4.3 |
# | --- | --- | --- | --- |
# | Delivery limit of a quorum queue, if none is set | none | 20 | 20 |
# | What it counts | every return | every return | failed deliveries: a reject, a lost consumer |
# | `x-death` published by a client | further deaths are added to it | carried, and no death is added | the same |
# | Headers `x-last-death-queue`, `-reason`, `-exchange` | no | yes | yes |
# | At-least-once dead-lettering | quorum queues | quorum queues | quorum queues |

# %% [markdown]
# ## Recap
#
# - A queue gives a message up because it was **rejected**, **expired**, pushed out by the length limit (**maxlen**),
#   or returned too often (**delivery_limit**). Purged and deleted messages are no dead letters.
# - The DLX is an ordinary exchange. A dead letter keeps its key, unless the queue has a dead-letter routing key.
# - `x-death` has a row for each queue and reason, the newest death first, with a count.
# - A loop of deaths without a rejection is cut, and its message dropped.
# - At most once is the default: letters that find no queue vanish. At least once needs a quorum queue and two
#   arguments.
#
# Next: [lab 17](17_idempotent_consumers.ipynb) on consumers that bear what comes twice. The official pages: [dead-letter
# exchanges](https://www.rabbitmq.com/docs/dlx), [dead-lettering of quorum
# queues](https://www.rabbitmq.com/docs/quorum-queues#dead-lettering), [poison
# messages](https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling), [length
# limits](https://www.rabbitmq.com/docs/maxlength).
