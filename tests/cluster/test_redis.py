"""Redis beside the cluster, on each engine: there when a lab asks for it, with a login, and gone with the cluster."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import redis
from pydantic import SecretStr

from lab_helpers import Lab
from lab_helpers.cluster import Cluster
from lab_helpers.cluster.choice import make_engine
from lab_helpers.cluster.redis_server import WrongPasswordError, redis_url
from lab_helpers.settings import Ports, load_settings


def listeners(port: int) -> list[tuple[str, int | None]]:
    """Who listens on a port: the address and the process."""
    return [
        (connection.laddr.ip, connection.pid)
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    ]


def test_redis_is_started_once_and_wants_the_password(cluster: Cluster) -> None:
    lab = Lab("00_start_here")
    url = lab.redis()
    assert url.startswith("redis://:")
    assert "@127.0.0.1:" in url
    with redis.Redis.from_url(url) as client:
        client.set("kept", "yes")
        assert lab.redis() == url
        assert client.get("kept") == b"yes"
        client.delete("kept")
    password, address = url.removeprefix("redis://:").split("@")
    with redis.Redis.from_url(f"redis://{address}") as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    assert len(password) == 32


def test_two_who_ask_at_once_get_one_server_that_is_known(cluster: Cluster) -> None:
    cluster.engine.end_redis()
    with ThreadPoolExecutor(4) as pool:
        (url,) = set(pool.map(lambda _: redis_url(cluster.engine), range(4)))
    found = listeners(urlsplit(url).port or 0)
    assert {address for address, _ in found} <= {"127.0.0.1", "::1"}
    if cluster.engine.name == "native":
        # The one that the pid file names, by which `labs down` ends it.
        process = cluster.engine._background("redis").process()
        assert process is not None
        assert found == [("127.0.0.1", process.pid)]
    else:
        assert found


def test_a_lab_may_ask_whether_there_is_redis(cluster: Cluster) -> None:
    assert Lab("00_start_here").needs("redis")


def test_with_a_new_password_it_begins_anew(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    before = redis_url(cluster.engine)
    monkeypatch.setattr(cluster.engine.settings, "password", SecretStr("another-one-since-the-env-was-lost"))
    try:
        url = redis_url(cluster.engine)
        assert url != before
        with redis.Redis.from_url(before) as late, pytest.raises(redis.AuthenticationError):
            late.ping()
    finally:
        cluster.engine.end_redis()


def test_a_wrong_login_to_somebody_elses_is_a_sentence(cluster: Cluster, tmp_path: Path) -> None:
    address = urlsplit(redis_url(cluster.engine)).netloc.partition("@")[2]
    here = "amqp://labs:pw@broker.example", "http://labs:pw@broker.example"
    update = dict(zip(("amqp_url", "management_url"), here, strict=True))
    update |= {"redis_url": f"redis://:wrong@{address}/0", "state_dir": tmp_path}
    external = make_engine("external", load_settings().model_copy(update=update), Ports())
    with pytest.raises(WrongPasswordError) as caught:
        redis_url(external)
    assert "LABS_REDIS_URL" in caught.value.remedy
    assert redis_url(cluster.engine)
