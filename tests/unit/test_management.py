"""The management client against small HTTP servers: what it sends, and what it makes of bad answers."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lab_helpers.broker.management import Management, ManagementAddress, RefusedError, columns, path
from lab_helpers.errors import BrokerUnreachableError, LabsError


@dataclass
class Server:
    """What a test server heard, and what it answers with."""

    url: str = ""
    status: int = 200
    body: bytes = b"{}"
    content_type: str = "application/json"
    hang_up_on: int = 0
    """Closes a connection, without an answer, on its request of this number; 0 for never."""
    heard: list[tuple[str, str, bytes, str]] = field(default_factory=list)
    """Method, path, body and authorization of each request."""
    connections: int = 0


Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as servers:

        def started(**answer: object) -> Server:
            server = Server(**answer)  # type: ignore[arg-type]

            class Handler(BaseHTTPRequestHandler):
                protocol_version = "HTTP/1.1"

                def setup(self) -> None:
                    super().setup()
                    server.connections += 1
                    self.answered = 0

                def answer(self) -> None:
                    body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                    server.heard.append((self.command, self.path, body, self.headers.get("Authorization", "")))
                    self.answered += 1
                    if self.answered == server.hang_up_on:
                        self.close_connection = True
                        return
                    self.send_response(server.status)
                    self.send_header("Content-Type", server.content_type)
                    self.send_header("Content-Length", str(len(server.body)))
                    self.end_headers()
                    self.wfile.write(server.body)

                do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815

                def log_message(self, format: str, *args: object) -> None:
                    """Nothing on the terminal."""

            http = servers.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
            http.daemon_threads = True
            server.url = f"http://127.0.0.1:{http.server_port}"
            threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
            servers.callback(http.shutdown)
            return server

        yield started


def client(url: str, timeout: float = 10.0) -> Management:
    return Management(ManagementAddress(url, "labs", "s3cret/ü"), timeout)


# --- What is sent


def test_an_answer_is_decoded(serve: Serve) -> None:
    server = serve(body=b'{"name": "labs"}')
    with client(server.url) as management:
        assert management.get("/whoami") == {"name": "labs"}
    [(method, where, _, login)] = server.heard
    assert (method, where) == ("GET", "/api/whoami")
    assert base64.b64decode(login.removeprefix("Basic ")).decode() == "labs:s3cret/ü"


def test_an_empty_answer_is_none(serve: Serve) -> None:
    server = serve(status=204, body=b"")
    with client(server.url) as management:
        assert management.get("/whoami") is None


def test_bodies_are_json(serve: Serve) -> None:
    server = serve()
    with client(server.url) as management:
        management.put("/vhosts/a")
        management.put("/users/a", {"tags": "management"})
        management.post("/definitions", [1])
        management.delete("/vhosts/a")
    assert [(method, json.loads(body) if body else None) for method, _, body, _ in server.heard] == [
        ("PUT", {}),
        ("PUT", {"tags": "management"}),
        ("POST", [1]),
        ("DELETE", None),
    ]


def test_paths_are_escaped_once(serve: Serve) -> None:
    server = serve()
    with client(server.url) as management:
        management.get(path("queues", "/", "a/b c?d#e%2F") + columns(["name", "type"]))
    assert server.heard[0][1] == "/api/queues/%2F/a%2Fb%20c%3Fd%23e%252F?columns=name,type"


def test_one_connection_is_kept(serve: Serve) -> None:
    server = serve()
    with client(server.url) as management:
        for _ in range(3):
            management.get("/whoami")
    assert (len(server.heard), server.connections) == (3, 1)


def test_proxies_of_the_environment_are_ignored(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server, proxy = serve(), serve()
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with client(server.url) as management:
        management.get("/whoami")
    assert (len(server.heard), proxy.heard) == (1, [])


# --- Nothing answers


def test_nothing_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        with client(url) as management, pytest.raises(BrokerUnreachableError) as caught:
            management.get("/whoami")
    assert caught.value.what == f"The management API at {url} does not answer (ConnectError)."
    assert caught.value.meaning
    assert "labs status" in caught.value.remedy
    assert "s3cret" not in str(caught.value)


def test_a_server_that_accepts_and_is_silent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with client(url, timeout=0.2) as management, pytest.raises(BrokerUnreachableError, match="ReadTimeout"):
            management.get("/whoami")


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_a_kept_connection_that_broke_is_replaced(serve: Serve, method: str) -> None:
    server = serve(hang_up_on=2)
    with client(server.url) as management:
        management.get("/whoami")
        getattr(management, method)("/vhosts/a")
    assert [where for _, where, _, _ in server.heard] == ["/api/whoami", "/api/vhosts/a", "/api/vhosts/a"]
    assert server.connections == 2


def test_a_server_that_always_hangs_up(serve: Serve) -> None:
    server = serve(hang_up_on=1)
    with client(server.url) as management, pytest.raises(BrokerUnreachableError, match="RemoteProtocolError"):
        management.get("/whoami")
    assert len(server.heard) == 2


# --- It says no


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, b'{"error": "not_authorized", "reason": "Login failed"}', "Login failed"),
        (404, b'{"error": "Object Not Found", "reason": "Not Found"}', "Not Found"),
        (400, b'{"error": "bad_request"}', "bad_request"),
        (400, b'{"reason": {"nested": 1}}', "{'nested': 1}"),
        (503, b"<html>no server is available</html>", "Service Unavailable"),
        (404, b"[]", "Not Found"),
        (500, b"", "Internal Server Error"),
        (405, b"\xff\xfe", "Method Not Allowed"),
    ],
)
def test_a_refusal_has_its_reason(serve: Serve, status: int, body: bytes, reason: str) -> None:
    server = serve(status=status, body=body)
    with client(server.url) as management, pytest.raises(RefusedError) as caught:
        management.get("/vhosts/a")
    assert caught.value.status == status
    assert str(caught.value) == f"GET /vhosts/a: the management API answered {status} ({reason})."


def test_deleting_what_is_not_there(serve: Serve) -> None:
    server = serve(status=404)
    with client(server.url) as management:
        management.delete("/vhosts/a")
        with pytest.raises(RefusedError):
            management.delete("/vhosts/a", missing_ok=False)
    assert len(server.heard) == 2


def test_a_refused_delete_is_told(serve: Serve) -> None:
    server = serve(status=403)
    with client(server.url) as management, pytest.raises(RefusedError):
        management.delete("/vhosts/a")


def test_another_web_server_is_a_sentence(serve: Serve) -> None:
    server = serve(body=b"<html>Hello</html>", content_type="text/html")
    with client(server.url) as management, pytest.raises(LabsError):
        management.get("/whoami")


# --- The address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://labs:pw@host:1234", ManagementAddress("http://host:1234", "labs", "pw")),
        ("http://labs:pw@host", ManagementAddress("http://host:15672", "labs", "pw")),
        ("https://labs:pw@host/", ManagementAddress("https://host:443", "labs", "pw")),
        ("https://a%40b:p%2Fw%3A@host:1", ManagementAddress("https://host:1", "a@b", "p/w:")),
        ("http://labs:pw@[::1]:15672", ManagementAddress("http://[::1]:15672", "labs", "pw")),
        ("http://labs@host", ManagementAddress("http://host:15672", "labs", "")),
    ],
)
def test_a_url_is_split(url: str, address: ManagementAddress) -> None:
    assert ManagementAddress.from_url(url) == address


@pytest.mark.parametrize(
    "url", ["", "host:15672", "amqp://labs:pw@host:5672", "http://host:15672", "http://labs:pw@", "http://labs:pw@:1"]
)
def test_a_bad_url_is_a_sentence(url: str) -> None:
    with pytest.raises(LabsError, match="LABS_MANAGEMENT_URL"):
        ManagementAddress.from_url(url)


@pytest.mark.parametrize("url", ["http://labs:pw@host:abc", "http://labs:pw@host:99999", "http://labs:pw@[::1"])
def test_a_bad_port_or_host_is_a_sentence(url: str) -> None:
    with pytest.raises(LabsError, match="LABS_MANAGEMENT_URL"):
        ManagementAddress.from_url(url)


def test_the_password_does_not_show() -> None:
    assert "s3cret" not in repr(ManagementAddress("http://host:15672", "labs", "s3cret"))
