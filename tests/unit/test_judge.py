"""The judge: patient with a state that may still become right, and never raising."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pika.exceptions import AMQPError

from lab_helpers.broker.management import RefusedError
from lab_helpers.cluster import Cluster
from lab_helpers.cluster.engines.external import ExternalEngine
from lab_helpers.errors import LabsError
from lab_helpers.exercises import (
    Bench,
    Difference,
    Exercise,
    Expectation,
    Outcome,
    Verdict,
    connected,
    incorrect,
    not_attempted,
    passed,
)
from lab_helpers.exercises import judge as package
from lab_helpers.exercises.judge import judge
from lab_helpers.settings import Settings


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A bench whose broker does not answer: the port is bound, and nobody listens there."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        settings = Settings(
            _env_file=None,
            amqp_url=f"amqp://labs:pw@127.0.0.1:{port}",
            management_url=f"http://labs:pw@127.0.0.1:{port}",
        )
        cluster = Cluster(ExternalEngine(settings))
        yield Bench(cluster, cluster.managements(), "04")


def nowhere() -> Bench:
    """A bench for checks that ask it nothing."""
    management_url, amqp_url = "http://labs:pw@127.0.0.1:1", "amqp://labs:pw@127.0.0.1:1"
    settings = Settings(_env_file=None, amqp_url=amqp_url, management_url=management_url)
    return Bench(Cluster(ExternalEngine(settings)), [], "04")


class Check:
    """Says each verdict in turn, then the last one again and again."""

    def __init__(self, *verdicts: Verdict) -> None:
        self.verdicts = verdicts
        self.looks = 0

    def __call__(self, bench: Bench) -> Verdict:
        self.looks += 1
        return self.verdicts[min(self.looks, len(self.verdicts)) - 1]


def exercise(check: Callable[[Bench], Verdict]) -> Exercise:
    return Exercise(name="made-up", check=check, hints=("a", "b"), wrong=())


def patience(monkeypatch: pytest.MonkeyPatch, *, steady: float, whole: float = 30, answer: float = 60) -> None:
    for name, seconds in (("STEADY", steady), ("PATIENCE", whole), ("ANSWER_WITHIN", answer)):
        monkeypatch.setattr(package, name, seconds)


def test_verdicts_have_their_outcomes() -> None:
    assert [passed("x"), incorrect("x"), not_attempted("x")] == [
        Verdict(Outcome.PASSED, "x"),
        Verdict(Outcome.INCORRECT, "x"),
        Verdict(Outcome.NOT_ATTEMPTED, "x"),
    ]


@pytest.mark.parametrize("verdict", [passed("Seen."), not_attempted("Nothing there.")])
def test_what_is_clear_is_said_at_once(bench: Bench, verdict: Verdict) -> None:
    check = Check(verdict)
    assert judge(exercise(check), bench) is verdict
    assert check.looks == 1


def test_a_state_that_becomes_right_passes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    patience(monkeypatch, steady=30)
    check = Check(incorrect("0 messages"), incorrect("1 message"), passed("2 messages"))
    assert judge(exercise(check), bench) == passed("2 messages")
    assert check.looks == 3


def test_a_state_that_stays_wrong_is_said_as_last_seen(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    patience(monkeypatch, steady=0.2)
    check = Check(incorrect("first"), incorrect("last"))
    started = time.monotonic()
    assert judge(exercise(check), bench) == incorrect("last")
    assert time.monotonic() - started >= 0.2
    assert check.looks > 2


def test_a_state_that_never_rests_is_told_all_the_same(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    patience(monkeypatch, steady=30, whole=0.2)
    numbers = itertools.count()
    verdict = judge(exercise(lambda _: incorrect(f"{next(numbers)} messages")), bench)
    assert verdict.outcome is Outcome.INCORRECT
    assert next(numbers) > 3


def test_a_broker_that_hangs_is_told_in_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    patience(monkeypatch, steady=30, answer=0.2)
    released = threading.Event()

    def check(_: Bench) -> Verdict:
        released.wait(60)
        return passed("too late")

    started = time.monotonic()
    verdict = judge(exercise(check), bench)
    released.set()
    assert verdict.outcome is Outcome.ENVIRONMENT
    assert time.monotonic() - started < 30


def test_all_the_times_together_are_within_two_seconds() -> None:
    assert package.STEADY < package.PATIENCE < package.ANSWER_WITHIN < 2


@given(st.sampled_from([ValueError, OSError, KeyError, LookupError, RuntimeError, AMQPError, LabsError]), st.text())
@settings(deadline=None)
def test_a_check_may_raise_anything(kind: type[Exception], text: str) -> None:
    def check(_: Bench) -> Verdict:
        raise kind(text)

    verdict = judge(exercise(check), nowhere())
    assert verdict.outcome is Outcome.ENVIRONMENT
    assert "labs status" in verdict.look


def test_an_exception_without_words_is_still_an_outcome(bench: Bench) -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise ValueError("no words")

    def check(_: Bench) -> Verdict:
        raise MuteError

    assert "(MuteError)" in judge(exercise(check), bench).message


def test_expectations_are_read_in_order_up_to_the_first_that_fails() -> None:
    read: list[str] = []

    def expectation(name: str, *, holds: bool) -> Expectation:
        def check(_: Bench) -> Difference | None:
            read.append(name)
            return None if holds else Difference(name, "wanted", "found", "Look.")

        return check

    def made(attempted: bool, first: bool, second: bool) -> Exercise:
        parts = (expectation("first", holds=first), expectation("second", holds=second))
        begun = (expectation("attempted", holds=attempted),)
        return Exercise(name="x", attempted=begun, expect=parts, passed="All.", hints=("a", "b"), wrong=())

    bench = nowhere()
    assert made(True, True, True).verdict(bench) == passed("All.")
    assert read == ["attempted", "first", "second"]
    read.clear()
    assert made(False, False, False).verdict(bench).outcome is Outcome.NOT_ATTEMPTED
    assert read == ["attempted"]
    read.clear()
    wrong = made(True, False, False).verdict(bench)
    assert wrong == Verdict(Outcome.INCORRECT, "first", "wanted", "found", "Look.")
    assert read == ["attempted", "first"]


def holds(_: Bench) -> Difference | None:
    return None


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"attempted": (holds,), "expect": (holds,)},
        {"attempted": (holds,), "passed": "All."},
        {"expect": (holds,), "passed": "All."},
        {"attempted": (holds,), "expect": (holds,), "passed": "All.", "check": lambda _: passed("All.")},
        {"passed": "All.", "check": lambda _: passed("All.")},
    ],
    ids=lambda parts: "+".join(parts) or "nothing",
)
def test_an_exercise_is_judged_in_one_of_two_ways(parts: dict[str, Any]) -> None:
    with pytest.raises(LabsError, match="'x' cannot be judged"):
        Exercise(name="x", hints=("a", "b"), wrong=(), **parts)


def test_a_wrong_answer_in_a_line() -> None:
    assert connected('channel.queue_delete("a")', "done = True") == (
        "with pika.BlockingConnection(parameters) as connection:\n"
        "    channel = connection.channel()\n"
        '    channel.queue_delete("a")\n'
        "    done = True"
    )


def test_a_cluster_that_does_not_answer(bench: Bench) -> None:
    def check(bench: Bench) -> Verdict:
        return passed(str(bench.topology()))

    verdict = judge(exercise(check), bench)
    assert verdict.outcome is Outcome.ENVIRONMENT
    assert "No node's management API answers" in verdict.message
    assert "labs status" in verdict.look


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (LabsError("What.", meaning="Means.", remedy="Do."), "What. Means."),
        (RefusedError(401, "GET /vhosts/04", "Unauthorised"), "401"),
        (RefusedError(404, "GET /vhosts/04", "Not Found"), "virtual host is gone. Run the lab's first cell"),
        (KeyError("queue"), "KeyError"),
        (AssertionError(), "AssertionError"),
        (RecursionError("deep"), "RecursionError: deep"),
    ],
)
def test_an_exception_is_an_outcome(bench: Bench, error: Exception, message: str) -> None:
    def check(_: Bench) -> Verdict:
        raise error

    verdict = judge(exercise(check), bench)
    assert verdict.outcome is Outcome.ENVIRONMENT
    assert message in verdict.message


def test_the_learner_can_interrupt(bench: Bench) -> None:
    def check(_: Bench) -> Verdict:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge(exercise(check), bench)


def test_a_check_without_a_verdict(bench: Bench) -> None:
    judge(exercise(lambda _: None), bench)  # type: ignore[arg-type,return-value]
