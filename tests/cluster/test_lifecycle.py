"""Coming up and going down, with the bad luck that people have."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from lab_helpers.broker.management import Management
from lab_helpers.broker.waiting import TimedOutError, wait_until
from lab_helpers.cluster import Cluster, lifecycle
from lab_helpers.cluster.redis_server import redis_url
from lab_helpers.settings import ROOT, SPARE, Ports, env_file, load_settings
from tests import engines
from tests.cluster import messages


def processes_in(folder: Path) -> list[str]:
    """Processes whose environment or command line names a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and str(folder) in " ".join(
                [*process.cmdline(), *process.environ().values()]
            ):
                found.append(f"{process.pid} {process.name()}")
        except psutil.Error:
            continue
    return [line for line in found if not line.startswith(f"{os.getpid()} ")]


def docker_objects(project: str) -> list[str]:
    """Containers, volumes and networks of a compose project."""
    found = []
    for kind in (("ps", "--all"), ("volume", "ls"), ("network", "ls")):
        command = ["docker", *kind, "--quiet", "--filter", f"label=com.docker.compose.project={project}"]
        found += subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return found


def left_behind(engine: str, folder: Path) -> list[str]:
    """Everything of a cluster that still exists, but for its settings and locks."""
    files = [str(path) for path in (folder / "state").rglob("*") if path.suffix != ".lock"]
    running = docker_objects(load_settings().project) if engine == "compose" else processes_in(folder)
    return files + running


def stays_behind(engine: str, folder: Path) -> list[str]:
    """What is still there after some seconds: the shells and children of a node that was killed end a moment later."""
    with suppress(TimedOutError):
        wait_until(lambda: not left_behind(engine, folder), seconds=10, what="the last processes to end")
    return left_behind(engine, folder)


def run_labs(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "lab_helpers", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # A shell that runs the tests in the background has its children ignore Ctrl-C; a terminal does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_a_half_dead_cluster_is_mended(cluster: Cluster) -> None:
    cluster["rmq1"].kill()
    cluster["rmq2"].kill()
    if cluster.engine.name == "native":
        # A crash leaves pid files that name processes that are gone, or are somebody else's by now.
        for name in ("rmq1", "rmq2"):
            (load_settings().state_dir / "native" / f"{name}.pid").write_text('{"pid": 1, "created": 1.0}')
    lifecycle.up()
    assert cluster.status().is_whole


def test_the_front_door_is_started_again(cluster: Cluster) -> None:
    if cluster.engine.name == "native":
        cluster.engine._background("haproxy").end(forcibly=True)
    else:
        cluster.engine._docker("kill", cluster.engine._container("haproxy"))
    lifecycle.up()
    assert lifecycle.passes_a_message(cluster)


def test_a_lost_env_gets_a_new_password_that_works(engine_cluster: Cluster) -> None:
    engine_cluster.heal()
    before = load_settings().password.get_secret_value()
    env_file().unlink()
    renewed = lifecycle.up()
    assert load_settings().password.get_secret_value() != before
    with Management(renewed.engine.management()) as management:
        assert management.get("/whoami")["name"] == "labs"
    assert renewed.status().is_whole
    # What the tests after this one hold still has the old password.
    engine_cluster.engine = renewed.engine


def test_a_node_killed_while_the_cluster_comes_up_is_started_again(cluster: Cluster) -> None:
    cluster["rmq1"].kill()
    lines: list[str] = []
    killed = threading.Event()

    def report(line: str) -> None:
        lines.append(line)
        if line.startswith("Waiting for the nodes") and not killed.is_set():
            killed.set()
            cluster["rmq1"].kill()

    lifecycle.up(report=report)
    assert killed.is_set()
    assert any(line.startswith("rmq1 is not running") for line in lines)
    assert cluster.status().is_whole


def test_everything_listens_on_this_machine_only(cluster: Cluster) -> None:
    ports = Ports(int(cluster.engine.amqp().rpartition(":")[2]))
    redis_url(cluster.engine)
    # What a lab has to ask for, and this test does not.
    absent = {ports.door, ports.door_statistics, ports.node_amqp(SPARE), ports.node_management(SPARE)}
    ours = {*ports.published().values(), *ports.internal().values()}
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port in ours
    }
    assert {port for _, port in listening} >= set(ports.published().values()) - absent
    assert {ip for ip, _ in listening} <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("engine", engines.tested())
def test_ctrl_c_while_it_comes_up_leaves_nothing(engine: str, tmp_path: Path) -> None:
    with engines.settings_of(engines.environment(engine, tmp_path, own_ports=False)):
        process = run_labs("up", "--cluster-only")
        assert process.stdout is not None
        for line in process.stdout:
            if "Waiting for the nodes" in line:
                break
        assert left_behind(engine, tmp_path), "nothing had been started yet"
        os.killpg(process.pid, signal.SIGINT)
        output = process.stdout.read()
        code = process.wait(timeout=120)
        left = stays_behind(engine, tmp_path)
        lifecycle.down()
        assert code != 0
        assert "Traceback" not in output
        assert left == []


@pytest.mark.parametrize("engine", engines.tested())
def test_a_taken_port_moves_the_cluster_and_down_leaves_nothing(engine: str, tmp_path: Path) -> None:
    with engines.settings_of(engines.environment(engine, tmp_path, own_ports=False)), socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", Ports().amqp))
        except OSError:
            pass  # somebody else has it, which is as good
        else:
            taken.listen()
        lines: list[str] = []
        cluster = lifecycle.up(report=lines.append)
        try:
            assert any(line.startswith(f"Port {Ports().amqp} is taken by") for line in lines)
            assert cluster.engine.amqp() != f"127.0.0.1:{Ports().amqp}"
            messages.publish(cluster, "moved", b"here")
            assert messages.get(cluster, "moved") == b"here"
            # What is started later, only when a lab asks for it, must go as well.
            redis_url(cluster.engine)
            cluster.add()
        finally:
            assert lifecycle.down()
        assert stays_behind(engine, tmp_path) == []
        assert not lifecycle.down()
