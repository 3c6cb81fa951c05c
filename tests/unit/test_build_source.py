"""The header of a lab, and finding labs by their folders."""

import re
import shutil
from pathlib import Path

import pytest

from lab_helpers.build.source import find, load, select
from lab_helpers.errors import LabsError

FIXTURES = Path(__file__).parent / "build_fixtures"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(FIXTURES, tmp_path, dirs_exist_ok=True)
    return tmp_path


def edit(root: Path, old: str, new: str) -> None:
    path = root / "labs/src/04_routes/lab.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_lab_is_read_with_its_header_and_cells(root: Path) -> None:
    source = load(root, "04_routes")
    assert source.number == "04"
    assert source.metadata.minutes == 20
    assert source.metadata.objectives == ("bind a queue", "say what a key matches")
    assert source.metadata.prerequisites == ("00_start",)
    assert "### BEGIN SOLUTION" in source.notebook.cells[-2].source


@pytest.mark.parametrize(
    ("old", "new", "field", "why"),
    [
        ("minutes: 20", "minutes: 61", "minutes", "less than or equal to 60"),
        ("minutes: 20", "minutes: 4", "minutes", "greater than or equal to 5"),
        ("minutes: 20", "minutes: '20'", "minutes", "integer"),
        ("minutes: 20", "minutes: 20\n#     colour: red", "colour", "Extra inputs"),
        ("#     promise: You decide where an order goes.\n", "", "promise", "required"),
        (
            "objectives: [bind a queue, say what a key matches]",
            "objectives: [one]",
            "objectives",
            "at least 2",
        ),
        ("objectives: [bind a queue", "objectives: [a1, a2, a3, a4", "objectives", "at most 4"),
        ("[break-nodes]", "[break-everything]", "cluster", "known are: break-nodes"),
        ("[00_start]", "[01_missing]", "prerequisites", "no lab '01_missing'"),
        ("[00_start]", "[04_routes]", "prerequisites", "does not come before"),
    ],
)
def test_a_wrong_header_is_refused_by_file_and_field(root: Path, old: str, new: str, field: str, why: str) -> None:
    edit(root, old, new)
    with pytest.raises(LabsError, match=re.escape(why)) as refused:
        load(root, "04_routes")
    assert refused.value.what.startswith(f"labs/src/04_routes/lab.py: the header's field `{field}")


def test_a_header_without_a_lab_block_is_refused(root: Path) -> None:
    edit(root, "#   lab:\n", "#   other:\n")
    with pytest.raises(LabsError, match="no `lab:` block"):
        load(root, "04_routes")


def test_a_header_that_is_not_yaml_is_refused(root: Path) -> None:
    edit(root, "minutes: 20", "minutes: [20")
    with pytest.raises(LabsError, match=r"04_routes/lab\.py: the header is not YAML"):
        load(root, "04_routes")


def test_labs_are_found_in_order(root: Path) -> None:
    assert [source.slug for source in find(root)] == ["00_start", "04_routes"]


@pytest.mark.parametrize("name", ["4", "04", "04_routes"])
def test_a_lab_is_selected_by_number_or_name(root: Path, name: str) -> None:
    assert [source.slug for source in select(root, [name])] == ["04_routes"]


def test_no_names_select_all_labs(root: Path) -> None:
    assert [source.slug for source in select(root)] == ["00_start", "04_routes"]


def test_an_unknown_name_is_answered_by_what_exists(root: Path) -> None:
    with pytest.raises(LabsError, match=r"no lab '7'.*00_start, 04_routes"):
        select(root, ["4", "7"])


def test_two_labs_with_one_number_are_refused(root: Path) -> None:
    shutil.copytree(root / "labs/src/04_routes", root / "labs/src/04_other")
    with pytest.raises(LabsError, match="04_other and 04_routes have the same number"):
        find(root)


def test_a_folder_with_another_name_is_refused(root: Path) -> None:
    shutil.copytree(root / "labs/src/04_routes", root / "labs/src/5-Topics")
    with pytest.raises(LabsError, match="5-Topics is not a name"):
        find(root)
