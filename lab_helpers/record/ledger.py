"""The ledger: what was sent, confirmed, received and acknowledged, message by message, and what follows from it.

The rule that it checks: a message that the broker has *confirmed* is not lost; of an unconfirmed one nothing is
promised (https://www.rabbitmq.com/docs/confirms, https://www.rabbitmq.com/docs/quorum-queues#data-safety). So a
publisher that waited for a confirm in vain knows nothing: its message is indeterminate, not failed.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from threading import Lock

from lab_helpers.errors import LabsError
from lab_helpers.record.events import Settlement
from lab_helpers.record.message_ids import Id, id_text, identity, in_order
from lab_helpers.record.story import Story

STEPS = ("sent", "confirmed", "nacked", "returned", "received", "acked")
"""What can be noted of a message, in the order in which it happens."""
FINDINGS = ("lost", "duplicated", "recovered", "unexpected")
"""The verdict. The first and the last must be 0 for a broker that keeps its promise."""
BESIDES = ("missing", "indeterminate", "resent")
"""What explains the verdict."""


@dataclass(frozen=True)
class Entry:
    """What became of one message."""

    id: Id
    sent: int
    """How often it was published; more than once is a resend."""
    confirmed: bool
    nacked: bool
    returned: bool
    received: int
    """How often it was delivered."""
    acked: bool
    findings: tuple[str, ...]
    """The lists of the ledger that it stands in: "lost", "duplicated" …"""


class Ledger:
    """Who noted what of each message; it asks no broker, and several threads may fill it at once.

    Each note takes the message's id, a text or a number. A step noted twice counts once, but for receipts: the second
    makes the message a duplicate. The order of notes does not matter. Notes take constant time, and a list takes time
    linear in the number of messages.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._numbers: dict[str, int] = {}
        """The ids that were given as numbers, by their text."""
        self._sent: Counter[str] = Counter()
        self._received: Counter[str] = Counter()
        self._confirmed: set[str] = set()
        self._nacked: set[str] = set()
        self._returned: set[str] = set()
        self._acked: set[str] = set()

    @classmethod
    def of(cls, *stories: Story) -> Ledger:
        """Make a ledger of what was recorded: publishes, confirms, nacks, returns, deliveries and acks.

        A message is known by its ``message_id``, else by its body: see :func:`lab_helpers.record.message_ids.identity`.

        Raises
        ------
        LabsError
            A story is not complete, so that messages would look lost that were only not recorded.
        """
        made = cls()
        for story in stories:
            made.add(story)
        return made

    def add(self, story: Story) -> None:
        """Note what a story tells; errors are those of :meth:`of`."""
        if story.lost_bytes:
            raise LabsError(
                "This story is not complete: the recording was full before it ended.",
                meaning="A ledger of it would call messages lost that were only not recorded.",
                remedy="Record fewer messages, or fill a ledger in your own code.",
            )
        names = {
            number: identity(message.properties.get("message_id"), message.body)
            for number, message in story.messages.items()
        }
        with self._lock:
            self._sent.update(names[event.message] for event in story.published())
            self._received.update(names[event.message] for event in story.delivered())
            self._confirmed.update(map(names.__getitem__, story.confirmed()))
            self._nacked.update(map(names.__getitem__, story.refused()))
            self._returned.update(names[event.message] for event in story.returned())
            for event in story.settled(Settlement.ACK):
                self._acked.update(map(names.__getitem__, event.messages))

    def copy(self) -> Ledger:
        """The ledger as it is now: later notes do not change it."""
        made = Ledger()
        with self._lock:
            made._numbers = dict(self._numbers)
            for step in STEPS:
                setattr(made, f"_{step}", getattr(self, f"_{step}").copy())
        return made

    # --- Notes

    def sent(self, id: Id) -> None:
        """Note that the message was published; a second time makes it a resend."""
        with self._lock:
            self._sent[self._key(id)] += 1

    def confirmed(self, id: Id) -> None:
        """Note that the broker confirmed the message: ``basic.ack`` to the publisher."""
        with self._lock:
            self._confirmed.add(self._key(id))

    def nacked(self, id: Id) -> None:
        """Note that the broker refused the message: ``basic.nack`` to the publisher."""
        with self._lock:
            self._nacked.add(self._key(id))

    def returned(self, id: Id) -> None:
        """Note that the broker gave the message back, as no queue took it: ``basic.return``."""
        with self._lock:
            self._returned.add(self._key(id))

    def received(self, id: Id) -> None:
        """Note that the message was delivered; each time counts."""
        with self._lock:
            self._received[self._key(id)] += 1

    def acked(self, id: Id) -> None:
        """Note that a consumer acknowledged the message."""
        with self._lock:
            self._acked.add(self._key(id))

    # --- What follows

    def _found(self, name: str) -> set[str]:
        """The definition of each list, by the texts of its ids."""
        match name:
            case "lost":
                return self._confirmed - self._returned - self._received.keys()
            case "duplicated":
                return {text for text, times in self._received.items() if times > 1}
            case "recovered":
                return self._received.keys() - self._confirmed
            case "unexpected":
                return self._received.keys() - self._sent.keys()
            case "missing":
                return self._sent.keys() - self._received.keys() - self._returned - self._nacked
            case "indeterminate":
                return self._sent.keys() - self._confirmed - self._nacked - self._returned
        return {text for text, times in self._sent.items() if times > 1}

    @property
    def lost(self) -> list[Id]:
        """Confirmed and never received. Not a returned one: the broker confirms it too, and its publisher was told."""
        return self.ids("lost")

    @property
    def duplicated(self) -> list[Id]:
        """Received more than once, be it again or from two queues."""
        return self.ids("duplicated")

    @property
    def recovered(self) -> list[Id]:
        """Received though never confirmed; also the unexpected ones, which nobody could confirm."""
        return self.ids("recovered")

    @property
    def unexpected(self) -> list[Id]:
        """Received, never sent."""
        return self.ids("unexpected")

    @property
    def missing(self) -> list[Id]:
        """Sent and never received; not those of which the broker said so, by a nack or a return."""
        return self.ids("missing")

    @property
    def indeterminate(self) -> list[Id]:
        """Sent, and neither confirmed, nacked nor returned: the publisher cannot know, received or not."""
        return self.ids("indeterminate")

    @property
    def resent(self) -> list[Id]:
        """Sent more than once."""
        return self.ids("resent")

    def ids(self, name: str, most: int | None = None) -> list[Id]:
        """The messages of which a step was noted, or that are in a list; each once, in the order of people.

        Parameters
        ----------
        name
            One of :data:`STEPS`, :data:`FINDINGS` or :data:`BESIDES`.
        most
            As many, from the first one on; all if None.
        """
        with self._lock:
            texts: Iterable[str] = self._noted(name) if name in STEPS else self._found(name)
            first = sorted(texts, key=in_order) if most is None else heapq.nsmallest(most, texts, key=in_order)
            return [self._numbers.get(text, text) for text in first]

    @property
    def counts(self) -> dict[str, int]:
        """How many messages took each of the :data:`STEPS`; a message counts once, however often it did."""
        with self._lock:
            return {step: len(self._noted(step)) for step in STEPS}

    @property
    def verdict(self) -> dict[str, int]:
        """How many messages are in each list: :data:`FINDINGS` and :data:`BESIDES`."""
        with self._lock:
            return {name: len(self._found(name)) for name in (*FINDINGS, *BESIDES)}

    def how_many(self, names: Iterable[str]) -> int:
        """How many messages took one of these steps or are in one of these lists, each counted once."""
        with self._lock:
            return len(set().union(*(self._noted(name) if name in STEPS else self._found(name) for name in names)))

    # --- One message, and all

    def __getitem__(self, id: Id) -> Entry:
        """What became of one message.

        Raises
        ------
        LabsError
            Nothing was noted of it.
        """
        if id_text(id) not in self:
            raise LabsError(
                f"The ledger has no message {id!r}.",
                remedy="`list(ledger)` shows the ids that it has; a text must be the same letter for letter.",
            )
        return self.entries([id])[0]

    def entries(self, ids: Iterable[Id]) -> list[Entry]:
        """What became of these messages, in the order in which they are given."""
        now = self.copy()
        lists = {name: now._found(name) for name in (*FINDINGS, *BESIDES)}
        return [
            Entry(
                now._numbers.get(text, text),
                now._sent[text],
                text in now._confirmed,
                text in now._nacked,
                text in now._returned,
                now._received[text],
                text in now._acked,
                tuple(name for name, members in lists.items() if text in members),
            )
            for text in map(id_text, ids)
        ]

    def __iter__(self) -> Iterator[Id]:
        with self._lock:
            known = [self._numbers.get(text, text) for text in sorted(self._all(), key=in_order)]
        return iter(known)

    def __contains__(self, id: object) -> bool:
        return isinstance(id, int | str) and any(str(id) in self._noted(step) for step in STEPS)

    def __len__(self) -> int:
        with self._lock:
            return len(self._all())

    def __repr__(self) -> str:
        return self.summary()

    def summary(self) -> str:
        """The counts and the verdict in two lines, and a third for what is not usual."""
        now = self.copy()
        verdict = now.verdict
        counts = ", ".join(f"{count} {step}" for step, count in now.counts.items())
        main = ", ".join(f"{name} {verdict[name]}" for name in FINDINGS)
        besides = ", ".join(f"{name} {verdict[name]}" for name in BESIDES if verdict[name])
        return f"ledger: {counts}\nverdict: {main}" + (f"\nbesides: {besides}" if besides else "")

    def _noted(self, step: str) -> Counter[str] | set[str]:
        noted: Counter[str] | set[str] = getattr(self, f"_{step}")
        return noted

    def _all(self) -> set[str]:
        return set().union(*map(self._noted, STEPS))

    def _key(self, id: Id) -> str:
        text = id_text(id)
        if isinstance(id, int):
            self._numbers[text] = id
        return text
