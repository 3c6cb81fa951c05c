# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   lab:
#     title: Prefetch
#     promise: Decide how many messages a consumer may hold, and see what the number does to fairness, throughput and recovery.
#     part: Reliability
#     minutes: 25
#     objectives:
#     - limit how many unacknowledged messages a consumer holds, and say which consumers a limit is for
#     - share work fairly between a fast and a slow worker
#     - choose a prefetch count from a measurement, and give its price
#     prerequisites: [07_anatomy_of_a_message]
#     cluster: []
# ---

# %% [markdown]
# ## Set up

# %%
import asyncio
import contextlib
import queue
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pika
import psutil

from lab_helpers import Lab
from lab_helpers.draw.charts import bar_chart, line_chart

lab = Lab("11_prefetch")
parameters = pika.URLParameters(lab.url)
CLASSIC = {"x-queue-type": "classic"}
QUORUM = {"x-queue-type": "quorum"}


def fill(name, count, arguments=CLASSIC, size=0):
    """Make a queue anew, with so many orders in it; each body is padded to `size` bytes."""
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.queue_delete(name)
        channel.queue_declare(name, durable=True, arguments=arguments)
        for number in range(1, count + 1):
            channel.basic_publish("", name, f"order {number}".encode().ljust(size))
        # Without confirms: whoever leaves before the queue has them all may leave some behind.
        lab.wait_until(lambda: lab.depth(name) == count, seconds=30)


def receive(connection, got, count):
    """Read what the broker sends, until there are so many deliveries in the list `got`; not longer than 30 s."""
    end = time.monotonic() + 30
    while len(got) < count and time.monotonic() < end:
        connection.process_data_events(time_limit=1)


def settle(connection, got, count, *names):
    """Read what the broker sends, until each of `count` orders was either got or is ready in one of the queues."""
    lab.wait_until(lambda: connection.process_data_events() or len(got) + sum(map(lab.depth, names)) == count)


# %% [markdown]
# ## The situation
#
# December in Lyon. Two packers' programs take orders from one queue. Ada's is quick. Bert's is slow, as he packs the
# pianos. At noon Ada has nothing to do, while Bert's program holds a pile of orders that nobody else can see. The
# shop starts a third program to help him. It gets nothing.
#
# The broker has done what it was told. It was told nothing, so it pushed to each consumer whatever there was.
#
# The question: how many messages should a consumer hold at a time?

# %% [markdown]
# ## Experiment 1: how many in hand
#
# A delivery is **unacknowledged** from the moment the broker sends it until the consumer says `basic.ack`. In between
# it belongs to that consumer: it is no longer ready in the queue, and nobody else gets it. If the consumer leaves, it
# goes back. ([Lab 10](10_acknowledgements_and_requeue.ipynb) is about this.)
#
# `basic_qos(prefetch_count=…)` limits how many such deliveries a consumer may hold, its **prefetch**. 0 means no
# limit, and is what you have if you never call it. The next cell lets four consumers, one after the other, take from
# 12 fresh orders each and acknowledge none. The last one has automatic acknowledgement, `auto_ack=True`: for the broker its
# deliveries are done as soon as they are sent.
#
# > **Predict:** How many of the 12 does that last one get, with a prefetch of 5?
# >
# > - `5`
# > - `12`
# > - `0`: the two settings exclude each other

# %%
### BEGIN SOLUTION
### STUB lab.predict("auto_ack and 5", ...)
lab.predict("auto_ack and 5", "12")
### END SOLUTION


# %%
def deliveries(prefetch, auto_ack):
    """Let a consumer take from 12 orders, and count what it got, what is ready, and what is ready when it has left."""
    fill("lyon", 12)
    got = []
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=prefetch)
        channel.basic_consume("lyon", lambda *delivery: got.append(delivery), auto_ack=auto_ack)
        settle(connection, got, 12, "lyon")
        ready = lab.depth("lyon")
    lab.wait_until(lambda: auto_ack or lab.depth("lyon") == 12)
    return len(got), ready, lab.depth("lyon")


print(f"{'prefetch':>8}{'auto_ack':>10}{'got':>6}{'ready':>7}{'ready when it has left':>25}")
for prefetch, auto_ack in [(0, False), (1, False), (5, False), (5, True)]:
    got, ready, later = deliveries(prefetch, auto_ack)
    print(f"{prefetch:8}{auto_ack!s:>10}{got:6}{ready:7}{later:25}")

# %%
lab.happened("auto_ack and 5", got)

# %% [markdown]
# - Without a limit the first consumer takes everything there is.
# - With 1 or 5 it takes so many, and the rest stays **ready** for others.
# - With `auto_ack` there is nothing unacknowledged, so there is nothing to count: the limit has no effect. And when
#   that consumer left, its 12 orders were gone.
#
# The limit is a window that moves. Here it is 2 wide, five orders wait, and the consumer acknowledges two, one at a
# time:

# %%
fill("lyon", 5)
got = []
with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.basic_qos(prefetch_count=2)
    channel.basic_consume("lyon", lambda _, method, *rest: got.append(method.delivery_tag), consumer_tag="packer")
    receive(connection, got, 2)
    channel.basic_ack(got[0])
    receive(connection, got, 3)
    channel.basic_ack(got[1])
    receive(connection, got, 4)

story.sequence()

# %% [markdown]
# Two deliveries come at once. Then each `basic.ack` makes room for one more. While the consumer works on one order,
# the next one is already there: that is why it is called *pre*fetch.
#
# AMQP has a second limit, in bytes. RabbitMQ does not implement it, and says so in the hardest way, by closing the
# connection:

# %%
try:
    with pika.BlockingConnection(parameters) as connection:
        connection.channel().basic_qos(prefetch_size=1_000_000)
except pika.exceptions.ConnectionClosedByBroker as error:
    print(error.reply_code, error.reply_text)

# %% [markdown]
# ## Experiment 2: whose limit is it?
#
# `basic_qos` is called on a **channel**, and several consumers can share one.
#
# > **Predict:** A channel gets a prefetch of 3 and then two consumers on the same queue. Neither acknowledges
# > anything. How many orders do they hold?
# >
# > - `3`: it is the channel's limit
# > - `6`: it is each consumer's

# %%
### BEGIN SOLUTION
### STUB lab.predict("held together", ...)
lab.predict("held together", "6")
### END SOLUTION


# %%
def held_by_two(*settings, arguments=CLASSIC):
    """Start two consumers on one channel, each after a `basic_qos` of its own, and count what they hold."""
    fill("lyon", 20, arguments)
    got = []
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        for name, setting in zip(["first", "second"], settings, strict=True):
            if setting:
                channel.basic_qos(**setting)
            channel.basic_consume("lyon", lambda _, method, *rest: got.append(method.consumer_tag), consumer_tag=name)
        settle(connection, got, 20, "lyon")
    return dict(sorted(Counter(got).items()))


three = held_by_two({"prefetch_count": 3}, None)
print("3 for both:         ", three)
print("2, then 5:          ", held_by_two({"prefetch_count": 2}, {"prefetch_count": 5}))
print("none, then 5:       ", held_by_two(None, {"prefetch_count": 5}))
lab.happened("held together", sum(three.values()))

# %% [markdown]
# In RabbitMQ the limit is **each consumer's**. The call on the channel only says what consumers get that are started
# **from now on**; one that consumes already keeps what it has. The second line uses that to give two consumers of one
# channel different limits. In the third line the first consumer was started before the call: it has no limit, took
# all 20, and left the second nothing.
#
# Older versions could also set one limit for a whole channel, with `global_qos=True`. This is what the version that
# you run makes of it, once for a classic queue and once for a quorum queue. Both consumers are started after it:

# %% tags=["nbval-ignore-output"]
shared = lab.needs("global-prefetch")
print(f"RabbitMQ {lab.version}, global_qos=True, prefetch 3")
channel_wide = held_by_two({"prefetch_count": 3, "global_qos": True}, None)
print("classic:", channel_wide)
try:
    print("quorum: ", held_by_two({"prefetch_count": 3, "global_qos": True}, None, arguments=QUORUM))
except pika.exceptions.ConnectionClosedByBroker as error:
    print("quorum: ", error.reply_code, error.reply_text)

# %%
assert sum(channel_wide.values()) == (3 if shared else 6)

# %% [markdown]
# RabbitMQ 3.10 and 4.0 share the 3 between the consumers of a classic queue, and refuse such a channel for a quorum
# queue with 540. RabbitMQ 4.3 answers `basic.qos-ok` and applies 3 to **each** consumer. So a program that relied on
# the shared limit holds more there than before, and no error tells it. Do not use it.

# %% [markdown]
# ## Experiment 3: fair shares
#
# Ada needs 3 ms for an order, Bert 30 ms. Both consume already when 40 orders are published. Each packer is a thread
# with a connection of its own, and acknowledges an order when it is packed. `channel.consume` is `basic_consume` as a
# loop: it gives one delivery after the other, and `None` when nothing has come for `inactivity_timeout` seconds.


# %%
SECONDS = {"Ada": 0.003, "Bert": 0.03}
ORDERS = 40


def pack(name, prefetch, packed):
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=prefetch)
        for method, _, _ in channel.consume("lyon", inactivity_timeout=0.02):
            if method:
                time.sleep(SECONDS[name])
                channel.basic_ack(method.delivery_tag)
                packed[name] += 1
            if packed.total() == ORDERS:
                break


def pack_together(prefetch):
    """Publish to two packers that wait; return what each has packed, and the seconds that all took."""
    packed = Counter(dict.fromkeys(SECONDS, 0))
    fill("lyon", 0)
    with pika.BlockingConnection(parameters) as shop, ThreadPoolExecutor() as packers:
        channel = shop.channel()
        work = [packers.submit(pack, name, prefetch, packed) for name in SECONDS]
        lab.wait_until(lambda: channel.queue_declare("lyon", passive=True).method.consumer_count == 2)
        began = time.monotonic()
        for _ in range(ORDERS):
            channel.basic_publish("", "lyon", b"an order")
        for packer in work:
            packer.result()
    return packed, time.monotonic() - began


# %% [markdown]
# > **Predict:** Neither has a limit. How many of the 40 orders does Ada pack, who is ten times as quick?
# >
# > - `20`
# > - `about 36`
# > - `40`

# %%
### BEGIN SOLUTION
### STUB lab.predict("Ada packs", ...)
lab.predict("Ada packs", "20")
### END SOLUTION

# %% tags=["nbval-ignore-output"]
shares, rows = {}, []
for prefetch in [0, 10, 1]:
    shares[prefetch], seconds = pack_together(prefetch)
    label = f"{prefetch or 'no limit'} ({seconds:.1f} s)"
    print(f"prefetch {label}:", ", ".join(f"{name} {shares[prefetch][name]}" for name in SECONDS))
    rows += [{"prefetch": label, "packer": name, "packed": shares[prefetch][name]} for name in SECONDS]

# %% tags=["nbval-ignore-output"]
bar_chart(
    rows,
    x="prefetch",
    y="packed",
    series="packer",
    title="Who packed how many, and how long it took",
    y_title="orders packed",
)

# %%
assert all(packed.total() == ORDERS for packed in shares.values())
assert shares[1]["Ada"] > shares[1]["Bert"]
lab.happened("Ada packs", shares[0]["Ada"])

# %% [markdown]
# The broker hands out deliveries in turn, **round robin**: one to Ada, one to Bert. It knows nothing of how long an
# order takes. Without a limit each gets 20, Ada is done after a moment, and the shop waits for Bert.
#
# With a prefetch of 1 the turn passes over whoever has an order in hand. The acknowledgement is then what asks for
# work, and who works faster asks more often. This is called **fair dispatch**. With 10, Ada does more than with no
# limit, but at the end up to ten orders wait in Bert's hands, where Ada cannot reach them.

# %% [markdown]
# ## Experiment 4: the price of a small number
#
# So why not always 1? Denver's packer is far away from the broker. The next cell makes such a distance on your
# machine. It is not about RabbitMQ, and you need not read it: a small relay holds all bytes for 5 ms, in both
# directions, so that a **round trip** takes 10 ms.


# %%
def far_away(one_way):
    """Give connection parameters that lead to the broker through a line with this delay, in seconds."""
    ports = queue.Queue()

    async def carry(reader, writer):
        later = asyncio.get_running_loop().call_later
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                later(one_way, writer.write, data)
        later(one_way, writer.close)

    async def accept(reader, writer):
        from_broker, to_broker = await asyncio.open_connection(parameters.host, parameters.port)
        await asyncio.gather(carry(reader, to_broker), carry(from_broker, writer))

    async def serve():
        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        ports.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    threading.Thread(target=asyncio.run, args=[serve()], daemon=True).start()
    far = pika.URLParameters(lab.url)
    far.host, far.port = "127.0.0.1", ports.get()
    return far


denver = far_away(one_way=0.005)

# %% [markdown]
# Now one consumer takes orders over this line and acknowledges each, with different prefetch counts: first without
# any work to do, then with 2 ms of work for an order.


# %%
def rate(prefetch, work, count):
    """Pack so many orders over the long line, and return how many it were in a second."""
    fill("denver", count)
    with pika.BlockingConnection(denver) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=prefetch)
        began = time.monotonic()
        for done, (method, _, _) in enumerate(channel.consume("denver"), start=1):
            time.sleep(work)
            channel.basic_ack(method.delivery_tag)
            if done == count:
                break
        return count / (time.monotonic() - began)


PREFETCHES = [1, 2, 5, 10, 50, 200, 0]
WORK = {"no work": (0, 400), "2 ms of work": (0.002, 100)}
measured = [
    {
        "prefetch": str(prefetch or "no limit"),
        "work": name,
        "rate": rate(prefetch, work, min(most, 20 * (prefetch or most))),
    }
    for name, (work, most) in WORK.items()
    for prefetch in PREFETCHES
]

# %% tags=["nbval-ignore-output"]
line_chart(
    measured,
    x="prefetch",
    y="rate",
    series="work",
    title="Throughput against prefetch, with a round trip of 10 ms",
    y_title="orders per second",
)

# %% tags=["nbval-ignore-output"]
print("prefetch     ", *(f"{row['prefetch']:>9}" for row in measured[: len(PREFETCHES)]))
for name in WORK:
    print(f"{name:13}", *(f"{row['rate']:9.0f}" for row in measured if row["work"] == name))

# %%
rates = {name: [row["rate"] for row in measured if row["work"] == name] for name in WORK}
for name in WORK:
    assert rates[name][0] < 100  # with a prefetch of 1, one order for each round trip of 10 ms
    assert max(rates[name][3:]) > 1.5 * rates[name][0]  # with 10 and more
assert max(rates["2 ms of work"]) < 500  # whatever the prefetch, 2 ms for each order

# %% [markdown]
# With a prefetch of 1 the consumer is idle for a whole round trip after each order: the acknowledgement goes there,
# the next order comes back. So it packs fewer than 100 in a second, however quick it is. With more in hand it works
# on the next order meanwhile, and the rate rises with the number.
#
# The lower line then turns flat, and the place is no accident. The consumer never waits once the orders in its hands
# keep it busy for a round trip:
#
# > prefetch ≈ (round trip + work) / work
#
# With 2 ms of work that is (10 + 2) / 2 = 6: look where the lower line bends. More gains nothing. The upper line
# rises much longer, since an order without work is done in a fraction of a millisecond. The rule needs two numbers of
# your own, so measure them.

# %% [markdown]
# ## What can go wrong: no limit
#
# The largest number is no limit at all, and it is the default. 20 000 orders of 500 bytes wait. Bert's program
# starts, with no limit. A little later Ada's starts, with a prefetch of 100, to help him.
#
# > **Predict:** Bert has not acknowledged anything yet. How many orders does Ada get?
# >
# > - `0`
# > - `100`
# > - `10000`: half of them

# %%
### BEGIN SOLUTION
### STUB lab.predict("for Ada", ...)
lab.predict("for Ada", "0")
### END SOLUTION


# %%
def take(connection, prefetch):
    """Start a consumer that acknowledges nothing, and return the list in which its deliveries appear."""
    got = []
    channel = connection.channel()
    channel.basic_qos(prefetch_count=prefetch)
    channel.basic_consume("lyon", lambda *delivery: got.append(delivery))
    return got


fill("lyon", 20_000, size=500)
memory = psutil.Process().memory_info
with pika.BlockingConnection(parameters) as ada:
    with pika.BlockingConnection(parameters) as bert:
        before = memory().rss
        berts = take(bert, prefetch=0)
        receive(bert, berts, 20_000)
        grown = memory().rss - before
        adas = take(ada, prefetch=100)
        ada.process_data_events(time_limit=0.3)
        for_ada = len(adas)
        print(f"Bert is there:  {len(berts)} in his hands, {for_ada} in Ada's, {lab.depth('lyon')} ready")
    receive(ada, adas, 100)
    lab.wait_until(lambda: lab.depth("lyon") == 19_900)
    redelivered = sum(method.redelivered for _, method, _, _ in adas)
    print(f"Bert has left:  {len(adas)} in Ada's hands, {redelivered} of these redelivered, {lab.depth('lyon')} ready")

# %%
lab.happened("for Ada", for_ada)

# %% [markdown]
# Look at the first line. One program holds all 20 000, in its memory. A depth of 0 looks as if the work were done,
# and a helper that starts now has nothing to do. This is what Bert's orders cost in memory, their bodies and what
# Python needs around them:

# %% tags=["nbval-ignore-output"]
print(f"bodies: {sum(len(body) for *_, body in berts) / 1e6:.0f} MB; the process has grown by {grown / 1e6:.0f} MB")

# %%
assert len(berts) == 20_000
assert all(len(body) == 500 for *_, body in berts)

# %% [markdown]
# The larger the backlog, the more certainly such a program dies of it. Then everything comes back at once: the second
# line of the output above shows it. And each order carries the flag `redelivered`, which says that it was sent to
# somebody before, who **may** have packed it. Had Bert packed only three, the flag would still be on 20 000, and
# Ada's program must take each for a possible duplicate. With a prefetch of 100 it would be on 100.
#
# A quorum queue (lab 07 has used one) is kinder. 3000 orders, no limit:

# %%
fill("lyon", 3000, QUORUM)
with pika.BlockingConnection(parameters) as connection:
    got = take(connection, prefetch=0)
    settle(connection, got, 3000, "lyon")
    print("in hand:", len(got), "| ready:", lab.depth("lyon"))

# %% [markdown]
# It takes "no limit" for 2000. The official page on prefetch calls 0 infinite and does not name this number, so do
# not build on it.

# %% [markdown]
# ## What else can go wrong: waiting for more than the limit
#
# `basic_ack(tag, multiple=True)` acknowledges this delivery and all before it, with one frame for many orders. A
# packer's program does so after every fifth order. Somebody reads this lab, and sets its prefetch to 4.
#
# > **Predict:** Ten orders wait. How many does the program acknowledge?
# >
# > - `10`
# > - `5`
# > - `0`

# %%
### BEGIN SOLUTION
### STUB lab.predict("acknowledged", ...)
lab.predict("acknowledged", "0")
### END SOLUTION


# %%
def pack_in_fives(prefetch):
    fill("lyon", 10)
    got, acknowledged = [], []

    def note(channel, method, properties, body):
        got.append(body)
        if len(got) % 5 == 0:
            channel.basic_ack(method.delivery_tag, multiple=True)
            acknowledged.extend(got[-5:])

    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=prefetch)
        channel.basic_consume("lyon", note)
        settle(connection, got, 10, "lyon")
        connection.process_data_events(time_limit=0.3)  # whatever else may come
        print(f"prefetch {prefetch:2}: got {len(got)}, acknowledged {len(acknowledged)}, ready {lab.depth('lyon')}")
    return len(acknowledged)


acknowledged = pack_in_fives(prefetch=4)
pack_in_fives(prefetch=10)
lab.happened("acknowledged", acknowledged)

# %% [markdown]
# The program waits for a fifth order, and the broker for an acknowledgement. No error comes, and six orders stay
# ready in front of a consumer that is there. The remedy: a prefetch of at least one batch, better of two, as in the
# second line of the output, so that the next one arrives while you work.

# %% [markdown]
# ## Exercises
#
# ### Exercise 1: share fairly
#
# 30 parcels wait in the queue `parcels`. Write the function `packer(seconds)`. It
#
# - opens a connection of its own and consumes from `parcels` with manual acknowledgement,
# - for each parcel sleeps so many `seconds`, which is its work, and acknowledges it then,
# - returns when no parcel has come for 0.3 s,
# - never holds more than **two** parcels.
#
# `share_out` starts it twice: a slow one first, and a quick one when the slow one has its first parcels. Both must
# get some.


# %%
def share_out(packer):
    """Run a slow and a quick packer at the same time, until both have returned."""
    with ThreadPoolExecutor() as packers:
        slow = packers.submit(packer, 0.03)
        lab.wait_until(lambda: slow.done() or lab.depth("parcels") < 30)
        quick = packers.submit(packer, 0.003)
        slow.result(), quick.result()


# %% [markdown]
# Write `packer` in the next cell. The three lines below it record what it does, for the judge.


# %% exercise="fair"
### BEGIN SOLUTION
### STUB # Your code here: def packer(seconds)
### STUB
### STUB # When it is written, remove the comment signs:
### STUB # fill("parcels", 30)
### STUB # with lab.record("fair") as story:
### STUB #     share_out(packer)
def packer(seconds):
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=1)
        for method, _, _ in channel.consume("parcels", inactivity_timeout=0.3):
            if method is None:
                break
            time.sleep(seconds)
            channel.basic_ack(method.delivery_tag)


fill("parcels", 30)
with lab.record("fair") as story:
    share_out(packer)
### END SOLUTION

# %%
lab.check("fair")

# %% [markdown]
# ### Exercise 2: choose from a measurement
#
# Another packer, another line. This was measured with a program that packs one order after the other, about 6 ms
# each, over a line with a round trip of 40 ms:
#
# | prefetch | 1 | 2 | 5 | 10 | 20 | 50 | 200 | no limit |
# | --- | --- | --- | --- | --- | --- | --- | --- | --- |
# | orders per second | 19 | 37 | 96 | 158 | 162 | 160 | 158 | 156 |
# | an order waits in hand for up to | 6 ms | 12 ms | 30 ms | 60 ms | 0.12 s | 0.3 s | 1.2 s | no limit |
#
# Choose a prefetch with which the packer reaches at least 95 % of the best rate, and no order waits in its hands for
# longer than **0.15 s**. Then, inside `with lab.record("choose") as story:`, start one consumer on the queue
# `far.orders` with your number and manual acknowledgement. It keeps its deliveries in the list `got` and acknowledges
# nothing. Let `settle(connection, got, 300, "far.orders")` read what comes.

# %%
fill("far.orders", 300)

# %% exercise="choose"
got = []

### BEGIN SOLUTION
with lab.record("choose") as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.basic_qos(prefetch_count=10)
    channel.basic_consume("far.orders", lambda *delivery: got.append(delivery))
    settle(connection, got, 300, "far.orders")
### END SOLUTION

# %%
lab.check("choose")

# %% [markdown]
# ### Exercise 3: repair
#
# A colleague's program serves two queues. Of `express` it should hold **one** order, so that a helper can take the
# others at once; of `ordinary` it should hold **five**. Run it and see what it holds.


# %%
def note(channel, method, properties, body):
    got.append(method.consumer_tag)


got = []
fill("express", 10)
fill("ordinary", 10)
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.basic_consume("express", note, consumer_tag="express")
    channel.basic_consume("ordinary", note, consumer_tag="ordinary")
    channel.basic_qos(prefetch_count=1)
    channel.basic_qos(prefetch_count=5)
    settle(connection, got, 20, "express", "ordinary")

print(dict(sorted(Counter(got).items())))

# %% [markdown]
# Repair the program's lines inside `with lab.record("repair") as story:`. The queues are full again, since nothing
# was acknowledged.

# %% exercise="repair"
got = []

### BEGIN SOLUTION
with lab.record("repair") as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume("express", note, consumer_tag="express")
    channel.basic_qos(prefetch_count=5)
    channel.basic_consume("ordinary", note, consumer_tag="ordinary")
    settle(connection, got, 20, "express", "ordinary")

print(dict(sorted(Counter(got).items())))
### END SOLUTION

# %%
lab.check("repair")

# %%
lab.progress()

# %% [markdown]
# ## In production
#
# - Always set a prefetch, before `basic_consume`. The default is no limit, which is right for nobody.
# - Long work, of seconds for a message: 1. Short work: (round trip + work) / work, measured, and then some room.
#   Official advice for much traffic is [100 to
#   300](https://www.rabbitmq.com/docs/confirms#channel-qos-prefetch-throughput).
# - The price of a large number: memory in the consumer, idle helpers, and as many possible duplicates when the
#   consumer dies.
# - If you acknowledge in batches, the batch is at most half the prefetch.
# - One consumer per channel, and no `global_qos`.
# - Watch unacknowledged messages as well as ready ones: a depth of 0 does not mean that the work is done.
#
# | | 3.10 | 4.0 | 4.3 |
# | --- | --- | --- | --- |
# | Prefetch for each consumer | as here | as here | as here |
# | `global_qos=True`, classic queue | shared by the channel's consumers | the same, deprecated | accepted, applied to each consumer |
# | `global_qos=True`, quorum queue | 540 when it consumes | the same | accepted, applied to each consumer |
# | `prefetch_size` | 540 | 540 | 540 |
# | No limit on a quorum queue | 2000 | 2000 | 2000 |

# %% [markdown]
# ## Recap
#
# - The **prefetch** limits how many **unacknowledged** deliveries a consumer holds; 0 is no limit, and `auto_ack` has
#   none.
# - It is each consumer's, and is set for those that are started after `basic_qos`.
# - Deliveries go **round robin**; with a small prefetch that becomes **fair dispatch**: who acknowledges gets the
#   next.
# - Throughput rises with the prefetch until the orders in hand fill a **round trip**, and no further.
# - What one consumer holds no other can get, and comes back `redelivered`, all at once, when it dies.
#
# Next: [lab 12](12_ttl.ipynb), on messages that end by themselves. The official pages: [consumer
# prefetch](https://www.rabbitmq.com/docs/consumer-prefetch), [acknowledgements and
# prefetch](https://www.rabbitmq.com/docs/confirms), [consumers](https://www.rabbitmq.com/docs/consumers), [deprecated
# features](https://www.rabbitmq.com/release-information/deprecated-features-list).
