# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   lab:
#     title: Anatomy of a message
#     promise: Take a message apart, and say of each property whether the broker acts on it or leaves it to you.
#     part: The model
#     minutes: 25
#     objectives:
#     - name the properties that the broker reads, checks or rewrites, and those that it only carries
#     - let urgent messages overtake others, and say when they cannot
#     - ask a question through the broker and match the answer to it
#     - label a body so that a consumer can read it
#     prerequisites: [06_what_exchanges_and_queues_remember]
#     cluster: []
# ---

# %% [markdown]
# ## Set up

# %%
import gzip
import json
import time
import uuid
from datetime import UTC, datetime
from decimal import Decimal

import pika
from pika import BasicProperties

from lab_helpers import Lab

lab = Lab("07_anatomy_of_a_message")
parameters = pika.URLParameters(lab.url)
LOGIN = parameters.credentials.username
CLASSIC = {"x-queue-type": "classic"}

# %% [markdown]
# ## The situation
#
# The shop's messages are read by more and more programs, written by different people. Lyon's program shows
# `CafÃ© lamp` where the customer ordered a `Café lamp`. Express orders wait behind ordinary ones, although somebody
# gave them a priority. And the website wants to ask the warehouse a question and get an answer, not only to tell it
# things.
#
# None of that is a matter of queues and exchanges. It is written on the message. Besides its **body**, which is bytes
# and nothing else, a message has **properties**: fourteen fields that AMQP defines, like the fields on a parcel's
# label.
#
# The question: who reads them, the broker or you?

# %% [markdown]
# ## Experiment 1: all fourteen
#
# The cell fills in the whole label. The order's time is a fixed one, so that you see the same numbers as this text.

# %%
ordered_at = datetime(2026, 1, 5, 9, 30, 15, 250_000, tzinfo=UTC)
everything = BasicProperties(
    delivery_mode=2,
    headers={"gift": True, "warehouse": "lyon"},
    content_type="application/json",
    content_encoding="identity",
    priority=3,
    correlation_id="question 7",
    reply_to="website.replies",
    expiration="60000",
    message_id="order-7",
    timestamp=int(ordered_at.timestamp()),
    type="order.placed",
    user_id=LOGIN,
    app_id="website 2.1",
    cluster_id="",
)

with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("lyon", durable=True, arguments=CLASSIC)
    channel.queue_purge("lyon")
    channel.confirm_delivery()
    with lab.record() as story:
        channel.basic_publish("", "lyon", b'{"order": 7}', everything)
    method, properties, body = channel.basic_get("lyon", auto_ack=True)

story.sequence(frames=True)

# %% [markdown]
# A publish is three frames (lab 02): the method, the header and the body. The properties travel in the header. And
# this is what the consumer finds:

# %%
for name, value in vars(properties).items():
    print(f"{name:18}{value!r}")

# %% [markdown]
# What this consumer gets is what the publisher wrote, field by field. Here is who reads each of them. The experiments
# that follow show it.
#
# | Property | What the broker does with it | What it leaves to you |
# | --- | --- | --- |
# | `delivery_mode` | keeps a message with 2 (persistent) over a restart, in a durable queue ([lab 06](06_what_exchanges_and_queues_remember.ipynb)) | |
# | `headers` | a headers exchange ([lab 05](05_fanout_topic_headers.ipynb)) routes by them; `CC` and `BCC` are lists of more routing keys, and `BCC` is removed (experiment 4); dead letters get headers of the broker's own | a table for whatever has no field here |
# | `content_type` | nothing | says what the body is: `application/json` |
# | `content_encoding` | nothing | says how it is packed: `gzip` |
# | `priority` | orders a queue that supports priorities (experiment 2) | |
# | `correlation_id` | nothing | says which question an answer belongs to (experiment 3) |
# | `reply_to` | rewrites it, if it is `amq.rabbitmq.reply-to` (experiment 3) | says where the answer goes |
# | `expiration` | checks it, and drops the message when the time is over (experiment 4) | |
# | `message_id` | nothing | tells a message from all others, for example to find duplicates |
# | `timestamp` | nothing | when it was made, in whole seconds since 1970 |
# | `type` | nothing | what kind of message it is, so that a consumer finds the right code |
# | `user_id` | checks that it is the login (experiment 4) | who sent it, and you may believe it |
# | `app_id` | nothing | the program that sent it |
# | `cluster_id` | nothing | obsolete: a leftover of an older AMQP; leave it out |
#
# > **Predict:** The next message is published with a body and no properties. Which properties does the consumer find
# > set?
# >
# > - `none`
# > - `delivery_mode`: the broker notes that it is transient
# > - `message_id and timestamp`: the broker gives each message an identity and a time

# %%
### BEGIN SOLUTION
### STUB lab.predict("set by the broker", ...)
lab.predict("set by the broker", "none")
### END SOLUTION

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_publish("", "lyon", b"order 8")
    method, properties, body = channel.basic_get("lyon", auto_ack=True)

present = [name for name, value in vars(properties).items() if value is not None]
lab.happened("set by the broker", " and ".join(present) or "none")

# %% [markdown]
# The broker adds nothing. A message without an id has no identity: if it arrives twice, no consumer can know. So set
# `message_id` and `timestamp` in the publisher, before you need them. (The broker does tell how a message was routed
# and delivered: exchange, routing key, delivery tag. pika hands these over as `method`; they are not properties.)
#
# The timestamp is a plain whole number (pika refuses `time.time()`, which has a fraction, with `required argument is
# not an integer`), and only convention says that it is in seconds. Look what happens to a publisher
# that thinks in milliseconds:

# %%
print("ordered at:  ", ordered_at.isoformat())
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    for unit, number in [("seconds", 1767605415), ("milliseconds", 1767605415250)]:
        channel.basic_publish("", "lyon", b"order 7", BasicProperties(timestamp=number))
        method, properties, body = channel.basic_get("lyon", auto_ack=True)
        try:
            print(f"{unit + ':':13}", datetime.fromtimestamp(properties.timestamp, UTC).isoformat())
        except ValueError as error:
            print(f"{unit + ':':13}", error)

# %% [markdown]
# The broker carried both. With seconds the quarter of a second is lost; if you need it, put it in a header.
#
# Headers are a table with typed values. Which types survive the way to the consumer? Each value is published in a
# header of its own message:

# %%
VALUES = ["lyon", True, 3, Decimal("4.95"), ordered_at, ["lamp"], {"rug": 2}, None, uuid.UUID(int=7), 4.95]
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    for value in VALUES:
        try:
            channel.basic_publish("", "lyon", b"", BasicProperties(headers={"value": value}))
            method, properties, body = channel.basic_get("lyon", auto_ack=True)
            received = properties.headers["value"]
            answer = "the same" if received == value else f"now {received}"
        except pika.exceptions.UnsupportedAMQPFieldException as error:
            answer = f"{type(error).__name__}: {error}"
        print(f"{type(value).__name__:10}{answer}")

# %% [markdown]
# Eight arrive. A header's time is cut to whole seconds, as AMQP's is. The last two never left the client: AMQP's
# table has no type for a UUID. It does have one for a floating-point number, but pika does not write it. In both
# cases, send a text.

# %% [markdown]
# ## Experiment 2: the express order
#
# Six orders, in this order, go to three queues: an ordinary classic queue, a classic queue with the argument
# `x-max-priority` 5, and a quorum queue. (A **quorum queue** is a durable queue that is copied to several nodes.) One
# order has no priority, and one has a priority above the queue's maximum.
#
# > **Predict:** Which order leaves the queue with `x-max-priority` 5 first?
# >
# > - `rug`: it came first
# > - `lamp`: priority 5
# > - `vase`: priority 9

# %%
### BEGIN SOLUTION
### STUB lab.predict("first out", ...)
lab.predict("first out", "lamp")
### END SOLUTION

# %%
ORDERS = {"rug": 1, "tea": None, "lamp": 5, "vase": 9, "tray": 5, "pen": 3}
QUEUES = {
    "ordinary": CLASSIC,
    "prioritised": {**CLASSIC, "x-max-priority": 5},
    "quorum": {"x-queue-type": "quorum"},
}
came_out = {}
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    for queue, arguments in QUEUES.items():
        channel.queue_declare(queue, durable=True, arguments=arguments)
        channel.queue_purge(queue)
        for order, priority in ORDERS.items():
            channel.basic_publish("", queue, order.encode(), BasicProperties(priority=priority))
        came_out[queue] = []
        while (message := channel.basic_get(queue, auto_ack=True))[0]:
            came_out[queue].append(f"{message[2].decode()} {message[1].priority or '-'}")

print(f"{'ordinary':13}prioritised")
for ordinary, prioritised in zip(came_out["ordinary"], came_out["prioritised"], strict=True):
    print(f"{ordinary:13}{prioritised}")
lab.happened("first out", came_out["prioritised"][0].split()[0])

# %% [markdown]
# - An ordinary classic queue takes no notice of the property: first in, first out.
# - With `x-max-priority` the highest priority leaves first, and among equals the oldest.
# - A priority **above the maximum counts as the maximum**. So `vase` with 9 is no more urgent than `lamp`, which was
#   there before it. The property itself is not changed: the consumer still reads 9.
# - No priority counts as 0.
#
# Can `ordinary` get `x-max-priority` now? And can a new quorum queue, `another`, have it?

# %%
for queue, queue_type in [("ordinary", "classic"), ("another", "quorum")]:
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        arguments = {"x-queue-type": queue_type, "x-max-priority": 5}
        try:
            channel.queue_declare(queue, durable=True, arguments=arguments)
        except pika.exceptions.ChannelClosedByBroker as error:
            print(error.reply_code, error.reply_text.split(" in vhost")[0])

# %% [markdown]
# No and no: it belongs to the declaration, and to classic queues. What a quorum queue does with the priority depends
# on the version; the table near the end says how. Yours did this:

# %% tags=["nbval-ignore-output"]
print(f"RabbitMQ {lab.version}:", ", ".join(came_out["quorum"]))

# %%
assert sorted(came_out["quorum"]) == sorted(came_out["ordinary"])  # whatever the order, nothing is missing

# %% [markdown]
# ## Experiment 3: a question and its answer
#
# So far messages went one way. The website wants to know how many teapots Lyon has. It sends a request, and the
# warehouse sends a reply: **RPC**, a *remote procedure call*. Two properties carry it:
#
# - `reply_to` says in which queue the asker waits for the reply,
# - `correlation_id` names the request. The reply carries the same one.
#
# A queue for each asker would be much work for the broker. So RabbitMQ has **direct reply-to**: the asker consumes
# from `amq.rabbitmq.reply-to`, which is no real queue, and gives that name as `reply_to`. It must do both on the same
# channel, and the consumer must be in automatic acknowledgement mode (`auto_ack=True`), as there is no queue that
# could take a reply back.
#
# > **Predict:** The website publishes `reply_to="amq.rabbitmq.reply-to"`. What does the warehouse read in `reply_to`?
# >
# > - `the same`: the broker hands properties on as they are
# > - `nothing`: the broker keeps the address, and gives the reply to the right client
# > - `another name`

# %%
### BEGIN SOLUTION
### STUB lab.predict("reply_to", ...)
lab.predict("reply_to", "another name")
### END SOLUTION

# %%
STOCK = {"teapot": 4, "kettle": 0, "tray": 12}
REPLY_TO = "amq.rabbitmq.reply-to"
replies = {}


def note(channel, method, properties, body):
    replies[properties.correlation_id] = body.decode()


with pika.BlockingConnection(parameters) as website, pika.BlockingConnection(parameters) as warehouse:
    asking, answering = website.channel(), warehouse.channel()
    answering.queue_declare("stock.questions", durable=True, arguments=CLASSIC)
    answering.queue_purge("stock.questions")
    with lab.record() as story:
        asking.basic_consume(REPLY_TO, on_message_callback=note, auto_ack=True, consumer_tag="website")
        question = BasicProperties(reply_to=REPLY_TO, correlation_id="q1")
        asking.basic_publish("", "stock.questions", b"teapot", question)

        lab.wait_until(lambda: lab.depth("stock.questions") == 1)
        method, request, body = answering.basic_get("stock.questions", auto_ack=True)
        answer = BasicProperties(correlation_id=request.correlation_id)
        answering.basic_publish("", request.reply_to, str(STOCK[body.decode()]).encode(), answer)
        lab.wait_until(lambda: website.process_data_events() or replies)

print(replies)
story.sequence()

# %%
seen = request.reply_to or "nothing"
print(seen[: len(REPLY_TO) + 1] + "…")
lab.happened("reply_to", "another name" if seen.startswith(REPLY_TO + ".") else seen)

# %% [markdown]
# So there is a property that the broker rewrites on the way. The warehouse reads `amq.rabbitmq.reply-to.` and a long
# code that leads to the asker's channel. It publishes to the default exchange with that name as the key, as if it
# were a queue. In the chart the website is `client 1`, the warehouse `client 2`, and that name `reply address 1`.
#
# Now the website asks two things at once, and the warehouse answers the second question first:

# %%
replies.clear()
with pika.BlockingConnection(parameters) as website, pika.BlockingConnection(parameters) as warehouse:
    asking, answering = website.channel(), warehouse.channel()
    asking.basic_consume(REPLY_TO, on_message_callback=note, auto_ack=True)
    asking.confirm_delivery()
    for question, product in [("q1", b"teapot"), ("q2", b"tray")]:
        asking.basic_publish(
            "", "stock.questions", product, BasicProperties(reply_to=REPLY_TO, correlation_id=question)
        )

    requests = [answering.basic_get("stock.questions", auto_ack=True) for _ in range(2)]
    for _, request, body in reversed(requests):
        answer = BasicProperties(correlation_id=request.correlation_id)
        answering.basic_publish("", request.reply_to, str(STOCK[body.decode()]).encode(), answer)
    lab.wait_until(lambda: website.process_data_events() or len(replies) == 2)

    website.close()
    answering.confirm_delivery()
    answering.basic_publish("", request.reply_to, b"still 4", answer)

print("in the order in which they came:", replies)

# %% [markdown]
# The replies say `12` and `4`. Only `correlation_id` says which number is the teapots'. The broker does not check it:
# a server that forgets to copy it leaves the asker with an answer to nobody's question.
#
# The last two lines of the block reply once more, when the website has left. The broker confirms that reply, and
# drops it, since there is no queue to keep it in. Direct reply-to promises nothing, so ask again after a time-out.
#
# Two mistakes the broker does tell:

# %%
for auto_ack, same_channel in [(False, True), (True, False)]:
    with pika.BlockingConnection(parameters) as website:
        asking = website.channel()
        try:
            asking.basic_consume(REPLY_TO, on_message_callback=note, auto_ack=auto_ack)
            channel = asking if same_channel else website.channel()
            channel.confirm_delivery()
            channel.basic_publish("", "stock.questions", b"teapot", BasicProperties(reply_to=REPLY_TO))
        except pika.exceptions.ChannelClosedByBroker as error:
            print(error.reply_code, error.reply_text)

# %% [markdown]
# The first forgot `auto_ack=True`, the second asked on another channel than the one that consumes.

# %% [markdown]
# ## Experiment 4: what the broker checks
#
# Two properties have a meaning that the broker enforces. `expiration` is how long the message may wait in a queue, in
# milliseconds, **as a text**. `user_id` is the name of the user who publishes. The shop's program is logged in under
# a name of its own, in `LOGIN`.
#
# > **Predict:** It publishes a message with `user_id="lyon"`. What becomes of the message?
# >
# > - `delivered as lyon`: it is only a label
# > - `delivered as the login`: the broker puts the right name in
# > - `refused`

# %%
### BEGIN SOLUTION
### STUB lab.predict("user_id", ...)
lab.predict("user_id", "refused")
### END SOLUTION


# %%
def attempt(**fields):
    """Publish a message with these properties, and say what the consumer gets or what the broker answers."""
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        try:
            channel.basic_publish("", "lyon", b"order 9", BasicProperties(**fields))
        except pika.exceptions.ChannelClosedByBroker as error:
            return f"{error.reply_code} {error.reply_text}"
        except AssertionError as error:
            return f"AssertionError: {error}"
        return "delivered" if channel.basic_get("lyon", auto_ack=True)[0] else "gone"


for fields in [
    {"user_id": LOGIN},
    {"user_id": "lyon"},
    {"expiration": "60000"},
    {"expiration": "1.5"},
    {"expiration": "2s"},
    {"expiration": 60000},
]:
    [(name, value)] = fields.items()
    value = "LOGIN" if value == LOGIN else repr(value)
    print(f"{name}={value}\n    {attempt(**fields)}")
lab.happened("user_id", "refused" if attempt(user_id="lyon").startswith("406") else "delivered as lyon")

# %% [markdown]
# A wrong `user_id` is refused with 406, and the channel is closed. So a consumer that finds this property set knows
# who has sent the message. Nobody needs to set it: one that is not set is not checked. `expiration` must be a whole
# number written as a text. The number `60000` is refused already by pika, and `1.5` and `2s` by the broker, again
# with 406.
#
# What it is for, in the shortest form:

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_publish("", "lyon", b"today only: rugs", BasicProperties(expiration="100"))
    lab.wait_until(lambda: lab.depth("lyon") == 0)
    print("basic_get finds:", channel.basic_get("lyon"))

# %% [markdown]
# After 100 ms the message is gone, and nobody was told. How expired messages are kept, and what a queue can say about
# them, is lab 12.
#
# And among the headers, which are yours, there are two that the broker reads, as a post office would. `CC` and `BCC`
# are lists of **more routing keys** for the same message. On the default exchange a key is a queue's name:

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    for queue in ["books", "audit"]:
        channel.queue_declare(queue, exclusive=True, arguments=CLASSIC)
    copies = BasicProperties(headers={"CC": ["books"], "BCC": ["audit"], "gift": True})
    channel.basic_publish("", "lyon", b"order 10", copies)
    for queue in ["lyon", "books", "audit"]:
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        print(f"{queue:6}{body.decode()}  headers: {properties.headers}")

# %% [markdown]
# Three queues have it, and none of the consumers can see that `audit` was meant: `BCC` was removed.

# %% [markdown]
# ## What can go wrong: the express order comes last
#
# The packing table has a queue with priorities. Five ordinary orders come in, and then an express order with the
# highest priority. The packer has done nothing yet, so surely the express order is next?
#
# > **Predict:** The packer's program consumes as in the labs before, without any further setting. In which place does
# > it handle the express order?
# >
# > - `1`
# > - `2`: after the one that it has in hand
# > - `6`

# %%
### BEGIN SOLUTION
### STUB lab.predict("place of the express order", ...)
lab.predict("place of the express order", 6)
### END SOLUTION


# %%
def packed(prefetch):
    """Let a packer consume with this prefetch count (0: no limit), and return the orders as it handles them."""
    done = []

    def pack(channel, method, properties, body):
        done.append(body.decode())
        channel.basic_ack(method.delivery_tag)

    with pika.BlockingConnection(parameters) as shop, pika.BlockingConnection(parameters) as packer:
        orders, table = shop.channel(), packer.channel()
        orders.queue_declare("packing", durable=True, arguments={**CLASSIC, "x-max-priority": 5})
        orders.queue_purge("packing")
        orders.confirm_delivery()
        table.basic_qos(prefetch_count=prefetch)
        table.basic_consume("packing", on_message_callback=pack)
        for number in range(1, 6):
            orders.basic_publish("", "packing", str(number).encode(), BasicProperties(priority=1))
        lab.wait_until(lambda: lab.depth("packing") == (5 - prefetch if prefetch else 0))
        orders.basic_publish("", "packing", b"express", BasicProperties(priority=5))
        lab.wait_until(lambda: packer.process_data_events() or len(done) == 6)
    return done


without_limit, one_by_one = packed(prefetch=0), packed(prefetch=1)
print("no limit:  ", *without_limit)
print("prefetch 1:", *one_by_one)
lab.happened("place of the express order", without_limit.index("express") + 1)

# %% [markdown]
# This is a **priority inversion**: what is urgent waits for what is not. The broker pushes messages to a consumer as
# fast as it can. The five ordinary orders had left the queue and waited in the packer's program when the express
# order came, and a queue can only sort what is still in it. With `basic_qos` a consumer sets its **prefetch count**:
# how many messages it may hold that it has not acknowledged. With 1 the express order waits for the one that is in
# hand, and for no other. (Lab 11 is about this number, and its cost.)
#
# The second thing that goes wrong is the body. The website sends a product's name as it should be: JSON, packed with
# gzip, and labelled so. Two consumers do not read the label:

# %%
name = json.dumps({"name": "Café lamp"}, ensure_ascii=False)
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    label = BasicProperties(content_type="application/json", content_encoding="gzip")
    channel.basic_publish("", "lyon", gzip.compress(name.encode()), label)
    method, properties, body = channel.basic_get("lyon", auto_ack=True)

try:
    print(body.decode())
except UnicodeDecodeError as error:
    print("not unpacked:       ", error)
print("wrong character set:", gzip.decompress(body).decode("latin-1"))

# %% [markdown]
# The first consumer fails, and loudly: `0x8b` at position 1 is how you recognise gzip. The second one is worse, as it
# has no error, and writes `CafÃ©` into its database. The broker cannot help: for it the body is bytes, and it never
# looks inside. It would also carry a body that is no JSON at all under this label.
#
# The remedy is a consumer that believes the label, and refuses what it does not know:

# %%
UNPACK = {None: bytes, "gzip": gzip.decompress}
READ = {"application/json": json.loads, "text/plain; charset=utf-8": bytes.decode}


def read(properties, body):
    """Turn a body into what the publisher meant, by its label alone."""
    if properties.content_encoding not in UNPACK or properties.content_type not in READ:
        raise ValueError(f"cannot read {properties.content_type!r}, {properties.content_encoding!r}")
    return READ[properties.content_type](UNPACK[properties.content_encoding](body))


print(read(properties, body))
try:
    read(BasicProperties(content_type="application/json", content_encoding="br"), body)
except ValueError as error:
    print(error)

# %% [markdown]
# JSON is always UTF-8. For plain text the character set belongs to the content type, as in the second entry of
# `READ`. Some libraries, such as Spring AMQP, look for it in `content_encoding` instead, so agree on one way.
#
# Before the exercises, the table is cleared.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for queue in ["lyon", *QUEUES, "packing", "stock.questions"]:
        channel.queue_delete(queue)

# %% [markdown]
# ## Exercises
#
# ### Exercise 1: a message that explains itself
#
# Declare a durable classic queue `catalogue`, and publish **one** message to it through the default exchange:
#
# - its body is the product below, as JSON in UTF-8, packed with gzip;
# - content type and content encoding say so;
# - it is persistent;
# - its timestamp is the time at which you publish it.
#
# (To try again, purge the queue first: `channel.queue_purge("catalogue")`.)

# %% exercise="catalogue"
PRODUCT = {"name": "Café lamp", "cents": 4950, "stock": {"lyon": 3, "denver": 0}}

### BEGIN SOLUTION
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("catalogue", durable=True, arguments=CLASSIC)
    channel.queue_purge("catalogue")
    channel.confirm_delivery()
    label = BasicProperties(
        content_type="application/json",
        content_encoding="gzip",
        delivery_mode=2,
        timestamp=int(time.time()),
    )
    channel.basic_publish("", "catalogue", gzip.compress(json.dumps(PRODUCT).encode()), label)
### END SOLUTION

# %%
lab.check("catalogue")

# %% [markdown]
# ### Exercise 2: the warehouse answers
#
# The next cell is the website's side, and it is complete: `ask` sends one question for each product to the queue
# `stock.rpc`, calls your `serve`, and collects the replies that come within a second.

# %%
STOCK = {"teapot": 4, "kettle": 0, "tray": 12}


def ask(products, serve):
    """Ask for each product how many there are; returns the replies by product, None where there is none."""
    questions = {str(uuid.uuid4()): product for product in products}
    replies = dict.fromkeys(products)

    def note(channel, method, properties, body):
        if properties.correlation_id in questions:
            replies[questions[properties.correlation_id]] = body.decode()

    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.queue_declare("stock.rpc", durable=True, arguments=CLASSIC)
        channel.queue_purge("stock.rpc")
        channel.basic_consume("amq.rabbitmq.reply-to", on_message_callback=note, auto_ack=True)
        channel.confirm_delivery()
        for question, product in questions.items():
            label = BasicProperties(reply_to="amq.rabbitmq.reply-to", correlation_id=question)
            channel.basic_publish("", "stock.rpc", product.encode(), label)
        serve()
        deadline = time.monotonic() + 1
        while None in replies.values() and time.monotonic() < deadline:
            connection.process_data_events(time_limit=0.1)
    return replies


# %% [markdown]
# Write the warehouse's side. `serve` opens a connection of its own, takes the questions that wait in `stock.rpc`,
# answers each with the number from `STOCK` as a text (`4`), acknowledges the question **after** the reply is
# published, and returns when no question is left.
#
# Every question gets an answer: for a product that is not in `STOCK` it is the text `unknown`. A server that fails
# there would leave the website waiting.


# %% exercise="rpc"
### BEGIN SOLUTION
### STUB def serve():
### STUB     ...  # Your code here
def serve():
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        while True:
            method, request, body = channel.basic_get("stock.rpc")
            if method is None:
                return
            answer = str(STOCK.get(body.decode(), "unknown"))
            label = BasicProperties(correlation_id=request.correlation_id)
            channel.basic_publish("", request.reply_to, answer.encode(), label)
            channel.basic_ack(method.delivery_tag)


### END SOLUTION

with lab.record("rpc") as story:
    answers = ask(["teapot", "spoon", "kettle"], serve)

answers

# %%
lab.check("rpc")

# %% [markdown]
# ### Exercise 3: the express order that waits
#
# A colleague has given the orders in `dispatch` priorities, and wonders why the vase, which is the most urgent, is
# not first. Run the cell.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_delete("dispatch")
    channel.queue_declare("dispatch", durable=True, arguments=CLASSIC)
    channel.confirm_delivery()
    for order, priority in [("rug", 1), ("lamp", 5), ("vase", 9)]:
        label = BasicProperties(priority=priority, message_id=f"order-{order}", delivery_mode=2)
        channel.basic_publish("", "dispatch", order.encode(), label)

# %% [markdown]
# Repair it: under the same name, a durable classic queue from which `vase` comes first, then `lamp`, then `rug`. The
# three orders must not be lost, and each must keep its id and stay persistent. The priorities you may change, as long
# as the queue can tell all three orders apart: from now on a more urgent order must overtake a less urgent one,
# whichever comes first.

# %% exercise="inversion"
### BEGIN SOLUTION
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    waiting = []
    while (message := channel.basic_get("dispatch"))[0]:
        waiting.append(message)
    channel.queue_delete("dispatch")
    channel.queue_declare("dispatch", durable=True, arguments={**CLASSIC, "x-max-priority": 3})
    channel.confirm_delivery()
    for _, properties, body in waiting:
        properties.priority = {b"rug": 1, b"lamp": 2, b"vase": 3}[body]
        channel.basic_publish("", "dispatch", body, properties)
### END SOLUTION

# %%
lab.check("inversion")

# %%
lab.progress()

# %% [markdown]
# ## In production
#
# - Set on every message: `message_id`, `timestamp`, `type`, `content_type`, and `delivery_mode` 2 unless it may be
#   lost. One function that builds the label, used by all publishers.
# - A consumer decides by the label and never by guessing; it refuses what it does not know.
# - Few priorities, from 2 to 4: each costs the queue memory and processor time. A small prefetch belongs to them, or
#   nothing is left to sort. `x-max-priority` is an argument only; no policy can set it. Two queues, one of them
#   urgent, are often simpler.
# - Direct reply-to for quick questions that may be asked again; a real reply queue where a reply must not be lost.
#   Always a time-out.
# - `user_id` where consumers must trust the sender, together with TLS. A user with the tag `impersonator` may write
#   any name there.
#
# | | 3.10 | 4.0 | 4.3 |
# | --- | --- | --- | --- |
# | Properties, 406 for `user_id` and `expiration` | as here | as here | as here |
# | `x-max-priority` of classic queues | as here | as here | as here |
# | Priorities of quorum queues | none: first in, first out | two levels: above 4 is high; two high for each normal one | 32 levels, 0 to 31, the higher always first; no priority counts as 4 |

# %% [markdown]
# ## Recap
#
# - A message is a **body** of bytes and up to fourteen **properties**. The broker adds none.
# - It acts on `delivery_mode`, `priority`, `expiration` and direct `reply_to`, checks `user_id`, may route by
#   `headers`, and takes `BCC` out of them. All else is between publisher and consumer.
# - `x-max-priority` makes a classic queue sort; above the maximum is the maximum; what was delivered cannot be
#   overtaken.
# - RPC is `reply_to` and a copied `correlation_id`.
# - The body is what `content_type` and `content_encoding` say, if both sides keep to it.
#
# Next: [lab 08](08_publisher_confirms.ipynb) on how a publisher knows that the broker has a message. The official
# pages: [message properties](https://www.rabbitmq.com/docs/publishers#message-properties),
# [priorities](https://www.rabbitmq.com/docs/priority), [direct
# reply-to](https://www.rabbitmq.com/docs/direct-reply-to), [validated
# user-id](https://www.rabbitmq.com/docs/validated-user-id),
# [expiration](https://www.rabbitmq.com/docs/ttl#per-message-ttl-in-publishers), [`CC` and
# `BCC`](https://www.rabbitmq.com/docs/sender-selected).
