"""Judge an exercise: look until it passes or the time is over, and never raise."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread

import httpx

from lab_helpers.broker.management import RefusedError
from lab_helpers.broker.waiting import FIRST_PAUSE
from lab_helpers.errors import LabsError
from lab_helpers.exercises.bench import Bench
from lab_helpers.exercises.model import Exercise, Outcome, Verdict

STEADY = 0.3
"""Seconds in which a wrong state must stay as it is to be told: a message that is on its way arrives well within."""
PATIENCE = 1.2
"""Seconds after which a wrong state is told even if it still changes."""
ANSWER_WITHIN = 1.9
"""Seconds for the whole; a broker that hangs is an answer too."""
SEE_WHY = "`lab.status()` shows the nodes; `labs status` and `labs doctor` in a terminal say more."


def judge(exercise: Exercise, bench: Bench) -> Verdict:
    """Judge the exercise by the broker's state now.

    Passed and not attempted are said at once. A state that is wrong is looked at again until it stays the same for
    :data:`STEADY` seconds, or :data:`PATIENCE` is over. A cluster that does not answer gives ENVIRONMENT. On a slow
    machine the time may be over after one look and before the second: then the first is told.
    """
    told: list[Verdict] = []
    verdict = within(
        ANSWER_WITHIN,
        lambda: patient(exercise, bench, told.append),
        Verdict(
            Outcome.ENVIRONMENT,
            f"The broker did not answer all questions of this check within {ANSWER_WITHIN:.0f} seconds.",
            look=f"Check once more, as a busy machine may need longer. {SEE_WHY}",
        ),
    )
    return told[-1] if told else verdict


def patient(exercise: Exercise, bench: Bench, tell: Callable[[Verdict], None]) -> Verdict:
    """Look again and again as long as the verdict may still change, and tell of each look."""
    began = since = time.monotonic()
    verdict = look(exercise, bench)
    tell(verdict)
    while verdict.outcome is Outcome.INCORRECT:
        now = time.monotonic()
        if now - since > STEADY or now - began > PATIENCE:
            break
        time.sleep(FIRST_PAUSE)
        bench = bench.again()
        later = look(exercise, bench)
        tell(later)
        if later != verdict:
            verdict, since = later, now
    return verdict


def look(exercise: Exercise, bench: Bench) -> Verdict:
    """Look once."""
    try:
        verdict = exercise.verdict(bench)
        if not isinstance(verdict, Verdict):
            raise TypeError(f"the check of {exercise.name} returned no verdict")
        return verdict
    except RefusedError as error:
        if error.status == httpx.codes.NOT_FOUND:
            return Verdict(
                Outcome.ENVIRONMENT, "The lab's virtual host is gone. Run the lab's first cell again.", look=SEE_WHY
            )
        return Verdict(Outcome.ENVIRONMENT, str(error), look=SEE_WHY)
    except LabsError as error:
        return Verdict(Outcome.ENVIRONMENT, f"{error.what} {error.meaning}".strip(), look=SEE_WHY)
    except Exception as error:
        return Verdict(Outcome.ENVIRONMENT, f"The check could not read the broker ({described(error)}).", look=SEE_WHY)


def described(error: BaseException) -> str:
    """An exception's kind and its message, where it has one that can be read."""
    try:
        text = str(error)
    except Exception:
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def within(seconds: float, work: Callable[[], Verdict], otherwise: Verdict) -> Verdict:
    """Do the work in a thread of its own, and let it go on alone when the time is over."""
    done: SimpleQueue[Verdict | BaseException] = SimpleQueue()

    def do() -> None:
        try:
            done.put(work())
        except BaseException as error:  # also what ends programs: it belongs to the caller
            done.put(error)

    Thread(target=do, daemon=True, name="judge").start()
    try:
        result = done.get(timeout=seconds)
    except Empty:
        return otherwise
    if isinstance(result, BaseException):
        raise result
    return result
