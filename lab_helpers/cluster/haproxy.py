"""What HAProxy says of the servers behind it: its statistics page, read as data.

The fields: https://docs.haproxy.org/3.2/management.html#9.1
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import httpx

from lab_helpers.errors import LabsError

ALL_BUT_SERVERS = ("FRONTEND", "BACKEND")
"""The rows of the table that sum up others."""


class ServerState(StrEnum):
    """How HAProxy holds a server."""

    UP = "up"
    DOWN = "down"
    """Its checks fail: no connection is sent there."""
    DRAINING = "draining"
    """It keeps what it has and gets nothing new."""
    MAINTENANCE = "maintenance"
    UNCHECKED = "unchecked"
    """It has no check, and always counts as up."""


WORDS = {
    "UP": ServerState.UP,
    "DOWN": ServerState.DOWN,
    "NOLB": ServerState.DRAINING,
    "DRAIN": ServerState.DRAINING,
    "MAINT": ServerState.MAINTENANCE,
    "no": ServerState.UNCHECKED,
}
"""The first word of a status as HAProxy writes it: "UP 1/2" is up, with one failed check."""


@dataclass(frozen=True)
class Server:
    """One server of one backend.

    ``check`` is the last health check's result, as "L7OK/200" or "L4CON"; ``sessions`` counts the open ones and
    ``total`` all since HAProxy's start; ``seconds`` have passed since the state changed. ``is_backup`` servers get
    connections only when no other is up.
    """

    backend: str
    name: str
    state: ServerState
    check: str
    is_backup: bool
    sessions: int
    total: int
    seconds: int


@cache
def client() -> httpx.Client:
    """One client for all: to make one takes sixty times as long as to ask."""
    # A proxy from the environment must never see what is meant for 127.0.0.1.
    return httpx.Client(timeout=5, trust_env=False)


def servers(statistics: str, backend: str = "") -> tuple[Server, ...]:
    """Read the servers from a statistics page.

    Parameters
    ----------
    statistics
        The page's URL.
    backend
        Only this backend's; all if empty.

    Raises
    ------
    LabsError
        The page does not answer, or is none.
    """
    try:
        answer = client().get(f"{statistics.rstrip('/')}/;csv").raise_for_status().text
        rows = csv.DictReader(answer.removeprefix("# ").splitlines())
        if "svname" not in (rows.fieldnames or ()):
            raise ValueError(answer[:80])
        found = tuple(server(row) for row in rows if row["svname"] not in ALL_BUT_SERVERS)
    except (httpx.HTTPError, KeyError, ValueError) as error:
        raise LabsError(
            f"HAProxy's statistics at {statistics} cannot be read ({type(error).__name__}).",
            meaning="HAProxy does not run there, or its configuration has no statistics page.",
            remedy="Run `labs status` in a terminal to see, and `labs up` to start it.",
        ) from error
    return tuple(one for one in found if backend in ("", one.backend))


def server(row: dict[str, str]) -> Server:
    """Read one row of the table."""
    code = row["check_code"]
    return Server(
        row["pxname"],
        row["svname"],
        WORDS.get(row["status"].split()[0], ServerState.DOWN),
        # While a check runs, HAProxy puts a star before the last result.
        row["check_status"].removeprefix("* ") + (f"/{code}" if code else ""),
        row["bck"] == "1",
        int(row["scur"] or 0),
        int(row["stot"] or 0),
        int(row["lastchg"] or 0),
    )
