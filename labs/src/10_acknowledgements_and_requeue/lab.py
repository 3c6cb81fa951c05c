# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   lab:
#     title: Acknowledgements and requeue
#     promise: Let a consumer die in the middle of its work, and choose whether its messages die with it.
#     part: Reliability
#     minutes: 25
#     objectives:
#     - choose between automatic and manual acknowledgement, and prove the choice by a ledger
#     - settle deliveries by `basic.ack`, `basic.nack` and `basic.reject`, one or many at a time
#     - stop a message that fails for ever
#     - recognise an acknowledgement that the broker refuses
#     prerequisites: [06_what_exchanges_and_queues_remember, 07_anatomy_of_a_message]
#     cluster: []
# ---

# %% [markdown]
# ## Set up

# %%
import subprocess
import sys

import pika

from lab_helpers import Lab

lab = Lab("10_acknowledgements_and_requeue")
parameters = pika.URLParameters(lab.url)
CLASSIC = {"x-queue-type": "classic"}
QUORUM = {"x-queue-type": "quorum"}


def publish(queue, *bodies):
    """Publish these bodies to a queue, and wait for the broker's confirm of each."""
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for body in bodies:
            channel.basic_publish("", queue, body.encode(), pika.BasicProperties(delivery_mode=2))


# %% [markdown]
# ## The situation
#
# In Lyon a program takes orders from the queue `lyon` and prints a packing list for each. Yesterday the printer's
# driver crashed, and the program with it, three times. After each crash some orders were missing that had been in the
# queue before. Nobody had deleted them: the broker had **delivered** them, and a delivered message was over and done
# with.
#
# When is a message done with? The broker cannot see whether the list was printed. The consumer must say so, by an
# **acknowledgement**.
#
# The question: what does the broker do with a message between its delivery and the consumer's word, and what if the
# word never comes?

# %% [markdown]
# ## Experiment 1: delivered is not done
#
# An order is fetched. The consumer does not acknowledge it; its connection ends before.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("lyon", durable=True, arguments=CLASSIC)
    channel.queue_purge("lyon")

with lab.record() as story:
    publish("lyon", "order 1")
    with pika.BlockingConnection(parameters) as connection:
        method, properties, body = connection.channel().basic_get("lyon")
        print("fetched:", body.decode(), "| redelivered:", method.redelivered)
        print("ready in the queue:", lab.depth("lyon"))

story.flow()

# %% [markdown]
# > **Predict:** The connection is closed now. Where is the order?
# >
# > - `gone`: it was delivered
# > - `ready`: as if nothing had happened
# > - `ready and marked`: the next consumer can see that somebody had it before

# %%
### BEGIN SOLUTION
### STUB lab.predict("after the connection's end", ...)
lab.predict("after the connection's end", "ready and marked")
### END SOLUTION

# %%
lab.wait_until(lambda: lab.depth("lyon") == 1)
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    method, properties, body = channel.basic_get("lyon")
    channel.basic_ack(method.delivery_tag)

print("fetched:", body.decode(), "| redelivered:", method.redelivered)
lab.happened("after the connection's end", "ready and marked" if method.redelivered else "ready")

# %% [markdown]
# With manual acknowledgement, the default of AMQP, a delivered message is **unacknowledged**: no longer ready, so
# nobody else gets it, and not gone either. When the channel or the connection ends, whatever was unacknowledged on it
# is put back, and marked **redelivered**. That flag says that somebody *may* have worked on it. It cannot say how far
# they came.

# %% [markdown]
# ## Experiment 2: ack, nack, reject
#
# A consumer has three words. Each names a delivery by its **delivery tag**, a number that counts the deliveries of
# one channel from 1:
#
# - `basic.ack(tag)`: done;
# - `basic.reject(tag, requeue)`: not done; put it back, or else drop it;
# - `basic.nack(tag, multiple, requeue)`: the same, for one or for many; it is RabbitMQ's extension of AMQP.
#
# With `multiple=True` the word holds for this tag and **all earlier ones** of the channel that are still open. The
# cell fetches five orders and says four things: ack 2 with `multiple`, reject 3 without `requeue`, nack 4 with
# `requeue`, nack 5 without.
#
# > **Predict:** Which orders are in the queue afterwards?
# >
# > - `4`
# > - `1 4`: the first ack names tag 2 only
# > - `4 5`

# %%
### BEGIN SOLUTION
### STUB lab.predict("left in the queue", ...)
lab.predict("left in the queue", "4")
### END SOLUTION

# %%
publish("lyon", *"12345")
with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for _ in range(5):
        channel.basic_get("lyon")
    channel.basic_ack(2, multiple=True)
    channel.basic_reject(3, requeue=False)
    channel.basic_nack(4, requeue=True)
    channel.basic_nack(5, requeue=False)

lab.wait_until(lambda: lab.depth("lyon") == 1)
story.sequence()

# %%
left = []
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    while (message := channel.basic_get("lyon", auto_ack=True))[0]:
        left.append(message[2].decode())
lab.happened("left in the queue", " ".join(left))

# %% [markdown]
# `multiple` is cheap, and dangerous where tags are worked on out of order: it also acknowledges what another thread
# still has in its hands. What was rejected without `requeue` is gone, unless the queue names a dead-letter exchange
# ([lab 13](13_dead_letters.ipynb)).

# %% [markdown]
# ## Experiment 3: the crash
#
# Now a consumer that really dies. The program below is a process of its own. It notes each order that it has printed,
# and in the middle of the third it kills itself with signal 9, as a crash does: no `close`, no clean-up. The only
# difference between its two runs is `auto_ack`: with **automatic acknowledgement** the broker takes a message for
# done as soon as it is sent.

# %%
WORKER = """
import os, signal, sys, time, pika

url, queue, auto_ack = sys.argv[1], sys.argv[2], sys.argv[3] == "automatic"

def pack(channel, method, properties, body):
    time.sleep(0.1)
    if body == b"order 3":
        os.kill(os.getpid(), signal.SIGKILL)
    print(body.decode(), flush=True)
    if not auto_ack:
        channel.basic_ack(method.delivery_tag)

channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
channel.basic_consume(queue, pack, auto_ack=auto_ack)
channel.start_consuming()
"""
ORDERS = [f"order {number}" for number in range(1, 11)]


def crash(mode):
    """Publish ten orders, let a worker die over them, take what is left, and account for every order."""
    ledger, queue = lab.ledger(), f"packing.{mode}"
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.queue_declare(queue, durable=True, arguments=CLASSIC)
        channel.queue_purge(queue)
    publish(queue, *ORDERS)
    for order in ORDERS:
        ledger.sent(order)
        ledger.confirmed(order)
    worker = subprocess.run(
        [sys.executable, "-c", WORKER, lab.url, queue, mode], capture_output=True, text=True, check=False
    )
    assert worker.returncode == -9, worker.stderr
    for order in worker.stdout.splitlines():
        ledger.received(order)
        if mode == "manual":
            ledger.acked(order)
    lab.drain(ledger, queue)
    return ledger


# %% [markdown]
# A **ledger** keeps account, order by order: what was sent, what the broker confirmed, and what came out, be it
# printed by the worker or still in the queue. Its verdict is in four numbers. *Lost* are orders that the broker had
# confirmed and that nobody got.
#
# > **Predict:** Ten orders are confirmed. How many are lost with automatic acknowledgement?
# >
# > - `1`: the third, which was in work
# > - `8`: the third and all behind it
# > - `0`

# %%
### BEGIN SOLUTION
### STUB lab.predict("lost, automatic", ...)
lab.predict("lost, automatic", 8)
### END SOLUTION

# %%
automatic = crash("automatic")
automatic

# %%
assert len(automatic.lost) > 0
lab.happened("lost, automatic", len(automatic.lost))

# %% [markdown]
# Two were printed, and eight are lost. Not only the one in work: the broker had sent all ten at once, and had
# forgotten them. They were in the memory of a process that is no more. Now the same crash with manual
# acknowledgement, where the worker says `basic.ack` **after** its work:

# %%
manual = crash("manual")
manual

# %%
assert manual.lost == []
print("lost:", len(manual.lost))

# %% [markdown]
# Nothing is lost. What the worker had not acknowledged went back to the queue when its connection broke.
#
# The price is that work may be done **twice**: had the worker died between printing and `basic.ack`, the order would
# be printed again by the next one. Manual acknowledgement means *at least once*, automatic means *at most once*.
# Exactly once is not on offer: a consumer must be able to meet an order that it has done already, and leave it.

# %% [markdown]
# ## Experiment 4: put back for ever
#
# A worker that fails in an orderly way can put the message back, and try again. Order 66 has an address that no
# printer driver can print. Meet the **poison message**:


# %%
def try_again(queue, word, most=25):
    """Put each delivery back by this word; stop when none comes any more, or after `most`, and return how many came."""
    deliveries = 0
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        for method, properties, _ in channel.consume(queue, inactivity_timeout=0.5):
            if method is None:
                break
            deliveries += 1
            if failures := (properties.headers or {}).get("x-delivery-count"):
                print(f"delivery {deliveries}: x-delivery-count {failures}")
            if deliveries == most:
                channel.basic_ack(method.delivery_tag)  # the experiment is over
                break
            getattr(channel, word)(method.delivery_tag, requeue=True)
    return deliveries


publish("lyon", "order 66")
deliveries = try_again("lyon", "basic_reject")
print("deliveries:", deliveries)
assert deliveries == 25

# %% [markdown]
# Only the experiment's own limit ended it. Without that it would have gone on at full speed, for ever: the worker
# busy, the queue never shorter, every good order behind it delayed.
#
# Quorum queues count. A **quorum queue** is a queue that is kept on several nodes at once. It notes in the header
# `x-delivery-count` how often a delivery failed, and with `x-delivery-limit` it gives the message up after so many (from
# 4.0 on there is a limit in any case: 20). The message then becomes a dead letter, and is kept if the queue says where.
#
# > **Predict:** With `x-delivery-limit` 3, how often is the order delivered?
# >
# > - `3`
# > - `4`

# %%
### BEGIN SOLUTION
### STUB lab.predict("deliveries", ...)
lab.predict("deliveries", 4)
### END SOLUTION

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for queue in ["printer.reject", "printer.nack", "poison"]:
        channel.queue_delete(queue)
    channel.queue_declare("poison", durable=True, arguments=CLASSIC)
    to_poison = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "poison"}
    for queue in ["printer.reject", "printer.nack"]:
        channel.queue_declare(queue, durable=True, arguments={**QUORUM, **to_poison, "x-delivery-limit": 3})

publish("printer.reject", "order 66")
deliveries = try_again("printer.reject", "basic_reject")
lab.wait_until(lambda: lab.depth("poison") == 1)
print("deliveries:", deliveries, "| in the queue poison:", lab.depth("poison"))
lab.happened("deliveries", deliveries)

# %% [markdown]
# The first delivery and three more: the limit counts **re**deliveries. Then the order is parked in `poison`, where a
# person can look at it.
#
# `basic.nack` with requeue does the same to the message, one would think. But versions differ in whether it counts as
# a failure. The cell shows what **your** broker does:

# %% tags=["nbval-ignore-output"]
publish("printer.nack", "order 67")
nacked = try_again("printer.nack", "basic_nack")
print(f"RabbitMQ {lab.version}: {nacked} deliveries" + (", stopped only by the experiment" if nacked == 25 else ""))

# %%
counts_nacks = tuple(map(int, lab.version.split(".")[:2])) < (4, 3)
assert nacked == (4 if counts_nacks else 25)

# %% [markdown]
# Before 4.3 every requeue counts. From 4.3 on, only what looks like a **failure** does: `basic.reject`, and any end of
# the channel or the connection with the delivery still open, be it in good order. `basic.nack` is for "not now, it is not the message's fault", and may go on for ever. So the word
# matters: *reject* what fails, *nack* what you cannot do at the moment.

# %% [markdown]
# ## What can go wrong: an acknowledgement that the broker refuses
#
# A tag can be settled once, and only on the channel that it was delivered on. Three programs get it wrong: one
# acknowledges twice, perhaps in a `finally` block that somebody added; one takes another channel for the
# acknowledgement; and one acknowledges what was acknowledged automatically.

# %%
publish("lyon", *(f"order {number}" for number in range(11, 15)))
with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    for mistake in ["twice", "another channel", "auto_ack"]:
        channel = connection.channel()
        method, _, _ = channel.basic_get("lyon", auto_ack=mistake == "auto_ack")
        if mistake == "another channel":
            channel = connection.channel()
        channel.basic_ack(method.delivery_tag)
        if mistake == "twice":
            channel.basic_ack(method.delivery_tag)
        try:
            channel.basic_get("lyon")
        except (pika.exceptions.ChannelClosedByBroker, pika.exceptions.ChannelWrongStateError):
            print(f"{mistake}: the channel is closed")

for close in story.closes():
    if close.code == 406:
        print(close.code, close.text)

# %% [markdown]
# 406, `unknown delivery tag`, and the channel is closed. Note where pika tells it: not at the wrong `basic_ack`,
# which expects no answer, but at the **next** call. On a busy consumer that is somewhere else in the program, and
# everything that was unacknowledged on this channel is put back and delivered again.
#
# The opposite mistake, to forget the acknowledgement, has no error for a long time. The messages pile up as
# unacknowledged, until the **consumer timeout** of 30 minutes is over. From 4.3 on only quorum queues have one; in a
# classic queue they pile up for ever. A queue may have a timeout of its own: here it is one second.

# %% tags=["nbval-ignore-output"]
if has_timeout := lab.needs("consumer-timeout"):
    cancelled = []
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.queue_delete("forgotten")
        channel.queue_declare("forgotten", durable=True, arguments={**QUORUM, "x-consumer-timeout": 1000})
    publish("forgotten", "order 15")
    with lab.record() as story, pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.add_on_cancel_callback(cancelled.append)
        channel.basic_consume("forgotten", lambda *delivery: print("delivered, and forgotten"))
        lab.wait_until(lambda: connection.process_data_events(time_limit=0.1) or cancelled)
        lab.wait_until(lambda: lab.depth("forgotten") == 1)
        still_open = channel.is_open
    display(story.sequence())

# %%
assert not has_timeout or (len(cancelled) == 1 and still_open)

# %% [markdown]
# RabbitMQ 4.3 sends `basic.cancel`, from the broker to the client this time: the consumer is gone, the channel stays
# open, and the order is ready for somebody else. A program that does not look out for it is told nothing: pika's
# `consume` just ends. Before 4.3 the broker closes the whole channel, with 406, and it looks
# [once a minute](https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout): too long for a lab.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for queue in [
        "lyon",
        "packing.automatic",
        "packing.manual",
        "printer.reject",
        "printer.nack",
        "poison",
        "forgotten",
    ]:
        channel.queue_delete(queue)

# %% [markdown]
# ## Exercises
#
# ### Exercise 1: three kinds of parcels
#
# Returned parcels are announced in the queue `parcels`; this cell fills it.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for queue in ["parcels", "parcels.broken"]:
        channel.queue_delete(queue)
    channel.queue_declare("parcels.broken", durable=True, arguments=CLASSIC)
    to_broken = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "parcels.broken"}
    channel.queue_declare("parcels", durable=True, arguments={**CLASSIC, **to_broken})

publish("parcels", "fine: a lamp", "broken: a vase", "late: a rug", "fine: a tray")

# %% [markdown]
# Fetch all four first (what goes back takes its old place, and would be the next one that you fetch). Then settle
# each by its first word: what is `fine` is done; what is `broken` is refused, so that the queue parks it in
# `parcels.broken`; what is `late` goes back to `parcels`. Do it inside `with lab.record("parcels") as story:`.

# %% exercise="parcels"
### BEGIN SOLUTION
with lab.record("parcels") as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    parcels = [channel.basic_get("parcels") for _ in range(4)]
    for method, _, body in parcels:
        if body.startswith(b"fine"):
            channel.basic_ack(method.delivery_tag)
        else:
            channel.basic_reject(method.delivery_tag, requeue=body.startswith(b"late"))
### END SOLUTION

# %%
lab.check("parcels")

# %% [markdown]
# ### Exercise 2: a worker that loses nothing
#
# Write `work(handle)`: it opens a connection, takes the jobs from the queue `jobs` one after the other, calls
# `handle(body)` for each, and returns when no job is ready. But once, in the middle of job 3, `handle` ends it by a
# `Crash`, which no `except Exception` catches. Your worker must not catch it either. However it ends, its connection is
# closed. Then the cell starts it again. In the end every job must have been handled, none of them twice.


# %%
class Crash(BaseException):
    """Ends a worker in the middle of its work."""


# %% [markdown]
# Write `work` here; the lines below it run it.


# %% exercise="worker"
### BEGIN SOLUTION
### STUB def work(handle):
### STUB     ...  # Your code here
def work(handle):
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        while True:
            method, _, body = channel.basic_get("jobs")
            if method is None:
                return
            handle(body)
            channel.basic_ack(method.delivery_tag)


### END SOLUTION

jobs = [f"job {number}" for number in range(1, 7)]
with pika.BlockingConnection(parameters) as connection:
    connection.channel().queue_delete("jobs")
    connection.channel().queue_declare("jobs", durable=True, arguments=CLASSIC)
publish("jobs", *jobs)
ledger, crashes = lab.ledger(exercise="worker"), iter([Crash("somebody pulled the plug")])
for job in jobs:
    ledger.sent(job)
    ledger.confirmed(job)


def handle(body):
    if body == b"job 3" and (crash := next(crashes, None)):
        raise crash
    ledger.received(body.decode())


for _ in range(2):
    try:
        work(handle)
    except Crash as crash:
        print("the worker crashed:", crash)

ledger

# %%
lab.check("worker")

# %% [markdown]
# ### Exercise 3: stop the poison
#
# The program `print_labels` below belongs to somebody else: it rejects with requeue whatever it cannot print, and you
# cannot change it.


# %%
def print_labels(most=40):
    """Print the labels in the queue `labels`; returns how many deliveries that took, and gives up after `most`."""
    deliveries = 0
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        for method, _, body in channel.consume("labels", inactivity_timeout=0.5):
            deliveries += method is not None
            if method is None or deliveries == most:
                break
            if body.startswith(b"?"):
                channel.basic_reject(method.delivery_tag, requeue=True)
            else:
                channel.basic_ack(method.delivery_tag)
    return deliveries


# %% [markdown]
# Declare the queues so that it comes to an end: `labels`, in which a message fails at most **2** more times after its
# first delivery, and `labels.poison`, a durable queue where it is kept then. Publish `label 1`, `?label 2` and `label
# 3` to `labels`, and run `print_labels()`.

# %% exercise="poison"
### BEGIN SOLUTION
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("labels.poison", durable=True, arguments=CLASSIC)
    channel.queue_declare(
        "labels",
        durable=True,
        arguments={
            **QUORUM,
            "x-delivery-limit": 2,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": "labels.poison",
        },
    )

publish("labels", "label 1", "?label 2", "label 3")
print("deliveries:", print_labels())
### END SOLUTION

# %%
lab.check("poison")

# %%
lab.progress()

# %% [markdown]
# ## In production
#
# - Manual acknowledgement for everything that costs something, after the work and not before. The cost: a frame for
#   each message, and the broker's memory for what is open; a prefetch bounds that ([lab 11](11_prefetch.ipynb)).
# - Automatic acknowledgement only for what may be lost: positions, prices, screens.
# - Never requeue without a limit: quorum queues with `x-delivery-limit` and a dead-letter queue that somebody
#   watches.
# - *Reject* what failed, *nack* what should be tried elsewhere or later; check what your client library uses
#   (aio-pika's `message.process(requeue=True)` rejects).
# - `multiple=True` only where one thread works in order.
#
# | | 3.10 | 4.0 | 4.3 |
# | --- | --- | --- | --- |
# | Delivery limit of quorum queues, if none is set | none | 20 | 20 |
# | What counts towards it | every requeue | every requeue | `basic.reject`, the end of the channel or connection; not `basic.nack` |
# | Delivery limit of classic queues | none | none | none |
# | Forgotten acknowledgement, after 30 minutes | channel closed, 406 | channel closed, 406 | quorum queues only: the consumer is cancelled |
# | `x-consumer-timeout` for one queue | no | yes | quorum queues only; a classic queue is refused with 406 |

# %% [markdown]
# ## Recap
#
# - Delivered is **unacknowledged**, not done. What is unacknowledged when its channel ends goes back, marked
#   **redelivered**.
# - **Automatic** acknowledgement loses all that was sent to a consumer that dies; **manual**, after the work, loses
#   nothing and may repeat.
# - `ack` is done, `reject` and `nack` are not, `requeue` says whether to try again, `multiple` means all up to this
#   tag.
# - A requeue without a limit is an endless loop; `x-delivery-limit` ends it.
# - A tag settled twice closes the channel with **406**.
#
# Next: [lab 11](11_prefetch.ipynb) on how many messages a consumer should hold. The official pages: [acknowledgements
# and confirms](https://www.rabbitmq.com/docs/confirms), [consumers](https://www.rabbitmq.com/docs/consumers), [poison
# messages in quorum queues](https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling).
