"""Building labs, and finding every way in which what was built can differ from its source."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab_helpers.build import drift
from lab_helpers.build.drift import check
from lab_helpers.build.generate import build
from lab_helpers.errors import LabsError

FIXTURES = Path(__file__).parent / "build_fixtures"
SOURCE = "labs/src/04_routes/lab.py"
SOLUTION = "labs/solutions/04_routes.ipynb"
ANSWER = SimpleNamespace(name="us", code="", message="is not bound")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made-up labs, built once; nobody changes this one."""
    root = tmp_path_factory.mktemp("built")
    shutil.copytree(FIXTURES, root, dirs_exist_ok=True)
    build(root, report=lambda line: None)
    return root


@pytest.fixture
def root(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    exercises = {"routes": SimpleNamespace(name="routes", hints=("a", "b"), wrong=(ANSWER, ANSWER))}
    monkeypatch.setattr(drift, "load_exercises", lambda root, slug: exercises if slug == "04_routes" else {})
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_what_was_built_has_no_drift(root: Path) -> None:
    assert check(root) == []


def test_building_again_writes_nothing_and_executes_nothing(root: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    said: list[str] = []
    build(root, report=said.append)
    assert said == []
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_executing_again_gives_the_same_bytes(root: Path) -> None:
    said: list[str] = []
    build(root, ["4"], rerun=True, report=said.append)
    assert said == ["executing 04_routes"]


def test_only_a_changed_lab_is_executed_and_old_pictures_go(root: Path) -> None:
    (old,) = (root / "docs/labs/04_routes").glob("*.svg")
    edit(root / SOURCE, 'width="20"', 'width="30"')
    said: list[str] = []
    build(root, report=said.append)
    assert [line for line in said if line.startswith("executing")] == ["executing 04_routes"]
    assert f"removed docs/labs/04_routes/{old.name}" in said
    assert len(list((root / "docs/labs/04_routes").glob("*.svg"))) == 1
    assert check(root) == []


def test_a_cell_that_must_raise_and_does_not_is_not_stored(root: Path) -> None:
    before = (root / SOLUTION).read_text()
    edit(root / SOURCE, 'raise ValueError("no queue")', "calm = True")
    with pytest.raises(LabsError, match="'calm = True' is tagged raises-exception and raised nothing"):
        build(root, ["04"], report=lambda line: None)
    assert (root / SOLUTION).read_text() == before


def change_notebook(path: Path, change: Callable[[dict], None]) -> None:
    notebook = json.loads(path.read_text())
    change(notebook)
    path.write_text(json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def code_cell(notebook: dict, begins: str) -> dict:
    return next(cell for cell in notebook["cells"] if "".join(cell["source"]).startswith(begins))


def test_an_edited_source_is_seen_in_both_notebooks(root: Path) -> None:
    edit(root / SOURCE, "An order has a key", "An order has one key")
    assert check(root) == [
        f"labs/04_routes.ipynb is not what {SOURCE} gives; run: labs build 04",
        f"{SOLUTION} was executed from another text than {SOURCE}; run: labs build 04",
    ]


def test_an_edited_title_is_seen_in_the_index_too(root: Path) -> None:
    edit(root / SOURCE, "title: Routes", "title: Paths")
    assert "docs/labs/index.md is not the index of the labs; run: labs build" in check(root)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("labs/00_start.ipynb", "labs/00_start.ipynb is not what labs/src/00_start/lab.py gives"),
        ("labs/solutions/00_start.ipynb", "labs/solutions/00_start.ipynb is missing or is not a notebook"),
        ("docs/labs/00_start.md", "docs/labs/00_start.md is not the page of the executed lab"),
        ("docs/labs/index.md", "docs/labs/index.md is not the index of the labs"),
    ],
)
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text("{ damaged")])
def test_a_missing_or_damaged_file_is_seen(
    root: Path, path: str, sentence: str, damage: Callable[[Path], object]
) -> None:
    damage(root / path)
    (said,) = check(root)
    assert said.startswith(sentence)
    assert "; run: labs build" in said


def test_a_solution_that_was_not_executed_is_seen(root: Path) -> None:
    def forget(notebook: dict) -> None:
        code_cell(notebook, "lab.check")["execution_count"] = None

    change_notebook(root / SOLUTION, forget)
    (said,) = check(root)
    assert "'lab.check(\"routes\")' was not executed; run: labs build 04 --rerun" in said


def test_an_error_that_is_missing_is_seen(root: Path) -> None:
    def calm(notebook: dict) -> None:
        code_cell(notebook, "raise ")["outputs"] = []

    change_notebook(root / SOLUTION, calm)
    assert any("is tagged raises-exception and raised nothing; run: labs build 04" in line for line in check(root))


def test_an_error_that_should_not_be_there_is_seen(root: Path) -> None:
    def fail(notebook: dict) -> None:
        error = {"output_type": "error", "ename": "E", "evalue": "e", "traceback": ["E: e"]}
        code_cell(notebook, "lab.check")["outputs"] = [error]

    change_notebook(root / SOLUTION, fail)
    assert any("'lab.check(\"routes\")' shows an error; run: labs build 04" in line for line in check(root))


def test_a_solution_saved_by_hand_is_seen(root: Path) -> None:
    def time(notebook: dict) -> None:
        code_cell(notebook, "lab.check")["outputs"].append(
            {
                "output_type": "display_data",
                "metadata": {},
                "data": {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "w"},
            }
        )

    change_notebook(root / SOLUTION, time)
    assert f"{SOLUTION} was changed after it was executed; run: labs build 04 --rerun" in check(root)


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_text("<svg/>")])
def test_a_picture_that_is_missing_or_changed_is_seen(root: Path, change: Callable[[Path], object]) -> None:
    (picture,) = (root / "docs/labs/04_routes").glob("*.svg")
    change(picture)
    assert check(root) == ["docs/labs/04_routes/ does not hold the pictures of the executed lab; run: labs build 04"]


@pytest.mark.parametrize(
    "path",
    ["labs/09_gone.ipynb", "labs/solutions/09_gone.ipynb", "docs/labs/09_gone.md", "docs/labs/gone/a.svg"],
)
def test_a_stray_file_is_seen(root: Path, path: str) -> None:
    (root / path).parent.mkdir(exist_ok=True)
    (root / path).write_text("")
    (said,) = check(root)
    assert said.startswith(path.removesuffix("/a.svg") + " belongs to no lab")


def test_a_broken_lab_does_not_hide_the_others(root: Path) -> None:
    edit(root / "labs/src/00_start/lab.py", "minutes: 10", "minutes: 1")
    edit(root / SOURCE, "An order has a key", "An order has one key")
    said = check(root)
    assert "`minutes` is wrong" in said[0]
    assert any("labs/04_routes.ipynb" in line for line in said)


def test_broken_rules_are_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "load_exercises", lambda root, slug: {})
    assert any("'routes' has no entry" in line for line in check(root))
