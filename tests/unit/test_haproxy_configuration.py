"""cluster/haproxy.cfg, judged by HAProxy itself; it only reads the file and opens no port."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from lab_helpers.cluster.engines.native import CONFIGURATION, NativeEngine, find_program
from lab_helpers.settings import ROOT, Ports, Settings

FILE = CONFIGURATION / "haproxy.cfg"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What the native engine gives HAProxy."""
    return NativeEngine(Settings(_env_file=None, state_dir=tmp_path), Ports(6300))._haproxy_environment()


@pytest.fixture
def haproxy() -> str:
    program = find_program("haproxy")
    if program is None:
        if "CI" in os.environ:
            pytest.fail("HAProxy is not installed, and in CI it must be")
        pytest.skip("HAProxy is not installed")
    return program


def variables() -> set[str]:
    return set(re.findall(r"\$\{(\w+)\}", FILE.read_text(encoding="utf-8")))


def check(haproxy: str, file: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [haproxy, "-c", "-f", str(file)], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_it_is_valid(haproxy: str, environment: dict[str, str]) -> None:
    done = check(haproxy, FILE, environment)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


@pytest.mark.parametrize("name", ["LABS_FRONT_AMQP", "LABS_RMQ2_MANAGEMENT"])
def test_an_address_that_is_missing_is_found(haproxy: str, environment: dict[str, str], name: str) -> None:
    del environment[name]
    assert check(haproxy, FILE, environment).returncode != 0


def test_a_mistake_is_found(haproxy: str, environment: dict[str, str], tmp_path: Path) -> None:
    wrong = tmp_path / "haproxy.cfg"
    wrong.write_text(FILE.read_text(encoding="utf-8").replace("balance first", "balance worst"), encoding="utf-8")
    assert check(haproxy, wrong, environment).returncode != 0


def test_both_engines_fill_in_every_variable(environment: dict[str, str]) -> None:
    assert len(variables()) == 12
    assert variables() <= set(environment)
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert {name for name in variables() if f"{name}:" not in compose} == set()


def test_everything_is_on_the_loopback_interface_and_a_port_of_the_block(environment: dict[str, str]) -> None:
    ports = set(Ports(6300).published().values())
    for name in variables():
        host, _, port = environment[name].rpartition(":")
        assert host == ("" if name.endswith("_CHECK") else "127.0.0.1")
        assert int(port) in ports
