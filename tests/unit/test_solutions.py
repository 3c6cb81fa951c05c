"""Showing a solution from the solved notebook."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab_helpers.errors import LabsError
from lab_helpers.exercises import load
from lab_helpers.exercises.solutions import solution
from lab_helpers.settings import ROOT

SLUG = "04_made_up"


def cell(source: object, exercise: str = "") -> dict[str, object]:
    return {"cell_type": "code", "metadata": {"exercise": exercise} if exercise else {}, "source": source}


def write(root: Path, text: str) -> None:
    file = root / "labs" / "solutions" / f"{SLUG}.ipynb"
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("source", [["a = 1\n", "b = 'ü'"], "a = 1\nb = 'ü'"], ids=["lines", "text"])
def test_the_cell_of_the_exercise_is_shown(tmp_path: Path, source: object) -> None:
    cells = [cell("other"), cell("another", "other"), cell(source, "wanted")]
    write(tmp_path, json.dumps({"cells": cells}))
    assert solution(tmp_path, SLUG, "wanted") == "a = 1\nb = 'ü'"


def test_an_exercise_that_is_not_there(tmp_path: Path) -> None:
    write(tmp_path, json.dumps({"cells": [cell("x", "other")]}))
    with pytest.raises(LabsError, match="no exercise 'wanted'"):
        solution(tmp_path, SLUG, "wanted")


def test_a_notebook_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LabsError, match=rf"{SLUG}\.ipynb cannot be read") as caught:
        solution(tmp_path, SLUG, "wanted")
    assert "git checkout labs/solutions" in caught.value.remedy


@pytest.mark.parametrize("text", ["", "half of {", "{}"])
def test_a_damaged_notebook(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    with pytest.raises(LabsError, match="cannot be read"):
        solution(tmp_path, SLUG, "wanted")


@pytest.mark.parametrize("text", ["[]", '{"cells": 5}', '{"cells": [{}]}', '{"cells": [{"metadata": null}]}'])
def test_a_notebook_damaged_otherwise(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    with pytest.raises(LabsError):
        solution(tmp_path, SLUG, "wanted")


def test_every_solved_notebook_has_its_exercises() -> None:
    slugs = [file.stem for file in (ROOT / "labs" / "solutions").glob("*.ipynb")]
    assert slugs
    for slug in slugs:
        for exercise in load(ROOT, slug):
            assert solution(ROOT, slug, exercise).strip()
