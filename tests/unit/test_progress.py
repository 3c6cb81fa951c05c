"""The progress file: whole or not at all, with several kernels at work."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab_helpers.exercises import Outcome
from lab_helpers.exercises.progress import Progress

WRITER = """
import sys
from pathlib import Path
from lab_helpers.exercises import Outcome
from lab_helpers.exercises.progress import Progress
progress = Progress(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    progress.record_check("04", "shared", Outcome.INCORRECT)
    progress.record_check(sys.argv[2], f"own{number}", Outcome.PASSED)
"""


@pytest.fixture
def notices() -> list[str]:
    return []


@pytest.fixture
def progress(tmp_path: Path, notices: list[str]) -> Progress:
    return Progress(tmp_path / "state" / "progress.json", notices.append)


def test_nothing_is_recorded_at_first(progress: Progress, notices: list[str]) -> None:
    assert progress.of("04") == {}
    assert notices == []
    assert not progress.file.parent.exists()


def test_checks_hints_and_solutions_are_recorded(progress: Progress) -> None:
    progress.record_check("04", "bindings", Outcome.INCORRECT)
    progress.record_hint("04", "bindings", 2)
    progress.record_hint("04", "bindings", 1)
    progress.record_shown("04", "bindings")
    progress.record_check("04", "routes", Outcome.PASSED)
    assert progress.of("04") == {
        "bindings": {"outcome": "incorrect", "attempts": 1, "hints": 2, "shown": True},
        "routes": {"outcome": "passed", "attempts": 1},
    }
    assert progress.of("05") == {}
    assert Progress(progress.file).of("04") == progress.of("04")


@pytest.mark.parametrize("later", [outcome for outcome in Outcome if outcome is not Outcome.PASSED])
def test_passed_stays_passed(progress: Progress, later: Outcome) -> None:
    progress.record_check("04", "a", Outcome.PASSED)
    progress.record_check("04", "a", later)
    assert progress.of("04")["a"]["outcome"] == "passed"


def test_any_other_outcome_is_the_last_one(progress: Progress) -> None:
    for outcome in (Outcome.NOT_ATTEMPTED, Outcome.INCORRECT, Outcome.ERROR):
        progress.record_check("04", "a", outcome)
        assert progress.of("04")["a"]["outcome"] == str(outcome)
    progress.record_check("04", "a", Outcome.PASSED)
    assert progress.of("04")["a"]["outcome"] == "passed"


def test_only_real_attempts_count(progress: Progress) -> None:
    for outcome in (Outcome.NOT_ATTEMPTED, Outcome.ENVIRONMENT):
        progress.record_check("04", "a", outcome)
    assert "attempts" not in progress.of("04")["a"]
    for outcome in (Outcome.INCORRECT, Outcome.ERROR, Outcome.PASSED):
        progress.record_check("04", "a", outcome)
    assert progress.of("04")["a"]["attempts"] == 3


@pytest.mark.parametrize(
    "content", [b"", b"half of {", b"[]", b'"text"', b'{"04": []}', b'{"04": {}, "05": 1}', b"\xff\xfe"]
)
@pytest.mark.parametrize("writes", [True, False], ids=["write", "read"])
def test_a_damaged_file_is_set_aside(progress: Progress, notices: list[str], content: bytes, writes: bool) -> None:
    progress.file.parent.mkdir()
    progress.file.write_bytes(content)
    if writes:
        progress.record_check("04", "a", Outcome.PASSED)
        assert progress.of("04") == {"a": {"outcome": "passed", "attempts": 1}}
    else:
        assert progress.of("04") == {}
    aside = progress.file.with_name("progress.damaged.json")
    assert aside.read_bytes() == content
    assert len(notices) == 1
    assert str(aside) in notices[0]


def test_a_file_damaged_deeper_is_set_aside_too(progress: Progress, notices: list[str]) -> None:
    progress.file.parent.mkdir()
    progress.file.write_text('{"04": {"a": 5}}', encoding="utf-8")
    progress.record_check("04", "a", Outcome.PASSED)
    assert len(notices) == 1


def test_a_damaged_file_is_set_aside_once_by_readers_at_once(progress: Progress, notices: list[str]) -> None:
    progress.file.parent.mkdir()
    progress.file.write_text("half of {", encoding="utf-8")
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(progress.of, ["04"] * 4)) == [{}] * 4
    assert len(notices) == 1


def test_progress_that_cannot_be_kept_is_a_notice(tmp_path: Path, notices: list[str]) -> None:
    (tmp_path / "file").touch()
    Progress(tmp_path / "file" / "progress.json", notices.append).record_check("04", "a", Outcome.PASSED)
    assert len(notices) == 1


def test_two_kernels_at_once_lose_nothing(progress: Progress) -> None:
    each = 40
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(progress.file), lab, str(each)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for lab in ("10", "20")
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("\n")
            writer.stdin.flush()
        assert [writer.wait(60) for writer in writers] == [0, 0]
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    assert progress.of("04")["shared"]["attempts"] == 2 * each
    assert (len(progress.of("10")), len(progress.of("20"))) == (each, each)
    assert {file.name for file in progress.file.parent.iterdir()} <= {"progress.json", "progress.lock"}
    assert json.loads(progress.file.read_text(encoding="utf-8"))


def test_a_check_tells_the_number_of_the_attempt(progress: Progress) -> None:
    outcomes = (Outcome.NOT_ATTEMPTED, Outcome.INCORRECT, Outcome.ENVIRONMENT, Outcome.ERROR, Outcome.PASSED)
    assert [progress.record_check("04", "a", outcome) for outcome in outcomes] == [0, 1, 1, 2, 3]


def test_a_lab_with_another_number_keeps_its_progress(progress: Progress) -> None:
    progress.record_check("04_acks", "a", Outcome.PASSED)
    progress.record_check("04_other", "x", Outcome.PASSED)
    assert progress.of("05_acks") == {"a": {"outcome": "passed", "attempts": 1}}
    progress.record_check("05_acks", "b", Outcome.INCORRECT)
    assert set(progress.of("05_acks")) == {"a", "b"}
    assert set(json.loads(progress.file.read_text(encoding="utf-8"))) == {"05_acks", "04_other"}


def test_another_name_is_another_lab(progress: Progress) -> None:
    progress.record_check("04_acks", "a", Outcome.PASSED)
    assert progress.of("04_confirms") == {}
    assert set(progress.of("04_acks")) == {"a"}


@pytest.mark.parametrize("count", [None, "three", [], {}])
def test_a_count_that_is_no_number_begins_anew(progress: Progress, count: object) -> None:
    progress.file.parent.mkdir()
    progress.file.write_text(json.dumps({"04": {"a": {"attempts": count, "hints": count}}}), encoding="utf-8")
    assert progress.record_check("04", "a", Outcome.PASSED) == 1
    progress.record_hint("04", "a", 2)
    assert progress.of("04")["a"]["hints"] == 2
