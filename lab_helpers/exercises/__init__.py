"""The judge: it asks the broker whether an exercise is solved, and says what it saw."""

from lab_helpers.exercises import story_shows
from lab_helpers.exercises.bench import Bench
from lab_helpers.exercises.declared import bound, exchange, no_longer, only_bound, queue, unbound
from lab_helpers.exercises.ledger_shows import ledger_shows
from lab_helpers.exercises.loading import load
from lab_helpers.exercises.membership import cluster_of, joined
from lab_helpers.exercises.model import (
    Difference,
    Exercise,
    Expectation,
    Outcome,
    Verdict,
    WrongAnswer,
    connected,
    incorrect,
    not_attempted,
    passed,
)
from lab_helpers.exercises.peek import Message
from lab_helpers.exercises.placed import has_members, leaders_balanced, lives_on
from lab_helpers.exercises.probe import Probe, message
from lab_helpers.exercises.routing import routes

__all__ = [
    "Bench",
    "Difference",
    "Exercise",
    "Expectation",
    "Message",
    "Outcome",
    "Probe",
    "Verdict",
    "WrongAnswer",
    "bound",
    "cluster_of",
    "connected",
    "exchange",
    "has_members",
    "incorrect",
    "joined",
    "leaders_balanced",
    "ledger_shows",
    "lives_on",
    "load",
    "message",
    "no_longer",
    "not_attempted",
    "only_bound",
    "passed",
    "queue",
    "routes",
    "story_shows",
    "unbound",
]
