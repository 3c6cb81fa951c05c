"""Waiting for a condition, to a deadline."""

from __future__ import annotations

import time
from functools import partial

import pytest

from lab_helpers.broker.waiting import LONGEST_PAUSE, TimedOutError, described, wait_until
from lab_helpers.errors import LabsError


class Counter:
    """Counts how often it is asked; true, as that number, from the nth time on."""

    def __init__(self, true_from: int, error: Exception | None = None) -> None:
        self.asked = 0
        self.true_from = true_from
        self.error = error

    def __call__(self) -> int:
        self.asked += 1
        if self.asked >= self.true_from:
            return self.asked
        if self.error:
            raise self.error
        return 0


def never() -> bool:
    return False


def test_it_returns_the_first_true_value() -> None:
    counter = Counter(4)
    assert wait_until(counter) == 4
    assert counter.asked == 4


def test_what_is_true_at_once_is_asked_once() -> None:
    counter = Counter(1)
    started = time.monotonic()
    assert wait_until(counter) == 1
    assert (counter.asked, time.monotonic() - started < 1) == (1, True)


def test_it_times_out_and_names_what_was_waited_for() -> None:
    started = time.monotonic()
    with pytest.raises(TimedOutError) as caught:
        wait_until(never, seconds=0.2, what="queue eu to hold 2 messages")
    assert 0.2 <= time.monotonic() - started < 0.2 + 20 * LONGEST_PAUSE
    assert caught.value.what.startswith("Waited 0.")
    assert caught.value.what.endswith(" s for queue eu to hold 2 messages, and it did not happen.")
    assert caught.value.meaning == ""
    assert isinstance(caught.value, LabsError)


def test_without_a_name_the_condition_itself_is_shown() -> None:
    with pytest.raises(TimedOutError, match=r"lambda: never\(\)"):
        wait_until(lambda: never(), seconds=0.05)


def test_it_looks_at_least_once() -> None:
    assert wait_until(Counter(1), seconds=0) == 1


def test_exceptions_that_mean_not_yet() -> None:
    assert wait_until(Counter(3, OSError("refused")), retry_on=(OSError, ValueError)) == 3


def test_the_last_such_exception_is_told() -> None:
    cause = OSError("connection refused.")
    with pytest.raises(TimedOutError) as caught:
        wait_until(Counter(10**9, cause), seconds=0.1, retry_on=(OSError,))
    assert caught.value.meaning == "The last answer was: connection refused."
    assert caught.value.__cause__ is cause


def test_other_exceptions_pass() -> None:
    counter = Counter(3, KeyError("typo"))
    with pytest.raises(KeyError, match="typo"):
        wait_until(counter, retry_on=(OSError,))
    assert counter.asked == 1


def test_described_by_source_or_name() -> None:
    condition = lambda: never() or 2 == 3  # noqa: E731
    assert described(condition) == "`condition = lambda: never() or 2 == 3  # noqa: E731`"
    assert described(never) == "`never`"


def test_described_without_source() -> None:
    assert described(partial(never)).strip("`") == "a condition"
    assert described(eval("lambda: True")) == "a condition"  # noqa: S307
    assert described(time.monotonic) == "`monotonic`"
