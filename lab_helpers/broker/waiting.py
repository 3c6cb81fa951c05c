"""Wait for a condition, to a deadline: the only way this project waits for a broker."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import TypeVar

import tenacity

from lab_helpers.errors import LabsError

T = TypeVar("T")

FIRST_PAUSE = 0.02
"""Seconds between the first looks: most conditions of a lab hold within a few milliseconds."""
LONGEST_PAUSE = 0.25
"""Seconds between later looks: gentle on a broker that is busy booting."""


class TimedOutError(LabsError):
    """What was waited for did not happen before the deadline."""


def wait_until(
    condition: Callable[[], T],
    *,
    seconds: float = 10.0,
    what: str = "",
    retry_on: tuple[type[Exception], ...] = (),
) -> T:
    """Call ``condition`` until it returns something true, and return that.

    Parameters
    ----------
    condition
        Called again and again; a true value ends the waiting.
    seconds
        The deadline, in seconds from now.
    what
        What is waited for, for the message: "queue eu holds 2 messages".
    retry_on
        Exceptions that mean "not yet".

    Raises
    ------
    TimedOutError
        The deadline passed; names what was waited for and the last exception, if any.
    """
    started = time.monotonic()

    def give_up(state: tenacity.RetryCallState) -> T:
        last = state.outcome.exception() if state.outcome else None
        raise TimedOutError(
            f"Waited {time.monotonic() - started:.1f} s for {what or described(condition)}, and it did not happen.",
            meaning=f"The last answer was: {str(last).rstrip('.')}." if last else "",
        ) from last

    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_delay(seconds),
        wait=tenacity.wait_exponential(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE, exp_base=1.5),
        retry=tenacity.retry_if_result(lambda result: not result) | tenacity.retry_if_exception_type(retry_on),
        retry_error_callback=give_up,
    )
    return retrying(condition)


def described(condition: Callable[[], object]) -> str:
    """Name a condition: the line of source that holds a lambda, which reads well in a message, or a function's name."""
    name = getattr(condition, "__name__", "")
    if not name:
        return "a condition"
    if name != "<lambda>":
        return f"`{name}`"
    try:
        lines = inspect.getsource(condition).splitlines()
    except (OSError, TypeError):
        return "a condition"
    return f"`{next(line for line in lines if 'lambda' in line).strip().rstrip(',')}`"
