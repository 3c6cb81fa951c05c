"""What an exercise is, and what the judge can say of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from lab_helpers.errors import LabsError

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
class Difference:
    """What an expectation did not find as it should be.

    Parameters
    ----------
    message
        A sentence in the broker's own terms.
    expected, seen
        The two sides in a few words, shown as a small table; both or neither.
    look
        A sentence that says where to look now.
    """

    message: str
    expected: str = ""
    seen: str = ""
    look: str = ""


Expectation = Callable[["Bench"], Difference | None]
"""Looks at the broker: None if all is as expected, else the first thing that is not."""


@dataclass(frozen=True)
class Verdict:
    """An outcome, the sentence that says what was seen, and what a :class:`Difference` adds to it."""

    outcome: Outcome
    message: str
    expected: str = ""
    seen: str = ""
    look: str = ""

    @classmethod
    def of(cls, outcome: Outcome, difference: Difference) -> Verdict:
        """Say a difference as a verdict."""
        return cls(outcome, difference.message, difference.expected, difference.seen, difference.look)


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


def connected(*lines: str) -> str:
    """The code of a cell that opens a connection and a channel, and then does these lines."""
    body = "".join(f"\n    {line}" for line in lines)
    return f"with pika.BlockingConnection(parameters) as connection:\n    channel = connection.channel(){body}"


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One exercise of a lab; its statement and its solution stand in the lab itself.

    It is judged by expectations, or by a ``check`` of its own for what they cannot say.

    Parameters
    ----------
    name
        As in ``lab.check(name)``.
    attempted
        What must hold before anything counts as an attempt. The first that does not hold gives NOT_ATTEMPTED, so the
        lab as it is shipped must not fulfil them all.
    expect
        What must hold then, in the order in which a learner mends it: the first that does not gives the message.
    passed
        The sentence when all hold.
    check
        Looks by itself and returns the verdict.
    hints
        At least two, each giving away more than the one before.
    wrong
        At least two mistakes that people make.

    Raises
    ------
    LabsError
        It has neither expectations nor a check, or both.
    """

    name: str
    attempted: tuple[Expectation, ...] = ()
    expect: tuple[Expectation, ...] = ()
    passed: str = ""
    check: Callable[[Bench], Verdict] | None = None
    hints: tuple[str, ...]
    wrong: tuple[WrongAnswer, ...]

    def __post_init__(self) -> None:
        expectations = bool(self.attempted and self.expect and self.passed)
        if expectations == bool(self.check) or (self.check and (self.attempted or self.expect or self.passed)):
            raise LabsError(
                f"The exercise {self.name!r} cannot be judged.",
                remedy="Give it `attempted`, `expect` and `passed`, or a `check` and none of these.",
            )

    def verdict(self, bench: Bench) -> Verdict:
        """Look once, without patience."""
        if self.check is not None:
            return self.check(bench)
        for outcome, expectations in (
            (Outcome.NOT_ATTEMPTED, self.attempted),
            (Outcome.INCORRECT, self.expect),
        ):
            for expectation in expectations:
                if (difference := expectation(bench)) is not None:
                    return Verdict.of(outcome, difference)
        return Verdict(Outcome.PASSED, self.passed)
