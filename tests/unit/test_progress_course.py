"""The map of the whole course: which labs are done, begun, next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lab_helpers import cli
from lab_helpers.exercises import Outcome
from lab_helpers.exercises.course import State, course, title
from lab_helpers.exercises.progress import Progress

EXERCISES = """
from lab_helpers.exercises import Exercise, passed
EXERCISES = tuple(
    Exercise(name=name, check=lambda bench: passed(""), hints=("a", "b"), wrong=()) for name in {names!r}
)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    labs: dict[str, tuple[str, ...]] = {
        "00_start": ("a", "b"),
        "01_reading": (),
        "02_wire": ("c",),
        "04_direct": ("d",),
    }
    for slug, names in labs.items():
        folder = tmp_path / "labs" / "src" / slug
        folder.mkdir(parents=True)
        (folder / "lab.py").touch()
        if names:
            (folder / "exercises.py").write_text(EXERCISES.format(names=names), encoding="utf-8")
    notebook = {"metadata": {"lab": {"title": "On the wire"}}}
    (tmp_path / "labs" / "02_wire.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    return tmp_path


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    return Progress(tmp_path / "progress.json")


def test_at_first_all_is_open_and_the_first_lab_is_next(root: Path, progress: Progress) -> None:
    found = course(root, progress)
    assert [(lab.slug, lab.state, lab.is_next) for lab in found] == [
        ("00_start", State.OPEN, True),
        ("02_wire", State.OPEN, False),
        ("04_direct", State.OPEN, False),
    ]
    assert [lab.name for lab in found] == ["00 start", "02 On the wire", "04 direct"]


def test_done_begun_and_next(root: Path, progress: Progress) -> None:
    for name in ("a", "b"):
        progress.record_check("00_start", name, Outcome.PASSED)
    progress.record_check("02_wire", "c", Outcome.NOT_ATTEMPTED)
    progress.record_hint("04_direct", "d", 1)
    assert [lab.words for lab in course(root, progress)] == [
        "● done, 2 of 2",
        "○ open, 0 of 1 ← next",
        "◐ begun, 0 of 1",
    ]


def test_a_lab_that_is_begun_is_next(root: Path, progress: Progress) -> None:
    progress.record_check("00_start", "a", Outcome.PASSED)
    assert course(root, progress)[0].words == "◐ begun, 1 of 2 ← next"


def test_what_a_lab_no_longer_has_is_kept_and_not_counted(root: Path, progress: Progress) -> None:
    for lab, name in (("00_start", "a"), ("00_start", "gone"), ("09_gone", "x")):
        progress.record_check(lab, name, Outcome.PASSED)
    assert course(root, progress)[0].words.startswith("◐ begun, 1 of 2")
    assert set(progress.of("00_start")) == {"a", "gone"}
    assert set(progress.of("09_gone")) == {"x"}


def test_all_done_has_no_next(root: Path, progress: Progress) -> None:
    for lab, name in (("00_start", "a"), ("00_start", "b"), ("02_wire", "c"), ("04_direct", "d")):
        progress.record_check(lab, name, Outcome.PASSED)
    assert not any(lab.is_next for lab in course(root, progress))


@pytest.mark.parametrize("text", ["", "[]", '{"metadata": {}}', '{"metadata": {"lab": null}}'])
def test_a_title_without_a_sound_notebook(root: Path, text: str) -> None:
    (root / "labs" / "04_direct.ipynb").write_text(text, encoding="utf-8")
    assert title(root, "04_direct") == "direct"


def test_the_command_shows_it_without_a_cluster(
    root: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "ROOT", root)
    monkeypatch.setenv("LABS_PROGRESS_FILE", str(progress.file))
    monkeypatch.setenv("LABS_ENV_FILE", str(root / "env"))
    progress.record_check("02_wire", "c", Outcome.PASSED)
    shown = CliRunner().invoke(cli.app, ["status", "--progress"])
    assert shown.exit_code == 0
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert lines[0] == ["00", "start", "○", "open,", "0", "of", "2", "←", "next"]
    assert lines[1] == ["02", "On", "the", "wire", "●", "done,", "1", "of", "1"]
