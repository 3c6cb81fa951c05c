"""The command `labs`: what a user can cause ends in sentences and exit code 1, never in a traceback."""

from __future__ import annotations

import collections
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab_helpers import cli
from lab_helpers.cluster.status import ClusterStatus
from lab_helpers.workspace import published

Usage = collections.namedtuple("Usage", "total used free")


@dataclass(frozen=True)
class Result:
    """How a command ended; its output without line breaks, which depend on the terminal's width."""

    code: object
    out: str
    err: str


Labs = Callable[..., Result]


@pytest.fixture
def on_path(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PATH that has the command, as in an activated virtualenv."""
    folder = checkout / "activated"
    folder.mkdir()
    (folder / "labs").write_text("#!/bin/sh\n", encoding="utf-8")
    (folder / "labs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


@pytest.fixture
def labs(on_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Labs:
    """Run a command in this process, in a made-up checkout."""

    def run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["labs", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        shown = capsys.readouterr()
        assert "Traceback" not in shown.out + shown.err
        return Result(ended.value.code, " ".join(shown.out.split()), " ".join(shown.err.split()))

    return run


@pytest.fixture
def nothing_installed(checkout: Path, on_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with neither Docker nor RabbitMQ."""
    monkeypatch.setenv("PATH", str(on_path))
    monkeypatch.setenv("LABS_RABBITMQ_HOME", str(checkout / "nowhere"))


def nothing_was_started(checkout: Path) -> bool:
    return not (checkout / "state" / "cluster.json").exists() and not (checkout / "state" / "native").exists()


def test_help_names_every_command(labs: Labs) -> None:
    result = labs("--help")
    assert result.code == 0
    for command in ("up", "down", "status", "doctor", "reset", "build", "verify"):
        assert f" {command} " in result.out


@pytest.mark.parametrize("arguments", [["made-up"], ["up", "--engine", "podman"], ["reset"]])
def test_a_wrong_command_line(labs: Labs, arguments: list[str]) -> None:
    assert labs(*arguments).code == 2


def test_status_without_a_cluster(labs: Labs) -> None:
    result = labs("status")
    assert result.code == 1
    assert "No cluster is running. `labs up` starts it." in result.out


def test_down_without_a_cluster(labs: Labs) -> None:
    assert labs("down") == Result(0, "Nothing was running.", "")


def test_a_damaged_memory_counts_as_no_cluster(labs: Labs, checkout: Path) -> None:
    (checkout / "state").mkdir()
    for content in (b"", b"half of {", b"[]", b'{"engine": "native"}', b"\xff\xfe"):
        (checkout / "state" / "cluster.json").write_bytes(content)
        assert labs("status").code == 1


@pytest.mark.parametrize(
    ("name", "value"), [("LABS_PORT_BASE", "abc"), ("LABS_ENGINE", "external")], ids=["settings", "external"]
)
def test_status_says_what_is_wrong_with_the_settings(
    labs: Labs, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    result = labs("status")
    assert result.code == 1
    assert "LABS_" in result.out + result.err


# --- labs up


def test_up_without_rabbitmq(labs: Labs, checkout: Path, nothing_installed: None) -> None:
    result = labs("up", "--engine", "native")
    assert result.code == 1
    assert f"The native engine cannot be used: RabbitMQ is not installed in {checkout / 'nowhere'}." in result.err
    assert "labs doctor" in result.err
    assert nothing_was_started(checkout)


def test_up_without_docker(labs: Labs, checkout: Path, nothing_installed: None) -> None:
    result = labs("up", "--engine", "compose")
    assert result.code == 1
    assert "The compose engine cannot be used: Docker is not installed." in result.err
    assert nothing_was_started(checkout)


def test_up_with_nothing_installed(labs: Labs, checkout: Path, nothing_installed: None) -> None:
    result = labs("up")
    assert result.code == 1
    assert "There is nothing to run RabbitMQ with. Docker is not installed. RabbitMQ is not installed" in result.err
    assert "apt-get install rabbitmq-server haproxy" in result.err
    assert nothing_was_started(checkout)


def test_up_with_an_engine_that_the_settings_want(
    labs: Labs, checkout: Path, nothing_installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABS_ENGINE", "compose")
    assert "The compose engine cannot be used" in labs("up").err


@pytest.mark.parametrize("value", ["abc", "80", "60000"])
def test_up_with_a_bad_port_base(
    labs: Labs, nothing_installed: None, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("LABS_PORT_BASE", value)
    result = labs("up")
    assert result.code == 1
    assert result.err.startswith(f"LABS_PORT_BASE has the value '{value}', which cannot be used:")


def test_up_with_an_external_cluster_but_no_url(labs: Labs, nothing_installed: None, checkout: Path) -> None:
    result = labs("up", "--engine", "external")
    assert result.code == 1
    assert "The external engine needs LABS_AMQP_URL and LABS_MANAGEMENT_URL." in result.err
    assert nothing_was_started(checkout)


def test_up_on_another_engine_than_the_one_that_runs(labs: Labs, nothing_installed: None, checkout: Path) -> None:
    (checkout / "state").mkdir()
    memory = json.dumps({"engine": "compose", "port_base": 6000})
    (checkout / "state" / "cluster.json").write_text(memory, encoding="utf-8")
    result = labs("up", "--engine", "native")
    assert result.code == 1
    assert "The cluster runs on the compose engine already. Run `labs down` first" in result.err
    assert (checkout / "state" / "cluster.json").read_text(encoding="utf-8") == memory


def test_up_on_a_nearly_full_disk(labs: Labs, nothing_installed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 10**12 - 123_000_000, 123_000_000))
    result = labs("up")
    assert result.code == 1
    assert "Only 123 MB are free on the disk of " in result.err
    assert "LABS_STATE_DIR" in result.err


def test_up_where_the_state_folder_is_a_file(labs: Labs, nothing_installed: None, checkout: Path) -> None:
    (checkout / "state").touch()
    result = labs("up")
    assert result.code == 1
    assert f"The folder {checkout / 'state'} cannot be used" in result.err


def test_up_where_the_env_file_cannot_be_written(
    labs: Labs, nothing_installed: None, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / "file").touch()
    monkeypatch.setenv("LABS_ENV_FILE", str(checkout / "file" / ".env"))
    assert labs("up").code == 1


def test_up_where_the_state_folder_takes_no_files(labs: Labs, nothing_installed: None, checkout: Path) -> None:
    # Stands for a folder without the right to write, which root would have all the same.
    (checkout / "state" / "up.lock").mkdir(parents=True)
    assert labs("up").code == 1


# --- labs reset, labs doctor


def test_reset_of_an_unknown_lab(labs: Labs) -> None:
    result = labs("reset", "99")
    assert result.code == 1
    assert result.err.startswith("There is no lab '99'. The labs: 00_start_here")


def test_reset_says_where_the_old_copy_is(labs: Labs, checkout: Path) -> None:
    lab = published()[0].name
    assert labs("reset", "0").out == f"{lab} is as it was at first."
    result = labs("reset", "0")
    [kept] = (checkout / "workspace").glob("*.kept-*.ipynb")
    assert result == Result(0, f"{lab} is as it was at first. Your copy is kept as {kept.name}.", "")


def test_doctor_with_bad_settings(labs: Labs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABS_PORT_BASE", "abc")
    result = labs("doctor")
    assert result.code == 1
    assert "LABS_PORT_BASE has the value 'abc'" in result.out


def test_doctor_with_nothing_installed(labs: Labs, nothing_installed: None) -> None:
    result = labs("doctor")
    assert result.code == 1
    for words in ("Docker is not installed", "RabbitMQ is not installed", "Neither is there", "pictures show as text"):
        assert words in result.out


def test_doctor_sees_an_env_file_that_others_can_read(labs: Labs, nothing_installed: None, checkout: Path) -> None:
    (checkout / ".env").touch()
    (checkout / ".env").chmod(0o644)
    assert "others can read it" in labs("doctor").out
    (checkout / ".env").chmod(0o600)
    assert "is readable by you alone" in labs("doctor").out


# --- What is shown


def test_commands_are_shown_as_they_can_be_typed(
    labs: Labs, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "`labs up`" in labs("status").out
    monkeypatch.setenv("PATH", str(checkout / "programs"))
    for folder in (tmp_path, Path(sys.executable).parents[2]):
        monkeypatch.chdir(folder)
        found = re.search(r"`(.+) up`", labs("status").out)
        assert found is not None
        assert Path(*shlex.split(found[1])).absolute().resolve() == (Path(sys.executable).parent / "labs").resolve()


@pytest.mark.parametrize("in_ci", [True, False])
def test_a_log_does_not_keep_the_password(checkout: Path, monkeypatch: pytest.MonkeyPatch, in_ci: bool) -> None:
    monkeypatch.setenv("CI", "1") if in_ci else monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("LABS_PASSWORD", "s3cret")
    rows = list(cli.card_rows(ClusterStatus("native", "4.3.6", (), "h:1", "http://h:2", ""), "http://h:8888/?token=t"))
    assert any("s3cret" in text for _, text in rows) is not in_ci
    assert ("JupyterLab", "http://h:8888/?token=t") in rows


def test_an_external_clusters_login_is_not_shown(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("LABS_PASSWORD", "s3cret")
    rows = cli.card_rows(ClusterStatus("external", "", (), "h:1", "http://h:2", ""), "")
    assert not any("s3cret" in text for _, text in rows)


# --- As a program of its own


def test_errors_go_to_stderr_without_a_traceback(checkout: Path, nothing_installed: None) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lab_helpers", "up", "--engine", "native"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    # Three lines that stay whole, however narrow the terminal.
    assert done.stderr.splitlines() == [
        f"The native engine cannot be used: RabbitMQ is not installed in {checkout / 'nowhere'}.",
        "Run `labs doctor` to see what to do.",
    ]
