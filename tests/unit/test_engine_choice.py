"""How the engine is chosen, on made-up machines: a PATH with only what each test puts there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab_helpers.cluster.engines.native import NativeEngine, find_rabbitmq, installed_version, version_key
from lab_helpers.cluster.lifecycle import Remembered, choose_engine, current, remembered
from lab_helpers.errors import LabsError, NotPossibleHereError
from lab_helpers.settings import Ports, Settings, load_settings

Program = Callable[..., None]


@pytest.fixture
def program(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Put a program on the PATH, which is otherwise empty."""
    folder = checkout / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def put(name: str, script: str = "exit 0", where: Path = folder) -> None:
        where.mkdir(parents=True, exist_ok=True)
        (where / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (where / name).chmod(0o755)

    return put


@pytest.fixture
def home(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the settings say that RabbitMQ is; nothing is there yet."""
    monkeypatch.setenv("LABS_RABBITMQ_HOME", str(checkout / "rabbitmq"))
    return checkout / "rabbitmq"


def install_rabbitmq(home: Path, program: Program, version: str = "4.3.6") -> None:
    for name in ("rabbitmq-server", "rabbitmqctl"):
        program(name, where=home / "sbin")
    (home / "plugins" / f"rabbit-{version}").mkdir(parents=True)
    for name in ("epmd", "haproxy"):
        program(name)


def refused(wanted: str | None) -> str:
    with pytest.raises(LabsError) as caught:
        choose_engine(load_settings(), wanted)  # type: ignore[arg-type]
    return str(caught.value)


def test_docker_is_not_on_path(program: Program, home: Path) -> None:
    assert "The compose engine cannot be used: Docker is not installed." in refused("compose")


def test_the_docker_engine_does_not_answer(program: Program, home: Path) -> None:
    program("docker", "echo Cannot connect to the Docker daemon >&2\nexit 1")
    assert "installed, but its engine does not answer" in refused("compose")
    assert "installed, but its engine does not answer" in refused(None)


def test_compose_is_not_installed(program: Program, home: Path) -> None:
    program("docker", '[ "$1" = version ] && exit 0\necho "docker: \'compose\' is not a docker command." >&2\nexit 1')
    assert "Docker runs, but `docker compose` (version 2) is not installed." in refused("compose")


def test_docker_comes_first(program: Program, home: Path) -> None:
    install_rabbitmq(home, program)
    program("docker")
    assert choose_engine(load_settings(), None) == ("compose", "a Docker Engine answers")
    assert choose_engine(load_settings(), "native") == ("native", "as asked")


def test_without_docker_the_host_runs_it(program: Program, home: Path) -> None:
    install_rabbitmq(home, program)
    assert choose_engine(load_settings(), None) == ("native", "Docker is not installed")


def test_rabbitmq_without_erlang(program: Program, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_rabbitmq(home, program)
    (home.parent / "programs" / "epmd").unlink()
    assert "RabbitMQ is installed, but Erlang (epmd) is not." in refused("native")


def test_neither(program: Program, home: Path) -> None:
    message = refused(None)
    assert "Docker is not installed." in message
    assert f"RabbitMQ is not installed in {home}." in message
    assert "https://docs.docker.com/engine/install/" in message


def test_the_argument_outweighs_the_settings(program: Program, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_rabbitmq(home, program)
    monkeypatch.setenv("LABS_ENGINE", "compose")
    assert "Docker is not installed" in refused(None)
    assert choose_engine(load_settings(), "native")[0] == "native"
    assert choose_engine(load_settings(), "external")[0] == "external"


def test_a_docker_that_may_not_be_run(program: Program, home: Path) -> None:
    program("docker")
    (home.parent / "programs" / "docker").chmod(0o644)
    assert "Docker" in refused("compose")


# --- RabbitMQ on this host


def test_the_home_may_be_given_with_or_without_sbin(program: Program, home: Path) -> None:
    install_rabbitmq(home, program)
    assert find_rabbitmq(home) == home / "sbin"
    assert find_rabbitmq(home / "sbin") == home / "sbin"
    (home / "sbin" / "rabbitmqctl").unlink()
    assert find_rabbitmq(home) is None


def test_the_installed_version(program: Program, home: Path) -> None:
    install_rabbitmq(home, program, "4.0.9")
    assert installed_version(home / "sbin") == "4.0.9"
    assert installed_version(home) == ""


def test_versions_are_compared_as_numbers() -> None:
    assert version_key("3.9.29") < version_key("3.10.8") < version_key("4.3.0-rc.1")


def test_a_rabbitmq_that_is_too_old_is_refused(program: Program, home: Path, checkout: Path) -> None:
    install_rabbitmq(home, program, "3.9.29")
    engine = NativeEngine(load_settings(), Ports(6000))
    with pytest.raises(LabsError, match=r"installed here is 3\.9\.29; the labs need 3\.10 or later"):
        engine.create(lambda line: None)
    assert not engine.home.exists()


# --- What is remembered


def test_no_cluster_is_a_sentence(checkout: Path) -> None:
    with pytest.raises(LabsError, match="No cluster is running") as caught:
        current()
    assert "labs up" in caught.value.remedy


def test_the_engine_and_the_ports_are_remembered(checkout: Path) -> None:
    (checkout / "state").mkdir()
    (checkout / "state" / "cluster.json").write_text('{"engine": "native", "port_base": 6100}', encoding="utf-8")
    assert remembered(load_settings()) == Remembered("native", 6100)
    engine = current().engine
    assert isinstance(engine, NativeEngine)
    assert engine.amqp() == "127.0.0.1:6100"
    assert remembered(Settings(_env_file=None, state_dir=checkout / "other")) is None


def test_without_redis_the_native_engine_says_what_to_install(program: Program, home: Path) -> None:
    with pytest.raises(NotPossibleHereError, match=r"Redis is not installed here \(redis-server\)") as caught:
        NativeEngine(load_settings(), Ports()).redis()
    assert "apt-install redis-server" in caught.value.remedy
