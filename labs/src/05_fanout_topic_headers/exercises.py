"""The exercises of lab 05: patterns, headers, and a migration that loses nothing."""

from collections.abc import Iterator

from lab_helpers.exercises import (
    Bench,
    Difference,
    Exercise,
    WrongAnswer,
    connected,
    exchange,
    message,
    no_longer,
    queue,
    routes,
    story_shows,
)
from lab_helpers.record.events import Bound, Removed
from lab_helpers.record.story import Story

PATTERNS = {
    "track.orders": "order.eu.#",
    "track.us": "*.us.#",
    "track.refused": "*.*.refused",
    "track.payments": "payment.#",
}
TRACKED = {
    "order.eu.placed": {"track.orders"},
    "order.eu.placed.express": {"track.orders"},
    "order.asia.placed": set[str](),
    "orders.eu.placed": set[str](),
    "order.us.placed": {"track.us"},
    "stock.us.low": {"track.us"},
    "stock.us.low.again": {"track.us"},
    "order.eu.sent.us": {"track.orders"},
    "us.order.placed": set[str](),
    "stock.eu.refused": {"track.refused"},
    "payment.eu.refused": {"track.refused", "track.payments"},
    "payment.us.refused": {"track.refused", "track.payments", "track.us"},
    "payment.eu.test.refused": {"track.payments"},
    "payment.refused": {"track.payments"},
    "payment": {"track.payments"},
    "payments": set[str](),
}
LEFT = {
    "gifts": {"x-match": "all", "kind": "parcel", "x-gift": "yes"},
    "customs": {"x-match": "any", "country": "ch", "x-customs": "yes"},
}
"""As the lab's cell names it too: the arguments that the colleague bound with."""
WRAPPED = {
    message(kind="parcel", **{"x-gift": "yes"}): {"gifts"},
    message(kind="parcel"): set[str](),
    message(**{"x-gift": "yes"}): set[str](),
    message(country="ch"): {"customs"},
    message(**{"x-customs": "yes"}): {"customs"},
    message(kind="parcel", country="ch", **{"x-gift": "yes"}): {"gifts", "customs"},
    message(kind="parcel", country="fr"): set[str](),
}
BULLETIN, TOPICS = "shop.bulletin", "shop.topics"
MIGRATED = {
    "order.eu.placed": {"mail", "archive"},
    "order": {"mail", "archive"},
    "price.eu.lowered": {"archive"},
    "payment.eu.order": {"archive"},
}
TOPIC = 'channel.exchange_declare("shop.topics", exchange_type="topic", durable=True)'
BEHIND = 'channel.exchange_bind("shop.topics", source="shop.bulletin", routing_key="")'
TO_TOPICS = (
    'channel.queue_bind("mail", exchange="shop.topics", routing_key="order.#")',
    'channel.queue_bind("archive", exchange="shop.topics", routing_key="#")',
)
OFF = (
    'channel.queue_unbind("mail", exchange="shop.bulletin", routing_key="")',
    'channel.queue_unbind("archive", exchange="shop.bulletin", routing_key="")',
)

GONE = "The orders that waited in `mail` are gone: was the queue deleted or purged?"

Edge = tuple[str, str, str]
"""A binding as (source, destination, key)."""


def tracked(**instead: str) -> str:
    """A cell that builds exercise 1, with other patterns for `orders`, `us`, `refused` or `payments`."""
    patterns = PATTERNS | {f"track.{name}": pattern for name, pattern in instead.items()}
    return connected(
        'channel.exchange_declare("shop.track", exchange_type="topic", durable=True)',
        f"for queue, pattern in {list(patterns.items())}:",
        "    channel.queue_declare(queue, durable=True, arguments=CLASSIC)",
        '    channel.queue_bind(queue, exchange="shop.track", routing_key=pattern)',
    )


def rebound(gifts: str, customs: str, unbind: str = ", arguments=LEFT[queue]") -> str:
    """A cell that binds the queues of exercise 2 with these `x-match`, and then removes the old bindings."""
    return connected(
        f'for queue, match in [("gifts", "{gifts}"), ("customs", "{customs}")]:',
        '    channel.queue_bind(queue, "shop.wrap", routing_key="", arguments={**LEFT[queue], "x-match": match})',
        f'    channel.queue_unbind(queue, "shop.wrap", routing_key=""{unbind})',
    )


def migrated(*steps: str, recorded: bool = True) -> str:
    """A cell that does these steps in a recording for exercise 3, or without one."""
    cell = connected(*steps)
    if not recorded:
        return cell
    return 'with lab.record("migrate") as story:\n' + "".join(f"    {line}\n" for line in cell.splitlines())


def wrapped_as_left(bench: Bench) -> Difference | None:
    """The bindings of exercise 2 are the colleague's."""
    found = {one.destination: dict(one.arguments) for one in bench.topology().bindings_of("shop.wrap")}
    return None if found == LEFT else Difference("The bindings have changed.")


def without_a_gap(bench: Bench) -> Difference | None:
    """At each moment of the recording both queues were reached from the fanout exchange.

    By its own binding, or by all those bindings that lead there in the end: :func:`routes` has tried these.
    """
    final = {(one.source, one.destination, one.key) for one in bench.topology().bindings}
    for step, present in moments(bench.story or Story()):
        for name in ("mail", "archive"):
            ways = leading(final, BULLETIN, name)
            # A fanout exchange takes no notice of the key.
            directly = any(edge[:2] == (BULLETIN, name) for edge in present)
            if not directly and not (ways and ways <= present):
                return Difference(
                    f"When {step}, not everything led from `{BULLETIN}` to `{name}` that should: "
                    "what was published in that moment is lost to it.",
                    "first the new way, then the end of the old",
                    "the other way round",
                    "Look at `story.sequence()`.",
                )
    return None


def moments(story: Story) -> Iterator[tuple[str, set[Edge]]]:
    """Each step that takes something away, and the bindings that were there after it."""
    present: set[Edge] = {(BULLETIN, "mail", ""), (BULLETIN, "archive", "")}
    for event in story.events:
        if isinstance(event, Bound):
            edge = (event.source, event.destination, event.key)
            if not event.removed:
                present.add(edge)
                continue
            present.discard(edge)
            yield f"`{event.destination}` was unbound from `{event.source}`", present
        elif isinstance(event, Removed) and event.what in ("exchange", "queue"):
            present = {edge for edge in present if event.name not in edge[:2]}
            yield f"the {event.what} `{event.name}` was deleted", present


def leading(edges: set[Edge], start: str, end: str) -> set[Edge]:
    """The bindings that are part of a way from an exchange to a queue."""
    ahead, behind = {start}, {end}
    for _ in edges:
        ahead |= {destination for source, destination, _ in edges if source in ahead}
        behind |= {source for source, destination, _ in edges if destination in behind}
    return {edge for edge in edges if edge[0] in ahead and edge[1] in behind}


EXERCISES = (
    Exercise(
        name="patterns",
        attempted=(exchange("shop.track").exists(),),
        expect=(
            exchange("shop.track").is_(type="topic", durable=True),
            *(queue(name).has(durable=True) for name in PATTERNS),
            routes("shop.track", TRACKED),
        ),
        passed=f"All {len(TRACKED)} keys reached the queues that they should, and no others.",
        hints=(
            "For each queue ask: which words are fixed, and at which place? How many words may stand where nothing is "
            "fixed? Exactly one is `*`, any number is `#`.",
            "`track.orders` begins with two fixed words, `track.payments` with one. In `track.us` the "
            "fixed word is the second; in `track.refused` it is the third and last.",
            "`order.eu.#` for orders, `payment.#` for payments, `*.us.#` for the region, and for what was refused "
            "two stars before the word.",
        ),
        wrong=(
            WrongAnswer(
                "takes `*` for the rest of the key",
                tracked(orders="order.eu.*"),
                "`order.eu.placed.express` should reach `track.orders`, and did not",
            ),
            WrongAnswer(
                "finds the region at any place",
                tracked(us="#.us.#"),
                "`order.eu.sent.us` reached `track.us`, and should not",
            ),
            WrongAnswer(
                "takes any number of words for two",
                tracked(refused="#.refused"),
                "`payment.eu.test.refused` reached `track.refused`, and should not",
            ),
            WrongAnswer(
                "uses a star as in a file name",
                tracked(payments="payment*"),
                "`payment.eu.refused` should reach `track.payments`, and did not",
            ),
            WrongAnswer(
                "forgets that the bare key has one word only",
                tracked(payments="payment.*.#"),
                "`payment` should reach `track.payments`, and did not",
            ),
        ),
    ),
    Exercise(
        name="headers",
        attempted=(
            exchange("shop.wrap").exists("Run the cell above that builds it."),
            no_longer(wrapped_as_left, "`gifts` and `customs` are bound as your colleague left them."),
        ),
        expect=(
            exchange("shop.wrap").is_(type="headers", durable=True),
            *(queue(name).has(durable=True) for name in LEFT),
            routes("shop.wrap", WRAPPED),
        ),
        passed="Gifts are told from parcels by `x-gift`, and customs sees `x-customs`.",
        hints=(
            "Look at the names of the headers that were passed over. Which values of `x-match` look at such names?",
            "Bind both queues again with the same headers and another `x-match`. Then remove the old bindings: as "
            "long as they are there, they fit as before.",
            '`gifts` needs `"x-match": "all-with-x"`, `customs` needs `"any-with-x"`. Remove the old ones with '
            '`queue_unbind(queue, exchange="shop.wrap", routing_key="", arguments=LEFT[queue])`.',
        ),
        wrong=(
            WrongAnswer(
                "removes the old bindings without naming their arguments",
                rebound("all-with-x", "any-with-x", unbind=""),
                "with the headers `kind: parcel` reached `gifts`, and should not",
            ),
            WrongAnswer(
                "is content with one header for gifts",
                rebound("any-with-x", "any-with-x"),
                "with the headers `kind: parcel` reached `gifts`, and should not",
            ),
            WrongAnswer(
                "asks customs for both headers",
                rebound("all-with-x", "all-with-x"),
                "with the headers `country: ch` should reach `customs`, and did not",
            ),
            WrongAnswer(
                "leaves customs as it was",
                rebound("all-with-x", "any", unbind=", arguments=LEFT['gifts']"),
                "with the headers `x-customs: yes` should reach `customs`, and did not",
            ),
        ),
    ),
    Exercise(
        name="migrate",
        attempted=(exchange(TOPICS).exists(),),
        expect=(
            exchange(TOPICS).is_(type="topic", durable=True),
            *(queue("mail").contains(body, GONE) for body in (b"order 1: a teapot", b"order 2: a kettle")),
            routes(TOPICS, MIGRATED),
            routes(BULLETIN, MIGRATED),
            story_shows.recorded(),
            without_a_gap,
        ),
        passed="Both exchanges lead to the same queues, the two orders still wait, and at no moment was a way missing.",
        hints=(
            "A queue may be bound to both exchanges at once, and still gets each message once. So the new way can be "
            "ready before the old one ends.",
            "The old programs publish to `shop.bulletin`; their messages come to `shop.topics` if you bind the one "
            "exchange to the other: `exchange_bind(destination, source)`. Only then unbind the queues from "
            "`shop.bulletin`.",
            "In this order: declare `shop.topics`; bind `mail` with `order.#` and `archive` with `#`; "
            '`exchange_bind("shop.topics", source="shop.bulletin")`; last, `queue_unbind` both queues from '
            '`shop.bulletin`. All of it inside `lab.record("migrate")`.',
        ),
        wrong=(
            WrongAnswer(
                "ends the old way first",
                migrated(TOPIC, *OFF, *TO_TOPICS, BEHIND),
                "When `mail` was unbound from `shop.bulletin`, not everything led from `shop.bulletin` to `mail`",
            ),
            WrongAnswer(
                "joins the exchanges last",
                migrated(TOPIC, *TO_TOPICS, *OFF, BEHIND),
                "When `mail` was unbound from `shop.bulletin`, not everything led",
            ),
            WrongAnswer(
                "moves the archive before its pattern is there",
                migrated(TOPIC, BEHIND, TO_TOPICS[0], *OFF, TO_TOPICS[1]),
                "When `archive` was unbound from `shop.bulletin`, not everything led",
            ),
            WrongAnswer(
                "makes the fanout exchange anew",
                migrated(
                    TOPIC,
                    *TO_TOPICS,
                    'channel.exchange_delete("shop.bulletin")',
                    'channel.exchange_declare("shop.bulletin", exchange_type="fanout", durable=True)',
                    BEHIND,
                ),
                "When the exchange `shop.bulletin` was deleted, not everything led",
            ),
            WrongAnswer(
                "makes the queue anew",
                migrated(
                    TOPIC,
                    'channel.queue_delete("mail")',
                    'channel.queue_declare("mail", durable=True, arguments=CLASSIC)',
                    *TO_TOPICS,
                    BEHIND,
                    OFF[1],
                ),
                "The orders that waited in `mail` are gone",
            ),
            WrongAnswer(
                "forgets the programs that cannot be changed",
                migrated(TOPIC, *TO_TOPICS, *OFF),
                "`order.eu.placed` should reach `archive`, and did not",
            ),
            WrongAnswer(
                "leaves `mail` on the old way too",
                migrated(TOPIC, *TO_TOPICS, BEHIND, OFF[1]),
                "`price.eu.lowered` reached `mail`, and should not",
            ),
            WrongAnswer(
                "does it right, and records nothing",
                migrated(TOPIC, *TO_TOPICS, BEHIND, *OFF, recorded=False),
                "Nothing was recorded for this exercise",
            ),
        ),
    ),
)
