"""The solved notebooks, run again and compared output by output: nbval, strict, on each engine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from lab_helpers import build
from lab_helpers.build.verification import verdicts
from lab_helpers.exercises import Outcome, load
from lab_helpers.settings import ROOT
from tests.labs.turns import breaks_nodes

SOURCES = {source.slug: source for source in build.find(ROOT)}


def solved(slug: str) -> Path:
    return ROOT / "labs" / "solutions" / f"{slug}.ipynb"


def nbval(notebook: Path) -> subprocess.CompletedProcess[str]:
    """Run nbval on one notebook as its documentation says, every cell and output compared."""
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-p", "tests.labs.nbval_words"]
    # Not this project's settings and conftest files: they are for the tests themselves.
    command += ["-p", "no:cacheprovider", "--noconftest", "-c", "/dev/null", "--rootdir", str(notebook.parent), "-q"]
    return subprocess.run([*command, str(notebook)], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def assert_same(notebook: Path, cells: int) -> None:
    done = nbval(notebook)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert f"{cells} passed" in done.stdout, done.stdout[-2000:]


def code_cells(slug: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(solved(slug), as_version=4).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("slug", SOURCES)
def test_every_cell_gives_the_same_after_a_run_that_was_stopped_half_way(
    slug: str, engine: str, tmp_path: Path
) -> None:
    half = nbformat.read(solved(slug), as_version=4)
    half.cells = half.cells[: len(half.cells) * 2 // 3]
    build.run(half, tmp_path)
    # To break nodes takes long, and such a lab finds more to mend after half a run than after a whole one.
    for _ in range(1 if breaks_nodes(slug) else 2):
        assert_same(solved(slug), len(code_cells(slug)))


@pytest.mark.parametrize("slug", SOURCES)
def test_every_code_cell_was_executed_and_raised_only_where_it_must(slug: str) -> None:
    assert build.problems(nbformat.read(solved(slug), as_version=4)) == []


@pytest.mark.parametrize("slug", SOURCES)
def test_every_exercise_passed(slug: str) -> None:
    # So it must in each run: nbval compares these outputs too.
    last = {verdict.exercise: verdict.outcome for verdict in verdicts(code_cells(slug))}
    assert last == dict.fromkeys(load(ROOT, slug), Outcome.PASSED)


@pytest.mark.parametrize("slug", ["00_start_here"])
def test_a_changed_output_is_noticed(slug: str, engine: str, tmp_path: Path) -> None:
    notebook = json.loads(solved(slug).read_text())
    printed = [out for cell in notebook["cells"] for out in cell.get("outputs", []) if out["output_type"] == "stream"]
    printed[0]["text"] = ["something else\n"]
    changed = tmp_path / "changed.ipynb"
    changed.write_text(json.dumps(notebook))
    done = nbval(changed)
    assert done.returncode == 1
    assert "1 failed" in done.stdout


def test_the_guards_refuse_what_nbval_would_pass_over() -> None:
    notebook = nbformat.read(solved("00_start_here"), as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    cells[0].execution_count = None
    cells[1].metadata["tags"] = ["raises-exception"]
    first, second = build.problems(notebook)
    assert "was not executed" in first
    assert "raised nothing" in second
