"""Which block of ports the cluster takes, with real sockets in the way."""

from __future__ import annotations

import random
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psutil
import pytest

from lab_helpers.cluster.ports import chosen, holder, is_free, taken
from lab_helpers.errors import LabsError
from lab_helpers.settings import Ports

Listen = Callable[..., int]


def choose(fixed: int | None, *, internal: bool) -> tuple[Ports, str]:
    """What is chosen; the claim is given up at once."""
    with chosen(fixed, internal=internal) as choice:
        return choice


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Listen on a port until the test ends."""
    with ExitStack() as sockets:

        def at(port: int, host: str = "127.0.0.1") -> int:
            server = sockets.enter_context(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET))
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((host, port))
            server.listen()
            return port

        yield at


@pytest.fixture
def base() -> int:
    """A base from which this block and the next are free, below the ports of outgoing connections."""
    for _ in range(100):
        found = random.randrange(6_200, 12_000, 20)  # noqa: S311
        blocks = (Ports(found), Ports(found + Ports.STEP))
        if not taken(port for block in blocks for port in (*block.published().values(), *block.internal().values())):
            return found
    pytest.fail("no two free blocks of ports")


@pytest.fixture
def usual(base: int, monkeypatch: pytest.MonkeyPatch) -> Ports:
    """The usual block, moved to where no cluster of this machine is."""
    monkeypatch.setattr(Ports.__init__, "__defaults__", (base,))
    assert Ports().base == base
    return Ports()


def test_the_usual_block_is_taken_where_it_is_free(usual: Ports) -> None:
    assert choose(None, internal=True) == (usual, "")


def test_the_next_block_is_used_where_a_port_is_taken(usual: Ports, listen: Listen) -> None:
    port = listen(usual.node_management("rmq2"))
    ports, sentence = choose(None, internal=False)
    assert ports == Ports(usual.base + Ports.STEP)
    assert f"Port {port} is taken by " in sentence
    assert f"front door on {ports.amqp}" in sentence


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only root is told who listens")
def test_the_sentence_names_the_holder(usual: Ports, listen: Listen) -> None:
    port = listen(usual.amqp)
    own = psutil.Process()
    assert holder(port) == f"{own.name()} (process {own.pid})"
    assert holder(port) in choose(None, internal=False)[1]


def test_nobody_in_particular_holds_a_free_port(base: int) -> None:
    assert holder(base) == "another program"


def test_internal_ports_count_for_the_native_engine_only(usual: Ports, listen: Listen) -> None:
    listen(usual.node_distribution("rmq3"))
    assert choose(None, internal=False) == (usual, "")
    assert choose(None, internal=True)[0] == Ports(usual.base + Ports.STEP)


def test_a_fixed_block_is_taken_where_it_is_free(base: int) -> None:
    assert choose(base, internal=True) == (Ports(base), "")


def test_a_fixed_block_with_a_taken_port_is_refused(base: int, listen: Listen) -> None:
    port = listen(Ports(base).statistics)
    with pytest.raises(LabsError) as caught:
        choose(base, internal=False)
    assert f"Port {port} on 127.0.0.1 is taken by {holder(port)}." in str(caught.value)
    assert "LABS_PORT_BASE fixes the block" in caught.value.meaning


def test_the_suggested_base_is_one_that_settings_take(listen: Listen) -> None:
    base = listen(next(port for port in range(44_100, 45_000) if is_free(port)))
    with pytest.raises(LabsError) as caught:
        choose(base, internal=False)
    assert int(caught.value.remedy.rstrip(".").split()[-1]) <= 45_000


def test_blocks_run_out(usual: Ports, listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab_helpers.cluster.ports.BLOCKS", 2)
    listen(usual.amqp)
    listen(usual.amqp + Ports.STEP)
    with pytest.raises(LabsError, match="no other block is free"):
        choose(None, internal=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104
def test_a_port_taken_on_every_address_counts(base: int, listen: Listen, host: str) -> None:
    assert is_free(base)
    try:
        listen(base, host)
    except OSError:
        pytest.skip(f"this machine has no {host}")
    assert not is_free(base)
    assert taken([base, base + 1]) == [base]


def test_a_port_is_free_again_while_old_connections_linger(base: int) -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", base))
        server.listen()
        with socket.create_connection(("127.0.0.1", base)):
            accepted, _ = server.accept()
            # The side that closes first waits in TIME_WAIT, and that is the server's.
            accepted.close()
    assert is_free(base)


def test_a_block_in_which_another_cluster_comes_up_is_left_to_it(usual: Ports) -> None:
    with chosen(None, internal=True) as (first, _), chosen(None, internal=True) as (second, sentence):
        assert (first, second) == (usual, Ports(usual.base + Ports.STEP))
        assert f"Port {usual.claim} is taken by " in sentence
    assert choose(None, internal=True) == (usual, "")


def test_no_port_of_a_block_is_used_twice() -> None:
    ports = [*Ports().published().values(), *Ports().internal().values(), Ports().claim]
    following = Ports(Ports().base + Ports.STEP)
    ports += [*following.published().values(), *following.internal().values(), following.claim]
    assert len(ports) == len(set(ports))
