"""Draining without a broker: which queues it refuses to ask, and that it ends in time."""

from __future__ import annotations

import time
from threading import Event

import pytest

from lab_helpers.broker.waiting import TimedOutError
from lab_helpers.errors import BrokerUnreachableError
from lab_helpers.record import draining
from lab_helpers.record.draining import Draining, drain, refuse_what_is_down
from lab_helpers.record.ledger import Ledger
from lab_helpers.record.taking import QueueUnavailableError

NODES = ("rmq1", "rmq2", "rmq3")
HOMES = {"notes": ["rmq2"], "orders": list(NODES), "pair": ["rmq1", "rmq2"]}


@pytest.mark.parametrize(
    ("up", "refused"),
    [
        (NODES, set()),
        # Half of two members is no majority.
        (("rmq1", "rmq3"), {"notes", "pair"}),
        (("rmq2",), {"orders", "pair"}),
        (("rmq3",), {"notes", "orders", "pair"}),
    ],
)
def test_a_queue_without_a_majority_of_its_nodes_is_not_asked(up: tuple[str, ...], refused: set[str]) -> None:
    found = set()
    for queue in HOMES:
        try:
            refuse_what_is_down([queue], dict.fromkeys(up, "amqp://"), HOMES)
        except QueueUnavailableError:
            found.add(queue)
    assert found == refused


def test_without_a_node_nothing_is_drained() -> None:
    with pytest.raises(BrokerUnreachableError, match="No node is up"):
        refuse_what_is_down(["notes"], {}, HOMES)


def test_a_broker_that_never_answers_ends_it_in_time() -> None:
    answers = Event()

    def urls() -> dict[str, str]:
        answers.wait(30)
        return {}

    began = time.monotonic()
    with pytest.raises(TimedOutError, match=r"did not answer within 0\.1 s"):
        drain(Ledger(), ["notes"], urls, dict, seconds=0.1)
    assert time.monotonic() - began < 10
    answers.set()


def test_what_stays_down_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "COMES_BACK_WITHIN", 0.1)
    with pytest.raises(QueueUnavailableError, match="'notes' lives on rmq2, which is not ready"):
        drain(Ledger(), ["notes"], lambda: {"rmq1": "amqp://"}, lambda: HOMES)


def test_nothing_is_noted_once_it_is_over() -> None:
    ledger = Ledger()
    work = Draining(ledger, ["notes"], dict, dict, 0.0)
    note = work._notes("rmq1")
    assert note("1")
    work.over.set()
    assert not note("2")
    assert (ledger.counts["received"], ledger.counts["acked"]) == (1, 1)
    assert "2" not in ledger
