# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   lab:
#     title: Returned messages
#     promise: Get every message back that the broker can route nowhere, and know which loss a return never tells you of.
#     part: Reliability
#     minutes: 20
#     objectives:
#     - say what a confirm tells you of a message that reached no queue
#     - hear of a return in pika, with and without confirms, and in aio-pika
#     - predict which mandatory messages come back, and which do not
#     - keep what came back, with the place that it was meant for
#     prerequisites: [06_what_exchanges_and_queues_remember, 07_anatomy_of_a_message]
#     cluster: []
# ---

# %% [markdown]
# ## Set up

# %%
import asyncio

import aio_pika
import pika

from lab_helpers import Lab

lab = Lab("09_returned_messages")
parameters = pika.URLParameters(lab.url)
CLASSIC = {"x-queue-type": "classic"}

# %% [markdown]
# ## The situation
#
# In [lab 04](04_direct_exchange.ipynb) the website's developers renamed a key from `order.us` to `order.usa`.
# Denver's binding is still the old one, so the shop lost its American orders for weeks. The developers have learned
# from it, or so they say: the website now waits until the broker confirms each order.
#
# A **confirm** is the broker's word on a publish, `basic.ack` or `basic.nack`: it has taken charge of the message, or
# it has not. A channel gives it after `confirm_delivery()`. [Lab 08](08_publisher_confirms.ipynb) is about them; here
# you need no more than that.
#
# The week after, every American order was confirmed, and Denver still had nothing to pack.
#
# The question: how does a publisher learn that its message went nowhere?

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.exchange_declare("shop.orders", exchange_type="direct", durable=True)
    channel.queue_declare("denver", durable=True, arguments=CLASSIC)
    channel.queue_bind("denver", exchange="shop.orders", routing_key="order.us")

lab.topology()

# %% [markdown]
# ## Experiment 1: the broker's word on a lost order
#
# > **Predict:** An order is published with the key `order.usa`, on a channel with confirms. No binding fits. What
# > does the broker answer?
# >
# > - `basic.ack`
# > - `basic.nack`: it could not deliver the message
# > - `nothing`

# %%
### BEGIN SOLUTION
### STUB lab.predict("on a lost order", ...)
lab.predict("on a lost order", "basic.ack")
### END SOLUTION

# %%
with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_publish("shop.orders", "order.usa", b"order 1: a lamp")

story.flow()


# %%
def answers(story):
    """What the broker said of the publishes, in its order: the methods of the frames that it sent."""
    said = {"basic.return", "basic.ack", "basic.nack"}
    return [frame.name for frame in story.frames if frame.name in said and not frame.from_client]


lab.happened("on a lost order", ", ".join(answers(story)) or "nothing")

# %% [markdown]
# The broker **confirms** the order that it throws away. That is no error: with `basic.ack` it says that it has done
# all that it had to do for this message. No queue was to get it, so nothing was left to do. A `basic.nack` would mean
# that a queue should have taken it and could not.
#
# So a confirm does not say that the message is anywhere. For this there is a flag on the publish.

# %% [markdown]
# ## Experiment 2: mandatory
#
# `mandatory=True` says: if this message reaches no queue, give it back. The broker does so by `basic.return`, with
# the whole message.
#
# > **Predict:** The same order is published again, as mandatory. What does the broker answer now?
# >
# > - `basic.return`: instead of the confirm
# > - `basic.ack, basic.return`: confirmed, and then returned
# > - `basic.return, basic.ack`: returned, and then confirmed

# %%
### BEGIN SOLUTION
### STUB lab.predict("return and ack", ...)
lab.predict("return and ack", "basic.return, basic.ack")
### END SOLUTION

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    with lab.record() as story:
        channel.confirm_delivery()
        try:
            channel.basic_publish("shop.orders", "order.usa", b"order 1: a lamp", mandatory=True)
        except pika.exceptions.UnroutableError as error:
            [returned] = error.messages
            print("code:     ", returned.method.reply_code, returned.method.reply_text)
            print("meant for:", returned.method.exchange, returned.method.routing_key)
            print("message:  ", returned.body.decode())

story.sequence()

# %%
lab.happened("return and ack", ", ".join(answers(story)))

# %% [markdown]
# It comes back **first**, and is confirmed after that. The broker keeps this order always. So once the confirm is
# here, no return of that message can still be on its way, and the publisher need not wait any longer. pika does just
# this: with `confirm_delivery`, `basic_publish` waits for the confirm, and raises `UnroutableError` if a return came
# before it.
#
# Code 312, `NO_ROUTE`, is AMQP's for "no queue". The return also names the exchange and the key, and carries the
# properties and the body. It does **not** carry the number of the publish, as a confirm does. You know a returned
# message by what you wrote on it: give each one a `message_id`.
#
# All four cases side by side:


# %%
def publish(channel, exchange, key, body, mandatory=True):
    """Publish a message on a channel with confirms, and say in one word what became of it."""
    try:
        channel.basic_publish(exchange, key, body.encode(), mandatory=mandatory)
    except pika.exceptions.UnroutableError:
        return "returned"
    except pika.exceptions.NackError:
        return "refused"
    return "confirmed"


with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_purge("denver")
    channel.confirm_delivery()
    print(f"{'key':11}{'mandatory':11}{'publish':11}the broker sent")
    for key in ["order.us", "order.usa"]:
        for mandatory in [False, True]:
            with lab.record() as story:
                word = publish(channel, "shop.orders", key, "an order", mandatory)
            print(f"{key:11}{mandatory!s:11}{word:11}{', '.join(answers(story))}")

# %% [markdown]
# Where a binding fits, the flag makes no difference: not one answer more.

# %% [markdown]
# ## Experiment 3: a listener
#
# A publisher without confirms can use the flag as well. Nothing waits for the broker then, so pika cannot raise. It
# calls a function of yours instead, a **return listener**.
#
# The cell publishes three orders that cannot be routed. Then it asks the broker for something else, and waits for
# that answer.
#
# > **Predict:** How many of the three returns has the listener heard of when that answer is here?
# >
# > - `3`
# > - `0`
# > - `some`: it depends on who is faster

# %%
### BEGIN SOLUTION
### STUB lab.predict("heard by then", ...)
lab.predict("heard by then", "0")
### END SOLUTION

# %%
heard = []


def listen(channel, method, properties, body):
    heard.append(f"{body.decode()}: {method.reply_code} {method.reply_text}")


with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.add_on_return_callback(listen)
    for number in [2, 3, 4]:
        channel.basic_publish("shop.orders", "order.usa", f"order {number}".encode(), mandatory=True)
    channel.queue_declare("denver", passive=True)
    by_then = len(heard)
    connection.process_data_events()

print("the broker sent:", *[frame.name for frame in story.frames if frame.name in ("basic.return", "queue.declare-ok")])
print("heard by then:", by_then)
print("heard at last:", *heard, sep="\n  ")

# %%
lab.happened("heard by then", by_then)

# %% [markdown]
# All three had arrived: the broker sent them before its answer, `queue.declare-ok`. But a pika `BlockingConnection`
# has no thread of its own. It reads from the broker while you call it, puts returns aside, and calls listeners only
# in `process_data_events` (or in `start_consuming`, which calls it all the time).
#
# `process_data_events()` alone would not do either, as it does not wait for what is still on its way. The question
# before it makes the difference: the broker works through a channel in order, so the answer to a later question comes
# after all earlier returns. Confirms do the same for you, for each message.

# %% [markdown]
# ## Experiment 4: aio-pika
#
# The second client, aio-pika, is for programs that do many things at once. Where it must wait for the broker, the
# program says `await`, and others go on meanwhile. (In a notebook, a cell may await.) Its defaults differ from
# pika's. A channel of aio-pika has confirms from the start, and `publish` is mandatory unless you say otherwise.
#
# > **Predict:** `await exchange.publish(message, "order.usa")` on a channel with aio-pika's defaults. What does that
# > line do?
# >
# > - `raises an error`
# > - `returns the confirm`
# > - `returns the message`

# %%
### BEGIN SOLUTION
### STUB lab.predict("aio-pika's default", ...)
lab.predict("aio-pika's default", "returns the message")
### END SOLUTION

# %%
async with await aio_pika.connect(lab.url) as connection:
    channel = await connection.channel()
    exchange = await channel.get_exchange("shop.orders")
    by_default = await exchange.publish(aio_pika.Message(b"order 5"), "order.usa")
    print("by default:      ", type(by_default).__name__, by_default.body.decode(), by_default.delivery.reply_text)
    confirmed = await exchange.publish(aio_pika.Message(b"order 5"), "order.usa", mandatory=False)
    print("mandatory=False: ", type(confirmed).__name__)

    strict = await connection.channel(publisher_confirms=True, on_return_raises=True)
    exchange = await strict.get_exchange("shop.orders")
    try:
        await exchange.publish(aio_pika.Message(b"order 5"), "order.usa")
    except aio_pika.exceptions.PublishError as error:
        print("on_return_raises:", type(error).__name__, error.message.body.decode(), error.frame.reply_text)

# %%
names = {"DeliveredMessage": "returns the message", "Ack": "returns the confirm"}
lab.happened("aio-pika's default", names[type(by_default).__name__])

# %% [markdown]
# By default the line ends as if all were well. The lost order is its *result*, and a program that only writes
# `await exchange.publish(...)` throws that away. With `on_return_raises=True` it is a `PublishError`, which is a kind
# of `DeliveryError`, the error for a `basic.nack`. `on_return_raises` needs confirms,
# `publisher_confirms=True`, which is the default.
#
# What aio-pika is for: many publishes are under way at once, and each gets its own answer.

# %%
ORDERS = {"order 6": "order.us", "order 7": "order.usa", "order 8": "order.us", "order 9": "order.usa"}

async with await aio_pika.connect(lab.url) as connection:
    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
    exchange = await channel.get_exchange("shop.orders")
    publishes = [
        exchange.publish(aio_pika.Message(order.encode(), message_id=order), key) for order, key in ORDERS.items()
    ]
    results = await asyncio.gather(*publishes, return_exceptions=True)

for order, result in zip(ORDERS, results, strict=True):
    print(f"{order}: {type(result).__name__}")

# %% [markdown]
# As a return has no number, aio-pika finds the publish that it belongs to by the `message_id`, and makes one up where
# you set none. So two messages under way at the same time must not have the same id.

# %% [markdown]
# ## Experiment 5: what counts as routed
#
# The book-keepers have bound their queue `books` with the key `order.us` too. The website publishes six mandatory
# orders. While it does so, an operator unbinds both queues for maintenance: `denver` before order 3, `books` before
# order 5.
#
# > **Predict:** Which orders come back?
# >
# > - `3 4 5 6`: Denver does not get these
# > - `5 6`
# > - `none`: the exchange had bindings when the website began

# %%
### BEGIN SOLUTION
### STUB lab.predict("come back", ...)
lab.predict("come back", "5 6")
### END SOLUTION

# %%
came_back = []
with pika.BlockingConnection(parameters) as connection:
    website, operator = connection.channel(), connection.channel()
    website.confirm_delivery()
    for queue in ["denver", "books"]:
        operator.queue_declare(queue, durable=True, arguments=CLASSIC)
        operator.queue_bind(queue, exchange="shop.orders", routing_key="order.us")
        operator.queue_purge(queue)
    with lab.record() as story:
        for number in range(1, 7):
            if number in (3, 5):
                unbound = {3: "denver", 5: "books"}[number]
                operator.queue_unbind(unbound, exchange="shop.orders", routing_key="order.us")
            if publish(website, "shop.orders", "order.us", f"order {number}") == "returned":
                came_back.append(str(number))

story.flow()

# %%
lab.happened("come back", " ".join(came_back) or "none")

# %% [markdown]
# The broker looks at the bindings for each message anew. And mandatory means *at least one queue*, not *the queue
# that you had in mind*: orders 3 and 4 reached the book-keepers, so nobody told the website that Denver missed them.
# One archive that is bound to everything makes the flag blind.
#
# The commonest such archive stands behind an **alternate exchange** ([lab
# 06](06_what_exchanges_and_queues_remember.ipynb)). Three exchanges have one, and each is in another state.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    for exchange in ["unrouted.kept", "unrouted.unbound"]:
        channel.exchange_declare(exchange, exchange_type="fanout", durable=True, internal=True)
    channel.queue_declare("unrouted", durable=True, arguments=CLASSIC)
    channel.queue_purge("unrouted")
    channel.queue_bind("unrouted", exchange="unrouted.kept", routing_key="")
    for alternate in ["unrouted.kept", "unrouted.unbound", "unrouted.missing"]:
        name = f"shop.{alternate.split('.')[1]}"
        channel.exchange_declare(name, "direct", durable=True, arguments={"alternate-exchange": alternate})
        print(f"{name:14}-> {alternate:18}{publish(channel, name, 'order.usa', 'order 10')}")

lab.topology()

# %% [markdown]
# What an alternate exchange **takes to a queue** counts as routed, and is not returned. An alternate exchange to
# which nothing is bound, or that does not exist, takes nothing, and the message comes back as if there were none. So
# the two do not compete: the alternate exchange is asked first, and the return is for what even that could not place.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for exchange in ["shop.kept", "shop.unbound", "shop.missing", "unrouted.kept", "unrouted.unbound"]:
        channel.exchange_delete(exchange)
    for queue in ["unrouted", "books"]:
        channel.queue_delete(queue)

# %% [markdown]
# ## What can go wrong: nobody listens
#
# Three websites publish the same lost order, mandatory and without confirms. The first closes its connection at once.
# The second waits, but has no listener. The third does both.

# %%
heard = {}


def lose_an_order(name, listens, waits):
    """Publish an order that cannot be routed, and note what comes back."""
    heard[name] = []
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        if listens:
            channel.add_on_return_callback(lambda channel, method, properties, body: heard[name].append(body))
        channel.basic_publish("shop.orders", "order.usa", b"order 11", mandatory=True)
        if waits:
            channel.queue_declare("denver", passive=True)
            connection.process_data_events()


with lab.record() as story:
    lose_an_order("closes at once", listens=True, waits=False)
    lose_an_order("has no listener", listens=False, waits=True)
    lose_an_order("listens and waits", listens=True, waits=True)

for name, returned in zip(heard, story.returned(), strict=True):
    print(f"{name:19}the broker: {returned.code} {returned.text}   the program heard of {len(heard[name])}")

# %% [markdown]
# The broker returned all three orders. Two of the programs ended without an error and without a word. A return that
# has no listener is dropped **by the client**, silently, and a listener that is never called hears nothing. The
# remedy is confirms: then `basic_publish` waits long enough, and raises even if you have no listener.
#
# The other mistake is to read too much into the silence. These queues get two mandatory orders each:

# %%
LIMITS = {
    "at most one": {"x-max-length": 1},
    "at most one, refuse": {"x-max-length": 1, "x-overflow": "reject-publish"},
    "gone in no time": {"x-message-ttl": 0},
}
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    print(f"{'queue':22}{'order 12':11}{'order 13':11}left in it")
    for queue, limit in LIMITS.items():
        channel.queue_declare(queue, durable=True, arguments={**CLASSIC, **limit})
        channel.queue_purge(queue)
        said = [publish(channel, "", queue, f"order {number}") for number in (12, 13)]
        print(f"{queue:22}{said[0]:11}{said[1]:11}{lab.depth(queue)}")
        channel.queue_delete(queue)

# %% [markdown]
# Six orders, two left, and **none returned**. Mandatory speaks of routing, and of nothing else. `x-max-length`
# dropped an order that had been routed (lab 06), and a time-to-live of 0 (`x-message-ttl`, lab 12) let both expire.
# The queue that refuses says so by `basic.nack`, and pika raises `NackError`: that is not a return either. For what a
# queue drops there are dead letters (lab 13).

# %% [markdown]
# ## Exercises
#
# ### Exercise 1: park what comes back
#
# The next cell makes the exchange `shop.dispatch` with the queue `packing`, and four orders. Two of them have a key
# that no binding has.

# %%
ORDERS = [
    (key, f"order {number}".encode(), pika.BasicProperties(message_id=f"order-{number}", headers={"gift": True}))
    for number, key in [(21, "order.eu"), (22, "order.usa"), (23, "order.eu"), (24, "order.uk")]
]

with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.exchange_declare("shop.dispatch", exchange_type="direct", durable=True)
    channel.queue_declare("packing", durable=True, arguments=CLASSIC)
    channel.queue_purge("packing")
    channel.queue_bind("packing", exchange="shop.dispatch", routing_key="order.eu")

# %% [markdown]
# Declare a durable classic queue `parked`, and publish all four to `shop.dispatch` in such a way that each order that
# comes back ends in `parked`:
#
# - with the body, the properties and the headers that it had;
# - with two more headers, `returned-exchange` and `returned-key`, which say where it was meant to go.
#
# A return listener does it; so does the error that pika raises on a channel with confirms. (To try again, purge
# `parked` first.)


# %% exercise="park"
### BEGIN SOLUTION
def park(channel, method, properties, body):
    meant_for = {"returned-exchange": method.exchange, "returned-key": method.routing_key}
    properties.headers = {**(properties.headers or {}), **meant_for}
    channel.basic_publish("", "parked", body, properties)


with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("parked", durable=True, arguments=CLASSIC)
    channel.queue_purge("parked")
    channel.add_on_return_callback(park)
    for key, body, properties in ORDERS:
        channel.basic_publish("shop.dispatch", key, body, properties, mandatory=True)
    channel.queue_declare("parked", passive=True)
    connection.process_data_events()
### END SOLUTION

# %%
lab.check("park")

# %% [markdown]
# ### Exercise 2: the gift that was never returned
#
# A colleague sends five gift cards, all mandatory and confirmed, and prints which came back. Run the cell.

# %%
GIFTS = {"gift 1": "gift.eu", "gift 2": "gift.uk", "gift 3": "gift.asia", "gift 4": "gift.us", "gift 5": "gift.mars"}
LIMITED = {"gifts.eu": {"x-max-length": 5}, "gifts.us": {"x-message-ttl": 3_600_000}, "attic": {}}

with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_delete("found")
    for queue, limit in LIMITED.items():
        channel.queue_delete(queue)
        channel.queue_declare(queue, durable=True, arguments={**CLASSIC, **limit})
    channel.exchange_declare("shop.history", "direct", durable=True, internal=True)
    channel.exchange_declare("shop.gifts", "direct", durable=True, arguments={"alternate-exchange": "shop.history"})
    for queue, exchange, key in [
        ("gifts.eu", "shop.gifts", "gift.eu"),
        ("gifts.us", "shop.gifts", "gift.us"),
        ("attic", "shop.history", "gift.asia"),
    ]:
        channel.queue_bind(queue, exchange=exchange, routing_key=key)
    channel.basic_publish("", "attic", b"gift 0", pika.BasicProperties(message_id="gift-0"))
    for gift, key in GIFTS.items():
        try:
            properties = pika.BasicProperties(message_id=gift.replace(" ", "-"))
            channel.basic_publish("shop.gifts", key, gift.encode(), properties, mandatory=True)
        except pika.exceptions.UnroutableError as error:
            print("came back:", error.messages[0].body.decode())

# %% [markdown]
# `gifts.eu` has one gift and `gifts.us` has one, as it should be. Two came back. That makes four of five: one was
# neither packed nor returned, although `shop.gifts` has no binding for its key.
#
# Find it: `lab.topology()`, in a cell of your own, shows where to look. Move it, and no other, to a durable classic
# queue `found`: the same body and `message_id`, and one header `why`, which says why it was not returned. Its value
# is one of
#
# - `not mandatory`: it was published without the flag,
# - `full queue`: it was routed, and a queue dropped it,
# - `expired`: it was routed, and its time was over,
# - `alternate exchange`: another exchange took it to a queue.
#
# (To try again, run the cell above again: it makes everything afresh, and deletes `found`.)

# %% exercise="found"
### BEGIN SOLUTION
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("found", durable=True, arguments=CLASSIC)
    channel.confirm_delivery()
    while True:
        method, properties, body = channel.basic_get("attic")
        if method is None:
            break
        if body == b"gift 3":
            properties.headers = {"why": "alternate exchange"}
            channel.basic_publish("", "found", body, properties)
            channel.basic_ack(method.delivery_tag)
### END SOLUTION

# %%
lab.check("found")

# %% [markdown]
# (What was fetched and not acknowledged goes back to its place when the connection closes. Lab 10 is about this.)
#
# ### Exercise 3: a publisher that knows
#
# Invoices go to the exchange `shop.invoices`. `report` notes, in the queue `report`, those that could not be routed,
# so that somebody looks after them. Run the cell.

# %%
INVOICES = [
    (f"invoice.{country}", f"invoice {number}") for number, country in enumerate(["eu", "uk", "eu", "us", "eu"], 1)
]

with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.exchange_declare("shop.invoices", exchange_type="direct", durable=True)
    for queue in ["invoices", "report"]:
        channel.queue_declare(queue, durable=True, arguments=CLASSIC)
        channel.queue_purge(queue)
    channel.queue_bind("invoices", exchange="shop.invoices", routing_key="invoice.eu")


def report(bodies):
    """Replace what is in the queue `report` by these texts."""
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.queue_purge("report")
        channel.confirm_delivery()
        for body in bodies:
            channel.basic_publish("", "report", body.encode())


# %% [markdown]
# A colleague's `send` publishes the invoices and always reports that nothing came back. Repair it: it publishes
# **every** invoice **once**, as mandatory and with confirms, and returns a list of the texts of those that came back,
# in their order.


# %% exercise="publisher"
### BEGIN SOLUTION
### STUB def send(invoices):
### STUB     with pika.BlockingConnection(parameters) as connection:
### STUB         channel = connection.channel()
### STUB         for key, text in invoices:
### STUB             channel.basic_publish("shop.invoices", key, text.encode())
### STUB     return []
def send(invoices):
    came_back = []
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for key, text in invoices:
            try:
                channel.basic_publish("shop.invoices", key, text.encode(), mandatory=True)
            except pika.exceptions.UnroutableError as error:
                came_back += [message.body.decode() for message in error.messages]
    return came_back


### END SOLUTION

with lab.record("publisher") as story:
    came_back = send(INVOICES)
report(came_back)

came_back

# %%
lab.check("publisher")

# %%
lab.progress()

# %% [markdown]
# ## In production
#
# - Publish **mandatory and with confirms**, both. Without the flag the broker confirms what it drops; without
#   confirms a return may never be heard. Where a binding fits, the flag adds nothing to the talk.
# - In aio-pika open channels with `on_return_raises=True`. In both clients give each message its own `message_id`.
# - Decide what a return leads to: an alarm, and a place where the message is kept. Trying again at once helps only if
#   a binding is about to appear.
# - An alternate exchange by policy, and an alarm on the queue behind it, protects all publishers, also those that you
#   did not write. It takes from the flag what it takes to a queue, so know which of the two you watch.
# - Neither tells you that *every* consumer has its copy, or that a queue kept it.
#
# | | 3.10 | 4.0 | 4.3 |
# | --- | --- | --- | --- |
# | `mandatory`, 312, return before ack | as here | as here | as here |
# | `immediate`, AMQP's second flag (return unless a consumer takes it now) | refused since 3.0: 540 `NOT_IMPLEMENTED`, connection closed | the same | the same |
# | A direct reply (lab 07) published mandatory, the asker is there | delivered, and returned all the same | the same | delivered, not returned |
# | … and the asker is gone | returned | returned | not returned: [since 4.2](https://github.com/rabbitmq/rabbitmq-server/blob/main/release-notes/4.2.0.md) its address counts as a queue |

# %% [markdown]
# ## Recap
#
# - An unroutable message is **confirmed** like any other: a confirm does not say that it is in a queue.
# - A **mandatory** message that reaches no queue comes back by `basic.return`, 312 `NO_ROUTE`, and always **before**
#   its confirm.
# - With confirms pika raises `UnroutableError`; without them a listener hears of it only in `process_data_events`.
#   aio-pika raises only with `on_return_raises=True`.
# - One queue is enough, also one behind an **alternate exchange**: such a message is not returned.
# - What a queue drops later was routed, and is never returned.
#
# Next: [lab 10](10_acknowledgements_and_requeue.ipynb) on the consumer's side of the same question. The official
# pages: [unroutable messages](https://www.rabbitmq.com/docs/publishers#unroutable), [when messages are
# confirmed](https://www.rabbitmq.com/docs/confirms#when-publishes-are-confirmed), [alternate
# exchanges](https://www.rabbitmq.com/docs/ae), [direct reply-to](https://www.rabbitmq.com/docs/direct-reply-to),
# [what RabbitMQ leaves out of AMQP](https://www.rabbitmq.com/docs/specification).
