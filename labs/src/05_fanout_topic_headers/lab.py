# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   lab:
#     title: Fanout, topic and headers exchanges
#     promise: Route by everything, by pattern or by header, join exchanges together, and measure what each type costs.
#     part: The model
#     minutes: 30
#     objectives:
#     - write topic patterns that fit what they should and nothing else
#     - bind by headers, and choose the right `x-match`
#     - bind exchanges to exchanges, and give an exchange an alternate
#     - change a running system from fanout to topic without losing a message
#     prerequisites: [04_direct_exchange]
#     cluster: []
# ---

# %% [markdown]
# ## Set up
#
# This lab asks one thing again and again: which queues does this message reach? `probe` asks the broker. It publishes
# each message by itself, then empties the queues and counts what was in them. A text stands for a routing key, a
# `dict` for headers.

# %%
import time

import pika

from lab_helpers import Lab
from lab_helpers.draw.charts import line_chart

lab = Lab("05_fanout_topic_headers")
parameters = pika.URLParameters(lab.url)
CLASSIC = {"x-queue-type": "classic"}


def probe(exchange, messages, queues):
    """Print a table of how many copies of each message each queue gets, and return its rows."""
    rows = {str(message) or "(empty)": message for message in messages}
    width = max(map(len, rows)) + 2
    print(" " * width + "  ".join(queues))
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for queue in queues:
            channel.queue_purge(queue)
        for label, message in rows.items():
            key, headers = (message, None) if isinstance(message, str) else ("", message)
            channel.basic_publish(exchange, key, b"a probe", pika.BasicProperties(headers=headers))
            rows[label] = [channel.queue_purge(queue).method.message_count for queue in queues]
            cells = [str(count or ".").center(len(queue)) for count, queue in zip(rows[label], queues, strict=True)]
            print(label.ljust(width) + "  ".join(cells).rstrip())
    return rows


# %% [markdown]
# ## The situation
#
# In [lab 04](04_direct_exchange.ipynb) the shop bound each warehouse to its own orders, with keys that had to be
# equal. Now it has grown again. It publishes not only orders but payments and stock levels, and the keys have three
# words: the thing, the region, and what happened. `order.eu.placed`, `payment.us.received`, `stock.eu.low`.
#
# The warehouses want everything about orders of their region. The book-keepers want every payment. Somebody wants all
# that was ever cancelled. With a direct exchange each of them would need a binding for every key there is, and a new
# one for every key to come.
#
# The question of this lab: how do you say "all of these" in a binding, and what does it cost?

# %% [markdown]
# ## Experiment 1: fanout, to everybody
#
# The simplest answer is no question at all. A **fanout** exchange copies each message to everything that is bound to
# it. The shop uses one for its news.
#
# A binding has a binding key here too. The cell binds `denver` with `stock.us.low` and `books` with `payment.#`. For
# `lyon` it gives no key.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.exchange_declare("shop.news", exchange_type="fanout", durable=True)
    for queue, key in [("lyon", None), ("denver", "stock.us.low"), ("books", "payment.#")]:
        channel.queue_declare(queue, durable=True, arguments=CLASSIC)
        channel.queue_purge(queue)
        channel.queue_bind(queue, exchange="shop.news", routing_key=key)

# %% [markdown]
# > **Predict:** One message is published with the routing key `price.eu.lowered`. Which queues get it?
# >
# > - `none`: no key is equal
# > - `lyon`: it was bound without a key
# > - `all three`

# %%
### BEGIN SOLUTION
### STUB lab.predict("fanout", ...)
lab.predict("fanout", "all three")
### END SOLUTION

# %%
with lab.record() as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_publish("shop.news", routing_key="price.eu.lowered", body=b"teapots cost less")

story.flow()

# %%
counts = [lab.depth(queue) for queue in ["lyon", "denver", "books"]]
lab.happened("fanout", {(0, 0, 0): "none", (1, 0, 0): "lyon", (1, 1, 1): "all three"}[tuple(counts)])

# %% [markdown]
# A fanout exchange looks at neither key. Binding keys are kept and drawn, but they decide nothing: leave them empty,
# so that nobody takes them for a filter. To do so, write `routing_key=""`. Look at the arrow to `lyon`: where you
# give no key at all, pika takes the queue's name for it.

# %% [markdown]
# ## Experiment 2: topic, by pattern
#
# A **topic** exchange reads a key as words with dots between them. Its binding keys are patterns, in which two words
# are special:
#
# - `*` stands for exactly one word,
# - `#` stands for any number of words, none included.
#
# Seven patterns, a queue for each. Here a queue is named for its pattern.

# %%
PATTERNS = ["order.*.placed", "order.*", "order.#", "#.placed", "*.eu.*", "order.eu", "#"]

with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.exchange_declare("shop.events", exchange_type="topic", durable=True)
    for pattern in PATTERNS:
        channel.queue_declare(pattern, durable=True, arguments=CLASSIC)
        channel.queue_bind(pattern, exchange="shop.events", routing_key=pattern)

# %% [markdown]
# > **Predict:** Which of the keys `order`, `order.eu` and `orders.eu` does the pattern `order.#` fit?
# >
# > - `order.eu`
# > - `order.eu and order`
# > - `all three`

# %%
### BEGIN SOLUTION
### STUB lab.predict("order.#", ...)
lab.predict("order.#", "order.eu and order")
### END SOLUTION

# %%
KEYS = [
    "order.eu.placed",
    "order.eu.gift.placed",
    "order.eu",
    "order",
    "orders.eu",
    "payment.eu.received",
    "placed",
    "",
]
seen = probe("shop.events", KEYS, PATTERNS)

# %%
fitted = [key for key in ["order.eu", "order", "orders.eu"] if seen[key][PATTERNS.index("order.#")]]
lab.happened("order.#", "all three" if len(fitted) == 3 else " and ".join(fitted))

# %% [markdown]
# Read the table by columns:
#
# - `order.*.placed` wants three words. `order.eu.gift.placed` has four, and does not fit.
# - `order.*` wants two words: one more than `order`, and exactly one.
# - `order.#` fits `order` itself, because `#` may stand for nothing. It does not fit `orders.eu`: words are compared
#   whole.
# - `#.placed` finds the last word, however many stand before it, also none.
# - `*.eu.*` looks at the second word of three.
# - `order.eu` has no special word, and so it fits only what is equal, as with a direct exchange.
# - `#` alone fits everything, even the empty key, as with a fanout exchange.

# %% [markdown]
# ## Experiment 3: headers
#
# A key is one line of words in a fixed order. Some questions do not fit in it: is it a gift, how heavy is it, which
# country? A message can also carry **headers**, a table of names and values among its properties. A **headers**
# exchange compares these, and no key at all. What to look for is in the *arguments* of the binding, a table as well.
# The argument `x-match` says how:
#
# | `x-match` | fits if | headers whose names begin with `x-` |
# | --- | --- | --- |
# | `all` (also when left out) | every header of the binding is in the message, with the same value | are not looked at |
# | `any` | at least one is | are not looked at |
# | `all-with-x` | every one is | count like the others |
# | `any-with-x` | at least one is | count like the others |
#
# Four queues ask for the same three headers, each in one of the four ways, and are named for it.

# %%
MATCHES = ["all", "any", "all-with-x", "any-with-x"]
FRENCH_GIFT = {"kind": "parcel", "country": "fr", "x-gift": "yes"}

with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for exchange in ["shop.news", "shop.events"]:
        channel.exchange_delete(exchange)
    for queue in [*PATTERNS, "lyon", "denver", "books"]:
        channel.queue_delete(queue)
    channel.exchange_declare("shop.parcels", exchange_type="headers", durable=True)
    for match in MATCHES:
        channel.queue_declare(match, durable=True, arguments=CLASSIC)
        channel.queue_bind(match, exchange="shop.parcels", routing_key="", arguments={"x-match": match, **FRENCH_GIFT})

lab.topology()

# %% [markdown]
# > **Predict:** A parcel to France is **not** a gift: its headers are `kind: parcel` and `country: fr`, and nothing
# > else. How many of the four queues get it?
# >
# > - `2`: the two with "any"
# > - `3`
# > - `4`

# %%
### BEGIN SOLUTION
### STUB lab.predict("not a gift", ...)
lab.predict("not a gift", "3")
### END SOLUTION

# %%
NOT_A_GIFT = {"kind": "parcel", "country": "fr"}

messages = [FRENCH_GIFT, NOT_A_GIFT, {"kind": "parcel"}, {"x-gift": "yes"}, {"kind": "Parcel"}, {}]
seen = probe("shop.parcels", messages, MATCHES)

# %%
lab.happened("not a gift", sum(seen[str(NOT_A_GIFT)]))

# %% [markdown]
# The second row is the surprise. The binding with `all` names `x-gift: yes`, the message has no such header, and it
# fits all the same. Names that begin with `x-` usually come from brokers and libraries, not from programs, so `all`
# and `any` pass over them, without a word. If you must match such a header, you need `all-with-x` or `any-with-x`:
# compare the rows of the gift (first) and of the lone `x-gift` (fourth).
#
# A message may carry more headers than the binding asks for. Values are compared exactly: `Parcel` is not `parcel`.

# %% [markdown]
# ## Experiment 4: exchanges behind exchanges
#
# A binding may also lead from one exchange to **another exchange**. The message is then compared again, in the second
# exchange's own way. That is an extension of RabbitMQ; in pika it is
# `exchange_bind(destination, source, routing_key)`.
#
# The shop builds its events and its news anew, and joins them: all prices of `shop.events` go on to `shop.news`. And
# so that all news is an event too, somebody joins them back again. Three bindings lead to `books`.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for match in MATCHES:
        channel.queue_delete(match)
    channel.exchange_delete("shop.parcels")
    channel.exchange_declare("shop.events", exchange_type="topic", durable=True)
    channel.exchange_declare("shop.news", exchange_type="fanout", durable=True)
    channel.exchange_bind("shop.news", source="shop.events", routing_key="price.#")
    channel.exchange_bind("shop.events", source="shop.news", routing_key="")
    for queue in ["lyon", "denver", "books"]:
        channel.queue_declare(queue, durable=True, arguments=CLASSIC)
        channel.queue_bind(queue, exchange="shop.news", routing_key="")
    for pattern in ["#", "*.eu.*"]:
        channel.queue_bind("books", exchange="shop.events", routing_key=pattern)

lab.topology()

# %% [markdown]
# > **Predict:** One message `price.eu.lowered` is published to `shop.events`. How many copies does `books` get?
# >
# > - `1`
# > - `3`: one for each way
# > - `endless`: the two exchanges hand it to each other

# %%
### BEGIN SOLUTION
### STUB lab.predict("copies in books", ...)
lab.predict("copies in books", "1")
### END SOLUTION

# %%
seen = probe("shop.events", ["price.eu.lowered", "order.eu.placed"], ["lyon", "denver", "books"])

# %%
lab.happened("copies in books", seen["price.eu.lowered"][2])

# %% [markdown]
# One copy. (And the order stays among the events: `price.#` does not let it through.) The message does not wander
# from exchange to exchange. When it is published, the broker follows all bindings, visits each exchange once, and
# collects the **set** of queues. Then each of these gets the message, once. So neither overlapping bindings nor a
# loop makes duplicates.
#
# That makes bindings between exchanges a safe tool: new readers get an exchange of their own behind the one that
# publishers know, and old ways and new ways can exist side by side for a while.
#
# ### Or else: the alternate exchange
#
# An exchange can also hand on what **none** of its bindings fits. Its argument `alternate-exchange` names the
# exchange that gets those messages, the *or else* of routing. Orders from regions without a warehouse go to the queue
# `rest`.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.exchange_declare("shop.rest", exchange_type="fanout", durable=True)
    alternate = {"alternate-exchange": "shop.rest"}
    channel.exchange_declare("shop.orders", exchange_type="topic", durable=True, arguments=alternate)
    channel.queue_declare("rest", durable=True, arguments=CLASSIC)
    for exchange in ["shop.news", "shop.events"]:
        channel.exchange_delete(exchange)
    channel.queue_unbind("books", exchange="shop.orders", routing_key="#")
    for queue, exchange, key in [
        ("lyon", "shop.orders", "order.eu.#"),
        ("denver", "shop.orders", "order.us.#"),
        ("rest", "shop.rest", ""),
    ]:
        channel.queue_bind(queue, exchange=exchange, routing_key=key)

ORDERS = ["order.eu.placed", "order.us.placed", "order.asia.placed"]
seen = probe("shop.orders", ORDERS, ["lyon", "denver", "books", "rest"])

# %% [markdown]
# Then the book-keepers bind `books` with `#`, as they want to see every order. Afterwards they take that back, and bind
# an exchange instead, `shop.watch`, which leads nowhere yet.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_bind("books", exchange="shop.orders", routing_key="#")
    seen = probe("shop.orders", ORDERS, ["lyon", "denver", "books", "rest"])

    channel.queue_unbind("books", exchange="shop.orders", routing_key="#")
    channel.exchange_declare("shop.watch", exchange_type="fanout", durable=True)
    channel.exchange_bind("shop.watch", source="shop.orders", routing_key="#")
    probe("shop.orders", ORDERS, ["lyon", "denver", "books", "rest"])

# %% [markdown]
# The order from Asia does not reach `rest` any more. Nobody touched `rest`: but now a binding fits, and so there is
# no "else". An alternate exchange gets what **no binding fits**, and one observer with `#` switches it off, even one
# that is an exchange without a single queue: then the order is lost. Such an observer belongs in front: an exchange of
# its own, which passes everything on to `shop.orders`.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.exchange_delete("shop.watch")
    channel.exchange_declare("shop.front", exchange_type="fanout", durable=True)
    channel.queue_bind("books", exchange="shop.front", routing_key="")
    channel.exchange_bind("shop.orders", source="shop.front", routing_key="")

seen = probe("shop.front", ORDERS, ["lyon", "denver", "books", "rest"])

# %% [markdown]
# ## Experiment 5: which type routes fastest?
#
# More choice may cost more work. The next two cells make an exchange of each type and give it more and more bindings,
# up to 200, all different and all to one queue. Then they publish messages that fit one of the bindings (with fanout,
# all of them), and take the time. Last, they ask the queue for its length: the answer comes only when the broker has
# routed everything before it on this channel.
#
# > **Predict:** With 200 bindings, one type needs by far the most time for a message. Which?
# >
# > - `direct`
# > - `fanout`
# > - `topic`
# > - `headers`

# %%
### BEGIN SOLUTION
### STUB lab.predict("slowest with 200 bindings", ...)
lab.predict("slowest with 200 bindings", "headers")
### END SOLUTION


# %%
PARCEL = {"kind": "parcel", "country": "fr", "carrier": "post", "size": "small"}
TYPES = {
    "direct": lambda number: (f"order.{number}", None),
    "fanout": lambda number: (f"order.{number}", None),
    "topic": lambda number: (f"order.{number}.*", None),
    "headers": lambda number: ("", {"x-match": "all", **PARCEL, "order": f"{number}"}),
}
SENT = {"direct": "order.0", "fanout": "order.0", "topic": "order.0.placed", "headers": ""}


def microseconds(channel, type_, messages=30):
    """Publish so many messages and wait until all are routed; the time for one."""
    properties = pika.BasicProperties(headers={**PARCEL, "order": "0"})
    began = time.perf_counter()
    for _ in range(messages):
        channel.basic_publish(f"fast.{type_}", SENT[type_], b"a message", properties)
    channel.queue_declare("fast", passive=True)
    took = time.perf_counter() - began
    channel.queue_purge("fast")
    return took / messages * 1e6


# %% tags=["nbval-ignore-output"]
rows = []
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.queue_declare("fast", durable=True, arguments=CLASSIC)
    for type_ in TYPES:
        channel.exchange_delete(f"fast.{type_}")
        channel.exchange_declare(f"fast.{type_}", exchange_type=type_, durable=True)
    made = 0
    for bindings in [1, 50, 100, 200]:
        for type_, binding in TYPES.items():
            for key, arguments in map(binding, range(made, bindings)):
                channel.queue_bind("fast", f"fast.{type_}", key, arguments)
        made = bindings
        # The best of many short rounds, in turns: what else the machine does disturbs few of them.
        rounds = [[microseconds(channel, type_) for type_ in TYPES] for _ in range(8)]
        for type_, times in zip(TYPES, zip(*rounds, strict=True), strict=True):
            rows.append({"bindings": bindings, "type": type_, "time": min(times)})
    for type_ in TYPES:
        channel.exchange_delete(f"fast.{type_}")
    channel.queue_delete("fast")

line_chart(
    rows, x="bindings", y="time", series="type", title="Time to publish and route a message", y_title="µs for a message"
)

# %%
time_of = {row["type"]: row["time"] for row in rows if row["bindings"] == 200}
slowest = max(time_of, key=time_of.get)
assert slowest == "headers", time_of

lab.happened("slowest with 200 bindings", slowest)

# %% [markdown]
# With one binding no type stands out: almost all of the time goes into sending the message and storing it. With 200
# they part, and the lines tell how each type looks for the queues:
#
# - **Direct** and **topic** stay flat. They find their queues by the key, the topic exchange word by word, so that
#   bindings that do not fit cost next to nothing.
# - **Headers** climbs with the number of bindings. There is no index for headers: each message is compared with
#   **every** binding.
# - **Fanout** compares nothing, and yet it is not the fastest here, since all its bindings fit. Here 200 ways lead to
#   one queue, and the broker has to find out that they do. With 200 queues it would have 200 copies to store.
#
# So "fanout is the fastest" is true of the comparing, and says little about the work. Up to some tens of bindings,
# choose the type by what you want to say.

# %% [markdown]
# ## What can go wrong: too wide, too narrow, not at all
#
# **Patterns.** A wrong pattern is no error. It loses messages, or brings some that nobody expects, and both are seen
# much later. Three programs want "all that happens to an order"; and one more "all regions that begin with e".

# %%
ATTEMPTS = ["order.*", "order.#", "#.order.#", "order.e*.#"]

with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for exchange in ["shop.front", "shop.orders", "shop.rest"]:
        channel.exchange_delete(exchange)
    channel.exchange_declare("shop.events", exchange_type="topic", durable=True)
    for pattern in ATTEMPTS:
        channel.queue_declare(pattern, durable=True, arguments=CLASSIC)
        channel.queue_bind(pattern, exchange="shop.events", routing_key=pattern)

KEYS = ["order.eu.placed", "order", "payment.eu.order", "order.e*.placed"]
seen = probe("shop.events", KEYS, ATTEMPTS)

# %% [markdown]
# - `order.*` is **too narrow**: it has missed every key of three words, so all real orders.
# - `order.#` is right for orders, if you remember that the bare `order` fits too.
# - `#.order.#` is **too wide**: `order` may stand anywhere, also in a payment's key.
# - `order.e*.#` fits **nothing** but that very text: a `*` or `#` inside a word is an ordinary letter.
#
# **Headers.** A value of `x-match` that does not exist is refused. This is the one mistake that the broker reports:

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for pattern in ATTEMPTS:
        channel.queue_delete(pattern)
    channel.exchange_declare("shop.parcels", exchange_type="headers", durable=True)
    try:
        channel.queue_bind("lyon", "shop.parcels", routing_key="", arguments={"x-match": "some", "country": "fr"})
    except pika.exceptions.ChannelClosedByBroker as error:
        print(error.reply_code, error.reply_text)

# %% [markdown]
# (`<<"some">>` is how Erlang, the broker's language, writes a text.) The next three mistakes are not reported.
# `misspelt` has the argument's *name* wrong, `number` asks for a number, `nothing` for no header at all.

# %%
BINDINGS = {
    "misspelt": {"x-mach": "any", "country": "fr", "kind": "parcel"},
    "number": {"x-match": "all", "weight": 5},
    "nothing": {"x-match": "all"},
}

with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for queue, arguments in BINDINGS.items():
        channel.queue_declare(queue, durable=True, arguments=CLASSIC)
        channel.queue_bind(queue, "shop.parcels", routing_key="", arguments=arguments)

messages = [{"country": "fr"}, {"country": "fr", "kind": "parcel"}, {"weight": 5}, {"weight": "5"}, {}]
seen = probe("shop.parcels", messages, list(BINDINGS))

# %% [markdown]
# - `x-mach` begins with `x-`, so it is passed over; `x-match` is missing, so it is `all`. The binding that should be
#   content with one header wants both.
# - A number and a text are different values: publisher and binding must agree on the type too.
# - `all` of nothing is always fulfilled: this binding takes every message, as a fanout would.
#
# The remedy is the same for patterns and headers: publish a probe for each kind of message, as this lab does, and
# look where it arrives. Do it in the tests of the program that binds.
#
# **A change of mind.** The type of an exchange is fixed. To declare it again with another one ends the channel:

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for queue in [*BINDINGS, "lyon", "denver", "books", "rest"]:
        channel.queue_delete(queue)
    try:
        channel.exchange_declare("shop.events", exchange_type="fanout", durable=True)
    except pika.exceptions.ChannelClosedByBroker as error:
        print(error.reply_code, error.reply_text)
    channel = connection.channel()
    for exchange in ["shop.parcels", "shop.events"]:
        channel.exchange_delete(exchange)

# %% [markdown]
# To delete it and make it anew would lose what is published in between. How to do without that is your last exercise.

# %% [markdown]
# ## Exercises
#
# ### Exercise 1: patterns
#
# Make a durable topic exchange `shop.track` and four durable queues, bound to it so that (one binding each is enough)
#
# - `track.orders` gets all that happens to orders in the region `eu`, such as `order.eu.placed` and
#   `order.eu.placed.express`;
# - `track.us` gets whatever concerns the region `us`, and the region is always the **second** word. `order.us.placed`
#   belongs there; `order.eu.sent.us` and `us.order.placed` do not;
# - `track.refused` gets what was refused, in keys of exactly three words: `payment.eu.refused`, but neither
#   `payment.refused` nor `payment.eu.test.refused`;
# - `track.payments` gets everything about payments, and also the bare key `payment`.
#
# The judge publishes to a copy of what you built, and names the first key that goes astray.

# %% exercise="patterns"
### BEGIN SOLUTION
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.exchange_declare("shop.track", exchange_type="topic", durable=True)
    for queue, pattern in [
        ("track.orders", "order.eu.#"),
        ("track.us", "*.us.#"),
        ("track.refused", "*.*.refused"),
        ("track.payments", "payment.#"),
    ]:
        channel.queue_declare(queue, durable=True, arguments=CLASSIC)
        channel.queue_bind(queue, exchange="shop.track", routing_key=pattern)
### END SOLUTION

# %%
lab.check("patterns")

# %% [markdown]
# ### Exercise 2: the wrong parcels
#
# The next cell builds what a colleague left behind: a headers exchange and two queues. Run it.

# %%
LEFT = {
    "gifts": {"x-match": "all", "kind": "parcel", "x-gift": "yes"},
    "customs": {"x-match": "any", "country": "ch", "x-customs": "yes"},
}

with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.exchange_delete("shop.wrap")
    channel.exchange_declare("shop.wrap", exchange_type="headers", durable=True)
    for queue, arguments in LEFT.items():
        channel.queue_declare(queue, durable=True, arguments=CLASSIC)
        channel.queue_bind(queue, exchange="shop.wrap", routing_key="", arguments=arguments)

messages = [{"kind": "parcel", "x-gift": "yes"}, {"kind": "parcel"}, {"country": "ch"}, {"x-customs": "yes"}]
seen = probe("shop.wrap", messages, list(LEFT))

# %% [markdown]
# `gifts` should get parcels that are gifts: it gets **every** parcel. `customs` should get what goes to Switzerland
# (`ch`), and besides whatever is marked `x-customs: yes`: of those it gets **none**.
#
# Repair both. The exchange, the queues and the names of the headers stay as they are. To remove a binding you must
# name all of it: here its key, which is empty, and its arguments as well,
# `channel.queue_unbind(queue, exchange, routing_key="", arguments=...)`.

# %% exercise="headers"
### BEGIN SOLUTION
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for queue, match in [("gifts", "all-with-x"), ("customs", "any-with-x")]:
        repaired = {**LEFT[queue], "x-match": match}
        channel.queue_bind(queue, exchange="shop.wrap", routing_key="", arguments=repaired)
        channel.queue_unbind(queue, exchange="shop.wrap", routing_key="", arguments=LEFT[queue])
### END SOLUTION

# %%
lab.check("headers")

# %% [markdown]
# ### Exercise 3: from fanout to topic, while the shop is open
#
# The next cell builds how the shop began: a fanout exchange `shop.bulletin` that sends everything to `mail` and to
# `archive`. Two messages wait in `mail`. Run it, and run it again before each new attempt.

# %%
with pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    for exchange in ["shop.bulletin", "shop.topics"]:
        channel.exchange_delete(exchange)
    channel.exchange_declare("shop.bulletin", exchange_type="fanout", durable=True)
    for queue in ["mail", "archive"]:
        channel.queue_delete(queue)
        channel.queue_declare(queue, durable=True, arguments=CLASSIC)
        channel.queue_bind(queue, exchange="shop.bulletin", routing_key="")
    channel.confirm_delivery()
    channel.basic_publish("shop.bulletin", "order.eu.placed", b"order 1: a teapot")
    channel.basic_publish("shop.bulletin", "order.us.placed", b"order 2: a kettle")
    channel.queue_purge("archive")

lab.topology()

# %% [markdown]
# From now on `mail` wants orders only (`order` and all that begins with `order.`), `archive` everything, as before.
# New programs will publish to a durable topic exchange `shop.topics`. The old ones cannot be changed yet: they go on
# publishing to `shop.bulletin`, day and night, and already set good keys. When you are done,
#
# - a message goes to the same queues whether it is published to `shop.bulletin` or to `shop.topics`,
# - the two orders still wait in `mail`,
# - and there was **no moment** in which an order published to `shop.bulletin` would not have reached `mail`, or
#   anything not `archive`.
#
# Do all of it inside `with lab.record("migrate") as story:`. The judge reads the order of your steps from that
# recording.

# %% exercise="migrate"
### BEGIN SOLUTION
with lab.record("migrate") as story, pika.BlockingConnection(parameters) as connection:
    channel = connection.channel()
    channel.exchange_declare("shop.topics", exchange_type="topic", durable=True)
    channel.queue_bind("mail", exchange="shop.topics", routing_key="order.#")
    channel.queue_bind("archive", exchange="shop.topics", routing_key="#")
    channel.exchange_bind("shop.topics", source="shop.bulletin", routing_key="")
    channel.queue_unbind("mail", exchange="shop.bulletin", routing_key="")
    channel.queue_unbind("archive", exchange="shop.bulletin", routing_key="")
### END SOLUTION

# %%
lab.check("migrate")

# %%
lab.progress()

# %% [markdown]
# ## In production
#
# - Take a **topic** exchange when in doubt: it can do what direct and fanout do, and a reader with a new wish needs a
#   binding, not a new exchange.
# - Decide on the words of the keys and their order before the first message: what most readers filter by stands
#   first, and each place always means the same.
# - **Headers** where the question has no order or no words, and the bindings are few: the cost grows with each of
#   them. Do not name headers of your own `x-…`.
# - An **alternate exchange** with a queue behind it and an alarm on that queue, for whatever must not be lost. No
#   reader with `#` on the same exchange.
# - Never delete an exchange that somebody publishes to. Make the new one, bind it behind the old one, move the
#   readers, then the publishers.
#
# | | 3.10 | 4.0 | 4.3 |
# | --- | --- | --- | --- |
# | Fanout, topic and headers, all four `x-match` | as here | as here | as here |
# | Exchange-to-exchange bindings, alternate exchange | as here | as here | as here |
# | How a direct exchange finds its queues | a query by exchange and key, built anew for each message | an index of keys, [since 3.11](https://github.com/rabbitmq/rabbitmq-server/pull/4606) | the same |
# | How a fanout exchange finds its queues | a query by exchange, built anew for each message | as 3.10 | an index, [since 4.2](https://github.com/rabbitmq/rabbitmq-server/pull/14546) |
# | Empty binding key on a topic exchange | fits the empty key | fits the empty key | the same; 4.3.0 mixed up exchanges, [mended in 4.3.1](https://github.com/rabbitmq/rabbitmq-server/releases/tag/v4.3.1) |

# %% [markdown]
# ## Recap
#
# - **Fanout** ignores all keys. **Topic** compares words: `*` is exactly one, `#` any number, also none; inside a
#   word they mean nothing.
# - **Headers** compares names and values. `all` and `any` pass over names with `x-`; `all-with-x` and `any-with-x` do
#   not.
# - Exchanges can be bound to exchanges. A queue gets each message **once**, however many ways lead there.
# - An **alternate exchange** gets what fits no binding at all.
# - Direct and topic stay fast with many bindings; headers is compared with every one.
#
# Next: [lab 06](06_what_exchanges_and_queues_remember.ipynb) on how long the broker keeps all this. The official
# pages: [exchanges](https://www.rabbitmq.com/docs/exchanges), [topics in the
# tutorial](https://www.rabbitmq.com/tutorials/tutorial-five-python), [headers
# exchanges](https://www.rabbitmq.com/tutorials/amqp-concepts#exchange-headers), [exchange-to-exchange
# bindings](https://www.rabbitmq.com/docs/e2e), [alternate exchanges](https://www.rabbitmq.com/docs/ae).
