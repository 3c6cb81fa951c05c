# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   lab:
#     title: Start here
#     promise: Send a first message through a real three-node cluster, see it wait, take it out, and learn how every lab works.
#     part: Start
#     minutes: 10
#     objectives:
#     - say what runs on your machine and where to look at it
#     - publish a message to a queue and take it out again
#     - predict, run, see and check, as every lab asks you to
#     prerequisites: []
#     cluster: []
# ---

# %% [markdown]
# ## Set up
#
# Click into the cell below and press **Shift + Enter**. It runs the cell and goes on to the next one.
# Every lab begins like this. Whatever state you left a lab in, this cell gives you a clean start.

# %%
import pika

from lab_helpers import Lab

lab = Lab("00_start_here")
parameters = pika.URLParameters(lab.url)

# %% [markdown]
# ## The situation
#
# You work for an online shop. Customers order at any hour; the packing room works from nine to five. If the website
# called the packing room for every order, an order at midnight would find nobody there and be lost.
#
# So the shop puts a **message broker** between the two. The website sends each order to the broker as a **message**
# and is done. The broker, RabbitMQ, keeps it in a **queue** until the packing room takes it out. The program that sends
# is the **publisher**, the one that takes out is the **consumer**, and neither needs to know whether the other is
# awake.
#
# The question of this lab: where is a message while nobody looks at it?

# %% [markdown]
# ## What runs on your machine
#
# A broker that keeps orders must not be a single machine. Yours is a **cluster** of three RabbitMQ nodes,
# `rmq1`, `rmq2` and `rmq3`. In front of them stands HAProxy, a *front door* with one address: it leads
# you to a node that is ready, and to another one when that node fails.

# %%
lab.status()

# %% [markdown]
# This is a picture of what is there now, not a drawing made beforehand: stop a node, run the cell again, and the
# picture says so.
#
# RabbitMQ has a web page of its own, the **management console**. Its address and login stand on the card that
# `make start` printed; `labs status` in a terminal prints it again (in JupyterLab: *File > New > Terminal*). Log in and
# keep it open beside the labs if you like: everything that you do here shows there.

# %% [markdown]
# ## Experiment 1: send a message that nobody waits for
#
# The next cell connects to the broker, makes a queue named `orders` and publishes one order to it. Then the
# publisher disconnects. No consumer is running anywhere.
#
# > **Predict:** After the cell has run, what has become of the order?
# >
# > - `lost`: there was nobody to take it
# > - `waiting`: it is in the queue
# > - `returned`: the publisher gets it back
#
# Write your answer in place of the dots, with quotation marks around it, and run the cell. A wrong prediction costs nothing,
# and is remembered better than a right one.

# %%
### BEGIN SOLUTION
### STUB lab.predict("nobody waits", ...)
lab.predict("nobody waits", "waiting")
### END SOLUTION

# %%
with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("orders", durable=True, arguments={"x-queue-type": "classic"})
    channel.queue_purge("orders")  # so that this cell can be run again
    channel.basic_publish(exchange="", routing_key="orders", body=b"order 1: a teapot")

print("The publisher has disconnected.")

# %%
story.flow()

# %%
lab.happened("nobody waits", "waiting" if lab.depth("orders") == 1 else "lost")

# %% [markdown]
# `lab.record()` kept what went over the wire, and `story.flow()` plays it: press play, or click the message to see what is in it. Nothing
# in such a picture is made up; what was not recorded is not drawn.
#
# The order is **in the queue**, on the broker, and will stay there until somebody takes it out. The publisher has gone and no
# consumer has come yet. This is what a queue is for: the two need not be there at the same time.
#
# Two things in the cell deserve a word. `durable=True` makes a queue that survives a restart of the broker; a queue
# is made so unless there is a reason against it. And `routing_key="orders"` with an empty exchange name means
# "to the queue of that name"; [lab 04](04_direct_exchange.ipynb) shows what is behind it.

# %% [markdown]
# ## Experiment 2: take it out
#
# A consumer now gets the message. It also has to *acknowledge* it: it tells the broker "I have dealt with this one".
#
# > **Predict:** The consumer gets the order and acknowledges it. What does the queue hold then?
# >
# > - `the order`: reading does not remove it
# > - `nothing`: the order has left

# %%
### BEGIN SOLUTION
### STUB lab.predict("after the acknowledgement", ...)
lab.predict("after the acknowledgement", "nothing")
### END SOLUTION

# %%
with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    method, properties, body = channel.basic_get("orders")
    if method is None:
        print("The queue is empty: run the cells of experiment 1 again.")
    else:
        print("got:", body.decode())
        channel.basic_ack(method.delivery_tag)

# %%
story.flow()

# %%
lab.happened("after the acknowledgement", "nothing" if lab.depth("orders") == 0 else "the order")

# %% [markdown]
# A message leaves its queue when it is **acknowledged**, and not before. A queue is not an archive: what is dealt with is gone.
# Had the consumer crashed before `basic_ack`, the broker would have kept the order for the next consumer.

# %% [markdown]
# ## What can go wrong: a misspelt name
#
# Two mistakes with the same cause, and very different consequences. First a consumer asks for a queue that does not
# exist:

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    try:
        channel.basic_get("ordres")
    except pika.exceptions.ChannelClosedByBroker as error:
        print(error.reply_code, error.reply_text)

# %% [markdown]
# The broker says so at once, with code 404, and closes the channel. Now a publisher makes the same mistake:

# %%
with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.basic_publish(exchange="", routing_key="ordres", body=b"order 2: a kettle")

print("published without an error; messages in orders:", lab.depth("orders"))
story.flow()

# %% [markdown]
# **No error, and the order is gone.** By default the broker drops a message that no queue is there for, and does not tell
# the publisher. That is a shop losing orders in silence. The quickest check is to look at the queue;
# [lab 04](04_direct_exchange.ipynb) shows how a publisher can be told.

# %% [markdown]
# ## Exercises
#
# An exercise is judged by the state of the broker, so any code that leads there will do. The cell under each one
# asks the judge; run it as often as you like. When you are stuck:
#
# - `lab.hint("send")` gives a hint, and the next, larger one when you call it again;
# - `lab.solution("send")` shows one way to do it;
# - `lab.progress()` shows what is done.
#
# Add cells wherever you like with the **+** button above.
#
# ### Exercise 1: send
#
# Make a durable queue named `wishes`, and publish to it one message that says what you want to learn here.

# %% exercise="send"
### BEGIN SOLUTION
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("wishes", durable=True, arguments={"x-queue-type": "classic"})
    channel.basic_publish(exchange="", routing_key="wishes", body=b"how to lose no message")
### END SOLUTION

# %%
lab.check("send")

# %% [markdown]
# ### Exercise 2: take one
#
# The next cell puts three parcels in a queue named `parcels`. Run it.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("parcels", durable=True, arguments={"x-queue-type": "classic"})
    channel.queue_purge("parcels")
    for number in (1, 2, 3):
        channel.basic_publish(exchange="", routing_key="parcels", body=f"parcel {number}".encode())

lab.wait_until(lambda: lab.depth("parcels") == 3)
lab.topology()

# %% [markdown]
# A driver comes with room for **one** parcel. Take exactly the first one out and leave the other two in the queue.

# %% exercise="take-one"
### BEGIN SOLUTION
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    method, properties, body = channel.basic_get("parcels")
    channel.basic_ack(method.delivery_tag)
### END SOLUTION

# %%
lab.check("take-one")

# %%
lab.progress()

# %% [markdown]
# And this is the whole course, as far as you are:

# %% tags=["nbval-ignore-output"]
lab.course_progress()

# %% [markdown]
# ## When something is red
#
# - A cell ends with an error: read its **last** lines. If a name is unknown or a connection is closed, a cell above has not been
#   run; *Run > Run All Above Selected Cell* does it.
# - The kernel hangs or is confused: *Kernel > Restart Kernel*, then run the cells from the top. Your text stays.
# - The cluster does not answer: `labs status` in a terminal shows the nodes, `labs up` starts what is missing, and
#   `labs doctor` looks for causes and says what to do.
# - You want the lab as it was at first: `labs reset 00` in a terminal. Your copy is kept beside it.

# %% [markdown]
# ## In production
#
# - Declare queues durable. From RabbitMQ 4.3 on, a queue that is neither durable nor exclusive is refused.
# - Acknowledge a message after the work is done, not before.
# - A publisher that gets no error knows nothing yet: see [publisher confirms](https://www.rabbitmq.com/docs/confirms).
#
# | | 3.10 | 4.0 | 4.3 |
# | --- | --- | --- | --- |
# | `queue_declare` with neither `durable` nor `exclusive` | works | works, deprecated | refused: the connection is closed |

# %% [markdown]
# ## Recap
#
# - A message waits **in a queue on the broker**; publisher and consumer need not be there at the same time.
# - It leaves the queue when it is **acknowledged**.
# - A message that no queue is there for is dropped **without an error**.
# - Predict, run, see, check: that is how every lab works.
#
# Next: [lab 02, AMQP frame by frame](02_amqp_frame_by_frame.ipynb), which looks at the wire, or
# [lab 04, direct and default exchanges](04_direct_exchange.ipynb), which shows how a message finds its queue.
# The official pages: [queues](https://www.rabbitmq.com/docs/queues),
# [consumer acknowledgements](https://www.rabbitmq.com/docs/confirms#acknowledgement-modes),
# [management console](https://www.rabbitmq.com/docs/management).
