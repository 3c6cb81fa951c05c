"""The judge: it asks the broker whether an exercise is solved, and says what it saw."""

from lab_helpers.exercises.bench import Bench
from lab_helpers.exercises.loading import load
from lab_helpers.exercises.model import (
    Exercise,
    Outcome,
    Verdict,
    WrongAnswer,
    incorrect,
    not_attempted,
    passed,
)

__all__ = [
    "Bench",
    "Exercise",
    "Outcome",
    "Verdict",
    "WrongAnswer",
    "incorrect",
    "load",
    "not_attempted",
    "passed",
]
