"""Find a block of ports that nobody uses, and say who uses the usual one."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psutil

from lab_helpers.errors import LabsError
from lab_helpers.settings import Ports

BLOCKS = 20
"""How many blocks to try; a machine with more clusters than that has another problem."""


def listening(port: int) -> socket.socket | None:
    """A socket that listens on 127.0.0.1 and this port, or None where another one does."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind(("127.0.0.1", port))
        # Linux lets two sockets bind with SO_REUSEADDR; listening is what only one can do.
        server.listen(1)
    except OSError:
        server.close()
        return None
    return server


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1 and this port now."""
    server = listening(port)
    if server is not None:
        server.close()
    return server is not None


def holder(port: int) -> str:
    """Who listens on a port, as "beam.smp (process 4711)", or "another program" where that is not told."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.laddr
                and connection.laddr.port == port
                and connection.pid
            ):
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        # Other users' processes are not shown without root, on macOS not even their ports.
        return "another program"
    return "another program"


def taken(ports: Iterable[int]) -> list[int]:
    """Those of the ports that are in use."""
    return [port for port in ports if not is_free(port)]


@contextmanager
def chosen(fixed: int | None, *, internal: bool) -> Iterator[tuple[Ports, str]]:
    """Choose the block of ports and claim it meanwhile: the fixed one, else the first free one from the usual on.

    Its ports open only after some seconds; until then another `labs up`, of another checkout, must not choose it
    too. The claim is a socket, so it ends with this process, however that ends.

    Parameters
    ----------
    fixed
        ``LABS_PORT_BASE``, or None.
    internal
        Whether the nodes' own ports are needed too (the native engine), or only the published ones.

    Yields
    ------
    tuple
        The ports, and a sentence about why they are not the usual ones (empty if they are).

    Raises
    ------
    LabsError
        The fixed block, or every block tried, has a port in use; says which and who holds it.
    """
    first_taken = 0
    for number in range(BLOCKS):
        ports = Ports((fixed or Ports().base) + number * Ports.STEP)
        wanted = [*ports.published().values(), *(ports.internal().values() if internal else ())]
        claim = listening(ports.claim)
        if claim is not None:
            with claim:
                in_use = taken(wanted)
                if not in_use:
                    yield ports, moved(first_taken, ports) if first_taken else ""
                    return
        first_taken = first_taken or (in_use[0] if claim else ports.claim)
        if fixed is not None:
            break
    raise LabsError(
        f"Port {first_taken} on 127.0.0.1 is taken by {holder(first_taken)}.",
        meaning="The cluster needs it"
        + (" because LABS_PORT_BASE fixes the block." if fixed is not None else ", and no other block is free."),
        remedy="End that program, or set LABS_PORT_BASE to another number, for example "
        f"{Ports().base + 1000 if fixed != Ports().base + 1000 else Ports().base + 2000}.",
    )


def moved(first_taken: int, ports: Ports) -> str:
    """Why the cluster is not on the usual ports."""
    return (
        f"Port {first_taken} is taken by {holder(first_taken)}: "
        f"the cluster uses the next free block, with its front door on {ports.amqp}."
    )
