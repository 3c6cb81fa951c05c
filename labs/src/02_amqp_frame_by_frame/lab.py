# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   lab:
#     title: AMQP, frame by frame
#     promise: Watch every frame between a program and the broker, and meet AMQP's terms as things that go over the wire.
#     part: The model
#     minutes: 25
#     objectives:
#     - read a sequence chart of AMQP frames
#     - say what a connection, a channel and a virtual host each keep apart
#     - tell an error that closes a channel from one that closes the connection
#     - read the header frame of a message
#     prerequisites: [00_start_here]
#     cluster: []
# ---

# %% [markdown]
# ## Set up

# %%
import pika

from lab_helpers import Lab

lab = Lab("02_amqp_frame_by_frame")
parameters = pika.URLParameters(lab.url)
CLASSIC = {"x-queue-type": "classic"}

# %% [markdown]
# ## The situation
#
# The shop's website hands an order to RabbitMQ, and a second later it lies in a warehouse's queue. The client library makes that look
# like one call. One day the call hangs, or fails with a number such as 404, and then it helps to know what the two sides say
# to each other.
#
# They speak **AMQP 0-9-1**. Client and broker send each other **frames**: small pieces of bytes, each with a type, a channel number and
# a length. `lab.url` leads through a *tap*, a little program that passes every byte on unchanged. Inside
# `with lab.record() as story:` it also keeps them, and afterwards `story` can be drawn.
#
# The question of this lab: what does one message need, frame by frame?

# %% [markdown]
# ## Experiment 1: one message, there and back
#
# The cell declares an exchange and a queue, binds them, publishes one order and fetches it again.
#
# > **Predict:** How many frames does `basic_publish` send for one order of 13 bytes?
# >
# > - `1`: everything in one frame
# > - `2`: the routing information, then the message
# > - `3`: something more

# %%
### BEGIN SOLUTION
### STUB lab.predict("frames of a publish", ...)
lab.predict("frames of a publish", "3")
### END SOLUTION

# %%
with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.exchange_declare("shop.orders", exchange_type="direct", durable=True)
    channel.queue_declare("lyon", durable=True, arguments=CLASSIC)
    channel.queue_bind("lyon", exchange="shop.orders", routing_key="order.eu")
    channel.queue_purge("lyon")
    properties = pika.BasicProperties(content_type="text/plain", delivery_mode=2)
    channel.basic_publish("shop.orders", "order.eu", b"order 1: tea!", properties)
    method, properties, body = channel.basic_get("lyon")
    channel.basic_ack(method.delivery_tag)

story.sequence(frames=True)

# %%
publish = [
    frame.name for frame in story.frames if frame.from_client and frame.name in ("basic.publish", "header", "body")
]
print(publish)
lab.happened("frames of a publish", len(publish))

# %% [markdown]
# Read the chart from top to bottom; nothing in it is made up, each arrow is a frame that went by.
#
# - The first bytes are no frame: the client sends the **protocol header**, the letters `AMQP` and a version. The two sides then agree on limits
#   (`connection.tune`), and the client names its **virtual host** (`connection.open`).
# - All this is on channel 0, which stands for the **connection** itself. The work is done on a **channel**, number 1 here, which
#   is opened with a frame of its own.
# - Most methods come in pairs: `queue.declare` is answered by `queue.declare-ok`. pika waits for the answer, so an error shows at the call that
#   caused it.
# - A message is three frames: the **method** `basic.publish` says where to (exchange and **routing key**), the **header** has the size of the body and the
#   **properties**, and the **body** has the bytes that are yours. There is no `publish-ok`: the broker says nothing at all to a
#   publish unless it is asked to.
#
# The same story as the broker's inside saw it. Press play, or step with the arrow keys; a message can be clicked.

# %%
story.flow()

# %% [markdown]
# ## Experiment 2: a message that is larger than a frame
#
# In `connection.tune` the two sides agreed on `frame-max`, 131072 bytes here.
#
# > **Predict:** How many **body** frames carry a message of 300000 bytes?
# >
# > - `1`: a body is never divided
# > - `3`: 300000 / 131072, rounded up
# > - `0`: the broker refuses it, because it does not fit

# %%
### BEGIN SOLUTION
### STUB lab.predict("body frames", ...)
lab.predict("body frames", "3")
### END SOLUTION

# %%
with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.basic_publish("shop.orders", "order.eu", b"." * 300_000)

story.sequence(frames=True)

# %%
sizes = [frame.size for frame in story.frames if frame.from_client and frame.name == "body"]
print("bytes on the wire:", sizes)
lab.happened("body frames", len(sizes))

# %% [markdown]
# The body goes out in pieces. Each frame has 8 bytes of its own (type, channel and length before, one end mark after), so the
# largest piece is 131064 bytes. Between two pieces, frames of *other* channels may pass: a large message on one channel does not hold
# up a small one on another.

# %% [markdown]
# ## Experiment 3: two channels, one connection
#
# The website has two parts that talk to the broker: one publishes orders, one reads stock levels. Each could open a connection of its own.
#
# > **Predict:** A program opens two channels on one connection and uses both. How many TCP connections does the broker see?
# >
# > - `1`
# > - `2`

# %%
### BEGIN SOLUTION
### STUB lab.predict("connections", ...)
lab.predict("connections", "1")
### END SOLUTION

# %%
with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    orders = connection.channel()
    stock = connection.channel()
    stock.queue_declare("stock", durable=True, arguments=CLASSIC)
    orders.basic_publish("shop.orders", "order.eu", b"order 2: a cup")
    stock.basic_publish("", "stock", b"cups: 11")
    orders.basic_publish("shop.orders", "order.eu", b"order 3: a pot")

story.sequence()

# %%
lab.happened("connections", len(story.connections()))

# %% [markdown]
# The frames of both channels share one TCP connection; the number on each frame keeps them apart. To open a connection took seven
# messages to and fro, a login and a TCP handshake; to open a channel takes two frames. So the usual advice is **one connection for
# each process, one channel for each thread**.

# %% [markdown]
# ## Experiment 4: one name, two virtual hosts
#
# A **virtual host** is a broker within the broker: it has its own exchanges, queues and permissions. The lab makes a second one.

# %%
annex = pika.URLParameters(lab.another_vhost("annex"))

# %% [markdown]
# > **Predict:** Both virtual hosts have a queue `lyon`. One message is published to it in the annex. How many messages does the queue `lyon` of the
# > *first* virtual host get?
# >
# > - `0`: they are two queues
# > - `1`: a queue's name is unique in the cluster

# %%
### BEGIN SOLUTION
### STUB lab.predict("the other lyon", ...)
lab.predict("the other lyon", "0")
### END SOLUTION

# %%
with pika.BlockingConnection(parameters) as connection:
    connection.channel().queue_purge("lyon")

with lab.record() as story, pika.BlockingConnection(annex) as connection:
    channel = connection.channel()
    channel.queue_declare("lyon", durable=True, arguments=CLASSIC)
    channel.confirm_delivery()
    channel.basic_publish("", "lyon", b"only for the annex")

story.sequence()

# %%
lab.happened("the other lyon", lab.depth("lyon"))

# %% [markdown]
# Only one frame differs from the first chart: `connection.open` names the other virtual host. It is chosen once for
# each connection, and nothing crosses from one to the other.
#
# (New in this chart: `confirm.select`. From then on the broker answers each publish with `basic.ack`. pika waits for it, so
# the message is in the queue before the cell ends.)

# %% [markdown]
# ## What can go wrong: two kinds of errors
#
# A program asks for a queue that does not exist. On the same connection, another channel is in use.

# %%
with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    first, second = connection.channel(), connection.channel()
    try:
        first.queue_declare("nowhere", passive=True)
    except pika.exceptions.ChannelClosedByBroker as error:
        print(error.reply_code, error.reply_text.split(" - ")[0])
    second.queue_declare("lyon", durable=True, arguments=CLASSIC)
    print("the second channel is open:", second.is_open)

story.sequence()

# %% [markdown]
# The broker closes the **channel** and gives the reason: 404, `NOT_FOUND`. The client answers `close-ok`, and that channel is gone; a new one is
# two frames away. The other channel did not notice.
#
# Now another mistake. `basic.qos` limits how much the broker sends to a consumer ahead of its acknowledgements. The protocol knows a limit in messages
# and one in bytes, `prefetch_size`; RabbitMQ has never had the second.
#
# > **Predict:** What does the broker close when a client asks for a `prefetch_size`?
# >
# > - `the channel`: as with the missing queue
# > - `the connection`: and every channel with it
# > - `nothing`: it ignores what it does not know

# %%
### BEGIN SOLUTION
### STUB lab.predict("prefetch size", ...)
lab.predict("prefetch size", "the connection")
### END SOLUTION

# %%
with lab.record() as story:
    connection = pika.BlockingConnection(parameters)
    first, second = connection.channel(), connection.channel()
    try:
        first.basic_qos(prefetch_size=65_536)
        answer = "nothing"
    except pika.exceptions.ConnectionClosedByBroker as error:
        answer = "the connection"
        print(error.reply_code, error.reply_text.split(" - ")[0])
    except pika.exceptions.ChannelClosedByBroker:
        answer = "the channel"
    print("the second channel is open:", second.is_open)

story.sequence()

# %%
lab.happened("prefetch size", answer)

# %% [markdown]
# 540, `NOT_IMPLEMENTED`, closes the whole **connection**, and the second channel with it. The specification tells the two kinds apart: a
# *soft* error (403, 404, 405, 406, among others) concerns one channel; a *hard* one (such as 501 to 505, 530, 540 and 541) means that the two
# sides no longer understand each other.
#
# The remedy in a program: catch `ChannelClosedByBroker` where you can go on with a new channel, and
# `ConnectionClosedByBroker` where you must connect again; and log the code and the text, for they name the cause.

# %% [markdown]
# ## Why Erlang
#
# RabbitMQ is written in Erlang, a language made for telephone switches: thousands of calls, each on its own, none of which may take the
# others down. An Erlang *process* is much lighter than a thread. The broker can be asked how many it runs, on all nodes together:

# %%
COUNT = "lists:sum([erpc:call(Node, erlang, system_info, [process_count]) || Node <- [node() | nodes()]])."

if lab.needs("node-commands"):
    before = int(lab.cluster["rmq1"].ctl("eval", COUNT))
    with pika.BlockingConnection(parameters) as connection:
        channels = [connection.channel() for _ in range(100)]
        more = int(lab.cluster["rmq1"].ctl("eval", COUNT)) - before
    print("at least one process more for each of 100 channels:", more >= 100)

# %% [markdown]
# Each connection, each channel and each queue has processes of its own, a few kilobytes each. When a channel breaks a rule, its process ends, and
# no other notices: that is what you saw in the last charts.

# %% [markdown]
# ## Exercises
#
# In this lab the judge reads what you recorded: `lab.record("refused")` records for the exercise `refused`.
#
# ### Exercise 1: get refused
#
# Make the broker close a **channel** with code **406**, `PRECONDITION_FAILED`, on purpose. It does so when a queue is declared again, and
# differently from how it is. The queue `lyon` exists.

# %% exercise="refused"
### BEGIN SOLUTION
with lab.record("refused") as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    try:
        channel.queue_declare("lyon", durable=True, arguments={**CLASSIC, "x-max-length": 5})
    except pika.exceptions.ChannelClosedByBroker as error:
        print(error.reply_code, error.reply_text.split(" - ")[0])
### END SOLUTION

# %%
lab.check("refused")

# %% [markdown]
# ### Exercise 2: share a connection
#
# Five parts of a program each publish one message to the queue `stock`, through the default exchange, each on a **channel of its own**, and all over
# **one connection**.

# %% exercise="shared"
### BEGIN SOLUTION
with lab.record("shared") as story, pika.BlockingConnection(parameters) as connection:
    channels = [connection.channel() for _ in range(5)]
    for number, channel in enumerate(channels, start=1):
        channel.basic_publish("", "stock", f"shelf {number}".encode())
### END SOLUTION

# %%
lab.check("shared")

# %% [markdown]
# ### Exercise 3: read a header frame
#
# These bytes went by on their way to the broker: the header frame of one message.

# %%
frame = bytes.fromhex("02 0001 0000001f 003c 0000 000000000000000b 9080 0a 746578742f706c61696e 02 04 6f2d3137 ce")

# %% [markdown]
# | bytes | what they are |
# | --- | --- |
# | 1 | the frame's type: 1 method, 2 header, 3 body, 8 heartbeat |
# | 2 | the channel |
# | 4 | the length of what follows, without the last byte |
# | 2 + 2 | the class (60 is `basic`), and two bytes that are always 0 |
# | 8 | the size of the body |
# | 2 | the flags: one bit for each property that is set |
# | … | those properties, in the order of their flags |
# | 1 | the end mark, `ce` |
#
# The flags from the highest bit down: content type (`8000`), content encoding (`4000`), headers (`2000`), delivery mode
# (`1000`), priority (`0800`), correlation id (`0400`), reply to (`0200`), expiration (`0100`), message id (`0080`), and five more. A text is one byte for its
# length and then its letters; the delivery mode is one byte.
#
# Publish a message to the queue `copy` (declare it, durable) whose header frame would be the same: the same properties, no others, and
# a body of the same size.

# %% exercise="header"
### BEGIN SOLUTION
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("copy", durable=True, arguments=CLASSIC)
    channel.queue_purge("copy")
    properties = pika.BasicProperties(content_type="text/plain", delivery_mode=2, message_id="o-17")
    channel.confirm_delivery()
    channel.basic_publish("", "copy", b"hello, wire", properties)
### END SOLUTION

# %%
lab.check("header")

# %%
lab.progress()

# %% [markdown]
# ## In production
#
# - One long-lived connection for each process, a channel for each thread or task; never a connection for each message.
# - Leave `heartbeat` on: it is how both sides notice that the other one has gone.
# - Log the code and the text of every close.
# - Messages of many megabytes belong in an object store, with the reference in the message: each hop holds the body in memory.
#
# | | 3.10 | 4.0 | 4.3 |
# | --- | --- | --- | --- |
# | AMQP 0-9-1 | yes | yes | yes |
# | AMQP 1.0 | plugin | built in | built in |
# | Largest message by default | 128 MiB | 16 MiB | 16 MiB |
# | Declaring an exchange of an unknown type | 503, closes the connection | 406, closes the channel | 406, closes the channel |
# | Least `frame-max` a client may ask for | 4096 | 4096 | 8192 |

# %% [markdown]
# ## Recap
#
# - A **connection** is one TCP connection with a login and one virtual host; **channels** share it.
# - Methods ask and answer; a message is **method, header and body** frames.
# - The **virtual host** is named once, when the connection opens; names in two of them never meet.
# - A soft error closes a **channel**, a hard one the **connection**; code and text say why.
#
# Next: [lab 04](04_direct_exchange.ipynb) on how an exchange chooses queues. The official pages:
# [AMQP 0-9-1 in short](https://www.rabbitmq.com/tutorials/amqp-concepts),
# [the protocol's methods](https://www.rabbitmq.com/amqp-0-9-1-reference),
# [connections](https://www.rabbitmq.com/docs/connections),
# [channels](https://www.rabbitmq.com/docs/channels),
# [virtual hosts](https://www.rabbitmq.com/docs/vhosts).
