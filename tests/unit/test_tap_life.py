"""The tap's process: how it starts, and that it ends with whoever made it."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lab_helpers.broker.waiting import wait_until
from lab_helpers.errors import LabsError
from lab_helpers.record import tap as tap_module
from lab_helpers.record.tap import Tap
from tests.unit.tap_ends import Ends, ends, pass_on

GONE = "The process that records the lab's connections"


@pytest.fixture
def made() -> Iterator[Ends]:
    with ends() as made:
        yield made


def the(made: Ends) -> Tap:
    assert made.tap is not None
    return made.tap


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_it_listens_on_the_loopback_only(made: Ends) -> None:
    host, _, port = the(made).address.partition(":")
    assert host == "127.0.0.1"
    listening = psutil.Process(the(made).pid).net_connections("inet")
    assert [tuple(at.laddr) for at in listening] == [("127.0.0.1", int(port))]


def test_it_imports_neither_the_package_nor_what_is_installed(made: Ends) -> None:
    # Both would make it ten times slower to start.
    loaded = " ".join(part.path for part in psutil.Process(the(made).pid).memory_maps())
    assert "site-packages" not in loaded


def test_closing_ends_the_process_and_its_connections(made: Ends) -> None:
    client, target = made.pair()
    pass_on(client, target, b"hello")
    before = threading.active_count()
    the(made).close()
    assert not the(made).alive
    assert not runs(the(made).pid)
    for end in (client, target):
        assert end.recv(1) == b""
    assert threading.active_count() < before
    the(made).close()
    with pytest.raises(LabsError, match=GONE):
        the(made).start_recording()


def test_a_tap_that_nobody_holds_ends() -> None:
    tap = Tap("127.0.0.1:1")
    pid = tap.pid
    del tap
    gc.collect()
    wait_until(lambda: not runs(pid))


def test_nothing_is_left_in_the_process_that_made_it() -> None:
    def descriptors() -> int:
        return psutil.Process().num_fds()

    Tap("127.0.0.1:1").close()
    fds, threads = descriptors(), threading.active_count()
    for _ in range(3):
        tap = Tap("127.0.0.1:1")
        tap.start_recording()
        tap.stop_recording()
        tap.close()
    assert descriptors() == fds
    assert threading.active_count() == threads
    assert psutil.Process().children() == []


MAKER = """
import os, subprocess, sys, time
from lab_helpers.record.tap import Tap
tap = Tap("127.0.0.1:1")
fork = {fork} and os.fork()
if not fork and {fork}:
    time.sleep(60)
print(tap.pid, fork, flush=True)
{then}
"""


def maker(then: str, *, fork: bool = False) -> tuple[subprocess.Popen[str], int, int]:
    """Another process that makes a tap; its forked child, if any, holds the pipes too."""
    process = subprocess.Popen(
        [sys.executable, "-c", MAKER.format(then=then, fork=fork)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    pid, child = process.stdout.readline().split()
    return process, int(pid), int(child) if fork else 0


@pytest.mark.parametrize("fork", [False, True], ids=["alone", "with a fork that holds the pipes"])
def test_it_ends_when_its_maker_is_killed(fork: bool) -> None:
    process, tap, child = maker("time.sleep(60)", fork=fork)
    try:
        assert runs(tap)
        process.kill()
        process.wait()
        wait_until(lambda: not runs(tap), seconds=20)
        assert not fork or runs(child)
    finally:
        if child:
            os.kill(child, signal.SIGKILL)
        process.kill()
        process.communicate()


def test_it_ends_when_its_maker_does() -> None:
    process, tap, _ = maker("")
    process.communicate()
    assert process.returncode == 0
    wait_until(lambda: not runs(tap))


def test_a_fork_that_ends_leaves_the_tap_alone() -> None:
    then = "\n".join(
        (
            "child = os.fork()",
            "if child == 0: sys.exit(0)",
            "os.waitpid(child, 0)",
            "tap.start_recording()",
            "print(tap.stop_recording().lost_bytes)",
        )
    )
    process, _, _ = maker(then)
    assert process.communicate()[0] == "0\n"


def test_an_interrupt_of_the_cell_does_not_reach_it(made: Ends) -> None:
    assert os.getsid(the(made).pid) == the(made).pid
    os.kill(the(made).pid, signal.SIGINT)
    pass_on(*made.pair(), b"still here")


def test_an_interrupt_while_an_answer_is_awaited_tears_nothing(made: Ends) -> None:
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    client, target = made.pair()
    the(made).start_recording()
    pass_on(client, target, b"x" * 100_000)
    # It takes 30 ms to be sure that all is quiet.
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    try:
        with pytest.raises(KeyboardInterrupt):
            the(made).stop_recording()
    finally:
        signal.signal(signal.SIGALRM, before)
    the(made).start_recording()
    pass_on(client, target, b"next")
    assert [chunk.data for chunk in the(made).stop_recording().chunks] == [b"next"]


def test_a_tap_that_was_killed_is_a_sentence(made: Ends) -> None:
    the(made).start_recording()
    os.kill(the(made).pid, signal.SIGKILL)
    with pytest.raises(LabsError, match=f"{GONE} has ended") as caught:
        the(made).stop_recording()
    assert "makes the Lab" in caught.value.remedy
    wait_until(lambda: not the(made).alive)
    with pytest.raises(LabsError, match=GONE):
        the(made).start_recording()


def test_a_tap_that_hangs_is_ended(made: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tap_module, "ANSWER_WITHIN", 0.1)
    os.kill(the(made).pid, signal.SIGSTOP)
    with pytest.raises(LabsError, match=f"{GONE} did not answer"):
        the(made).start_recording()
    wait_until(lambda: not the(made).alive)


@pytest.mark.parametrize("target", ["", "localhost", "localhost:", ":5672", "localhost:amqp"])
def test_a_target_that_is_no_address(target: str) -> None:
    with pytest.raises(LabsError, match="no address of a broker"):
        Tap(target)


def test_a_host_that_is_not_known() -> None:
    with pytest.raises(LabsError, match=r"no host 'no-such-host\.invalid'"):
        Tap("no-such-host.invalid:5672")
    assert psutil.Process().children() == []


def test_its_command_line_names_the_target(made: Ends) -> None:
    port = str(made.listener.getsockname()[1])
    assert port in psutil.Process(the(made).pid).cmdline()


def test_it_uses_no_time_while_nothing_happens(made: Ends) -> None:
    client, _ = made.pair()
    client.shutdown(socket.SHUT_WR)
    process = psutil.Process(the(made).pid)
    before = sum(process.cpu_times()[:2])
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 0.5)
    assert sum(process.cpu_times()[:2]) - before < 0.1
