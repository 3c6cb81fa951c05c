"""What a lab asks of its learner and tells them: predictions, checks, hints, solutions and progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import EllipsisType

from IPython.display import display

from lab_helpers.draw.card import Card, CodeCard
from lab_helpers.errors import LabsError
from lab_helpers.exercises import Bench, Exercise, Outcome, Verdict, events, load
from lab_helpers.exercises.course import course, passed
from lab_helpers.exercises.judge import judge
from lab_helpers.exercises.progress import Progress
from lab_helpers.exercises.solutions import solution
from lab_helpers.notebook import explain_errors
from lab_helpers.settings import ROOT

VERDICT = "application/vnd.rabbitmq-labs.verdict+json"
"""The MIME type under which a check's verdict stands in a notebook for programs to read."""

TONE_OF = {
    Outcome.PASSED: "good",
    Outcome.INCORRECT: "bad",
    Outcome.NOT_ATTEMPTED: "open",
    Outcome.ERROR: "trouble",
    Outcome.ENVIRONMENT: "trouble",
}


class Guidance:
    """The exercises of a lab and what its learner has made of them.

    Parameters
    ----------
    slug
        The lab's name.
    progress
        Where it is kept.
    bench
        Gives what an exercise's check may ask, now.
    """

    def __init__(self, slug: str, progress: Progress, bench: Callable[[str], Bench]) -> None:
        self.slug = slug
        self._bench = bench
        self._exercises = load(ROOT, slug)
        self._progress = progress
        self._hints = dict.fromkeys(self._exercises, 0)
        self._predictions: dict[str, str] = {}
        self._cells = explain_errors()

    def predict(self, question: str, answer: str | EllipsisType) -> None:
        """Take a prediction before the experiment is run.

        Parameters
        ----------
        question
            The question's name, as in the text above the cell.
        answer
            Your answer; ``...`` as long as you have none.
        """
        if answer is ...:
            self._predictions.pop(question, None)
            display(
                Card(
                    "open",
                    question,
                    "Replace the dots with your answer, then run this cell.",
                    label="Predict",
                )
            )
            return
        self._predictions[question] = str(answer)
        display(Card("note", question, f"You expect `{answer}`.", label="Predict"))

    def happened(self, question: str, answer: object) -> None:
        """Compare what happened with the prediction.

        Parameters
        ----------
        question
            The name given to :meth:`predict`.
        answer
            What the experiment showed.
        """
        expected = self._predictions.get(question)
        if expected is None:
            body, tone = f"`{answer}` (you made no prediction).", "note"
        elif expected.strip().casefold() == str(answer).casefold():
            body, tone = f"`{answer}`, as you expected.", "good"
        else:
            body, tone = f"`{answer}`, and you expected `{expected}`. The text below says why.", "bad"
        display(Card(tone, question, body, label="Happened"))

    def check(self, exercise: str) -> None:
        """Judge an exercise by the state of the broker now, and say what was seen."""
        wanted = self._exercise(exercise)
        began = time.monotonic()
        verdict = judge(wanted, self._bench(exercise))
        seconds = time.monotonic() - began
        failure = self._cells.failure
        if failure is not None and verdict.outcome in (Outcome.INCORRECT, Outcome.NOT_ATTEMPTED):
            verdict = Verdict(Outcome.ERROR, f"{failure}. Mend that first. The broker's state now: {verdict.message}")
        attempt = self._progress.record_check(self.slug, exercise, verdict.outcome)
        data = {VERDICT: {"exercise": exercise, "outcome": str(verdict.outcome), "message": verdict.message}}
        label = {Outcome.ERROR: "Your code raised", Outcome.ENVIRONMENT: "Cluster"}.get(verdict.outcome, "")
        rows = [row for row in (("Expected", verdict.expected), ("Seen", verdict.seen)) if verdict.expected]
        display(Card(TONE_OF[verdict.outcome], exercise, verdict.message, data, label, rows, verdict.look))
        events.publish(events.Checked(self.slug, exercise, verdict.outcome, attempt, seconds))

    def hint(self, exercise: str) -> None:
        """Give the next hint, which tells more than the one before."""
        hints = self._exercise(exercise).hints
        number = min(self._hints[exercise], len(hints) - 1)
        self._hints[exercise] = number + 1
        self._progress.record_hint(self.slug, exercise, number + 1)
        display(Card("note", exercise, hints[number], label=f"Hint {number + 1} of {len(hints)}"))

    def solution(self, exercise: str, *, reveal: bool = False) -> None:
        """Show the solution, after the hints or at once with ``reveal=True``; the progress says that it was shown."""
        left = len(self._exercise(exercise).hints) - self._hints_given(exercise)
        if left > 0 and not reveal:
            display(
                Card(
                    "note",
                    exercise,
                    f"There {'is 1 hint' if left == 1 else f'are {left} hints'} left: `lab.hint({exercise!r})`. "
                    f"To see the solution all the same: `lab.solution({exercise!r}, reveal=True)`.",
                    label="Solution",
                )
            )
            return
        self._progress.record_shown(self.slug, exercise)
        code = solution(ROOT, self.slug, exercise)
        display(CodeCard("One solution", exercise, code, "Your progress says that the solution was shown."))

    def progress(self) -> None:
        """Show which of this lab's exercises are done."""
        known = self._progress.of(self.slug)
        done = passed(known, self._exercises)
        left = [name for name in self._exercises if name not in done]
        body = "; ".join(
            f"{title}: {', '.join(f'`{name}`' for name in names)}"
            for title, names in (
                ("done", done),
                ("open", left),
                ("solution shown", [name for name in self._exercises if known.get(name, {}).get("shown")]),
            )
            if names
        )
        display(
            Card(
                "note" if left else "good",
                f"{len(done)} of {len(self._exercises)} exercises",
                body + ".",
                label="Progress",
            )
        )

    def course_progress(self) -> None:
        """Show the whole course as a small map: which labs are done, which are begun, which comes next."""
        labs = course(ROOT, self._progress)
        done = sum(lab.passed == lab.exercises for lab in labs)
        rows = [(lab.name, lab.words) for lab in labs]
        display(Card("note", f"{done} of {len(labs)} labs", "", label="Course", rows=rows))

    def _hints_given(self, exercise: str) -> int:
        """How many hints the learner has had, in this kernel or an earlier one."""
        recorded = self._progress.of(self.slug).get(exercise, {}).get("hints", 0)
        return max(self._hints[exercise], recorded if isinstance(recorded, int) else 0)

    def _exercise(self, name: str) -> Exercise:
        if name not in self._exercises:
            raise LabsError(
                f"This lab has no exercise {name!r}.", remedy=f"Its exercises: {', '.join(self._exercises)}."
            )
        return self._exercises[name]
