"""Take everything that is left in queues, so that a ledger can say what never arrived.

The honest check ends with it: after the cluster is healed, what is confirmed must come out of *some* node, so each
node is asked over a connection of its own. A message is acknowledged only after it is noted: if that acknowledgement
is lost, the message comes again and counts as a duplicate rather than not at all
(https://www.rabbitmq.com/docs/confirms#consumer-acknowledgements).

A queue whose node is down must not be asked. Measured: 3.10.8 answers 404 at once, 4.3.6 in a container that was killed
only after 65 to 70 s, when the others give the silent node up; so does a consumer of a quorum queue without a majority.
So it is looked up first where the queue lives.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from queue import Empty, SimpleQueue
from threading import Event, Thread

from pika.adapters.blocking_connection import BlockingConnection
from pika.exceptions import AMQPError

from lab_helpers.broker.amqp import connect, queue_depths
from lab_helpers.broker.waiting import LONGEST_PAUSE, TimedOutError
from lab_helpers.errors import BrokerUnreachableError, LabsError
from lab_helpers.record.ledger import Ledger
from lab_helpers.record.taking import QUIET, QueueUnavailableError, Taker

MOST_AT_ONCE = 250
"""Messages that a node sends ahead (``basic.qos``); fewer where that would leave nothing for the other nodes."""
COMES_BACK_WITHIN = 5.0
"""Seconds for a queue that cannot be asked: a leader is elected in less, a node that is down stays down."""
ENDS_WITHIN = 2.0
"""Seconds to end in and to say what is left."""

Urls = Mapping[str, str]
"""The AMQP URL of each node that is up, by the node's name."""
Homes = Mapping[str, Sequence[str]]
"""The nodes on which each queue of the virtual host lives: one for a classic queue, all members of a quorum queue."""


def drain(
    ledger: Ledger, queues: Sequence[str], urls: Callable[[], Urls], homes: Callable[[], Homes], seconds: float = 30.0
) -> dict[str, int]:
    """Take all messages that are ready in queues, classic or quorum, and note them in a ledger as received and acked.

    Messages that another client holds unacknowledged are not among them: close its channel first.

    Parameters
    ----------
    ledger
        Takes the notes; a message is known by its ``message_id``, else by its body.
    queues
        The names of the queues.
    urls, homes
        Asked before each round through all nodes.
    seconds
        For the whole.

    Returns
    -------
    dict
        How many messages came through each node.

    Raises
    ------
    QueueUnavailableError
        A queue's node is down, or a majority of its members.
    BrokerUnreachableError
        No node is up.
    LabsError
        There is no such queue, it is a stream or somebody's own.
    TimedOutError
        A queue still held messages after ``seconds``, or did not answer.
    """
    done: SimpleQueue[dict[str, int] | BaseException] = SimpleQueue()
    work = Draining(ledger, queues, urls, homes, time.monotonic() + seconds)

    def do() -> None:
        try:
            done.put(work.run())
        except BaseException as error:
            done.put(error)

    # A broker that waits for a silent node of its own lets its client wait too, and pika knows no timeout for that.
    Thread(target=do, daemon=True, name="draining").start()
    try:
        result = done.get(timeout=seconds + ENDS_WITHIN)
    except Empty:
        raise TimedOutError(
            f"The broker did not answer within {seconds:g} s while queues were drained.",
            meaning="It waits for a node that is silent.",
            remedy="Heal the cluster first: `lab.cluster.heal()`.",
        ) from None
    finally:
        # Nothing is noted, and nothing acknowledged, once the caller has gone on.
        work.over.set()
    if isinstance(result, BaseException):
        raise result
    return result


class Draining:
    """One draining; parameters are those of :func:`drain`, with a deadline of the monotonic clock."""

    def __init__(
        self,
        ledger: Ledger,
        queues: Sequence[str],
        urls: Callable[[], Urls],
        homes: Callable[[], Homes],
        deadline: float,
    ) -> None:
        self.over = Event()
        """Set when it must not note anything more."""
        self._ledger, self._queues, self._urls, self._homes = ledger, queues, urls, homes
        self._deadline = deadline
        self._taken: Counter[str] = Counter()

    def run(self) -> dict[str, int]:
        """Go round until every queue is empty; returns and raises as :func:`drain`."""
        failing_since: float | None = None
        while True:
            try:
                urls = self._urls()
                refuse_what_is_down(self._queues, urls, self._homes())
                self._taken.update(dict.fromkeys(urls, 0))
                self._round(urls)
                left = depths(self._queues, urls, self._homes())
                if not any(left.values()):
                    # What a connection still had in its hands when it was closed is ready again a moment later.
                    time.sleep(QUIET)
                    left = depths(self._queues, urls, self._homes())
                if not any(left.values()):
                    return dict(sorted(self._taken.items()))
                failing_since = None
                self._give_up_when_late(left)
            except (QueueUnavailableError, BrokerUnreachableError, AMQPError) as error:
                failing_since = failing_since or time.monotonic()
                if time.monotonic() > min(self._deadline, failing_since + COMES_BACK_WITHIN):
                    if isinstance(error, LabsError):
                        raise
                    raise BrokerUnreachableError(
                        f"The connection was lost while queues were drained ({type(error).__name__}: {error})."
                    ) from error
                time.sleep(LONGEST_PAUSE)

    def _give_up_when_late(self, left: Mapping[str, int]) -> None:
        if time.monotonic() > self._deadline:
            raise TimedOutError(
                "The time for draining is over, and messages are left: "
                f"{', '.join(f'{count} in {queue!r}' for queue, count in left.items() if count)}.",
                meaning="Somebody still publishes, or there are more than can be taken in that time.",
                remedy="End the publisher, or give more time: `seconds=60`.",
            )

    def _round(self, urls: Urls) -> None:
        """Take through every node what it gives, until none has anything more."""
        connections: list[BlockingConnection] = []
        try:
            for url in urls.values():
                connections.append(connect(url))
            for queue in self._queues:
                takers = [
                    Taker(connection, queue, self._notes(node))
                    for node, connection in zip(urls, connections, strict=True)
                ]
                share = takers[0].depth() // len(takers)
                # All begin before one goes on: what is on its way to one node, the others cannot take.
                for taker in takers:
                    taker.begin(max(1, min(MOST_AT_ONCE, share)))
                for taker in takers:
                    taker.take(self._deadline)
        finally:
            for connection in connections:
                if connection.is_open:
                    connection.close()

    def _notes(self, node: str) -> Callable[[str], bool]:
        """Make what notes a message that came through this node; it answers whether the message may be acknowledged."""

        def note(name: str) -> bool:
            if self.over.is_set():
                return False
            self._ledger.received(name)
            self._ledger.acked(name)
            self._taken[node] += 1
            return True

        return note


def refuse_what_is_down(queues: Sequence[str], urls: Urls, homes: Homes) -> None:
    """Ask nothing of a queue without a majority of the nodes that it lives on.

    https://www.rabbitmq.com/docs/quorum-queues#quorum-requirements
    """
    if not urls:
        raise BrokerUnreachableError(
            "No node is up, so nothing can be drained.", remedy="Start the nodes first: `lab.cluster.heal()`."
        )
    for queue in queues:
        down = [node for node in homes.get(queue, ()) if node not in urls]
        if down and 2 * len(down) >= len(homes[queue]):
            raise QueueUnavailableError(
                f"The queue {queue!r} lives on {', '.join(homes[queue])}; of these not ready: {', '.join(down)}."
                if len(homes[queue]) > 1
                else f"The queue {queue!r} lives on {down[0]}, which is not ready.",
                meaning="What it holds cannot be taken, and would look lost.",
                remedy="Heal the cluster first: `lab.cluster.heal()`.",
            )


def depths(queues: Sequence[str], urls: Urls, homes: Homes) -> dict[str, int]:
    """How many messages are ready in each queue; none in one that went away with its last consumer.

    Raises
    ------
    QueueUnavailableError
        A queue exists and does not tell.
    """
    known = queue_depths(lambda: next(iter(urls.values())))(queues)
    for queue in queues:
        if queue not in known and queue in homes:
            raise QueueUnavailableError(
                f"The queue {queue!r} does not say whether it is empty.",
                meaning="Its node went down meanwhile.",
                remedy="Heal the cluster first: `lab.cluster.heal()`.",
            )
    return {queue: known.get(queue, (0, 0))[0] for queue in queues}
