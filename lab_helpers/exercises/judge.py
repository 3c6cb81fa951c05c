"""Judge an exercise: ask its check until it passes or the time is over, and never raise."""

from __future__ import annotations

import time

from lab_helpers.broker.waiting import FIRST_PAUSE
from lab_helpers.errors import LabsError
from lab_helpers.exercises.bench import Bench
from lab_helpers.exercises.model import Exercise, Outcome, Verdict

PATIENCE = 1.0
"""Seconds in which a state may still become right: a message that is on its way arrives well within."""


def judge(exercise: Exercise, bench: Bench) -> Verdict:
    """Judge the exercise by the broker's state now.

    A state that is not right yet is looked at again until :data:`PATIENCE` is over; nothing attempted is said
    at once. A cluster that does not answer gives ENVIRONMENT.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        verdict = look(exercise, bench)
        if verdict.outcome is not Outcome.INCORRECT or time.monotonic() > deadline:
            return verdict
        time.sleep(FIRST_PAUSE)


def look(exercise: Exercise, bench: Bench) -> Verdict:
    """Run the check once."""
    try:
        verdict = exercise.check(bench)
        if not isinstance(verdict, Verdict):
            raise TypeError(f"the check of {exercise.name} returned no verdict")
        return verdict
    except LabsError as error:
        return Verdict(Outcome.ENVIRONMENT, str(error))
    except Exception as error:
        return Verdict(
            Outcome.ENVIRONMENT,
            f"The check could not read the broker ({type(error).__name__}: {error}). "
            "Run `labs status` in a terminal, then this cell again.",
        )
