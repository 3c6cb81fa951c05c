"""The student's notebook and the solved one, cut from one text."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest

from lab_helpers.build.notebooks import dumps, solution, student
from lab_helpers.build.regions import cut
from lab_helpers.build.source import LabSource, load
from lab_helpers.errors import LabsError

FIXTURES = Path(__file__).parent / "build_fixtures"
FILE = "labs/src/04_routes/lab.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(FIXTURES, tmp_path, dirs_exist_ok=True)
    return tmp_path


def edited(root: Path, old: str, new: str) -> LabSource:
    text = (root / FILE).read_text()
    assert old in text
    (root / FILE).write_text(text.replace(old, new))
    return load(root, "04_routes")


def ids(source: LabSource) -> list[str]:
    return [cell.id for cell in student(source).cells]


def test_an_indented_stub_takes_the_place_of_the_solution() -> None:
    text = (
        "def f():\n    ### BEGIN SOLUTION\n    ### STUB x = 1\n    ### STUB\n    ### STUB     y = 2\n"
        "    return 1\n    ### END SOLUTION\nf()"
    )
    halves = cut(text, "here")
    assert halves.stub == "def f():\n    x = 1\n\n        y = 2\nf()"
    assert halves.solution == "def f():\n    return 1\nf()"


def test_a_solution_without_a_stub_leaves_a_placeholder_at_its_indentation() -> None:
    halves = cut("if x:\n    a\n    ### BEGIN SOLUTION\n    b\n    ### END SOLUTION\n    c", "here")
    assert halves.stub == "if x:\n    a\n    # Your code here\n    c"
    assert halves.solution == "if x:\n    a\n    b\n    c"


@pytest.mark.parametrize(
    "text",
    [
        "### BEGIN SOLUTION\nx",
        "x\n### END SOLUTION",
        "### STUB x",
        "### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION",
        "### BEGIN SOLUTION\n### END SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION",
    ],
)
def test_markers_that_do_not_make_one_block_are_refused(text: str) -> None:
    with pytest.raises(LabsError, match=r"some/lab\.py, cell 3"):
        cut(text, "some/lab.py, cell 3")


def test_unbalanced_markers_name_the_file_and_the_cell(root: Path) -> None:
    source = edited(root, "    ### END SOLUTION\n", "")
    with pytest.raises(LabsError, match=rf"{re.escape(FILE)}, the cell that begins 'if True:'"):
        student(source)


def test_a_misspelt_marker_never_reaches_the_student(root: Path) -> None:
    source = edited(root, 'raise ValueError("no queue")', "# BEGIN SOLUTION\nraise ValueError(1)")
    with pytest.raises(LabsError, match="would reach the student"):
        student(source)


def test_the_card_is_the_first_cell_and_the_only_h1(root: Path) -> None:
    cells = student(load(root, "04_routes")).cells
    assert cells[0].id == "card"
    assert cells[0].source.startswith('# 04 · Routes | and "keys"\n\n*You decide where an order goes.*\n')
    assert "**Time:** 20 minutes" in cells[0].source
    assert "[00](00_start.ipynb)" in cells[0].source
    assert "- bind a queue\n- say what a key matches" in cells[0].source
    assert "> **Note:** This lab stops or breaks nodes" in cells[0].source
    headings = [line for cell in cells if cell.cell_type == "markdown" for line in cell.source.splitlines()]
    assert sum(line.startswith("# ") for line in headings) == 1


def test_the_two_notebooks_differ_in_the_exercise_only(root: Path) -> None:
    source = load(root, "04_routes")
    for mine, solved in zip(student(source).cells, solution(source).cells, strict=True):
        assert (mine.id, mine.metadata) == (solved.id, solved.metadata)
        if mine.metadata.get("exercise") == "routes":
            assert mine.source == 'if True:\n    lab.bindings = {}\n\n    # bind "audit"'
            assert solved.source == 'if True:\n    lab.bindings = {"eu": "audit"}'
        else:
            assert mine.source == solved.source


def test_tags_stay_and_jupytext_leaves_no_trace(root: Path) -> None:
    notebook = student(load(root, "04_routes"))
    metadata = [cell.metadata for cell in notebook.cells if cell.metadata]
    assert metadata == [{"tags": ["raises-exception"]}, {"exercise": "routes"}]
    assert set(notebook.metadata) == {"kernelspec", "language_info", "lab"}
    assert notebook.metadata.lab.slug == "04_routes"


def test_an_edit_changes_the_id_of_its_cell_only(root: Path) -> None:
    before = ids(load(root, "04_routes"))
    after = ids(edited(root, "An order has a key", "An order has one key"))
    assert [old == new for old, new in zip(before, after, strict=True)] == [
        position != 2 for position in range(len(before))
    ]
    assert all(re.fullmatch("[0-9a-f]{8}", name) for name in after[1:])


def test_a_new_cell_changes_no_other_id(root: Path) -> None:
    before = ids(load(root, "04_routes"))
    after = ids(edited(root, "# %% [markdown]\n# ## Exercise", "# %%\nx = 1\n\n# %% [markdown]\n# ## Exercise"))
    assert len(after) == len(before) + 1
    assert [name for name in after if name in before] == before


def test_equal_cells_have_different_ids_that_stay(root: Path) -> None:
    path = root / FILE
    path.write_text(path.read_text() + '\n# %%\nlab.check("routes")\n')
    source = load(root, "04_routes")
    assert len(set(ids(source))) == len(ids(source))
    assert ids(source) == ids(load(root, "04_routes"))


def test_the_text_of_a_notebook_is_stable_and_valid(root: Path) -> None:
    source = load(root, "04_routes")
    text = dumps(student(source))
    assert text == dumps(student(load(root, "04_routes")))
    assert text == dumps(nbformat.reads(text, as_version=4))
    assert text.endswith("}\n")
    assert '"nbformat_minor": 5' in text
