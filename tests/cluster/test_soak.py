"""A minute of publishing and consuming while one node after the other fails: nothing that was confirmed is lost.

What fails when is drawn by lot. The seed is printed; ``LABS_TEST_SEED`` gives the same faults again.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pytest

from lab_helpers import Lab
from lab_helpers.broker import amqp
from lab_helpers.cluster import Cluster
from lab_helpers.settings import NODES
from tests.clients import Consumer, Publisher

SECONDS = 60.0
"""For how long nodes fail."""
PATIENCE = 5.0
"""Seconds after which a publisher tries a new connection."""
PUBLISHERS, CONSUMERS = 2, 2
FAULTS: dict[str, Callable[[Cluster, str], None]] = {
    "kill": lambda cluster, node: cluster[node].kill(),
    "pause": lambda cluster, node: cluster[node].pause(),
    "partition": lambda cluster, node: cluster.partition(node),
}


@dataclass(frozen=True)
class Fault:
    """What fails, for how long, and how long all is well afterwards."""

    kind: str
    node: str
    seconds: float
    well: float


def drawn(seed: int) -> Iterator[Fault]:
    """Faults without end, the same for the same seed; each kind and each node comes once before one comes again.

    All clients share a node, because the front door keeps together what comes from one address: so this fails too.
    """
    lot = random.Random(seed)  # noqa: S311 - a lot, no secret
    while True:
        nodes = lot.sample(NODES, len(NODES))
        for kind, node in zip(lot.sample(sorted(FAULTS), len(FAULTS)), nodes, strict=True):
            yield Fault(kind, node, round(lot.uniform(3, 6), 1), round(lot.uniform(2, 4), 1))


def was_felt(publisher: Publisher) -> bool:
    """Whether a publisher lost its connection, or waited for a confirm as long as no healthy broker has it wait."""
    waits = (after - before for before, after in pairwise(publisher.confirms))
    return bool(publisher.disconnects) or max(waits) > 1


def all_confirmed(lab: Lab, publishers: Sequence[Publisher]) -> None:
    """Wait until each publisher has a confirm that came after this call."""
    now = time.monotonic()
    lab.wait_until(lambda: all(len(one.confirms) and one.confirms[-1] > now for one in publishers), 60)


@pytest.fixture
def seed() -> int:
    return int(os.environ.get("LABS_TEST_SEED") or random.SystemRandom().randrange(1_000_000))


def test_the_same_seed_draws_the_same_faults() -> None:
    def first(seed: int) -> list[Fault]:
        return [fault for fault, _ in zip(drawn(seed), range(9), strict=False)]

    assert first(7) == first(7) != first(8)
    assert {fault.kind for fault in first(7)[:3]} == set(FAULTS)
    assert {fault.node for fault in first(7)[:3]} == set(NODES)


def test_nothing_confirmed_is_lost_while_one_node_after_the_other_fails(cluster: Cluster, seed: int) -> None:
    lab = Lab("00_start_here")
    own = lab.through(cluster.engine.amqp())
    with amqp.connect(own) as connection:
        connection.channel().queue_declare("orders", durable=True, arguments={"x-queue-type": "quorum"})
    lab.wait_until(lambda: set(lab.placement("orders").online) == set(NODES), 60)
    ledger = lab.ledger()
    publishers = [Publisher(own, "orders", ledger, f"p{number}", PATIENCE) for number in range(PUBLISHERS)]
    consumers = [Consumer(own, "orders", ledger) for _ in range(CONSUMERS)]
    for client in (*publishers, *consumers):
        client.start()
    lab.wait_until(lambda: ledger.counts["received"] > 50, 60)

    print(f"\n{cluster.engine.name}, LABS_TEST_SEED={seed}")
    done: list[Fault] = []
    began = time.monotonic()
    for fault in drawn(seed):
        print(f"{time.monotonic() - began:5.1f} s  {fault.kind} {fault.node} for {fault.seconds} s")
        FAULTS[fault.kind](cluster, fault.node)
        time.sleep(fault.seconds)
        cluster.heal()
        done.append(fault)
        # The nodes see each other; the queue's members may still be finding each other. One node at a time shall fail.
        all_confirmed(lab, publishers)
        time.sleep(fault.well)
        if time.monotonic() - began > SECONDS and len(done) >= len(FAULTS):
            break

    # All of them work again, before they end.
    all_confirmed(lab, publishers)
    # The consumers first, so that something is left for every node to give out.
    ended = [client.stop() for client in (*consumers, *publishers)]
    taken = lab.drain(ledger, "orders", seconds=120)
    print(f"{len(done)} faults; {ledger.summary()}; drained {taken}")

    told = f"LABS_TEST_SEED={seed}: {ledger.summary()}"
    assert all(ended), told
    assert (ledger.lost, ledger.unexpected) == ([], []), told
    assert {fault.kind for fault in done} == set(FAULTS), told
    counts = ledger.counts
    assert counts["returned"] == 0, told
    assert counts["confirmed"] > 1000, told
    assert all(map(was_felt, publishers)), told
    assert all(one.connections > 0 for one in consumers), told
    assert taken > 0, told
    assert lab.depth("orders") == 0, told
