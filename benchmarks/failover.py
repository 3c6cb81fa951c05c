"""How long a publisher waits when a node fails: the longest gap between two confirms, and what it goes into.

    .venv/bin/python -m benchmarks.failover [--engine compose] [--rounds 10] [--fault kill …] [--role leader …]

Two publishers in pika send to one quorum queue and wait for each confirm: one through the labs' front door, one through
a second HAProxy with the configuration that the known cluster composes ship. Both are on the same node, so that each
fault meets them alike: in each round one node is broken, the queue's leader, a follower, the node that the publishers
are connected to, or that node when it leads the queue too. A ledger goes over every round: nothing that was confirmed
may be missing, and nothing may arrive that was not sent.

A publisher gives up on a confirm after five seconds and tries a new connection: pika itself would wait for as long as
the connection stands, and for a node that hangs, HAProxy's check is all that ends it. Where no confirm comes after
twenty seconds the cluster is mended, and the round counts among those that did not come through by themselves.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path
from threading import Event, Thread

from lab_helpers.accounting import drain
from lab_helpers.broker.placement import Placement, placements
from lab_helpers.broker.vhost import make_afresh
from lab_helpers.broker.waiting import TimedOutError, wait_until
from lab_helpers.cluster import Cluster, haproxy, lifecycle
from lab_helpers.cluster.front_door import BACKEND, FrontDoor
from lab_helpers.cluster.haproxy import ServerState
from lab_helpers.errors import LabsError
from lab_helpers.record.failover import Failover, failover
from lab_helpers.record.ledger import Ledger
from lab_helpers.settings import NODES
from tests import engines
from tests.clients import BROKEN, Publisher, opened

VHOST = "benchmark.failover"
PATIENCE = 5.0
"""Seconds after which a publisher no longer waits for a confirm."""
PACE = 0.002
"""Seconds from a confirm to the next publish: what is measured is the failover, and not a machine that is full."""
STEADY = 1.5
"""Seconds of publishing before the fault: the longest gap in them says how quiet the machine is."""
SETTLED = {"kill": 0.5, "stop": 0.5, "pause": 1.5, "partition": 1.5}
"""Seconds of publishing after the fault has taken effect."""
OVER_WITHIN = 20.0
"""Seconds for confirms to come again by themselves."""
STEADILY = 20
"""So many confirms in a row are the end of a failover: now and then one comes, and no other for a minute."""
MENDED_WITHIN = 60.0
"""Seconds for confirms once the cluster is mended, and for the queue's members to be there."""

STOCK = """
backend amqp_nodes
    balance roundrobin
    timeout connect 5s
    server rmq1 "${LABS_RMQ1_AMQP}" check inter 5s rise 2 fall 3
    server rmq2 "${LABS_RMQ2_AMQP}" check inter 5s rise 2 fall 3
    server rmq3 "${LABS_RMQ3_AMQP}" check inter 5s rise 2 fall 3
"""

FAULTS: dict[str, Callable[[Cluster, str], None]] = {
    "kill": lambda cluster, node: cluster[node].kill(),
    "stop": lambda cluster, node: cluster[node].stop(),
    "pause": lambda cluster, node: cluster[node].pause(),
    "partition": lambda cluster, node: cluster.partition(node),
}
ROLES = {
    "leader": "leads the queue; the publishers are on another one",
    "follower": "neither leads the queue nor has the publishers",
    "door": "has the publishers; another one leads the queue",
    "both": "has the publishers and leads the queue",
}


@dataclass(frozen=True)
class Round:
    """What one door's publisher went through in one round."""

    measured: Failover
    by_itself: bool
    """Whether confirms came again before the cluster was mended."""
    before: float
    """The longest gap before the fault, in seconds: what is not much longer than that is the machine's doing."""


class Watch:
    """Notes when a front door marks a server down."""

    def __init__(self, statistics_page: str, server: str) -> None:
        self.detections: list[float] = []
        self._page, self._server, self._over = statistics_page, server, Event()
        Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """End."""
        self._over.set()

    def _run(self) -> None:
        while not self._over.wait(0.02):
            try:
                held = {server.name: server.state for server in haproxy.servers(self._page, BACKEND)}
            except LabsError:
                continue
            if held[self._server] is ServerState.DOWN:
                self.detections.append(time.monotonic())
                return


def node_of_client(statistics_page: str) -> str:
    """Which server has the door's only client."""

    def found() -> str | None:
        busy = [server.name for server in haproxy.servers(statistics_page, BACKEND) if server.sessions]
        return busy[0] if len(busy) == 1 else None

    name = wait_until(found, seconds=20, what="one node to have the client")
    assert name is not None
    return name


class Bench:
    """A cluster with the benchmark's virtual host, and what was counted in all rounds."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.total: Counter[str] = Counter()
        self.queue = ""
        """The queue of this round. Each has one of its own: where one is declared anew under its old name at once, a
        node that is not done with deleting the old member starts no new one, and the queue has two members of three
        ("servers failed to start … already_started", 4.3.6). Then one fault more is one too many."""
        self._numbers = count(1)
        self._password = make_afresh(cluster.managements(), VHOST)

    def url(self, address: str) -> str:
        """The virtual host by way of an address."""
        return self.cluster.amqp_url(VHOST, VHOST, self._password, address)

    def placed(self) -> Placement:
        """Where the queue lives."""
        return placements(self.cluster.managements(), VHOST, self.cluster.short_name)[self.queue]

    def place(self, leader: str) -> None:
        """Make a queue, led from a node."""
        self.queue = f"orders.{next(self._numbers)}"
        arguments = {"x-queue-type": "quorum", "x-queue-leader-locator": "client-local"}

        def made() -> bool:
            # For some seconds after its leader has hung, the metadata store may refuse.
            with suppress(*BROKEN), opened(self.url(self.cluster.engine.amqp(leader))) as connection:
                channel = connection.channel()
                channel.queue_declare(self.queue, durable=True, arguments=arguments)
                return True
            return False

        wait_until(made, seconds=MENDED_WITHIN, what="the queue to be declared")
        self.await_members()
        assert self.placed().leader == leader

    def await_members(self) -> None:
        """Wait until the queue has all its members."""
        wait_until(lambda: set(self.placed().online) == set(NODES), seconds=MENDED_WITHIN, what="all members")

    def publisher_on(self, node: str, address: str, page: str, ledger: Ledger, name: str) -> Publisher:
        """A publisher through a door that leads it to this node; a door that takes turns is tried until it does."""
        for attempt in range(9):
            publisher = Publisher(self.url(address), self.queue, ledger, f"{name}{attempt}", PATIENCE, PACE)
            publisher.start()
            wait_until(lambda one=publisher: len(one.confirms) > 20, seconds=30, what="confirms")  # type: ignore[misc]
            if node_of_client(page) == node:
                return publisher
            publisher.stop()
            wait_until(
                lambda: not any(server.sessions for server in haproxy.servers(page, BACKEND)), what="the client's end"
            )
        raise LabsError(f"No connection led to {node}.")

    def round(self, fault: str, role: str) -> dict[str, Round]:
        """Break one node under both publishers, mend it, and account for every message."""
        cluster, ledger = self.cluster, Ledger()
        cluster.heal()
        stock = FrontDoor(cluster.engine, STOCK)
        doors = {
            "labs": (cluster.engine.amqp(), cluster.engine.statistics),
            "stock": (stock.address, stock.statistics),
        }
        for _, page in doors.values():
            wait_until(
                lambda page=page: all(one.state is ServerState.UP for one in haproxy.servers(page, BACKEND)),  # type: ignore[misc]
                seconds=60,
                what="the door to hold all nodes for well",
            )
        with opened(self.url(cluster.engine.amqp())):
            # What comes from one address is kept on one node.
            mine = node_of_client(cluster.engine.statistics)
        others = [node for node in NODES if node != mine]
        self.place(mine if role == "both" else others[0])
        publishers = {
            name: self.publisher_on(mine, address, page, ledger, name) for name, (address, page) in doors.items()
        }
        victim = {"leader": others[0], "follower": others[1]}.get(role, mine)
        watches = {name: Watch(page, victim) for name, (_, page) in doors.items()}
        time.sleep(STEADY)

        began = time.monotonic()
        FAULTS[fault](cluster, victim)
        effective = time.monotonic() + SETTLED[fault]

        def through(publisher: Publisher) -> bool:
            recent = publisher.confirms[-STEADILY:]
            return recent[0] > effective and time.monotonic() - recent[-1] < 0.2

        def all_through() -> bool:
            return all(map(through, publishers.values()))

        with suppress(TimedOutError):
            wait_until(all_through, seconds=OVER_WITHIN, what="confirms after the fault")
        by_itself = {name for name, publisher in publishers.items() if through(publisher)}
        if len(by_itself) < len(publishers):
            cluster.heal()
            wait_until(all_through, seconds=MENDED_WITHIN, what="confirms after mending")
        for watch in watches.values():
            watch.stop()
        # Before the cluster is mended: a node that comes back makes gaps of its own.
        for publisher in publishers.values():
            assert publisher.stop(), "a publisher still waits for a confirm"
        cluster.heal()
        if fault == "pause":
            # Each round shall meet a node that has been well: Raft's failure detector compares with a node's last
            # thousand heartbeats (100 s), and gives one that has hung among them up late, or not at all. A connection
            # that begins anew has none (https://github.com/rabbitmq/aten).
            cluster[victim].restart()
        self.await_members()
        drain(ledger, [self.queue], cluster, VHOST, self.url, 180)
        self.total.update({"confirmed": ledger.counts["confirmed"], **ledger.verdict})
        return {
            name: Round(
                failover(
                    began,
                    publisher.confirms,
                    detections=watches[name].detections,
                    disconnects=publisher.disconnects,
                    reconnects=publisher.reconnects,
                ),
                name in by_itself,
                max(after - before for before, after in pairwise(publisher.confirms) if began - STEADY < after < began),
            )
            for name, publisher in publishers.items()
        }


def quantile(values: list[float], share: float) -> float:
    """The value below which this share lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def told(name: str, rounds: list[Round]) -> str:
    """One line of the report."""
    gaps = [one.measured.gap for one in rounds]
    parts: dict[str, list[float]] = {}
    for one in rounds:
        for part in one.measured.parts:
            parts.setdefault(part.name, []).append(part.seconds)
    words = [f"{part} {statistics.median(took):.2f}" for part, took in parts.items()]
    seen = [one.measured.detected for one in rounds if one.measured.detected is not None]
    if seen:
        words.append(f"(HAProxy marks the node down after {statistics.median(seen):.2f}, in {len(seen)} rounds)")
    late = sum(not one.by_itself for one in rounds)
    if late:
        words.append(f"[{late} of {len(rounds)} only when the cluster was mended]")
    times = (statistics.median(gaps), quantile(gaps, 0.95), statistics.median(one.before for one in rounds))
    return f"    {name:5}  {times[0]:6.2f}  {times[1]:6.2f}  {times[2]:6.2f}   {', '.join(words)}"


def measure(bench: Bench, faults: list[str], roles: list[str], rounds: int) -> None:
    """Take each fault with each role, and print as it goes."""
    print(f"RabbitMQ {bench.cluster.status().version}, {rounds} rounds each; seconds between two confirms:")
    print("    door   median    95 %  before   medians of its parts", flush=True)
    for fault in faults:
        for role in roles:
            found = [bench.round(fault, role) for _ in range(rounds)]
            print(f"{fault} the node that {ROLES[role]}")
            medians = {}
            for name in found[0]:
                own = [one[name] for one in found]
                medians[name] = statistics.median(one.measured.gap for one in own)
                print(told(name, own))
            print(f"    stock / labs: {medians['stock'] / medians['labs']:.1f}", flush=True)
    total = bench.total
    print(
        f"ledger: {total['confirmed']} confirmed, lost {total['lost']}, unexpected {total['unexpected']}, "
        f"duplicated {total['duplicated']}, recovered {total['recovered']}, indeterminate {total['indeterminate']}",
        flush=True,
    )
    assert total["lost"] == total["unexpected"] == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--engine", choices=["compose", "native"])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--fault", choices=list(FAULTS), nargs="+", default=list(FAULTS))
    parser.add_argument("--role", choices=list(ROLES), nargs="+", default=list(ROLES))
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="labs-bench-"))
    with engines.settings_of(engines.environment(asked.engine or engines.tested()[0], folder)):
        try:
            measure(Bench(lifecycle.up()), asked.fault, asked.role, asked.rounds)
        finally:
            lifecycle.down()
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
