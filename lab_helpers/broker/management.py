"""A client of RabbitMQ's management HTTP API.

Every path and field is described at https://www.rabbitmq.com/docs/http-api-reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit

import httpx

from lab_helpers.errors import BrokerUnreachableError, LabsError

Json = Any

CHANGE_SECONDS = 60.0
"""How long a change may take, at least: to delete a virtual host, the broker waits up to five seconds for each member
of a quorum queue that has no leader, as after the death of all nodes."""


@dataclass(frozen=True)
class ManagementAddress:
    """Where a management API answers, and who asks."""

    url: str
    user: str
    password: str = field(repr=False)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Split ``http://user:password@host:port`` into its parts.

        Raises
        ------
        LabsError
            The URL has no host or no credentials.
        """
        refused = LabsError(
            "LABS_MANAGEMENT_URL is not of the form http://user:password@host:15672.",
            remedy="Correct it in the environment or in .env.",
        )
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 15672)
        except ValueError as error:
            raise refused from error
        if parts.scheme not in ("http", "https") or not parts.hostname or not parts.username:
            raise refused
        where = f"{parts.scheme}://{bracketed(parts.hostname)}:{port}{parts.path.rstrip('/')}"
        return cls(where, unquote(parts.username), unquote(parts.password or ""))


def bracketed(host: str) -> str:
    """A host as it stands in a URL: an IPv6 address goes in brackets."""
    return f"[{host}]" if ":" in host else host


class RefusedError(LabsError):
    """The management API answered, and said no."""

    def __init__(self, status: int, what: str, reason: str) -> None:
        self.status = status
        super().__init__(f"{what}: the management API answered {status} ({reason}).")


class Management:
    """One management API, asked over one kept connection.

    Parameters
    ----------
    address
        Where it answers and with which login.
    timeout
        Seconds for one look; a change may take :data:`CHANGE_SECONDS`.
    """

    def __init__(self, address: ManagementAddress, timeout: float = 10.0) -> None:
        self.address = address
        self._looking = httpx.Timeout(timeout)
        self._changing = httpx.Timeout(max(timeout, CHANGE_SECONDS), connect=timeout)
        self._http = httpx.Client(
            base_url=f"{address.url}/api",
            auth=(address.user, address.password),
            # A proxy from the environment must never see what is meant for 127.0.0.1.
            trust_env=False,
            # A node that was killed leaves kept connections dead: try each request on a fresh one again.
            transport=httpx.HTTPTransport(retries=1, verify=address.url.startswith("https:")),
        )

    def close(self) -> None:
        """Close the kept connection."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def request(self, method: str, path: str, body: Json = None) -> Json:
        """Make one request and return the decoded answer (None for an empty one).

        Raises
        ------
        BrokerUnreachableError
            Nothing answered within the timeout.
        RefusedError
            The API answered with an error; ``status`` holds its code.
        """
        try:
            response = self._send(method, path, body)
        except httpx.HTTPError as error:
            raise BrokerUnreachableError(
                f"The management API at {self.address.url} does not answer ({type(error).__name__}).",
                meaning="The cluster is not running, or its node is still starting.",
                remedy="Run `labs status` in a terminal to see, and `labs up` to start it.",
            ) from error
        if response.is_error:
            raise RefusedError(response.status_code, f"{method} {path}", reason_in(response))
        try:
            return response.json() if response.content else None
        except ValueError as error:
            raise BrokerUnreachableError(
                f"What answers at {self.address.url} is not RabbitMQ's management API.",
                remedy="Run `labs doctor` to see who listens there.",
            ) from error

    def _send(self, method: str, path: str, body: Json) -> httpx.Response:
        timeout = self._looking if method == "GET" else self._changing
        try:
            return self._http.request(method, path, json=body, timeout=timeout)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            # The node behind a kept connection went away since the last request. Every request made here
            # may be repeated: GET, PUT and DELETE by HTTP's rules, and the POSTs used because they replace.
            return self._http.request(method, path, json=body, timeout=timeout)

    def get(self, path: str) -> Json:
        """GET ``path``, relative to ``/api``."""
        return self.request("GET", path)

    def put(self, path: str, body: Json = None) -> None:
        """PUT ``body`` to ``path``."""
        self.request("PUT", path, {} if body is None else body)

    def post(self, path: str, body: Json) -> Json:
        """POST ``body`` to ``path``."""
        return self.request("POST", path, body)

    def delete(self, path: str, *, missing_ok: bool = True) -> None:
        """DELETE ``path``; what is not there counts as deleted unless ``missing_ok`` is false."""
        try:
            self.request("DELETE", path)
        except RefusedError as error:
            if not (missing_ok and error.status == httpx.codes.NOT_FOUND):
                raise

    def version(self) -> str:
        """RabbitMQ's version, as "4.3.6"."""
        return str(self.get("/overview?columns=rabbitmq_version&disable_stats=true")["rabbitmq_version"])

    def members(self) -> dict[str, bool]:
        """The cluster's members as the asked node knows them, as ``rmq1@rmq1``, each with whether it runs; sorted."""
        nodes = self.get("/nodes?columns=name,running")
        return {node["name"]: node["running"] for node in sorted(nodes, key=itemgetter("name"))}

    def running_nodes(self) -> list[str]:
        """The nodes that the asked node sees running, itself included, as ``rmq1@rmq1``, sorted."""
        return [name for name, runs in self.members().items() if runs]


def reason_in(response: httpx.Response) -> str:
    """The reason that an error answer gives, else HTTP's own phrase."""
    try:
        body = response.json()
    except ValueError:
        return response.reason_phrase
    if not isinstance(body, dict):
        return response.reason_phrase
    return str(body.get("reason") or body.get("error") or response.reason_phrase)


def path(*segments: str) -> str:
    """Join path segments, each escaped: a virtual host named "/" becomes "%2F"."""
    return "/" + "/".join(quote(segment, safe="") for segment in segments)


def columns(names: Sequence[str]) -> str:
    """The query that limits an answer to these fields."""
    return "?columns=" + ",".join(names)
