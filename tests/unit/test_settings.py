"""Where settings come from, what is kept in .env, and which ports belong together."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from lab_helpers.errors import LabsError
from lab_helpers.settings import NODES, ROOT, Ports, Settings, ensure_secrets, env_file, load_settings, write_env


def all_ports(ports: Ports) -> list[int]:
    return [*ports.published().values(), *ports.internal().values()]


def test_defaults(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABS_STATE_DIR")
    monkeypatch.delenv("LABS_WORKSPACE_DIR")
    settings = load_settings()
    assert settings.engine == "auto"
    assert settings.port_base is None
    assert settings.state_dir == ROOT / ".labs"
    assert settings.workspace_dir == ROOT / "workspace"
    assert settings.user == "labs"
    assert settings.password.get_secret_value() == ""
    assert (ROOT / "docker-compose.yml").is_file()


def test_the_env_file_is_the_checkouts_own_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABS_ENV_FILE", raising=False)
    assert env_file() == ROOT / ".env"


def test_the_env_file_overrides_defaults_and_the_environment_overrides_both(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file().write_text("LABS_USER=file\nLABS_PORT_BASE=7000\n", encoding="utf-8")
    assert (load_settings().user, load_settings().port_base) == ("file", 7000)
    monkeypatch.setenv("LABS_USER", "environment")
    assert (load_settings().user, load_settings().port_base) == ("environment", 7000)


def test_what_is_not_ours_in_the_env_file_is_ignored(checkout: Path) -> None:
    env_file().write_text("POSTGRES_USER=x\nLABS_AMQP_PORT=5682\nLABS_MADE_UP=1\n", encoding="utf-8")
    assert load_settings().user == "labs"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LABS_PORT_BASE", "abc"),
        ("LABS_PORT_BASE", "1023"),
        ("LABS_PORT_BASE", "45001"),
        ("LABS_ENGINE", "podman"),
    ],
)
@pytest.mark.parametrize("in_file", [True, False], ids=["file", "environment"])
def test_a_bad_value_is_named(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, in_file: bool
) -> None:
    if in_file:
        env_file().write_text(f"{name}={value}\n", encoding="utf-8")
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(LabsError) as caught:
        load_settings()
    assert name in caught.value.what
    assert repr(value) in caught.value.what
    assert str(env_file()) in caught.value.remedy


@pytest.mark.parametrize("base", [1024, 45_000])
def test_the_least_and_the_greatest_base_are_usable(checkout: Path, monkeypatch: pytest.MonkeyPatch, base: int) -> None:
    monkeypatch.setenv("LABS_PORT_BASE", str(base))
    assert load_settings().port_base == base
    assert max(all_ports(Ports(base))) <= 65_535


def test_an_env_file_that_is_no_text_is_a_sentence(checkout: Path) -> None:
    env_file().write_bytes(b"LABS_USER=\xff\xfe\n")
    with pytest.raises(LabsError):
        load_settings()


def test_a_relative_folder_is_the_same_from_everywhere(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABS_STATE_DIR")
    env_file().write_text("LABS_STATE_DIR=my-state\n", encoding="utf-8")
    monkeypatch.chdir(checkout)
    here = load_settings().state_dir.resolve()
    (checkout / "workspace").mkdir()
    monkeypatch.chdir(checkout / "workspace")
    assert load_settings().state_dir.resolve() == here


# --- Writing .env


def test_writing_keeps_other_lines_and_comments(checkout: Path) -> None:
    env_file().write_text("# mine\nOTHER='a b'\nLABS_USER=me\n\n# why\nexport LAST=1\n", encoding="utf-8")
    write_env({"LABS_USER": "you", "LABS_ENGINE": "native"})
    lines = env_file().read_text(encoding="utf-8").splitlines()
    assert lines == ["# mine", "OTHER='a b'", "LABS_USER=you", "", "# why", "export LAST=1", "LABS_ENGINE=native"]
    assert load_settings().user == "you"


def test_writing_what_is_there_already_changes_nothing(checkout: Path) -> None:
    text = 'LABS_USER="me" # quoted by hand\n'
    env_file().write_text(text, encoding="utf-8")
    write_env({"LABS_USER": "me"})
    assert env_file().read_text(encoding="utf-8") == text


@pytest.mark.parametrize("existed", [True, False])
def test_only_its_owner_can_read_the_env_file(checkout: Path, existed: bool) -> None:
    if existed:
        env_file().touch()
        env_file().chmod(0o644)
    before = os.umask(0)
    try:
        write_env({"LABS_USER": "me"})
    finally:
        os.umask(before)
    assert stat.S_IMODE(env_file().stat().st_mode) == 0o600
    assert list(checkout.iterdir()) == [env_file()]


def test_the_folder_of_the_env_file_is_made(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABS_ENV_FILE", str(checkout / "new" / ".env"))
    write_env({"LABS_USER": "me"})
    assert load_settings().user == "me"


def test_an_env_file_that_cannot_be_written_is_a_sentence(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout / "file").touch()
    monkeypatch.setenv("LABS_ENV_FILE", str(checkout / "file" / ".env"))
    with pytest.raises(LabsError):
        ensure_secrets()


# --- Secrets


def secrets_of(settings: Settings) -> tuple[str, str]:
    return settings.password.get_secret_value(), settings.erlang_cookie.get_secret_value()


def test_secrets_are_made_once(checkout: Path) -> None:
    first = secrets_of(ensure_secrets())
    assert all(len(secret) >= 20 for secret in first)
    assert first[0] != first[1]
    assert secrets_of(ensure_secrets()) == first
    assert secrets_of(load_settings()) == first


def test_two_checkouts_have_different_secrets(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = secrets_of(ensure_secrets())
    monkeypatch.setenv("LABS_ENV_FILE", str(checkout / "other" / ".env"))
    assert not set(secrets_of(ensure_secrets())) & set(first)


def test_a_password_that_is_set_stays(checkout: Path) -> None:
    env_file().write_text("LABS_PASSWORD=mine\n", encoding="utf-8")
    password, cookie = secrets_of(ensure_secrets())
    assert password == "mine"  # noqa: S105
    assert len(cookie) >= 20


def test_secrets_do_not_show(checkout: Path) -> None:
    settings = ensure_secrets()
    assert not [secret for secret in secrets_of(settings) if secret in repr(settings)]


def test_the_project_name_differs_by_state_folder(tmp_path: Path) -> None:
    one, other = (Settings(_env_file=None, state_dir=tmp_path / name) for name in ("one", "other"))
    assert one.project != other.project
    assert one.project.startswith("rabbitmq-labs-")
    assert one.project == Settings(_env_file=None, state_dir=tmp_path / "x" / ".." / "one").project
    assert Settings(_env_file=None, compose_project="mine").project == "mine"


# --- Ports


def test_the_usual_ports() -> None:
    ports = Ports()
    assert (ports.amqp, ports.management, ports.statistics, ports.epmd) == (5672, 15672, 8404, 25672)
    assert [ports.node_amqp(node) for node in NODES] == [5673, 5674, 5675]
    assert [ports.node_management(node) for node in NODES] == [15673, 15674, 15675]
    assert [ports.node_distribution(node) for node in NODES] == [25673, 25674, 25675]


def test_published_ports_have_the_names_that_compose_reads() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    for name, port in Ports().published().items():
        assert f"${{{name}:-{port}}}" in text


def test_blocks_do_not_overlap() -> None:
    blocks = [all_ports(Ports(Ports().base + number * Ports.STEP)) for number in range(20)]
    ports = [port for block in blocks for port in block]
    assert len(ports) == 20 * 19
    assert len(set(ports)) == len(ports)


def test_a_secret_is_never_taken_for_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(100):
        monkeypatch.setenv("LABS_ENV_FILE", str(tmp_path / f"{number}.env"))
        made = ensure_secrets()
        for secret in (made.password, made.erlang_cookie):
            assert re.fullmatch(r"[0-9a-f]{32}", secret.get_secret_value())
