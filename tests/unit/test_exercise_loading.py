"""Finding a lab's exercises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab_helpers.errors import LabsError
from lab_helpers.exercises import Exercise, load

SLUG = "04_made_up"
TWO = """
from lab_helpers.exercises import Exercise, WrongAnswer, passed

def check(bench):
    return passed("Seen.")

EXERCISES = (
    Exercise(name="second", check=check, hints=("a", "b"), wrong=(WrongAnswer("none", "", "x"),)),
    Exercise(name="first", check=check, hints=("a", "b"), wrong=()),
)
"""

Loaded = Callable[[str], dict[str, Exercise]]


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    def write_and_load(text: str) -> dict[str, Exercise]:
        file = tmp_path / "labs" / "src" / SLUG / "exercises.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return load(tmp_path, SLUG)

    return write_and_load


def test_exercises_come_by_name_in_their_order(loaded: Loaded) -> None:
    exercises = loaded(TWO)
    assert list(exercises) == ["second", "first"]
    assert exercises["second"].wrong[0].message == "x"


def test_a_lab_without_exercises(tmp_path: Path) -> None:
    assert load(tmp_path, SLUG) == {}


def test_an_empty_tuple_is_allowed(loaded: Loaded) -> None:
    assert loaded("EXERCISES = ()") == {}


def test_a_file_without_the_tuple(loaded: Loaded) -> None:
    with pytest.raises(LabsError, match=r"exercises\.py has no EXERCISES") as caught:
        loaded("exercises = ()")
    assert SLUG in caught.value.what


def test_two_of_the_same_name(loaded: Loaded) -> None:
    with pytest.raises(LabsError, match="two exercises of the same name"):
        loaded(TWO.replace('"first"', '"second"'))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("import no_such_module_at_all", ModuleNotFoundError),
        ("EXERCISES = (", SyntaxError),
        ("EXERCISES = made_up", NameError),
    ],
)
def test_an_error_of_its_author_is_not_hidden(loaded: Loaded, text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        loaded(text)


def test_a_changed_file_is_read_again(loaded: Loaded) -> None:
    loaded(TWO)
    # A text of another length: Python knows stale bytecode by time and size only.
    assert list(loaded(TWO.replace('"first"', '"renamed"'))) == ["second", "renamed"]


def test_a_dataclass_may_stand_beside_the_exercises(loaded: Loaded) -> None:
    text = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    assert list(loaded(text + TWO + "\n@dataclass\nclass Route:\n    key: str\n")) == ["second", "first"]
