# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   lab:
#     title: Time to live
#     promise: Give messages and queues an end, and see when the broker really takes them away, and whom it tells.
#     part: Reliability
#     minutes: 20
#     objectives:
#     - limit the life of one message, of all messages of a queue, and of a queue
#     - say which of two limits holds, and when an expired message really leaves
#     - explain why a long delay blocks a short one in the same queue, and mend it
#     prerequisites: [06_what_exchanges_and_queues_remember, 07_anatomy_of_a_message]
#     cluster: []
# ---

# %% [markdown]
# ## Set up

# %%
import time

import pika

from lab_helpers import Lab
from lab_helpers.draw.charts import line_chart

lab = Lab("12_ttl")
parameters = pika.URLParameters(lab.url)
CLASSIC = {"x-queue-type": "classic"}


def lives(milliseconds):
    """The properties of a message that lives so long."""
    return pika.BasicProperties(expiration=str(milliseconds))


# %% [markdown]
# ## The situation
#
# The shop sells the last teapots at half price, for one hour. Each customer who looks at them gets a message, and
# their phone fetches it from a queue when it next has a network. Some phones come back after a day. They must not
# find yesterday's offer, and the queues of phones that never come back must not stay for ever.
#
# RabbitMQ can take things away by itself: a message after its **time to live** (TTL), and a queue that nobody uses.
# An hour is too long for a lab, so here an offer lives for some hundred milliseconds.
#
# The question: when exactly does a message end, and who hears of it?

# %% [markdown]
# ## Experiment 1: a message with an end
#
# The property `expiration` gives one message a time to live. It is a **text**, and counts **milliseconds**. The
# publisher waits for the broker's confirm, and then until the message is gone.

# %%
with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("phone.7", durable=True, arguments=CLASSIC)
    channel.queue_purge("phone.7")
    channel.confirm_delivery()
    channel.basic_publish("", "phone.7", b"teapots at half price", lives(300), mandatory=True)
    published = time.monotonic()

lab.wait_until(lambda: lab.depth("phone.7") == 0)
lived = time.monotonic() - published

# %% [markdown]
# > **Predict:** No phone came, and the message's time is over. What has the publisher heard of it?
# >
# > - `a confirm`: and nothing more
# > - `a confirm and a return`: the message was mandatory, and nobody got it
# > - `a nack`: it was not delivered

# %%
### BEGIN SOLUTION
### STUB lab.predict("what the publisher hears", ...)
lab.predict("what the publisher hears", "a confirm")
### END SOLUTION

# %% tags=["nbval-ignore-output"]
print(f"gone after {lived * 1000:.0f} ms")

# %%
assert lived > 0.25
story.sequence()

# %%
heard = ["a confirm"] if story.confirmed() else ["a nack"] if story.refused() else []
lab.happened("what the publisher hears", " and ".join(heard + ["a return"] * len(story.returned())))

# %% [markdown]
# The confirm says that the message reached a queue. What happens to it there, the broker tells nobody: an expired
# message goes without a word. (Unless the queue names a dead-letter exchange. That is [lab
# 13](13_dead_letters.ipynb), and exercise 3 uses it.)

# %% [markdown]
# ## Experiment 2: the queue has a limit too
#
# The argument `x-message-ttl` gives **every** message of a queue a time to live; it is a **number**, of milliseconds
# again. The queue below says 700. Three messages say 200, nothing, and 60 000, a whole minute.
#
# > **Predict:** When does the last of them leave?
# >
# > - `after 0.7 s`
# > - `after 60 s`: what a message says of itself goes before
# > - `never`: the one that says nothing stays

# %%
### BEGIN SOLUTION
### STUB lab.predict("the last one", ...)
lab.predict("the last one", "after 0.7 s")
### END SOLUTION


# %%
def publish_and_watch(queue, *properties):
    """Publish a message with each of these properties, and note the queue's depth until it is empty."""
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for one in properties:
            channel.basic_publish("", queue, b"an offer", one)
    began, rows = time.monotonic(), []
    while not rows or rows[-1]["ready"]:
        rows.append({"queue": queue, "ready": lab.depth(queue), "seconds": time.monotonic() - began})
        time.sleep(0.02)
    return rows


with pika.BlockingConnection(parameters) as connection:
    connection.channel().queue_declare("offers", durable=True, arguments={**CLASSIC, "x-message-ttl": 700})

offers = publish_and_watch("offers", lives(200), pika.BasicProperties(), lives(60_000))

# %% tags=["nbval-ignore-output"]
line_chart(offers, x="seconds", y="ready", title="Messages ready in the queue offers")

# %%
end = offers[-1]["seconds"]
assert end > 0.6
lab.happened("the last one", "after 0.7 s" if end < 30 else "after 60 s")

# %% [markdown]
# The first step down is the message that asked for 200 ms. The two others leave together after 700: the **shorter** of
# the two limits holds, and the queue's limit also holds for messages that name none. A publisher can shorten a life,
# never lengthen it.

# %% [markdown]
# ## Experiment 3: only the head can leave
#
# Now a queue without a limit of its own. The first message lives 1200 ms, the second, behind it, 100 ms.
#
# > **Predict:** How many messages are ready in the queue after half a second?
# >
# > - `1`: the second has expired
# > - `2`

# %%
### BEGIN SOLUTION
### STUB lab.predict("after half a second", ...)
lab.predict("after half a second", "2")
### END SOLUTION

# %%
with pika.BlockingConnection(parameters) as connection:
    connection.channel().queue_declare("mixed", durable=True, arguments=CLASSIC)

mixed = publish_and_watch("mixed", lives(1200), lives(100))

# %% tags=["nbval-ignore-output"]
line_chart(mixed, x="seconds", y="ready", title="Messages ready in the queue mixed")

# %%
between = {row["ready"] for row in mixed if 0.3 < row["seconds"] < 0.9}
assert mixed[-1]["seconds"] > 1.1
lab.happened("after half a second", max(between))

# %% [markdown]
# Both leave at the same moment, after 1200 ms. The broker looks for expired messages at the **head** of the queue
# only; what stands behind a longer-lived one waits for it, counts as ready and takes its room. Quorum queues do the
# same.
#
# No consumer is ever given an expired message, though. Here the first is fetched while it still lives, when the
# second is long over:

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_publish("", "mixed", b"first: lives 60 s", lives(60_000))
    channel.basic_publish("", "mixed", b"second: lives 0.1 s", lives(100))
    time.sleep(0.2)
    print("ready:", lab.depth("mixed"))
    for _ in range(2):
        method, properties, body = channel.basic_get("mixed", auto_ack=True)
        print("fetched:", body.decode() if method else "nothing")

# %% [markdown]
# ## Experiment 4: a delivered message, and a life of no time
#
# A phone fetches an offer that lives 200 ms, and has not acknowledged it yet. The time runs out while the phone has
# it. Then the phone gives it back, with `basic.nack`: "not acknowledged", please put it back in the queue. ([Lab
# 10](10_acknowledgements_and_requeue.ipynb) is about this word.)
#
# > **Predict:** Where is the message after that?
# >
# > - `in the queue`: its time starts anew
# > - `gone`

# %%
### BEGIN SOLUTION
### STUB lab.predict("given back", ...)
lab.predict("given back", "gone")
### END SOLUTION

# %%
with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_purge("phone.7")
    channel.confirm_delivery()
    channel.basic_publish("", "phone.7", b"kettles at half price", lives(200))
    method, properties, body = channel.basic_get("phone.7")
    time.sleep(0.4)
    print("still in the phone's hands:", body.decode())
    channel.basic_nack(method.delivery_tag, requeue=True)

lab.wait_until(lambda: lab.depth("phone.7") == 0)
story.flow()

# %%
lab.happened("given back", "in the queue" if lab.depth("phone.7") else "gone")

# %% [markdown]
# The clock runs from the moment the message reached the queue, and never starts anew. But it takes nothing out of a
# consumer's hands: a delivery that waits for its acknowledgement does not expire.
#
# The shortest life is `"0"`. Such a message is only for a consumer that is there at this moment: the queue gives it
# away at once, or drops it.

# %%
seen = []
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_publish("", "phone.7", b"nobody there", lives(0))
    waiting = channel.queue_declare("phone.7", passive=True).method.message_count
    channel.basic_consume("phone.7", lambda *delivery: seen.append(delivery[3].decode()), auto_ack=True)
    channel.basic_publish("", "phone.7", b"somebody there", lives(0))
    lab.wait_until(lambda: connection.process_data_events() or seen)

print("waiting in the queue:", waiting)
print("delivered:", seen)

# %% [markdown]
# ## Experiment 5: a queue with an end
#
# `x-expires` is the time after which the broker deletes a **queue** that nobody uses. The phone's new queue may be
# unused for 400 ms. It holds a message, which has no time to live.
#
# > **Predict:** Nobody comes for a second. What is there then?
# >
# > - `queue and message`: a queue that is not empty is in use
# > - `neither`

# %%
### BEGIN SOLUTION
### STUB lab.predict("unused queue", ...)
lab.predict("unused queue", "neither")
### END SOLUTION

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("phone.8", durable=True, arguments={**CLASSIC, "x-expires": 400})
    channel.confirm_delivery()
    channel.basic_publish("", "phone.8", b"lamps at half price")

time.sleep(1.2)
with pika.BlockingConnection(parameters) as connection:
    try:
        connection.channel().queue_declare("phone.8", passive=True)
        found = "queue and message"
    except pika.exceptions.ChannelClosedByBroker as error:
        found = "neither"
        print(error.reply_code, error.reply_text.split(" in vhost")[0])

# %%
lab.happened("unused queue", found)

# %% [markdown]
# Messages do not count as use, and publishing does not either. In use is a queue that has a **consumer**, or in which
# somebody fetched (`basic.get`) or which somebody declared again, within that time. For a classic queue a passive
# declaration is a declaration too, and with it every look at a depth in this notebook: `lab.depth`, `lab.topology`, a
# check. So a program that looks every 400 ms keeps a queue alive that may be unused for a second. (Not so a quorum
# queue: measured on 3.10.8 and 4.3.6, no declaration counts there, and it looks at the clock every five seconds only.)

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("phone.8", durable=True, arguments={**CLASSIC, "x-expires": 1000})
    for _ in range(4):
        time.sleep(0.4)
        channel.queue_declare("phone.8", passive=True)
    print("after 1.6 s: still there")
    channel.queue_delete("phone.8")

# %% [markdown]
# ## What can go wrong: seconds, units, and a reader that comes late
#
# The limits are written differently: `expiration` is a text of digits, `x-message-ttl` and `x-expires` are whole
# numbers. The broker refuses anything else, and closes the channel. (The third mistake never reaches it: pika stops it.)

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    try:
        channel.basic_publish("", "phone.7", b"an offer", pika.BasicProperties(expiration="500ms"))
    except pika.exceptions.ChannelClosedByBroker as error:
        print(error.reply_code, error.reply_text)
    channel = connection.channel()
    try:
        channel.queue_declare("phone.9", durable=True, arguments={**CLASSIC, "x-message-ttl": "500"})
    except pika.exceptions.ChannelClosedByBroker as error:
        print(error.reply_code, error.reply_text.split(" for queue")[0])
    channel = connection.channel()
    try:
        channel.basic_publish("", "phone.7", b"an offer", pika.BasicProperties(expiration=500))
    except AssertionError as error:
        print("pika:", error)

# %% [markdown]
# Those are heard. Two mistakes are not: `expiration="60"`, meant as a minute, is 60 **milliseconds**. And a limit
# that was chosen for good days meets a bad one: the warehouse's program is down for longer than the orders live.

# %%
with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("lyon", durable=True, arguments={**CLASSIC, "x-message-ttl": 200})
    channel.confirm_delivery()
    for number in range(1, 6):
        channel.basic_publish("", "lyon", f"order {number}".encode(), mandatory=True)

time.sleep(0.5)  # the warehouse restarts its program
print(
    "published:", len(story.published()), "| confirmed:", len(story.confirmed()), "| returned:", len(story.returned())
)
print("left for the warehouse:", lab.depth("lyon"))
assert lab.depth("lyon") == 0

# %% [markdown]
# Five orders, five confirms, no return, and nothing left. A time to live is for what is **worthless** when it is old:
# offers, prices, positions. Orders do not get one; or only together with a dead-letter exchange, so that what expires
# is parked and not lost.

# %% [markdown]
# ## Exercises
#
# ### Exercise 1: a short-lived offer
#
# Declare a durable queue `phone.flash` in which, by an argument, **no** message lives longer than 2 seconds. Then publish two messages
# to it, `teapot` and `lamp`, inside `with lab.record("offer") as story:`. The first may live for 300 ms, and the
# second as long as the queue allows.
#
# (If you declared `phone.flash` differently before, delete it first: `channel.queue_delete("phone.flash")`.)

# %% exercise="offer"
### BEGIN SOLUTION
with lab.record("offer") as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("phone.flash", durable=True, arguments={**CLASSIC, "x-message-ttl": 2000})
    channel.confirm_delivery()
    channel.basic_publish("", "phone.flash", b"teapot", pika.BasicProperties(expiration="300"))
    channel.basic_publish("", "phone.flash", b"lamp")
### END SOLUTION

# %%
lab.check("offer")

# %% [markdown]
# ### Exercise 2: the phone that never comes back
#
# Declare a durable queue `phone.visitor` with an argument by which the broker deletes it when it was not used for one
# **minute**. As long as the queue is there, its messages stay, however old. Publish one: `welcome`.

# %% exercise="visitor"
### BEGIN SOLUTION
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("phone.visitor", durable=True, arguments={**CLASSIC, "x-expires": 60_000})
    channel.confirm_delivery()
    channel.basic_publish("", "phone.visitor", b"welcome")
### END SOLUTION

# %%
lab.check("visitor")

# %% [markdown]
# ### Exercise 3: long blocks short
#
# A colleague uses expiry to **delay** reminders. They are published to the exchange `shop.wait`, wait in the queue
# `wait` until they expire, and go from there to the queue `reminders`, where a consumer would be. For that, `wait`
# has the two arguments that you saw in [lab 06](06_what_exchanges_and_queues_remember.ipynb): an expired message is
# published again, to the default exchange, with the key `reminders`. Run it.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for queue in ["wait", "wait.soon", "wait.later", "reminders"]:
        channel.queue_delete(queue)
    channel.exchange_delete("shop.wait")
    channel.exchange_declare("shop.wait", exchange_type="direct", durable=True)
    channel.queue_declare("reminders", durable=True, arguments=CLASSIC)
    to_reminders = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "reminders"}
    channel.queue_declare("wait", durable=True, arguments={**CLASSIC, **to_reminders})
    for key in ["soon", "later"]:
        channel.queue_bind("wait", exchange="shop.wait", routing_key=key)
    channel.confirm_delivery()
    channel.basic_publish("shop.wait", "later", b"call Denver", lives(600_000))
    channel.basic_publish("shop.wait", "soon", b"call Lyon", lives(300))

time.sleep(0.5)
print("waiting:", lab.depth("wait"), "| due:", lab.depth("reminders"))

# %% [markdown]
# `call Lyon` was due after 300 ms, and stands behind ten minutes. Mend the design, so that a short delay never waits
# for a long one:
#
# - a message that is published to `shop.wait` with the key `soon` waits **300 ms**, one with the key `later` waits
#   **ten minutes**, and a longer `expiration` of its own changes nothing;
# - then the default exchange leads it to `reminders`, as from `wait`;
# - the new queues are durable and named `wait.soon` and `wait.later`; `wait` must get nothing any more.
#
# When it is built, publish `call Denver` with the key `later` and then `call Lyon` with the key `soon`, in this
# order. The old queue's two messages do not matter.

# %% exercise="reminders"
### BEGIN SOLUTION
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_delete("wait")
    for key, milliseconds in [("soon", 300), ("later", 600_000)]:
        delay = {**CLASSIC, **to_reminders, "x-message-ttl": milliseconds}
        channel.queue_declare(f"wait.{key}", durable=True, arguments=delay)
        channel.queue_bind(f"wait.{key}", exchange="shop.wait", routing_key=key)
    channel.confirm_delivery()
    channel.basic_publish("shop.wait", "later", b"call Denver")
    channel.basic_publish("shop.wait", "soon", b"call Lyon")
### END SOLUTION

# %%
time.sleep(0.5)  # the short delay
lab.check("reminders")

# %%
lab.progress()

# %% [markdown]
# ## In production
#
# - Messages that are worthless when old get `expiration` or `x-message-ttl`. Messages that are money get neither, or
#   only together with a dead-letter exchange.
# - Prefer the queue's limit to the message's: all messages expire in order then, so nothing dead waits behind
#   something alive. Best as a policy (`message-ttl`, `expires`), which can be changed.
# - One queue for each delay. Never mix different times to live in a queue that must release them on time.
# - Queues that clients make for themselves get `x-expires`, so that those who never come back leave nothing behind.
# - Expiry is not a precise clock: it comes when the message is at the head and the queue gets to it, some
#   milliseconds late at best.
#
# | | 3.10 | 4.0 | 4.3 |
# | --- | --- | --- | --- |
# | TTL of classic queues | as here | as here | as here |
# | TTL of quorum queues | from 3.10 on; before, none | yes | yes |
# | `x-expires` of classic queues | as here | as here | as here |
# | TTL of streams | none: they have `x-max-age` | the same | the same |

# %% [markdown]
# ## Recap
#
# - `expiration` (a text) limits one message, `x-message-ttl` (a number) all of a queue; both count **milliseconds**,
#   and the **shorter** holds.
# - An expired message leaves when it is at the **head**; nobody is told, and no consumer gets it.
# - The clock starts when the message reaches the queue, and does not start anew when it is put back.
# - `x-expires` deletes a queue without consumers, fetches and declarations, with all that is in it.
#
# Next: [lab 13](13_dead_letters.ipynb), where what expires goes somewhere. The official pages: [time to
# live](https://www.rabbitmq.com/docs/ttl), [queues](https://www.rabbitmq.com/docs/queues), [dead
# lettering](https://www.rabbitmq.com/docs/dlx).
