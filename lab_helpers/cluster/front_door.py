"""A second front door: a HAProxy of its own, whose backend somebody else writes."""

from __future__ import annotations

import re
from collections.abc import Mapping

import httpx

from lab_helpers.broker.waiting import wait_until
from lab_helpers.cluster import haproxy
from lab_helpers.cluster.engine import Engine
from lab_helpers.cluster.haproxy import Server
from lab_helpers.errors import LabsError
from lab_helpers.processes import write_atomically
from lab_helpers.settings import ROOT

BACKEND = "amqp_nodes"
"""What the learner's section must be called: the frontend leads to it."""
ANSWERS_WITHIN = 20.0
"""Seconds for a HAProxy that was just started."""
ALERT = re.compile(r"\[ALERT\][^:]*: (?:config : )?(.*?)(?= / |\.$|$)")
"""A line in which HAProxy says why it refuses a configuration."""
PLACE = re.compile(r"^(?:parsing )?\[[^\]]*:(\d+)\] ?: ?")
"""Where, by the file that it read: that holds what is common to all second front doors, and the backend below it."""


def told(reason: str, above: int, backend: str) -> str:
    """HAProxy's reason behind the line that it speaks of, as the learner wrote it.

    Parameters
    ----------
    reason
        As HAProxy gives it.
    above
        How many lines stand above the backend in the file that HAProxy read.
    backend
        What the learner wrote.
    """
    place = PLACE.match(reason)
    number = int(place[1]) - above if place else 0
    lines = backend.splitlines()
    if place is None or not 0 < number <= len(lines):
        return f": {reason}"
    return f" at line {number}, `{lines[number - 1].strip()}`: {reason[place.end() :]}"


class FrontDoor:
    """The second HAProxy while it runs.

    Parameters
    ----------
    engine
        Runs it.
    backend
        The section ``backend amqp_nodes``, as HAProxy's manual describes it
        (https://docs.haproxy.org/3.2/configuration.html). A server's address is ``"${LABS_RMQ1_AMQP}"``, and the port
        for its health check ``"${LABS_RMQ1_CHECK}"``.

    Raises
    ------
    LabsError
        HAProxy refuses it; says its reason.
    """

    def __init__(self, engine: Engine, backend: str) -> None:
        if not re.search(rf"^\s*backend\s+{BACKEND}\b", backend, re.MULTILINE):
            raise LabsError(
                f"The configuration has no section `backend {BACKEND}`.",
                remedy=f"Begin it with a line `backend {BACKEND}`, and put a line `server …` for each node below it.",
            )
        self._engine = engine
        file = engine.settings.state_dir.resolve() / "door.cfg"
        common, own = (ROOT / "cluster" / "door.cfg").read_text(), backend.strip("\n")
        write_atomically(file, f"{common}{own}\n")
        try:
            self.address, self.statistics = engine.open_door(file)
        except LabsError as error:
            reasons = ALERT.findall(error.what)
            if not reasons:
                raise
            reason = told(reasons[0].strip(" .").replace(" maybe ?", "?"), len(common.splitlines()), own)
            raise LabsError(
                f"HAProxy refuses this configuration{reason}{'' if reason.endswith('?') else '.'}",
                meaning="Nothing was started.",
                remedy="Correct that line, and run the cell again.",
            ) from error
        # An empty answer is one too: a backend may have no servers yet.
        wait_until(
            lambda: self.servers() is not None,
            seconds=ANSWERS_WITHIN,
            what="the second HAProxy to answer",
            retry_on=(LabsError,),
        )

    def servers(self) -> tuple[Server, ...]:
        """How it holds each node now, in the order of its configuration."""
        return haproxy.servers(self.statistics, BACKEND)

    def drain(self, server: str) -> None:
        """Send a server nothing new; what it has, it keeps."""
        self._set({"s": server, "action": "drain"})

    def ready(self, server: str) -> None:
        """Send a server connections again."""
        self._set({"s": server, "action": "ready"})

    def close(self) -> None:
        """End it."""
        self._engine.close_door()

    def _set(self, form: Mapping[str, str]) -> None:
        """What the buttons of the statistics page do."""
        if form["s"] not in {server.name for server in self.servers()}:
            raise LabsError(f"This front door has no server {form['s']!r}.")
        httpx.post(self.statistics, data={**form, "b": BACKEND}, timeout=5, trust_env=False)
