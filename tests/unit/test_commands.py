"""Running another program: what it printed, or a sentence."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from lab_helpers.cluster.commands import run
from lab_helpers.errors import LabsError


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def test_it_returns_what_was_printed(tmp_path: Path) -> None:
    assert run(shell("echo out; echo err >&2"), seconds=10) == "out\n"
    assert run(shell("pwd"), seconds=10, cwd=tmp_path).strip() == str(tmp_path.resolve())
    assert run(["/bin/sh", "-c", "echo $WORD $HOME"], seconds=10, env={"WORD": "given"}).split() == ["given"]


def test_it_reads_nothing_from_the_terminal() -> None:
    assert run(["cat"], seconds=10) == ""


def test_bytes_that_are_no_text_do_no_harm() -> None:
    assert run(shell(r"printf 'a\377b'"), seconds=10) == "a\ufffdb"


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(LabsError) as caught:
        run(["no-such-program", "x"], seconds=10, remedy="Install it.")
    assert str(caught.value) == "The program no-such-program is not there. Install it."


def test_a_program_that_may_not_be_run(tmp_path: Path) -> None:
    (tmp_path / "docker").write_text("not a program", encoding="utf-8")
    with pytest.raises(LabsError):
        run([str(tmp_path / "docker")], seconds=10)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LabsError) as caught:
        run(["true"], seconds=10, cwd=tmp_path / "gone")
    assert "The program true is not there" not in caught.value.what


def test_a_failure_shows_the_last_lines() -> None:
    with pytest.raises(LabsError) as caught:
        run(shell("for n in 1 2 3 4 5 6; do echo line $n >&2; done; echo out; exit 3"), seconds=10, remedy="Mend it.")
    assert caught.value.what.endswith("failed with exit code 3: line 3 / line 4 / line 5 / line 6.")
    assert caught.value.remedy == "Mend it."


def test_a_failure_shows_the_output_where_there_is_no_error_text() -> None:
    with pytest.raises(LabsError, match=r"failed with exit code 1: only this\."):
        run(shell("echo only this; exit 1"), seconds=10)


def test_a_silent_failure_is_told_too() -> None:
    with pytest.raises(LabsError) as caught:
        run(["false"], seconds=10)
    assert not caught.value.what.endswith(": .")


def test_a_long_command_is_shortened() -> None:
    with pytest.raises(LabsError) as caught:
        run([*shell("exit 1"), "one", "secret"], seconds=10)
    assert caught.value.what.startswith("`sh -c exit 1 one …` failed")


def test_a_program_that_takes_too_long_is_ended() -> None:
    started = time.monotonic()
    with pytest.raises(LabsError) as caught:
        run(["sleep", "60"], seconds=1, remedy="Try again.")
    assert time.monotonic() - started < 20
    assert str(caught.value) == "`sleep 60` did not end within 1 s. Try again."
