"""``docker compose up`` without ``labs``: what docker-compose.yml promises at its top."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr
from testcontainers.compose import DockerCompose

from lab_helpers.broker.waiting import wait_until
from lab_helpers.cluster import Cluster, lifecycle
from lab_helpers.cluster.choice import make_engine
from lab_helpers.settings import ROOT, Ports, load_settings
from tests import engines


@pytest.mark.skipif("compose" not in engines.tested(), reason="no Docker Engine here, and none was asked for")
def test_compose_alone_makes_a_whole_cluster(tmp_path: Path) -> None:
    ports = Ports(7672)
    env = tmp_path / "by-hand.env"
    lines = {"LABS_COMPOSE_PROJECT": "by-hand", "LABS_PASSWORD": "by-hand-only", "LABS_ERLANG_COOKIE": "by-hand-cookie"}
    lines |= {name: str(port) for name, port in ports.published().items()}
    env.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))

    with DockerCompose(ROOT, env_file=str(env), wait=False):
        settings = load_settings().model_copy(
            update={"password": SecretStr("by-hand-only"), "compose_project": "by-hand"}
        )
        cluster = Cluster(make_engine("compose", settings, ports))
        wait_until(lambda: cluster.status().is_whole, seconds=120, what="three nodes that see each other")
        wait_until(
            lambda: lifecycle.passes_a_message(cluster), seconds=30, retry_on=(Exception,), what="the front door"
        )
