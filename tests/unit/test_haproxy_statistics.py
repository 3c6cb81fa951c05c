"""HAProxy's statistics, read from what it writes."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from lab_helpers.cluster import haproxy
from lab_helpers.cluster.haproxy import ServerState
from lab_helpers.errors import LabsError

# Columns and values as HAProxy 3.0 writes them, the columns in between left out.
TABLE = """# pxname,svname,scur,stot,status,act,bck,lastchg,check_status,check_code,
amqp,FRONTEND,0,1,OPEN,,,,,,
amqp_nodes,rmq1,2,9,UP,1,0,4,L7OK,200,
amqp_nodes,rmq2,0,3,DOWN,1,0,3,* L4CON,,
amqp_nodes,rmq3,0,1,UP 1/2,0,1,6,L7OK,404,
amqp_nodes,rmq4,0,0,MAINT,1,0,6,,,
amqp_nodes,rmq5,1,1,DRAIN,1,0,6,L7OK,200,
amqp_nodes,rmq6,0,1,no check,1,0,,,,
amqp_nodes,rmq7,0,1,NOLB,1,0,1,L7OKC,404,
amqp_nodes,BACKEND,0,1,UP,3,3,6,,,
management_nodes,rmq1,0,1,UP,1,0,4,L7OK,200,
"""


@pytest.fixture
def statistics(request: pytest.FixtureRequest) -> Iterator[str]:
    """A page that answers with the text that the test gives."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/;csv" else 404)
            self.end_headers()
            self.wfile.write(request.param.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.parametrize("statistics", [TABLE], indirect=True)
def test_servers_of_one_backend(statistics: str) -> None:
    found = haproxy.servers(statistics, "amqp_nodes")
    assert [(server.name, server.state) for server in found] == [
        ("rmq1", ServerState.UP),
        ("rmq2", ServerState.DOWN),
        ("rmq3", ServerState.UP),
        ("rmq4", ServerState.MAINTENANCE),
        ("rmq5", ServerState.DRAINING),
        ("rmq6", ServerState.UNCHECKED),
        ("rmq7", ServerState.DRAINING),
    ]
    first, second, third, *_ = found
    assert (first.check, first.is_backup, first.sessions, first.total, first.seconds) == ("L7OK/200", False, 2, 9, 4)
    assert (second.check, third.check, third.is_backup) == ("L4CON", "L7OK/404", True)
    assert len(haproxy.servers(statistics)) == len(found) + 1


@pytest.mark.parametrize("statistics", ["<html>another page</html>"], indirect=True)
def test_another_page_is_a_sentence(statistics: str) -> None:
    with pytest.raises(LabsError, match="cannot be read"):
        haproxy.servers(statistics)


def test_no_page_is_a_sentence() -> None:
    with pytest.raises(LabsError, match=r"cannot be read \(ConnectError\)") as caught:
        haproxy.servers("http://127.0.0.1:1/")
    assert "labs up" in caught.value.remedy
