"""The exercises of lab 11: a fair share, a chosen prefetch, and a limit that was set too late."""

from collections.abc import Callable
from dataclasses import dataclass

from lab_helpers.exercises import Difference, Exercise, Expectation, WrongAnswer, queue, story_shows
from lab_helpers.exercises.story_shows import LOOK, shows
from lab_helpers.exercises.words import counted
from lab_helpers.record.events import ChannelOpened, Consuming, Delivered, PrefetchSet, Settled
from lab_helpers.record.story import Story

PARCELS = 30
SLOW = 0.03
"""Exercise 1: what the slow packer takes for a parcel, in seconds."""
LEAST, MOST = 8, 25
"""Exercise 2: 8 is what (40 + 6) / 6 gives, between the measured 5 and 10; 25 orders of 6 ms are 0.15 s."""
HELD = {"express": 1, "ordinary": 5}
"""Exercise 3: what the consumer of each queue should hold."""


@dataclass
class Consumer:
    """A consumer of a story, with the limit that was in force for it when it started; 0 is none."""

    name: str
    connection: str
    queue: str
    auto_ack: bool
    limit: int
    for_channel: bool
    """The last limit before it was set with the global flag."""
    late: int
    """The last limit that was set on its channel after it had started, and so not for it; 0 where there was none."""
    got: int = 0


def consumers(story: Story) -> list[Consumer]:
    """The consumers of a story in the order of their start: https://www.rabbitmq.com/docs/consumer-prefetch."""
    set_now: dict[tuple[str, int], PrefetchSet] = {}
    open_: dict[tuple[str, int, str], Consumer] = {}
    found: list[Consumer] = []
    for event in story.events:
        place = event.connection, event.channel
        if isinstance(event, ChannelOpened):
            set_now.pop(place, None)
        elif isinstance(event, PrefetchSet):
            set_now[place] = event
            for key, one in open_.items():
                if key[:2] == place:
                    one.late = event.count
        elif isinstance(event, Consuming):
            now = set_now.get(place)
            limit, is_global = (now.count, now.is_global) if now else (0, False)
            one = Consumer(event.consumer, event.connection, event.queue, event.auto_ack, limit, is_global, 0)
            open_[(*place, event.consumer)] = one
            found.append(one)
        elif isinstance(event, Delivered) and (*place, event.consumer) in open_:
            open_[(*place, event.consumer)].got += 1
    return found


def of(name: str, look: Callable[[list[Consumer]], Difference | None]) -> Expectation:
    """An expectation about the consumers of one queue, of which there is at least one."""

    def read(story: Story) -> Difference | None:
        there = [one for one in consumers(story) if one.queue == name]
        if not there:
            return Difference(f"No consumer was on `{name}`: there was no `basic.consume`.", look=LOOK)
        return look(there)

    return shows(read)


def by_hand(there: list[Consumer]) -> Difference | None:
    """All use manual acknowledgement."""
    for one in there:
        if one.auto_ack:
            return Difference(
                f"The consumer of `{one.queue}` used automatic acknowledgement, for which no prefetch counts: it got "
                f"{counted(one.got, 'message')}.",
                "manual acknowledgement",
                "`auto_ack=True`",
            )
    return None


def limited(there: list[Consumer]) -> Difference | None:
    """All were started under a limit of their own."""
    for one in there:
        if one.for_channel:
            return Difference(
                "The prefetch was set with `global_qos=True`: what that means depends on the version.",
                "a limit for each consumer",
                "the global flag",
            )
        if one.limit:
            continue
        got = f"it got {counted(one.got, 'message')} at once" if one.got else "others had taken everything"
        if one.late:
            return Difference(
                f"A consumer of `{one.queue}` started before `basic.qos`, which counts for later consumers only: it "
                f"has no limit, and {got}.",
                "`basic.qos` before `basic.consume`",
                "`basic.consume` before `basic.qos`",
                LOOK,
            )
        return Difference(
            f"A consumer of `{one.queue}` has no prefetch limit, and {got}.",
            "`basic.qos` before `basic.consume`, on the same channel",
            "no limit",
            LOOK,
        )
    return None


# --- Exercise 1


def two(there: list[Consumer]) -> Difference | None:
    """Two programs took part."""
    if len(there) == 2:
        return None
    return Difference(
        f"{counted(len(there), 'consumer')} took from `parcels`; there should be two.",
        "2 consumers",
        counted(len(there), "consumer"),
        "`share_out(packer)` starts `packer` twice, and each time it should consume once.",
    )


def apart(there: list[Consumer]) -> Difference | None:
    """Each has a connection of its own."""
    if len({one.connection for one in there}) == len(there):
        return None
    return Difference(
        "Both packers used one connection, and a connection of pika's is for one thread: open one in `packer`.",
        "2 connections",
        "1 connection",
        LOOK,
    )


def at_most_two(there: list[Consumer]) -> Difference | None:
    """None may hold more than two."""
    for one in there:
        if one.limit > 2:
            return Difference(
                f"A packer may hold {one.limit} parcels; never more than two was asked for.",
                "prefetch 1 or 2",
                f"prefetch {one.limit}",
            )
    return None


def both_worked(there: list[Consumer]) -> Difference | None:
    """Each got something."""
    if all(one.got for one in there):
        return None
    return Difference(
        f"One packer got all parcels that were delivered, {max(one.got for one in there)}, and the other none.",
        "each packer gets some",
        f"{' and '.join(str(one.got) for one in there)}",
    )


def one_by_one(story: Story) -> Difference | None:
    """Every parcel was acknowledged when it was packed, that is by itself."""
    if any(event.multiple for event in story.of(Settled)):
        return Difference(
            "Parcels were acknowledged with `multiple=True`; each should be, when it is packed.",
            "an acknowledgement for each parcel",
            "`multiple`",
        )
    return None


def worked_first(story: Story) -> Difference | None:
    """The slow packer acknowledged its first parcel after the work on it."""
    given = next(iter(story.delivered("parcels")), None)
    if given is None:
        return None
    for event in story.of(Settled):
        if given.message in event.messages and event.at - given.at < SLOW / 2:
            return Difference(
                "A parcel was acknowledged before it was packed: if the packer dies over it, it is lost.",
                f"`basic.ack` after {SLOW * 1000:.0f} ms of work",
                "`basic.ack` at once",
                LOOK,
            )
    return None


def packer(*after: str, qos: str = "channel.basic_qos(prefetch_count=1)", auto_ack: str = "", work: str = "") -> str:
    """A cell that solves exercise 1 with this limit, and does these lines after the work on a parcel."""
    return "\n".join(
        (
            "def packer(seconds):",
            "    with pika.BlockingConnection(parameters) as connection:",
            "        channel = connection.channel()",
            *([f"        {qos}"] if qos else []),
            f'        for method, _, _ in channel.consume("parcels"{auto_ack}, inactivity_timeout=0.3):',
            "            if method is None:",
            "                break",
            *([f"            {work}"] if work else []),
            "            time.sleep(seconds)",
            *(f"            {line}" for line in after),
            "",
            f'fill("parcels", {PARCELS})',
            'with lab.record("fair") as story:',
            "    share_out(packer)",
        )
    )


ACK = "channel.basic_ack(method.delivery_tag)"


# --- Exercise 2


def chosen(there: list[Consumer]) -> Difference | None:
    """The number is between the two that the exercise's conditions give."""
    for one in there:
        if one.limit < LEAST:
            return Difference(
                f"With a prefetch of {one.limit} the packer waits for the line most of the time: 6 ms of work for each "
                "order in hand does not fill a round trip of 40 ms.",
                "at least 95 % of 162 orders a second",
                f"at most {counted(one.limit, 'order')} in each 46 ms, {one.limit / 0.046:.0f} a second",
                "The table: from which number on does the rate no longer rise?",
            )
        if one.limit > MOST:
            return Difference(
                f"With a prefetch of {one.limit} the packer is no quicker than with 20, and an order waits in its "
                f"hands for up to {one.limit * 0.006:.2f} s, where no helper can get it.",
                "at most 0.15 s",
                f"{one.limit * 0.006:.2f} s",
                "The table's last line.",
            )
    return None


def alone(there: list[Consumer]) -> Difference | None:
    """One consumer, which holds what it may."""
    if len(there) > 1:
        return Difference(f"{counted(len(there), 'consumer')} were started on `far.orders`; one was asked for.")
    [one] = there
    if one.got == one.limit:
        return None
    return Difference(
        f"The consumer may hold {one.limit}, and got {one.got}: acknowledge nothing, and let `settle` read what comes.",
        f"{one.limit} delivered",
        f"{one.got} delivered",
    )


def choose(*lines: str) -> str:
    """A cell that records these lines for exercise 2."""
    return recorded(
        "choose",
        *lines,
        'settle(connection, got, 300, "far.orders")',
    )


def recorded(name: str, *lines: str) -> str:
    """A cell that does these lines on a channel, recorded for an exercise."""
    return "\n".join(
        (
            "got = []",
            f'with lab.record("{name}") as story, pika.BlockingConnection(parameters) as connection:',
            "    channel = connection.channel()",
            *(f"    {line}" for line in lines),
        )
    )


TAKE = 'channel.basic_consume("far.orders", lambda *delivery: got.append(delivery))'


# --- Exercise 3


def holds(name: str) -> Expectation:
    """The consumer of this queue has the limit that was asked for."""
    wanted = HELD[name]

    def look(there: list[Consumer]) -> Difference | None:
        for one in there:
            if one.limit != wanted:
                return Difference(
                    f"The consumer of `{name}` may hold {one.limit}; it should hold {wanted}.",
                    f"`basic.qos` with {wanted} is the last before it starts",
                    f"the last one before it starts has {one.limit}",
                    LOOK,
                )
        if sum(one.got for one in there) != wanted:
            got = sum(one.got for one in there)
            return Difference(
                f"{got} of `{name}` were delivered; it should be {wanted}. One consumer per queue, nothing "
                "acknowledged, and `settle` at the end.",
                f"{wanted} delivered",
                f"{got} delivered",
            )
        return None

    return of(name, look)


def repaired(*lines: str) -> str:
    """A cell that records these lines for exercise 3."""
    return recorded("repair", *lines, 'settle(connection, got, 20, "express", "ordinary")')


def qos(count: int, more: str = "") -> str:
    """A line that sets a limit."""
    return f"channel.basic_qos(prefetch_count={count}{more})"


EXPRESS, ORDINARY = (f'channel.basic_consume("{name}", note, consumer_tag="{name}")' for name in HELD)


def something(name: str) -> Expectation:
    """Something was recorded that concerns this queue."""
    return of(name, lambda _: None)


EXERCISES = (
    Exercise(
        name="fair",
        attempted=(something("parcels"),),
        expect=(
            of("parcels", two),
            of("parcels", apart),
            of("parcels", by_hand),
            of("parcels", limited),
            of("parcels", at_most_two),
            of("parcels", both_worked),
            story_shows.acked_before_close(),
            shows(one_by_one),
            shows(worked_first),
            queue("parcels").is_empty(),
        ),
        passed="Both packed, neither ever held more than two parcels, and each parcel was acknowledged by itself.",
        hints=(
            "`pack` in experiment 3 is nearly it: another queue, another end, and a prefetch that you choose.",
            "In this order: connection, channel, `basic_qos`, then the loop over `channel.consume`. The loop ends when "
            "the method is `None`, which comes after `inactivity_timeout` seconds without a parcel.",
            '`channel.basic_qos(prefetch_count=1)`, then `for method, _, _ in channel.consume("parcels", '
            "inactivity_timeout=0.3):`. In it: `break` if `method is None`, `time.sleep(seconds)`, "
            "`channel.basic_ack(method.delivery_tag)`.",
        ),
        wrong=(
            WrongAnswer(
                "acknowledges a parcel before the work on it",
                packer(work=ACK),
                "acknowledged before it was packed",
            ),
            WrongAnswer(
                "sets no prefetch",
                packer(ACK, qos=""),
                "A consumer of `parcels` has no prefetch limit, and it got 30 messages at once",
            ),
            WrongAnswer(
                "sets the prefetch in the loop, when the consumer has started",
                packer(ACK, qos="", work="channel.basic_qos(prefetch_count=1)"),
                "started before `basic.qos`, which counts for later consumers only",
            ),
            WrongAnswer(
                "chooses a large prefetch",
                packer(ACK, qos="channel.basic_qos(prefetch_count=10)"),
                "A packer may hold 10 parcels",
            ),
            WrongAnswer(
                "acknowledges automatically",
                packer(auto_ack=", auto_ack=True"),
                "used automatic acknowledgement, for which no prefetch counts",
            ),
            WrongAnswer(
                "forgets to acknowledge",
                packer(),
                "The broker heard nothing of 2 deliveries",
            ),
        ),
    ),
    Exercise(
        name="choose",
        attempted=(something("far.orders"),),
        expect=(
            of("far.orders", by_hand),
            of("far.orders", limited),
            of("far.orders", chosen),
            of("far.orders", alone),
        ),
        passed="Enough in hand to fill the round trip, and little that a helper cannot reach.",
        hints=(
            "95 % of the best rate, 162, is 154. Which numbers of the table reach that?",
            "10 and all above do. 0.15 s are 25 orders of 6 ms, so 50 and all above are too many. The rule of "
            "experiment 4 gives (40 + 6) / 6, about 8.",
            "For example `channel.basic_qos(prefetch_count=10)` before `basic_consume`.",
        ),
        wrong=(
            WrongAnswer(
                "chooses the fairest",
                choose(qos(1), TAKE),
                "With a prefetch of 1 the packer waits for the line most of the time",
            ),
            WrongAnswer(
                "takes the number that the official page gives for much traffic",
                choose(qos(200), TAKE),
                "in its hands for up to 1.20 s",
            ),
            WrongAnswer(
                "consumes first",
                choose(TAKE, qos(10)),
                "started before `basic.qos`",
            ),
            WrongAnswer(
                "sets it on another channel",
                choose("connection.channel().basic_qos(prefetch_count=10)", TAKE),
                "A consumer of `far.orders` has no prefetch limit, and it got 300 messages at once",
            ),
        ),
    ),
    Exercise(
        name="repair",
        attempted=(something("express"), something("ordinary")),
        expect=(
            of("express", limited),
            of("ordinary", limited),
            of("express", by_hand),
            of("ordinary", by_hand),
            holds("express"),
            holds("ordinary"),
        ),
        passed="The consumer of `express` holds one order, that of `ordinary` five; a helper can have the others.",
        hints=(
            "The second experiment's three lines: for which consumers does a `basic_qos` count?",
            "`basic_qos` counts for consumers that start after it, until the next `basic_qos`. So order the four lines "
            "anew. (Two channels would do as well.)",
            "`basic_qos(prefetch_count=1)`, `basic_consume` of `express`, `basic_qos(prefetch_count=5)`, "
            "`basic_consume` of `ordinary`.",
        ),
        wrong=(
            WrongAnswer(
                "runs the colleague's program as it was",
                repaired(EXPRESS, ORDINARY, qos(1), qos(5)),
                "A consumer of `express` started before `basic.qos`",
            ),
            WrongAnswer(
                "sets both limits first, so that the second replaces the first",
                repaired(qos(1), qos(5), EXPRESS, ORDINARY),
                "The consumer of `express` may hold 5; it should hold 1",
            ),
            WrongAnswer(
                "sets each limit after its consumer",
                repaired(EXPRESS, qos(1), ORDINARY, qos(5)),
                "A consumer of `express` started before `basic.qos`",
            ),
            WrongAnswer(
                "makes the limit the channel's",
                repaired(qos(1, ", global_qos=True"), EXPRESS, qos(5, ", global_qos=True"), ORDINARY),
                "what that means depends on the version",
            ),
        ),
    ),
)
