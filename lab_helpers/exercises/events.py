"""An event for each check, for whoever listens in this process: a teacher's board, a test."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from lab_helpers.exercises.model import Outcome


@dataclass(frozen=True)
class Checked:
    """A check has ended. Nothing in it says who the learner is, what they wrote, or where they run it."""

    lab: str
    """The lab's name, as "04_direct_exchange"."""
    exercise: str
    outcome: Outcome
    attempt: int
    """How many attempts there have been by now; a check of nothing, or without a cluster, is none."""
    seconds: float
    """How long the judge took."""


Subscriber = Callable[[Checked], None]

_subscribers: list[Subscriber] = []


def subscribe(callback: Subscriber) -> Callable[[], None]:
    """Call ``callback`` with a :class:`Checked` after each check of this process.

    What it raises is dropped: a listener that fails never spoils a check. It is called in the check's own
    thread, so one that may take long hands the event on.

    Returns
    -------
    Callable
        Ends the subscription; calling it again does nothing.
    """
    # The same callback may be subscribed twice, so each subscription gets an identity of its own.
    entry: Subscriber = lambda event: callback(event)  # noqa: E731
    _subscribers.append(entry)

    def unsubscribe() -> None:
        if entry in _subscribers:
            _subscribers.remove(entry)

    return unsubscribe


def publish(event: Checked) -> None:
    """Tell every subscriber, in the order of their subscriptions."""
    for subscriber in tuple(_subscribers):
        with suppress(Exception):
            subscriber(event)
