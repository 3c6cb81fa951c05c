"""What an exercise is, and what the judge can say of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab_helpers.exercises.bench import Bench


class Outcome(StrEnum):
    """What came of a check."""

    PASSED = "passed"
    INCORRECT = "incorrect"
    NOT_ATTEMPTED = "not-attempted"
    ERROR = "error"
    """The learner's code raised."""
    ENVIRONMENT = "environment"
    """The cluster cannot be reached."""


@dataclass(frozen=True)
class Verdict:
    """An outcome and the sentence that says what was seen, in the broker's own terms."""

    outcome: Outcome
    message: str


def passed(message: str) -> Verdict:
    """The broker's state is what was asked for."""
    return Verdict(Outcome.PASSED, message)


def incorrect(message: str) -> Verdict:
    """The learner did something, and this is what it led to."""
    return Verdict(Outcome.INCORRECT, message)


def not_attempted(message: str) -> Verdict:
    """Nothing of the exercise is there yet."""
    return Verdict(Outcome.NOT_ATTEMPTED, message)


@dataclass(frozen=True)
class WrongAnswer:
    """A mistake that people make: CI proves that it is refused, and with this message."""

    name: str
    code: str
    """The exercise's cell as a mistaken learner would leave it."""
    message: str
    """What the verdict must contain."""


@dataclass(frozen=True)
class Exercise:
    """One exercise of a lab; its statement and its solution stand in the lab itself."""

    name: str
    check: Callable[[Bench], Verdict]
    hints: tuple[str, ...]
    """At least two, each giving away more than the one before."""
    wrong: tuple[WrongAnswer, ...]
