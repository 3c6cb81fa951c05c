"""The judge: patient with a state that may still become right, and never raising."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from lab_helpers.broker.management import RefusedError
from lab_helpers.cluster import Cluster
from lab_helpers.cluster.engines.external import ExternalEngine
from lab_helpers.errors import LabsError
from lab_helpers.exercises import Bench, Exercise, Outcome, Verdict, incorrect, not_attempted, passed
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


class Check:
    """Says each verdict in turn, then the last one again and again."""

    def __init__(self, *verdicts: Verdict) -> None:
        self.verdicts = verdicts
        self.looks = 0

    def __call__(self, bench: Bench) -> Verdict:
        self.looks += 1
        return self.verdicts[min(self.looks, len(self.verdicts)) - 1]


def exercise(check: Callable[[Bench], Verdict]) -> Exercise:
    return Exercise("made-up", check, ("a", "b"), ())


def patience(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(package, "PATIENCE", seconds)


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
    patience(monkeypatch, 30)
    check = Check(incorrect("0 messages"), incorrect("1 message"), passed("2 messages"))
    assert judge(exercise(check), bench) == passed("2 messages")
    assert check.looks == 3


def test_a_state_that_stays_wrong_is_said_as_last_seen(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    patience(monkeypatch, 0.2)
    check = Check(incorrect("first"), incorrect("last"))
    started = time.monotonic()
    assert judge(exercise(check), bench) == incorrect("last")
    assert time.monotonic() - started >= 0.2
    assert check.looks > 2


def test_a_cluster_that_does_not_answer(bench: Bench) -> None:
    def check(bench: Bench) -> Verdict:
        return passed(str(bench.topology()))

    verdict = judge(exercise(check), bench)
    assert verdict.outcome is Outcome.ENVIRONMENT
    assert "does not answer" in verdict.message
    assert "labs status" in verdict.message


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (LabsError("What.", meaning="Means.", remedy="Do."), "What. Means. Do."),
        (RefusedError(404, "GET /vhosts/04", "Not Found"), "404"),
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
