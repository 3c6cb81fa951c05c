# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   lab:
#     title: Idempotent consumers
#     promise: Make duplicates happen for real, and write a consumer for which twice is the same as once.
#     part: Reliability
#     minutes: 30
#     objectives:
#     - say where duplicates come from, and why no broker can prevent them all
#     - recognise a duplicate by a primary key, in the transaction that does the work
#     - use Redis in front of the database without losing or repeating work
#     - prefer an update that may be repeated
#     prerequisites: [08_publisher_confirms, 10_acknowledgements_and_requeue]
#     cluster: []
# ---

# %% [markdown]
# ## Set up

# %%
import contextlib
import hashlib
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pika
import redis
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, event, func, select
from sqlalchemy.exc import IntegrityError

from lab_helpers import Lab

lab = Lab("17_idempotent_consumers")
parameters = pika.URLParameters(lab.url)
CLASSIC = {"x-queue-type": "classic"}

# %%
NAME = String(40)
db = create_engine(lab.database())
metadata = MetaData()
charges = Table(
    "charges",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("book", NAME),
    Column("order_id", NAME),
    Column("euros", Integer),
)
handled = Table(
    "handled",
    metadata,
    Column("book", NAME, primary_key=True),
    Column("message_id", NAME, primary_key=True),
    Column("fingerprint", String(64), nullable=False),
)
shipments = Table(
    "shipments", metadata, Column("order_id", NAME, primary_key=True), Column("status", NAME, nullable=False)
)
stock = Table("stock", metadata, Column("product", NAME, primary_key=True), Column("pieces", Integer, nullable=False))
metadata.drop_all(db)
metadata.create_all(db)

# %% [markdown]
# ## The situation
#
# The shop's payment service takes orders from the queue `payments` and charges the customer for each. Everything in
# it is as the last labs taught: the publisher waits for confirms and sends again what was not confirmed, the service
# acknowledges only after the work. No order is lost any more. But this morning three customers wrote that they were
# charged **twice**.
#
# The two remedies against loss have a price: who is not sure, does it again. RabbitMQ promises **at least once**,
# never exactly once.
#
# The question: how do you write a consumer for which twice is the same as once?
#
# Each charge is a row of the table `charges`. Its column `book` only keeps the experiments of this lab apart. The
# tables `handled`, `shipments` and `stock` come later.

# %% [markdown]
# ## Experiment 1: twice, and nobody did anything wrong
#
# A line can break at any moment. The next cell has one that breaks at the worst: it passes everything on until the
# first `basic.ack` comes along, in whichever direction. That one is lost, and the line with it. You need not
# understand how it does so.

# %%
BASIC_ACK = bytes([0, 60, 0, 80])  # on the wire: class 60, method 80


def bad_line():
    """Open a line to the broker that dies as the first `basic.ack` passes, in either direction; return its URL."""
    door = socket.create_server(("127.0.0.1", 0))

    def carry(source, target):
        with contextlib.suppress(OSError):
            while (data := source.recv(65536)) and BASIC_ACK not in data:
                target.sendall(data)
        for end in [source, target]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def lead():
        with door:
            client, _ = door.accept()
        broker = socket.create_connection((parameters.host, parameters.port))
        threading.Thread(target=carry, args=(client, broker), daemon=True).start()
        threading.Thread(target=carry, args=(broker, client), daemon=True).start()

    threading.Thread(target=lead, daemon=True).start()
    return lab.url.replace(f":{parameters.port}/", f":{door.getsockname()[1]}/")


# %% [markdown]
# The publisher sends three orders, each with its name as `message_id`. For `order-3` it has the bad line: the
# broker's confirm is lost. So it does what a careful publisher does, and sends once more what was not confirmed.
#
# > **Predict:** How many messages are in the queue `payments` then?
# >
# > - `3`
# > - `4`

# %%
### BEGIN SOLUTION
### STUB lab.predict("messages in payments", ...)
lab.predict("messages in payments", "4")
### END SOLUTION


# %%
def begin(book, queue="payments"):
    """Begin a book anew, with an empty queue; what is rejected there goes to another, `payments.parked`."""
    with db.begin() as transaction:
        for table in [charges, handled]:
            transaction.execute(table.delete().where(table.c.book == book))
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        to_parked = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": f"{queue}.parked"}
        for name, arguments in [(queue, {**CLASSIC, **to_parked}), (f"{queue}.parked", CLASSIC)]:
            channel.queue_declare(name, durable=True, arguments=arguments)
            channel.queue_purge(name)


def send(url, *orders, queue="payments", body=b"30"):
    """Publish each order, its name as message id, and return when the broker has confirmed it."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for order in orders:
            channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2, message_id=order))


# %%
begin("naive")
with lab.record() as sending:
    send(lab.url, "order-1", "order-2")
    try:
        send(bad_line(), "order-3")
    except pika.exceptions.AMQPError:
        print("order-3: the line broke, and no confirm came. Once more!")
        send(lab.url, "order-3")

lab.happened("messages in payments", lab.depth("payments"))

# %%
sending.sequence()

# %% [markdown]
# The chart is drawn on the broker's side of the line: it confirmed `order-3` to client 2, and again to client 3. The
# first confirm never arrived. Had the publisher not sent again, and had the break come a moment **earlier**, the
# order would be lost. It cannot tell the two cases apart, and neither can you: between a deed and the word of it
# there is always a moment in which a line can break or a program can die.
#
# Now the service, a process of its own: it charges, then acknowledges. It is started three times:
#
# 1. over the bad line, on which its acknowledgement of `order-1` is lost;
# 2. over a good one, and it kills itself by signal 9 when it has charged `order-2`, before it acknowledges;
# 3. to the end.
#
# > **Predict:** All three orders are delivered twice. Which second deliveries carry the flag **redelivered**?
# >
# > - `all three`
# > - `order-1 and order-2`
# > - `none`

# %%
### BEGIN SOLUTION
### STUB lab.predict("marked as redelivered", ...)
lab.predict("marked as redelivered", "order-1 and order-2")
### END SOLUTION

# %%
SERVICE = """
import os, signal, sys, pika, sqlalchemy

url, database, crash_at = sys.argv[1:]
CHARGE = "INSERT INTO charges (book, order_id, euros) VALUES ('naive', :order, :euros)"
db = sqlalchemy.create_engine(database)
channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
while True:
    try:
        method, properties, body = channel.basic_get("payments")
    except pika.exceptions.AMQPError:
        sys.exit("the connection broke")
    if method is None:
        break
    print(properties.message_id, method.redelivered, flush=True)
    with db.begin() as transaction:
        transaction.execute(sqlalchemy.text(CHARGE), {"order": properties.message_id, "euros": int(body)})
    if properties.message_id == crash_at:
        os.kill(os.getpid(), signal.SIGKILL)
    channel.basic_ack(method.delivery_tag)
"""


def run(url, crash_at=""):
    """Run the service to its end, or to its death, and return the lines that it printed."""
    command = [sys.executable, "-c", SERVICE, url, lab.database(), crash_at]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, -9) or "the connection broke" in done.stderr, done.stderr
    return done.stdout.splitlines()


# %%
def charged(book):
    """How often each order was charged."""
    count = select(charges.c.order_id, func.count()).where(charges.c.book == book).group_by(charges.c.order_id)
    with db.connect() as connection:
        return dict(sorted(tuple(row) for row in connection.execute(count)))


if lab.depth("payments") != 4:  # this cell is run again: the queue as the cells above left it
    begin("naive")
    send(lab.url, "order-1", "order-2", "order-3", "order-3")

with lab.record() as serving:
    deliveries = run(bad_line())
    lab.wait_until(lambda: lab.depth("payments") == 4)
    deliveries += run(lab.url, crash_at="order-2")
    lab.wait_until(lambda: lab.depth("payments") == 3)
    deliveries += run(lab.url)

print("delivered  redelivered", *deliveries, sep="\n")
print("\ncharged:", charged("naive"))

# %%
assert charged("naive") == {"order-1": 2, "order-2": 2, "order-3": 2}
second = dict(line.split() for line in deliveries)  # of two lines on the same order, the later one
lab.happened("marked as redelivered", " and ".join(order for order, flag in second.items() if flag == "True"))

# %%
account = lab.ledger(sending, serving)
assert account.lost == []
assert account.duplicated == ["order-1", "order-2", "order-3"]
account

# %% [markdown]
# The ledger agrees: nothing lost, three orders duplicated. Three causes, and in each of them everybody did the right
# thing: a lost confirm, a lost acknowledgement, a crash.
#
# And look at `redelivered`. The second copy of `order-3` is a message of its own, so it says `False`. The second
# `order-2` says `True`, as would one that nobody had begun to work on. The flag is a hint, and no proof of anything.
#
# What a consumer can rely on is what the **publisher** put into the message: the `message_id`. It is the same in each
# copy.

# %% [markdown]
# ## Experiment 2: the note and the work
#
# The service will note the id of each message that it has handled, in the table `handled`. Its **primary key** is the
# id: the database refuses a second row with the same one. Beside it stands a **fingerprint**, a hash of the body,
# which you will need at the end.
#
# From here on the service is written in the notebook, so that you can read it in one piece. A crash is an exception
# here: it takes the connection with it before the acknowledgement, which is all that the broker sees of a real one.
# `charge` calls the bank, and a crash can be planned in there, once for an order.


# %%
class Crash(BaseException):
    """The service dies here. No `except Exception` sees that; only `serve` does, which starts it again."""


class Known(Exception):
    """This message was noted before."""


crashes = set()


def charge(transaction, book, order, body):
    """The work. It does not know whether it was done before."""
    if (book, order) in crashes:
        crashes.remove((book, order))
        raise Crash
    time.sleep(0.1)  # the bank's answer
    transaction.execute(charges.insert().values(book=book, order_id=order, euros=int(body)))


def fingerprint(body):
    return hashlib.sha256(body).hexdigest()


def note(transaction, book, order, body):
    """Note a message as handled; raise Known if its id is noted already."""
    try:
        transaction.execute(handled.insert().values(book=book, message_id=order, fingerprint=fingerprint(body)))
    except IntegrityError:
        raise Known from None


# %%
class Park(Exception):
    """This message is not to be handled, and not to be thrown away either."""


def serve(queue, handle):
    """Handle and acknowledge what is in the queue, until nothing comes for half a second; after a crash, go on."""
    while True:
        try:
            with pika.BlockingConnection(parameters) as connection:
                channel = connection.channel()
                channel.basic_qos(prefetch_count=1)
                for method, properties, body in channel.consume(queue, inactivity_timeout=0.5):
                    if method is None:
                        return
                    try:
                        handle(properties.message_id, body)
                    except Park as reason:
                        print("parked:", reason)
                        channel.basic_reject(method.delivery_tag, requeue=False)
                    else:
                        channel.basic_ack(method.delivery_tag)
        except Crash:
            continue


# %% [markdown]
# There are three ways to put the note and the work together:


# %%
def note_first(order, body):
    with db.begin() as transaction:
        note(transaction, "note first", order, body)
    with db.begin() as transaction:
        charge(transaction, "note first", order, body)


def work_first(order, body):
    with db.begin() as transaction:
        charge(transaction, "work first", order, body)
    if order == "order-2" and charged("work first")[order] == 1:
        raise Crash
    with db.begin() as transaction:
        note(transaction, "work first", order, body)


def together(order, body):
    with db.begin() as transaction:
        note(transaction, "together", order, body)
        charge(transaction, "together", order, body)


def unless_known(handle):
    """What is known needs no work, only its acknowledgement."""

    def careful(order, body):
        try:
            handle(order, body)
        except Known:
            print("known:", order)

    return careful


# %% [markdown]
# In each way the service crashes **between** the two, at `order-2`. Each message is in the queue once.
#
# > **Predict:** How often is `order-2` charged in the first way, note first?
# >
# > - `0 times`
# > - `1 time`
# > - `2 times`

# %%
### BEGIN SOLUTION
### STUB lab.predict("note first", ...)
lab.predict("note first", "0 times")
### END SOLUTION

# %%
ORDERS = ["order-1", "order-2", "order-3"]
crashes |= {("note first", "order-2"), ("together", "order-2")}
for book, way in [("note first", note_first), ("work first", work_first), ("together", together)]:
    begin(book)
    send(lab.url, *ORDERS)
    serve("payments", unless_known(way))
    print(f"{book:10}  charged: {charged(book)}\n")

# %%
assert "order-2" not in charged("note first")  # lost
assert charged("work first")["order-2"] == 2  # repeated
assert charged("together") == {"order-1": 1, "order-2": 1, "order-3": 1}
lab.happened("note first", f"{charged('note first').get('order-2', 0)} times")

# %% [markdown]
# Note first **loses** the charge: when the message comes again, its note is there and the work is not. Work first
# **repeats** it. Only when both are in **one transaction** is there no moment between them: the crash rolls both
# back, and the second delivery starts from nothing.
#
# So the note must be where the work is. If the work is a row in PostgreSQL, so is the note. And if the work is a call
# to somebody else, a real bank, then the message's id goes along with the call, and the bank does the same as you do
# here. Banks call it an idempotency key.

# %% [markdown]
# ## Experiment 3: two at the same time
#
# "I do not need the table. I look whether the order is charged, and only if not I charge it." Two copies of one
# message are in the queue, and two workers take one each before either of them begins.


# %%
def look_first(order, body):
    """Look into the table of charges, then charge."""
    if order in charged("look first"):
        return
    with db.begin() as transaction:
        charge(transaction, "look first", order, body)


def both(order, body):
    """Note and charge in one transaction, in a book of its own."""
    with db.begin() as transaction:
        note(transaction, "both", order, body)
        charge(transaction, "both", order, body)


def side_by_side(queue, handle):
    """Two workers on one queue; each has taken its first message before either handles it."""
    barrier = threading.Barrier(2, timeout=20)

    def work(_):
        waits = [barrier.wait]

        def handle_after_both_have_one(order, body):
            while waits:
                waits.pop()()
            handle(order, body)

        serve(queue, handle_after_both_have_one)

    with ThreadPoolExecutor(2) as workers:
        list(workers.map(work, range(2)))  # also raises what a worker raised


# %% [markdown]
# > **Predict:** How often is `order-4` charged if the workers look first?
# >
# > - `1 time`
# > - `2 times`

# %%
### BEGIN SOLUTION
### STUB lab.predict("look first", ...)
lab.predict("look first", "2 times")
### END SOLUTION

# %%
for book, way in [("look first", look_first), ("both", unless_known(both))]:
    begin(book)
    send(lab.url, "order-4", "order-4")
    side_by_side("payments", way)
    print(f"{book:10}  charged: {charged(book)}")

# %%
assert charged("look first") == {"order-4": 2}
assert charged("both") == {"order-4": 1}
lab.happened("look first", f"{charged('look first')['order-4']} times")

# %% [markdown]
# Both looked before either had charged. A look followed by a deed is two steps, and another one fits in between. The
# primary key makes it one step: the second `INSERT` waits until the first transaction has ended, and is then refused.

# %% [markdown]
# ## Experiment 4: Redis, and its trap
#
# Where thousands of messages come in a second, a look into Redis is cheaper than a transaction. `SET key value NX`
# sets a key only if it is **n**ot there yet, and says whether it did: look and deed in one step, safe against two
# workers. `EX` lets the key expire, for the memory is not endless.

# %%
cache = redis.Redis.from_url(lab.redis(), decode_responses=True) if lab.needs("redis") else None


def key(book, order):
    """The name of an order's key, apart from other labs'."""
    return f"{lab.vhost}:{book}:{order}"


def forget(book):
    """Delete the keys of a book."""
    for name in cache.scan_iter(key(book, "*")):
        cache.delete(name)


def set_first(order, body):
    if not cache.set(key("set first", order), "handled", nx=True, ex=3600):
        return
    with db.begin() as transaction:
        charge(transaction, "set first", order, body)


def set_last(order, body):
    if cache.exists(key("set last", order)):
        return
    with db.begin() as transaction:
        charge(transaction, "set last", order, body)
    if order == "order-2" and charged("set last")[order] == 1:
        raise Crash
    cache.set(key("set last", order), "handled", ex=3600)


# %% [markdown]
# Again the service crashes between the two steps, at `order-2`.
#
# > **Predict:** What becomes of `order-2` if the key is set first?
# >
# > - `charged once`: Redis keeps its word
# > - `charged twice`
# > - `never charged`

# %%
### BEGIN SOLUTION
### STUB lab.predict("set first", ...)
lab.predict("set first", "never charged")
### END SOLUTION

# %%
if cache:
    crashes.add(("set first", "order-2"))
    for book, way in [("set first", set_first), ("set last", set_last)]:
        forget(book)
        begin(book)
        send(lab.url, *ORDERS)
        serve("payments", way)
        print(f"{book:10}  charged: {charged(book)}")
    print("\nset first, what Redis says of order-2:", cache.get(key("set first", "order-2")))

# %%
if cache:
    assert "order-2" not in charged("set first")  # lost, and Redis says that it is handled
    assert charged("set last")["order-2"] == 2  # repeated
    assert cache.get(key("set first", "order-2")) == "handled"
    lab.happened("set first", "never charged" if "order-2" not in charged("set first") else "charged")

# %% [markdown]
# It is experiment 2 once more. Redis and the database have no transaction in common, so between the two there is a
# moment, and after a crash in it they **disagree**: Redis calls `order-2` handled, and the database has no charge.
#
# And a key that expires forgets. So does a Redis that is restarted without its data, as this one would be.

# %%
if cache:
    cache.set(key("short", "order-2"), "handled", px=100)
    lab.wait_until(lambda: not cache.exists(key("short", "order-2")))
    print("a new key may be set:", cache.set(key("short", "order-2"), "handled", nx=True, px=100))

# %% [markdown]
# A message that waited longer in a queue than the key lives is new again.
#
# The remedy is to let each do what it can. The primary key **decides**. Redis only **saves work**: its key is set
# after the transaction has been committed, so that it never says "handled" of something that is not.


# %%
def cached(order, body):
    if cache.exists(key("cached", order)):
        print("Redis knows:", order)
        return
    try:
        with db.begin() as transaction:
            note(transaction, "cached", order, body)
            charge(transaction, "cached", order, body)
    except Known:
        print("the database knows:", order)
    if (after_commit := ("after commit", order)) in crashes:
        crashes.remove(after_commit)
        raise Crash
    cache.set(key("cached", order), "handled", ex=3600)


if cache:
    forget("cached")
    crashes |= {("cached", "order-1"), ("after commit", "order-2")}
    begin("cached")
    send(lab.url, *ORDERS, "order-3")
    serve("payments", cached)
    print("charged:", charged("cached"))

# %%
assert not cache or charged("cached") == {"order-1": 1, "order-2": 1, "order-3": 1}

# %% [markdown]
# `order-1` crashed in the middle of the transaction, `order-2` after it. Each is charged once. For most duplicates
# Redis has the answer, as for the second `order-3`; for those that fall into the gap, the database has it.

# %% [markdown]
# ## Experiment 5: work that may be repeated
#
# The best note is none. Some work is **idempotent** by nature: done twice, it leaves the same as done once. Here an
# order is placed, and ten lamps are in stock. The cell runs two updates, each three times.
#
# > **Predict:** Which of them leaves something else than a single run would?
# >
# > - `status = 'paid'`
# > - `pieces = pieces - 1`
# > - `both`

# %%
### BEGIN SOLUTION
### STUB lab.predict("not idempotent", ...)
lab.predict("not idempotent", "pieces = pieces - 1")
### END SOLUTION

# %%
with db.begin() as transaction:
    for table in [shipments, stock]:
        transaction.execute(table.delete())
    transaction.execute(shipments.insert().values(order_id="order-1", status="placed"))
    transaction.execute(stock.insert().values(product="lamp", pieces=10))
    pay = shipments.update().where(shipments.c.order_id == "order-1").values(status="paid")
    take = stock.update().where(stock.c.product == "lamp").values(pieces=stock.c.pieces - 1)
    states = []
    for _ in range(3):
        transaction.execute(pay)
        transaction.execute(take)
        states.append((transaction.scalar(select(shipments.c.status)), transaction.scalar(select(stock.c.pieces))))

for times, (status, pieces) in enumerate(states, start=1):
    print(f"after {times}:  status {status}  pieces {pieces}")
statuses, numbers = zip(*states, strict=True)
seen = {"status = 'paid'": set(statuses), "pieces = pieces - 1": set(numbers)}
lab.happened("not idempotent", " and ".join(update for update, values in seen.items() if len(values) > 1))

# %% [markdown]
# To **set** a value may be repeated, to **change** it by something may not. Often one of the first kind can guard one
# of the second. An update with a condition says how many rows it met, and it meets the row only once:

# %%
ship = shipments.update().where(shipments.c.order_id == "order-1", shipments.c.status == "paid").values(status="sent")
with db.begin() as transaction:
    print("rows that it met:", *[transaction.execute(ship).rowcount for _ in range(3)])

# %% [markdown]
# ## What can go wrong: the id is not what you think
#
# Somebody publishes without a `message_id`. AMQP allows it: no property is required.

# %%
begin("together")
send(lab.url, None)
try:
    serve("payments", together)
except Known:
    lab.wait_until(lambda: lab.depth("payments") == 1)
    print("The database refuses the note, and our code takes that for: known")

# %% [markdown]
# It refuses because a primary key cannot be empty. `unless_known` would acknowledge the message: an order without an
# id looks like one that was handled, and is lost. And a publisher that gives the same id to two different orders does
# the same damage. That is what the fingerprint is for: the **same id** with **another content** is no duplicate but
# an error. A program cannot mend it, so the message is **parked** for a person: `serve` rejects it when `handle`
# raises `Park`, and the queue's dead-letter exchange takes it to `payments.parked`.


# %%
def noted(book, order):
    """The fingerprint under which an order was noted."""
    row = select(handled.c.fingerprint).where(handled.c.book == book, handled.c.message_id == order)
    with db.connect() as connection:
        return connection.scalar(row)


def checked(order, body):
    """Handle an order once; park what is no duplicate and has no id of its own."""
    if not order:
        raise Park("no message id")
    try:
        with db.begin() as transaction:
            note(transaction, "checked", order, body)
            charge(transaction, "checked", order, body)
    except Known:
        if noted("checked", order) != fingerprint(body):
            raise Park(f"{order}, with another content than before") from None


begin("checked")
send(lab.url, "order-1", "order-1")
send(lab.url, "order-1", body=b"75")
send(lab.url, None)
serve("payments", checked)
lab.wait_until(lambda: lab.depth("payments.parked") == 2)
print("charged:", charged("checked"), "| in payments.parked:", lab.depth("payments.parked"))

# %%
assert charged("checked") == {"order-1": 1}
with pika.BlockingConnection(parameters) as connection:
    for queue in ["payments", "payments.parked"]:
        connection.channel().queue_delete(queue)

# %% [markdown]
# ## Exercises
#
# In each exercise you write one function. The last line of the cell runs it on real messages, most of them more than
# once.
#
# ### Exercise 1: a piece less
#
# Parcels leave the warehouse. A colleague wrote:
#
# ```python
# def dispatch(transaction, order):
#     transaction.execute(stock.update().values(pieces=stock.c.pieces - 1))
#     transaction.execute(shipments.update().where(shipments.c.order_id == order).values(status="sent"))
# ```
#
# The next cell makes the warehouse: five parcels stand in the table `shipments` with the status `packed`, and the one
# row of `stock` says 100 pieces. Each parcel's message comes three times, and for each message `dispatch` is called
# in a transaction. At the first message of `parcel-3` the program crashes before the commit.


# %%
def warehouse(dispatch):
    """Five packed parcels and 100 pieces; each parcel's message three times through `dispatch`."""
    parcels = [f"parcel-{number}" for number in range(1, 6)]
    with db.begin() as transaction:
        for table in [shipments, stock]:
            transaction.execute(table.delete())
        transaction.execute(shipments.insert(), [{"order_id": parcel, "status": "packed"} for parcel in parcels])
        transaction.execute(stock.insert().values(product="lamp", pieces=100))

    broken = {"parcel-3"}

    def handle(order, body):
        with db.begin() as transaction:
            dispatch(transaction, order)
            if order in broken:
                broken.remove(order)
                raise Crash

    begin("parcels", queue="parcels")
    send(lab.url, *parcels * 3, queue="parcels")
    serve("parcels", handle)


# %% [markdown]
# Write `dispatch(transaction, order)` so that the five parcels are `sent` and **five** pieces are gone. Do it without
# a table of handled messages.


# %% exercise="stock"
### BEGIN SOLUTION
### STUB def dispatch(transaction, order):
### STUB     ...  # Your code here
def dispatch(transaction, order):
    sent = shipments.update().where(shipments.c.order_id == order, shipments.c.status == "packed").values(status="sent")
    if transaction.execute(sent).rowcount:
        transaction.execute(stock.update().values(pieces=stock.c.pieces - 1))


### END SOLUTION

warehouse(dispatch)

# %%
lab.check("stock")

# %% [markdown]
# ### Exercise 2: exactly one charge
#
# The next cell has the day of the payment service. Ten orders come, to two workers at once: each order three times,
# but `order-7` only once. At `order-5` the service crashes before its acknowledgement, at `order-7` in the middle of
# `charge`, at `order-9` as it commits, so that nothing of the transaction stays. The last message of the day has the
# known id `order-3`, but another content, `75`.


# %%
at_work = threading.local()  # for each worker: the book and the order that it is at


def crash_at_the_commit(_):
    if (planned := (*getattr(at_work, "on", ()), "at the commit")) in crashes:
        crashes.remove(planned)
        raise Crash


def note_what_redis_knew(_):
    """A crash takes back the transaction. A key that is in Redis at this moment stands for nothing."""
    if cache and isinstance(sys.exception(), Crash):
        book, order = getattr(at_work, "on", ("", ""))
        if cache.exists(key(book, order)):
            cache.set(key(f"{book}, too early", order), "", ex=3600)


def service(handle, book, last=None):
    """Run `handle` on a day's messages, in two workers, with three crashes."""

    def crashing(order, body):
        at_work.on = (book, order)
        handle(order, body)
        if (book, order, "before the ack") in crashes:
            crashes.remove((book, order, "before the ack"))
            raise Crash

    for name, listener in [("commit", crash_at_the_commit), ("rollback", note_what_redis_knew)]:
        if not event.contains(db, name, listener):
            event.listen(db, name, listener)
    begin(book)
    crashes.clear()
    crashes.update({(book, "order-5", "before the ack"), (book, "order-7"), (book, "order-9", "at the commit")})
    send(lab.url, *[f"order-{number}" for number in range(1, 11) for _ in range(1 if number == 7 else 3)])
    if last:
        send(lab.url, "order-3", body=last)
    side_by_side("payments", crashing)


# %% [markdown]
# Write `handle(order, body)`. It charges by `charge(transaction, "once", order, body)`; the book is `once`, also for
# the note. In the end each order must be charged exactly once, and the last message must be parked: for that, raise
# `Park`. What `handle` returns from is acknowledged. Do not catch `Crash`: a real crash runs no `except` and no
# `finally`.


# %% exercise="once"
### BEGIN SOLUTION
### STUB def handle(order, body):
### STUB     ...  # Your code here
def handle(order, body):
    try:
        with db.begin() as transaction:
            note(transaction, "once", order, body)
            charge(transaction, "once", order, body)
    except Known:
        if noted("once", order) != fingerprint(body):
            raise Park(f"{order}, with another content than before") from None


### END SOLUTION

service(handle, "once", last=b"75")

# %%
lab.check("once")

# %% [markdown]
# ### Exercise 3: Redis, repaired
#
# Another book of the shop, `cache`, is written in this way today:
#
# ```python
# def handle(order, body):
#     if not cache.set(key("cache", order), "handled", nx=True, ex=3600):
#         return
#     with db.begin() as transaction:
#         charge(transaction, "cache", order, body)
# ```
#
# Write a `handle` for the book `cache` that charges each order exactly once, under the same crashes and with the same
# two workers, **and** that has a key in Redis for each order in the end, so that later duplicates cost the database
# nothing. No message has another content this time. And again, a crash runs no `except` and no `finally`.


# %% exercise="cache"
### BEGIN SOLUTION
### STUB def handle(order, body):
### STUB     ...  # Your code here
def handle(order, body):
    if cache.exists(key("cache", order)):
        return
    try:
        with db.begin() as transaction:
            note(transaction, "cache", order, body)
            charge(transaction, "cache", order, body)
    except Known:
        pass
    cache.set(key("cache", order), "handled", ex=3600)


### END SOLUTION

if cache:
    forget("cache")
    forget("cache, too early")
    service(handle, "cache")

# %%
lab.check("cache")

# %%
lab.progress()

# %% [markdown]
# ## In production
#
# - Every publisher gives every message an id of its own, made where the order is made and never again: a UUID, or the
#   order's number with the step it is in. A consumer that meets a message without one parks it.
# - One table of handled messages in the database that the work is in, in the same transaction. Its cost is one insert
#   for a message, and disk: delete rows that are older than any message can be.
# - Redis in front of it only where the numbers ask for it, written after the commit.
# - Prefer work that may be repeated: set instead of add, `UPDATE … WHERE status = …`, insert with a key from the
#   message. For work elsewhere, hand the id on as an idempotency key.
# - To run this lab on PostgreSQL, set `LABS_DATABASE_URL` (`postgresql+psycopg://user:password@host/database`) before
#   you start JupyterLab.
#
# | | 3.10 | 4.0 | 4.3 |
# | --- | --- | --- | --- |
# | Delivery | at least once | the same | the same |
# | `redelivered` after a lost connection | true | true | true |
# | Deduplication by the broker | streams, for a named publisher | the same | the same |

# %% [markdown]
# ## Recap
#
# - Duplicates come from lost confirms, lost acknowledgements and crashes, and nobody did wrong. **At least once** is
#   what you get.
# - The `redelivered` flag proves nothing. The publisher's **message id** does, together with a **fingerprint**.
# - The note and the work belong into **one transaction**; a **primary key** settles the race of two workers.
# - A cache in front of it may know less than the database, and never more.
# - The best consumer does work that may be **repeated**.
#
# Next: [lab 18](18_building_a_cluster.ipynb), in which the shop's broker becomes three. The official pages:
# [reliability](https://www.rabbitmq.com/docs/reliability),
# [confirms and acknowledgements](https://www.rabbitmq.com/docs/confirms),
# [message properties](https://www.rabbitmq.com/docs/publishers#message-properties),
# [deduplication in streams](https://www.rabbitmq.com/docs/streams),
# [SET in Redis](https://redis.io/docs/latest/commands/set/).
