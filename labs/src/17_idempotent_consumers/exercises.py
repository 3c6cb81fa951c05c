"""The exercises of lab 17: a guarded update, exactly one charge, and Redis in front of the database."""

from collections.abc import Sequence
from typing import Any

import redis
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from lab_helpers.cluster.redis_server import redis_url
from lab_helpers.exercises import Bench, Difference, Exercise, Expectation, WrongAnswer, queue
from lab_helpers.settings import load_settings

TEN = [f"order-{number}" for number in range(1, 11)]


def rows(bench: Bench, query: str) -> Sequence[tuple[Any, ...]]:
    """What the lab's database answers; nothing where the lab has made no tables yet."""
    database = create_engine(load_settings().store(bench.vhost))
    try:
        with database.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]
    except DBAPIError:
        return []
    finally:
        database.dispose()


def charged(bench: Bench, book: str) -> dict[str, int]:
    """How often each order was charged."""
    query = f"SELECT order_id, COUNT(*) FROM charges WHERE book = '{book}' GROUP BY order_id"  # noqa: S608
    return dict(rows(bench, query))


def begun(book: str) -> Expectation:
    """Something was charged in this book."""

    def check(bench: Bench) -> Difference | None:
        return None if charged(bench, book) else Difference("`handle` has charged no order yet.")

    return check


def charged_once(book: str) -> Expectation:
    """Each of the ten orders was charged once."""

    def check(bench: Bench) -> Difference | None:
        found = charged(bench, book)
        never = [order for order in TEN if order not in found]
        often = [f"`{order}` {found[order]} times" for order in TEN if found.get(order, 0) not in (0, 1)]
        if often:
            return Difference(
                f"Charged more than once: {', '.join(often)}.",
                "each order once",
                f"{len(often)} orders more than once",
                "What can another worker do between your look and your deed, and what is left after a crash?",
            )
        if never:
            return Difference(
                f"Never charged: {', '.join(f'`{order}`' for order in never)}.",
                "each order once",
                f"{len(never)} orders never",
                "What does your function believe of an order whose charge has crashed?",
            )
        return None

    return check


def with_redis(bench: Bench) -> Difference | None:
    """Redis is here: where it is not, that is what is said."""
    redis_url(bench.cluster.engine)
    return None


def known_to_redis(bench: Bench) -> Difference | None:
    """Redis has a key for each of the ten orders."""
    with redis.Redis.from_url(redis_url(bench.cluster.engine)) as cache:
        missing = [order for order in TEN if not cache.exists(f"{bench.vhost}:cache:{order}")]
    if not missing:
        return None
    return Difference(
        f"Redis has no key of {len(missing)} handled orders, for example of `{missing[0]}`.",
        '`key("cache", order)` for each order',
        f"{len(TEN) - len(missing)} of {len(TEN)} keys",
    )


def never_too_early(bench: Bench) -> Difference | None:
    """At no crash did Redis know an order of which nothing was committed."""
    with redis.Redis.from_url(redis_url(bench.cluster.engine)) as cache:
        early = [order for order in TEN if cache.exists(f"{bench.vhost}:cache, too early:{order}")]
    if not early:
        return None
    return Difference(
        f"When the service crashed, Redis had the key of `{early[0]}` already, and the database had no charge.",
        "a key only of what is committed",
        f"a key of `{early[0]}`",
        "A killed program takes no key back: no `except` and no `finally` runs.",
    )


def sent(bench: Bench) -> int:
    """How many parcels have left."""
    return len(rows(bench, "SELECT order_id FROM shipments WHERE status = 'sent'"))


def dispatched(bench: Bench) -> Difference | None:
    """Something has left the warehouse, or the stock has changed."""
    if sent(bench) or rows(bench, "SELECT pieces FROM stock WHERE pieces <> 100"):
        return None
    return Difference("`dispatch` has sent no parcel yet.")


def five_pieces(bench: Bench) -> Difference | None:
    """Five parcels are sent, and five pieces are gone."""
    found = sent(bench)
    if found != 5:
        return Difference(f"{found} of 5 parcels have the status `sent`.", "5 sent", f"{found} sent")
    left = rows(bench, "SELECT pieces FROM stock")
    pieces = left[0][0] if left else None
    if pieces == 95:
        return None
    return Difference(f"The stock says {pieces} pieces; 95 of 100 are left.", "95 pieces", f"{pieces} pieces")


def function(header: str, *lines: str) -> str:
    """A function with these lines."""
    return "\n".join([header, *(f"    {line}" for line in lines)]) + "\n\n\n"


def dispatch(*lines: str) -> str:
    """The cell of exercise 1 with these lines in `dispatch`."""
    return function("def dispatch(transaction, order):", *lines) + "warehouse(dispatch)\n"


def once(*lines: str) -> str:
    """The cell of exercise 2 with these lines in `handle`."""
    return function("def handle(order, body):", *lines) + 'service(handle, "once", last=b"75")\n'


def cache(*lines: str) -> str:
    """The cell of exercise 3 with these lines in `handle`."""
    return (
        function("def handle(order, body):", *lines)
        + 'forget("cache")\nforget("cache, too early")\nservice(handle, "cache")\n'
    )


SEND = 'transaction.execute(shipments.update().where(shipments.c.order_id == order).values(status="sent"))'
TAKE = "transaction.execute(stock.update().values(pieces=stock.c.pieces - 1))"
BEGIN = "with db.begin() as transaction:"

EXERCISES = (
    Exercise(
        name="stock",
        attempted=(dispatched,),
        expect=(five_pieces,),
        passed="Five parcels are sent and five pieces are gone, though each order came three times.",
        hints=(
            "Setting the status may be repeated, taking a piece may not. Experiment 5 shows how the first can guard "
            "the second.",
            'An update with the condition `status == "packed"` meets the row once. `execute(...)` returns a result '
            "whose `rowcount` says how many rows it met.",
            'First `sent = shipments.update().where(shipments.c.order_id == order, shipments.c.status == "packed")'
            '.values(status="sent")`; then take the piece only `if transaction.execute(sent).rowcount:`.',
        ),
        wrong=(
            WrongAnswer("is the colleague's", dispatch(TAKE, SEND), "The stock says 85 pieces; 95 of 100 are left"),
            WrongAnswer("never takes a piece", dispatch(SEND), "The stock says 100 pieces; 95 of 100 are left"),
            WrongAnswer(
                "remembers in the program's memory, which a crash does not take back",
                "seen = set()\n\n\n" + dispatch("if order in seen:", "    return", "seen.add(order)", TAKE, SEND),
                "4 of 5 parcels have the status `sent`",
            ),
            WrongAnswer("takes pieces and sends nothing", dispatch(TAKE), "0 of 5 parcels have the status `sent`"),
        ),
    ),
    Exercise(
        name="once",
        attempted=(begun("once"),),
        expect=(charged_once("once"), queue("payments.parked").holds([b"75"]), queue("payments").is_empty()),
        passed="Ten orders, 29 messages, two workers, three crashes: ten charges, and one message parked for a person.",
        hints=(
            "Which way of experiment 2 neither loses nor repeats? It also settles the race of experiment 3.",
            "`note` and `charge` in one `with db.begin() as transaction:`. A duplicate makes `note` raise `Known`.",
            "Around the `with` block: `try:` … `except Known:`. The `except` must be outside, so that the transaction "
            "is rolled back before. What can go wrong has `noted`, which tells a duplicate from another content.",
            'In the `except`: `if noted("once", order) != fingerprint(body): raise Park("another content")`. '
            "A duplicate needs nothing.",
        ),
        wrong=(
            WrongAnswer(
                "looks first, then charges",
                once(
                    'if order not in charged("once"):',
                    f"    {BEGIN}",
                    '        charge(transaction, "once", order, body)',
                ),
                "Charged more than once",
            ),
            WrongAnswer(
                "notes in a transaction of its own",
                once(
                    "try:",
                    f"    {BEGIN}",
                    '        note(transaction, "once", order, body)',
                    "except Known:",
                    "    return",
                    BEGIN,
                    '    charge(transaction, "once", order, body)',
                ),
                "Never charged: `order-7`",
            ),
            WrongAnswer(
                "catches the crash as well",
                once(
                    "try:",
                    f"    {BEGIN}",
                    '        note(transaction, "once", order, body)',
                    '        charge(transaction, "once", order, body)',
                    "except BaseException:",
                    "    pass",
                ),
                "Never charged: `order-7`",
            ),
            WrongAnswer(
                "takes every known id for a duplicate",
                once(
                    "try:",
                    f"    {BEGIN}",
                    '        note(transaction, "once", order, body)',
                    '        charge(transaction, "once", order, body)',
                    "except Known:",
                    "    pass",
                ),
                "The queue `payments.parked` holds nothing; it should hold `75`",
            ),
            WrongAnswer(
                "parks every duplicate",
                once(
                    "try:",
                    f"    {BEGIN}",
                    '        note(transaction, "once", order, body)',
                    '        charge(transaction, "once", order, body)',
                    "except Known:",
                    '    raise Park("known") from None',
                ),
                "The queue `payments.parked` holds",
            ),
            WrongAnswer(
                "has the fingerprint in the key, so that another content is another message",
                once(
                    "try:",
                    f"    {BEGIN}",
                    '        note(transaction, "once", order + fingerprint(body)[:6], body)',
                    '        charge(transaction, "once", order, body)',
                    "except Known:",
                    "    pass",
                ),
                "Charged more than once: `order-3` 2 times",
            ),
            WrongAnswer(
                "charges, then notes",
                once(
                    BEGIN,
                    '    charge(transaction, "once", order, body)',
                    "try:",
                    f"    {BEGIN}",
                    '        note(transaction, "once", order, body)',
                    "except Known:",
                    "    pass",
                ),
                "Charged more than once",
            ),
        ),
    ),
    Exercise(
        name="cache",
        attempted=(with_redis, begun("cache")),
        expect=(charged_once("cache"), never_too_early, known_to_redis),
        passed="Each order is charged once, and Redis knows of all ten.",
        hints=(
            "Who decides, and who only saves work? The last part of experiment 4.",
            "Your `handle` of exercise 2, with a look into Redis before it, and the key set after the commit.",
            '`if cache.exists(key("cache", order)): return`; then note and charge in one transaction, and pass over '
            '`Known`; then `cache.set(key("cache", order), "handled", ex=3600)`.',
        ),
        wrong=(
            WrongAnswer(
                "is today's: the key comes first",
                cache(
                    'if not cache.set(key("cache", order), "handled", nx=True, ex=3600):',
                    "    return",
                    BEGIN,
                    '    charge(transaction, "cache", order, body)',
                ),
                "Never charged: `order-7`",
            ),
            WrongAnswer(
                "takes the key back after an error, which a crash is not",
                cache(
                    'if not cache.set(key("cache", order), "handled", nx=True, ex=3600):',
                    "    return",
                    "try:",
                    f"    {BEGIN}",
                    '        charge(transaction, "cache", order, body)',
                    "except Exception:",
                    '    cache.delete(key("cache", order))',
                    "    raise",
                ),
                "Never charged: `order-7`",
            ),
            WrongAnswer(
                "takes the key back after a crash, as only a program that lives can",
                cache(
                    'if not cache.set(key("cache", order), "handled", nx=True, ex=3600):',
                    "    return",
                    "try:",
                    f"    {BEGIN}",
                    '        charge(transaction, "cache", order, body)',
                    "except BaseException:",
                    '    cache.delete(key("cache", order))',
                    "    raise",
                ),
                "When the service crashed, Redis had the key of `order-7` already",
            ),
            WrongAnswer(
                "sets the key in the transaction, before the commit",
                cache(
                    'if cache.exists(key("cache", order)):',
                    "    return",
                    "try:",
                    f"    {BEGIN}",
                    '        note(transaction, "cache", order, body)',
                    '        charge(transaction, "cache", order, body)',
                    '        cache.set(key("cache", order), "handled", ex=3600)',
                    "except Known:",
                    "    pass",
                ),
                "Never charged: `order-9`",
            ),
            WrongAnswer(
                "sets the key last, and has no table",
                cache(
                    'if cache.exists(key("cache", order)):',
                    "    return",
                    BEGIN,
                    '    charge(transaction, "cache", order, body)',
                    'cache.set(key("cache", order), "handled", ex=3600)',
                ),
                "Charged more than once",
            ),
            WrongAnswer(
                "leaves Redis out",
                cache(
                    "try:",
                    f"    {BEGIN}",
                    '        note(transaction, "cache", order, body)',
                    '        charge(transaction, "cache", order, body)',
                    "except Known:",
                    "    pass",
                ),
                "Redis has no key of 10 handled orders",
            ),
        ),
    ),
)
