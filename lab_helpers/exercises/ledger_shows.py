"""An expectation about what became of the learner's messages: counted, none lost, none there twice.

It reads the ledger that ``lab.ledger(exercise="name")`` keeps for the exercise, as the learner's program filled it.
Where there is none, it makes one of the story that ``lab.record("name")`` kept, which knows only what was said then.
"""

from __future__ import annotations

from lab_helpers.exercises import words
from lab_helpers.exercises.bench import Bench
from lab_helpers.exercises.model import Difference, Expectation
from lab_helpers.record.ledger import STEPS, Ledger
from lab_helpers.record.message_ids import Id

LOOK = "Look at the ledger: it shows the messages that are not in order."
SENTENCES = {
    # What is said of these messages: of one, of several.
    "lost": ("confirmed message was never received", "confirmed messages were never received"),
    "duplicated": ("message was received more than once", "messages were received more than once"),
    "recovered": ("message was received though never confirmed", "messages were received though never confirmed"),
    "unexpected": ("message was received though never sent", "messages were received though never sent"),
    "missing": (
        "message was sent and never received, and the broker said nothing of it",
        "messages were sent and never received, and the broker said nothing of them",
    ),
    "indeterminate": (
        "message was sent and neither confirmed, nacked nor returned",
        "messages were sent and neither confirmed, nacked nor returned",
    ),
    "resent": ("message was sent more than once", "messages were sent more than once"),
    **{step: (f"message was {step}", f"messages were {step}") for step in STEPS},
}


def ledger_shows(
    *,
    sent: int | None = None,
    confirmed: int | None = None,
    nacked: int | None = None,
    returned: int | None = None,
    received: int | None = None,
    acked: int | None = None,
    lost: int | None = None,
    duplicated: int | None = None,
    recovered: int | None = None,
    unexpected: int | None = None,
    missing: int | None = None,
    indeterminate: int | None = None,
    resent: int | None = None,
) -> Expectation:
    """So many messages took each step, and so many are in each list of the :class:`Ledger`.

    What is not given does not matter; without anything, it holds as soon as something was noted. An empty ledger never
    holds: of nothing, nothing can be lost.

    Parameters
    ----------
    sent, confirmed, nacked, returned, received, acked
        Numbers of messages, each counted once.
    lost, duplicated, recovered, unexpected, missing, indeterminate, resent
        Lengths of the lists of that name.
    """
    wanted = {
        # What was not done explains what is lost, so it is said first.
        "sent": sent,
        "confirmed": confirmed,
        "nacked": nacked,
        "returned": returned,
        "received": received,
        "acked": acked,
        "lost": lost,
        "unexpected": unexpected,
        "duplicated": duplicated,
        "recovered": recovered,
        "missing": missing,
        "indeterminate": indeterminate,
        "resent": resent,
    }

    def check(bench: Bench) -> Difference | None:
        ledger = bench.ledger()
        if ledger is None:
            return Difference(
                "There is no ledger of this exercise since the lab's first cell ran: "
                "`lab.ledger(exercise=...)` with the exercise's name opens one."
            )
        if not len(ledger):
            return Difference("The ledger is empty: nothing was noted in it.")
        for name, number in wanted.items():
            if number is not None and (difference := compared(ledger, name, number)) is not None:
                return difference
        return None

    return check


def compared(ledger: Ledger, name: str, number: int) -> Difference | None:
    """What is said where a step or a list has not so many messages."""
    ids = ledger.ids(name)
    if len(ids) == number:
        return None
    of_one, of_many = SENTENCES[name]
    sentence = f"{len(ids) or 'No'} {of_many if len(ids) > 1 else of_one}"
    should = f"; it should be {number}" if number else ""
    # Of a step that too few took, those that did not are of interest, and the lists name them.
    named = f": {words.listed(shown(id) for id in ids)}" if ids and name not in STEPS else ""
    return Difference(f"{sentence}{named}{should}.", f"{name} {number}", f"{name} {len(ids)}", LOOK)


def shown(id: Id) -> str:
    """An id as a sentence shows it."""
    return words.shown(str(id).encode())
