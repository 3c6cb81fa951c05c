"""HAProxy's statistics page as a small table."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from lab_helpers.cluster.haproxy import Server
from lab_helpers.draw.cluster import server_words

HEADINGS = ("Server", "State", "Last check", "Sessions now", "in all", "for")
"""The last one: how long the state has held."""


@dataclass(frozen=True)
class ServersTable(Sequence[Server]):
    """The servers of a backend: a sequence of :class:`Server` that shows itself.

    Its words hold only what is the same from run to run: each server's state.
    """

    servers: tuple[Server, ...]

    def __getitem__(self, at: int) -> Server:  # type: ignore[override]
        return self.servers[at]

    def __len__(self) -> int:
        return len(self.servers)

    def __repr__(self) -> str:
        return "\n".join(f"{server.name}: {server_words(server)}" for server in self.servers)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        head = "".join(f'<th scope="col" style="text-align: left">{name}</th>' for name in HEADINGS)
        rows = "".join(
            "<tr>"
            + f'<th scope="row" style="text-align: left">{html.escape(server.name)}</th>'
            + "".join(f'<td style="text-align: left">{html.escape(str(cell))}</td>' for cell in cells(server))
            + "</tr>"
            for server in self.servers
        )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        return {"text/html": table, "text/plain": repr(self)}


def cells(server: Server) -> tuple[str, str, int, int, str]:
    """What stands beside a server's name."""
    return server_words(server), server.check or "none", server.sessions, server.total, f"{server.seconds} s"
