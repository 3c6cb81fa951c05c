# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   lab:
#     title: Direct and default exchanges
#     promise: Decide by an exact key which queues a message reaches, and see what becomes of a message that fits none.
#     part: The model
#     minutes: 20
#     objectives:
#     - route messages to queues by binding keys that match exactly
#     - give several queues one key, and one queue several keys
#     - say what the default exchange does and what it refuses
#     - find and repair a binding whose key is wrong
#     prerequisites: [00_start_here]
#     cluster: []
# ---

# %% [markdown]
# ## Set up

# %%
import pika

from lab_helpers import Lab

lab = Lab("04_direct_exchange")
parameters = pika.URLParameters(lab.url)
CLASSIC = {"x-queue-type": "classic"}

# %% [markdown]
# ## The situation
#
# The shop has grown. It packs European orders in Lyon and American ones in Denver, and each warehouse must get its own
# orders and no others. In [lab 00](00_start_here.ipynb) the website named the queue that it wrote to. If it did so
# here, every change in the warehouses would be a change in the website.
#
# RabbitMQ separates the two. A publisher never writes to a queue: it publishes to an **exchange**, and gives the message
# a **routing key**, a short text such as `order.eu`. A **binding** connects an exchange to a queue, and has a
# **binding key**. The exchange compares the two keys and puts a copy of the message in each queue that
# fits. How it compares is the exchange's *type*. This lab is about the simplest type, **direct**: the keys must be
# equal.
#
# The question of this lab: which queues does a message reach, and what if it reaches none?

# %% [markdown]
# ## Experiment 1: equal means equal
#
# An exchange, two queues, two bindings. The names are yours to choose; here a queue is named for its
# warehouse.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.exchange_declare("shop.orders", exchange_type="direct", durable=True)
    for warehouse, key in [("lyon", "order.eu"), ("denver", "order.us")]:
        channel.queue_declare(warehouse, durable=True, arguments=CLASSIC)
        channel.queue_bind(warehouse, exchange="shop.orders", routing_key=key)

lab.topology()

# %% [markdown]
# Read the picture from left to right: an arrow is a binding, and the text on it is its binding key. Nothing has been published yet.
#
# The next cell publishes three orders with three routing keys: `order.eu`, `order.eu.paid` and `Order.EU`.
#
# > **Predict:** How many of the three reach the queue `lyon`?
# >
# > - `1`: only `order.eu`
# > - `2`: also `order.eu.paid`, because it begins with `order.eu`
# > - `3`: all of them

# %%
### BEGIN SOLUTION
### STUB lab.predict("reach lyon", ...)
lab.predict("reach lyon", "1")
### END SOLUTION

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_purge("lyon")
    for key in ["order.eu", "order.eu.paid", "Order.EU"]:
        channel.basic_publish("shop.orders", routing_key=key, body=f"an order with key {key}".encode())

lab.wait_until(lambda: lab.depth("lyon") > 0)
lab.topology()

# %%
lab.happened("reach lyon", lab.depth("lyon"))

# %% [markdown]
# A direct exchange compares the whole key, letter by letter. `order.eu.paid` is another key, and so is `Order.EU`: capitals
# count, and a dot means nothing here. (Patterns are for another type, the topic exchange.)
#
# The other two orders are in no queue. Nobody was told: the publishing cell ended without an error. More about this below.

# %% [markdown]
# ## Experiment 2: several queues on one key
#
# The book-keepers want to see European orders as well. They get a queue of their own, bound with the **same** key.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("books", durable=True, arguments=CLASSIC)
    channel.queue_bind("books", exchange="shop.orders", routing_key="order.eu")

# %% [markdown]
# > **Predict:** One order is published with the key `order.eu`. Where is it then?
# >
# > - `one of them`: `lyon` and `books` take turns
# > - `both`: each of the two has it

# %%
### BEGIN SOLUTION
### STUB lab.predict("two queues, one key", ...)
lab.predict("two queues, one key", "both")
### END SOLUTION

# %%
with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_purge("lyon")
    channel.queue_purge("books")
    channel.basic_publish("shop.orders", routing_key="order.eu", body=b"order 7: a teapot")

lab.wait_until(lambda: lab.depth("lyon") + lab.depth("books") > 0)
story.flow()

# %%
lab.happened("two queues, one key", "both" if lab.depth("lyon") == lab.depth("books") == 1 else "one of them")

# %% [markdown]
# Each queue that fits gets **its own copy**. The exchange does not share messages out; it copies them. Taking turns is what
# several consumers of **one** queue do. So the choice is yours: one queue for those who share the work, a queue each for those
# who must all see everything.

# %% [markdown]
# ## Experiment 3: one queue on several keys
#
# The book-keepers want American orders too. A queue may have as many bindings as you like. To see what a repeated
# one does, the cell binds `order.us` twice.
#
# > **Predict:** `books` is bound with `order.eu` once and with `order.us` twice. One order is published with each key. How many
# > messages does `books` get?
# >
# > - `2`
# > - `3`

# %%
### BEGIN SOLUTION
### STUB lab.predict("bound twice", ...)
lab.predict("bound twice", "2")
### END SOLUTION

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_bind("books", exchange="shop.orders", routing_key="order.us")
    channel.queue_bind("books", exchange="shop.orders", routing_key="order.us")
    for queue in ["lyon", "denver", "books"]:
        channel.queue_purge(queue)
    channel.basic_publish("shop.orders", routing_key="order.eu", body=b"order 8: a kettle")
    channel.basic_publish("shop.orders", routing_key="order.us", body=b"order 9: a tray")

lab.wait_until(lambda: lab.depth("books") >= 2)
lab.topology()

# %%
lab.happened("bound twice", lab.depth("books"))

# %% [markdown]
# The picture shows one arrow for `order.us` and not two: a binding is identified by its exchange, its queue and its key, and
# making it again changes nothing. Even with different bindings that both fit, a queue gets a message **once**.
# So a program can simply declare and bind what it needs each time it starts.

# %% [markdown]
# ## Experiment 4: the exchange that has no name
#
# In lab 00 you published with `exchange=""` and the queue's name as the routing key. That empty name is an exchange too:
# the **default exchange**, a direct exchange that every virtual host has from the start. The picture leaves it out unless
# it is asked for:

# %%
lab.topology(default_exchange=True)

# %% [markdown]
# The broker binds **every** queue to it, with the queue's own name as the binding key (the dashed arrows). So "publish to
# a queue" is only a way of speaking: the message goes through an exchange there as well, and the keys must be equal.
#
# > **Predict:** Can you bind `lyon` to the default exchange with another key, `order.eu`?
# >
# > - `yes`: it is a direct exchange like any other
# > - `no`: the broker refuses

# %%
### BEGIN SOLUTION
### STUB lab.predict("bind to the default exchange", ...)
lab.predict("bind to the default exchange", "no")
### END SOLUTION

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    try:
        channel.queue_bind("lyon", exchange="", routing_key="order.eu")
        answer = "yes"
    except pika.exceptions.ChannelClosedByBroker as error:
        answer = "no"
        print(error.reply_code, error.reply_text)

# %%
lab.happened("bind to the default exchange", answer)

# %% [markdown]
# The default exchange belongs to the broker: nothing can be bound to it or unbound from it, and it cannot be
# deleted. That makes it reliable, and inflexible: whoever publishes to it must know the queue's name.

# %% [markdown]
# ## What can go wrong: no key fits
#
# One day the website's developers rename a key from `order.us` to `order.usa`. The warehouse's binding is still the old one.

# %%
with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_purge("denver")
    channel.basic_publish("shop.orders", routing_key="order.usa", body=b"order 10: a lamp")

print("published without an error; messages in denver:", lab.depth("denver"))
story.flow()

# %% [markdown]
# The order is lost, and neither side knows. A publisher that wants to know marks its messages **mandatory**: the broker
# then returns what it cannot route. With `confirm_delivery`, which makes pika wait for the broker's word on each message, the
# return becomes an exception:

# %%
with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    try:
        channel.basic_publish("shop.orders", routing_key="order.usa", body=b"order 10: a lamp", mandatory=True)
    except pika.exceptions.UnroutableError as error:
        returned = error.messages[0]
        print(returned.method.reply_code, returned.method.reply_text)
        print("returned:", returned.body.decode())

story.sequence()

# %% [markdown]
# Code 312, `NO_ROUTE`: no binding fitted. The official pages linked at the end say more of confirms and returns.
#
# The other mistake is to misspell the **exchange**. That one the broker does not pass over: it closes the channel.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    try:
        channel.basic_publish("shop.order", routing_key="order.us", body=b"order 11: a vase")
    except pika.exceptions.ChannelClosedByBroker as error:
        print(error.reply_code, error.reply_text)

# %% [markdown]
# ## Exercises
#
# ### Exercise 1: regions
#
# Make a durable direct exchange `shop.parcels` and the durable queues `parcels.eu`, `parcels.us` and `parcels.all`, so that
#
# - a parcel with the key `parcel.eu` reaches `parcels.eu` and `parcels.all`,
# - one with `parcel.us` reaches `parcels.us` and `parcels.all`,
# - one with `parcel.asia`, where there is no warehouse yet, reaches `parcels.all` alone.
#
# The judge tries each key on a copy of what you built, so your queues stay as they are.

# %% exercise="regions"
### BEGIN SOLUTION
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.exchange_declare("shop.parcels", exchange_type="direct", durable=True)
    for queue, regions in [
        ("parcels.eu", ["eu"]),
        ("parcels.us", ["us"]),
        ("parcels.all", ["eu", "us", "asia"]),
    ]:
        channel.queue_declare(queue, durable=True, arguments=CLASSIC)
        for region in regions:
            channel.queue_bind(queue, exchange="shop.parcels", routing_key=f"parcel.{region}")
### END SOLUTION

# %%
lab.check("regions")

# %% [markdown]
# ### Exercise 2: repair
#
# The next cell builds what a colleague left behind: payments go to the queue `payments`, refunds to the queue `refunds`. One
# refund waits there already. Run it.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.exchange_declare("shop.money", exchange_type="direct", durable=True)
    for queue, key in [("payments", "payment.received"), ("refunds", "payment.refund")]:
        channel.queue_declare(queue, durable=True, arguments=CLASSIC)
        channel.queue_purge(queue)
        channel.queue_unbind(queue, exchange="shop.money", routing_key="payment.refunded")
        channel.queue_bind(queue, exchange="shop.money", routing_key=key)
    channel.basic_publish("shop.money", routing_key="payment.refund", body=b"refund 1: 12 euros")

lab.wait_until(lambda: lab.depth("refunds") == 1)
lab.topology()

# %% [markdown]
# But the programs publish refunds with the key `payment.refunded`, and have done so for weeks: all of them are lost. The key
# `payment.refund` is in use elsewhere for something else and must reach **nothing** here.
#
# Repair it, without losing the refund that waits in the queue.

# %% exercise="repair"
### BEGIN SOLUTION
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_bind("refunds", exchange="shop.money", routing_key="payment.refunded")
    channel.queue_unbind("refunds", exchange="shop.money", routing_key="payment.refund")
### END SOLUTION

# %%
lab.check("repair")

# %% [markdown]
# ### Exercise 3: straight to a queue
#
# A tool for the packing room has one job: put a message in the durable queue `labels`. Build it with the default
# exchange: declare the queue, publish one message whose body is `label 1`, and bind nothing.

# %% exercise="default"
### BEGIN SOLUTION
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("labels", durable=True, arguments=CLASSIC)
    channel.basic_publish(exchange="", routing_key="labels", body=b"label 1")
### END SOLUTION

# %%
lab.check("default")

# %%
lab.progress()

# %% [markdown]
# ## In production
#
# - Name keys from the general to the particular (`order.eu`, `payment.refunded`), and write them down in one place that both sides
#   import: a mistyped key is not an error, it is a lost message.
# - Publish `mandatory`, or give the exchange an alternate exchange, wherever a lost message costs something.
# - Let each program declare what it needs when it starts; repeating a declaration or a binding is harmless.
# - Use the default exchange for replies and for tools, and an exchange of your own for everything that may one day have a
#   second reader.
#
# | | 3.10 | 4.0 | 4.3 |
# | --- | --- | --- | --- |
# | Direct and default exchanges | as here | as here | as here |
# | Where bindings are kept | Mnesia | Mnesia, or Khepri if enabled | Khepri |

# %% [markdown]
# ## Recap
#
# - A publisher publishes to an **exchange**; a **binding** leads from there to a queue.
# - A **direct** exchange puts a copy in every queue whose binding key **equals** the routing key.
# - Several queues on one key each get a copy; one queue on several keys gets each message once.
# - The **default exchange** binds every queue by its name, and takes no other bindings.
# - A message that fits no binding is dropped, unless it is **mandatory**: then it comes back with code 312.
#
# Back to [lab 00](00_start_here.ipynb) for how checks, hints and progress work. The official pages:
# [exchanges](https://www.rabbitmq.com/docs/exchanges),
# [publishers and unroutable messages](https://www.rabbitmq.com/docs/publishers#unroutable),
# [AMQP 0-9-1 in short](https://www.rabbitmq.com/tutorials/amqp-concepts).
