"""How long `labs up` takes, against one node's own boot in the same run; and what the cluster costs.

    .venv/bin/python -m benchmarks.start [--engine native] [--rounds 5]

Each round boots one node alone and then brings the whole cluster up, each from nothing and each until its
management API and its AMQP port answer, one after the other, so that both meet the same machine. What counts is the
ratio: a shared machine is faster or slower from one hour to the next, for both alike.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import psutil

from lab_helpers.broker.management import Management, ManagementAddress, RefusedError
from lab_helpers.broker.waiting import wait_until
from lab_helpers.cluster import lifecycle
from lab_helpers.cluster.engines.native import CONFIGURATION, NativeEngine
from lab_helpers.errors import BrokerUnreachableError
from lab_helpers.settings import Ports, ensure_secrets
from tests import engines

ALONE = Ports(9672)


class OneNode(NativeEngine):
    """The native engine with one node that looks for no others."""

    @property
    def nodes(self) -> tuple[str, ...]:
        return ("rmq1",)

    def _write_configuration(self) -> None:
        super()._write_configuration()
        (self.home / "rmq1" / "conf.d" / "20-discovery.conf").unlink()


def answers(address: ManagementAddress) -> bool:
    """Whether a node answers with its login."""
    with Management(address, timeout=2.0) as management:
        return bool(management.get("/whoami"))


def await_answer(address: ManagementAddress) -> None:
    wait_until(
        lambda: answers(address),
        seconds=120,
        what="the node to answer",
        retry_on=(BrokerUnreachableError, RefusedError),
    )


def one_native_node() -> float:
    """Seconds for one node's own boot as a process."""
    engine = OneNode(ensure_secrets(), ALONE)
    engine.home = engine.home.with_name("alone")
    engine.home.mkdir(parents=True)
    began = time.perf_counter()
    engine.create(lambda _: None)
    await_answer(engine.management("rmq1"))
    took = time.perf_counter() - began
    engine.destroy()
    return took


def one_container() -> float:
    """Seconds for one node's own boot in a container."""
    settings = ensure_secrets()
    password = settings.password.get_secret_value()
    address = ManagementAddress(f"http://127.0.0.1:{ALONE.management}", settings.user, password)
    began = time.perf_counter()
    container = subprocess.run(
        [
            *("docker", "run", "--rm", "--detach", "--hostname", "rmq1"),
            *("--env", f"RABBITMQ_DEFAULT_USER={settings.user}", "--env", f"RABBITMQ_DEFAULT_PASS={password}"),
            *("--env", "RABBITMQ_NODENAME=rmq1@rmq1"),
            *("--env", "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+S 2:2 +sbwt none"),
            *("--publish", f"127.0.0.1:{ALONE.management}:15672"),
            *("--volume", f"{CONFIGURATION / 'enabled_plugins'}:/etc/rabbitmq/enabled_plugins:ro"),
            settings.rabbitmq_image,
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    await_answer(address)
    took = time.perf_counter() - began
    subprocess.run(["docker", "rm", "--force", container], check=True, capture_output=True)
    return took


def memory_of_nodes() -> dict[int, float]:
    """Resident megabytes of each Erlang VM on this machine, by process id."""
    found = {}
    for process in psutil.process_iter():
        try:
            if process.name().startswith("beam"):
                found[process.pid] = process.memory_info().rss / 1e6
        except psutil.Error:
            continue
    return found


def measure(engine: str, rounds: int) -> None:
    alone, whole, again = [], [], []
    memory: list[float] = []
    for _ in range(rounds):
        folder = Path(tempfile.mkdtemp(prefix="labs-bench-"))
        with engines.settings_of(engines.environment(engine, folder)):
            alone.append(one_native_node() if engine == "native" else one_container())
            before = memory_of_nodes()
            began = time.perf_counter()
            lifecycle.up()
            whole.append(time.perf_counter() - began)
            memory = [size for pid, size in memory_of_nodes().items() if pid not in before]
            began = time.perf_counter()
            lifecycle.up()
            again.append(time.perf_counter() - began)
            version = lifecycle.current().status().version
            lifecycle.down()
        shutil.rmtree(folder)
    ratios = [up / one for up, one in zip(whole, alone, strict=True)]
    print(f"{engine}, RabbitMQ {version}, {rounds} rounds, medians:")
    print(f"  one node alone   {statistics.median(alone):6.1f} s")
    print(f"  labs up          {statistics.median(whole):6.1f} s")
    print(f"  ratio            {statistics.median(ratios):6.2f}    (each: {', '.join(f'{r:.2f}' for r in ratios)})")
    print(f"  labs up again    {statistics.median(again):6.1f} s")
    print(f"  memory of the nodes, MB: {', '.join(f'{size:.0f}' for size in sorted(memory))}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--engine", choices=["compose", "native"], action="append")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    for engine in asked.engine or engines.tested():
        measure(engine, asked.rounds)


if __name__ == "__main__":
    main()
