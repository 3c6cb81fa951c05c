"""What a lab's text and its exercises must have."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab_helpers.build.rules import static_findings
from lab_helpers.build.source import load

FIXTURES = Path(__file__).parent / "build_fixtures"
WRONG = SimpleNamespace(name="us", code="", message="should not be")
ROUTES = {"routes": SimpleNamespace(name="routes", hints=("a", "b"), wrong=(WRONG, WRONG))}

Findings = Callable[..., list[str]]


@pytest.fixture
def findings(tmp_path: Path) -> Findings:
    """Read the lab again, with one text in it replaced by another."""
    shutil.copytree(FIXTURES, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "labs/src/04_routes/lab.py"

    def read(exercises: object = ROUTES, old: str = "", new: str = "") -> list[str]:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new) if old else text)
        return static_findings(load(tmp_path, "04_routes"), exercises)

    return read


def test_a_sound_lab_has_no_findings(findings: Findings) -> None:
    assert findings() == []


def test_hints_and_wrong_answers_are_required(findings: Findings) -> None:
    poor = {"routes": SimpleNamespace(name="routes", hints=("a",), wrong=())}
    hints, wrong = findings(poor)
    assert "exercises.py: 'routes' has 1 hints" in hints
    assert "'routes' has 0 wrong answers" in wrong


def test_one_wrong_answer_is_not_enough(findings: Findings) -> None:
    (sentence,) = findings({"routes": SimpleNamespace(name="routes", hints=("a", "b"), wrong=(WRONG,))})
    assert "'routes' has 1 wrong answers; give it two" in sentence


def test_a_wrong_answer_names_its_message(findings: Findings) -> None:
    mute = SimpleNamespace(name="mute", code="", message=" ")
    (sentence,) = findings({"routes": SimpleNamespace(name="routes", hints=("a", "b"), wrong=(WRONG, mute))})
    assert "wrong answer 'mute': say words of the message" in sentence


def test_a_stub_that_is_the_solution_is_said(findings: Findings) -> None:
    solved = '    ### STUB # as you like\n    ### STUB lab.bindings = {"eu":  "audit"}\n'
    stub = '    ### STUB lab.bindings = {}\n    ### STUB\n    ### STUB # bind "audit"\n'
    (sentence,) = findings(ROUTES, stub, solved)
    assert "the stub of exercise 'routes' does what its solution does" in sentence


def test_a_stub_that_is_no_program_yet_is_allowed(findings: Findings) -> None:
    assert findings(ROUTES, "### STUB lab.bindings = {}", "### STUB lab.bindings = {...: }") == []


def test_a_stray_file_is_said(findings: Findings, tmp_path: Path) -> None:
    folder = tmp_path / "labs/src/04_routes"
    (folder / "__pycache__").mkdir()
    (folder / "notes.txt").touch()
    assert findings() == ["labs/src/04_routes/notes.txt is not part of a lab; delete it, or move it elsewhere."]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('lab.check("routes")', "", 'add lab.check("routes") below its cell'),
        (
            'lab.check("routes")',
            'lab.check("routes")\nlab.check("rotues")',
            'lab.check("rotues") names no exercise',
        ),
        ('# %% exercise="routes"', "# %%", "a solution block has no exercise"),
        ('# %%\nlab.check("routes")', '# %% exercise="routes"\nlab.check("routes")', "has 2 cells"),
        ('# %%\nlab.check("routes")', '# %% exercise="more"\nlab.check("routes")', "'more' has no entry"),
        ('# %%\nlab.check("routes")', '# %% exercise="more"\nlab.check("routes")', "'more' has no solution"),
    ],
)
def test_each_broken_rule_is_said(findings: Findings, old: str, new: str, said: str) -> None:
    assert any(said in sentence for sentence in findings(ROUTES, old, new))


def test_a_check_above_its_exercise_does_not_count(findings: Findings) -> None:
    sentences = findings(ROUTES, "# %% [markdown]\n# ## Exercise\n\n", '# %%\nlab.check("routes")\n\n')
    assert sentences == []
    (sentence,) = findings(ROUTES, '    ### END SOLUTION\n\n# %%\nlab.check("routes")\n', "    ### END SOLUTION\n")
    assert "is not checked" in sentence


def test_an_entry_without_a_cell_is_said(findings: Findings) -> None:
    more = ROUTES | {"ghost": SimpleNamespace(name="ghost", hints=("a", "b"), wrong=(WRONG, WRONG))}
    assert findings(more) == [
        "labs/src/04_routes/lab.py: the exercise 'ghost' has 0 cells; mark one by exercise=\"ghost\"."
    ]


def test_a_lab_that_is_not_there_is_neither_linked_nor_spoken_of(findings: Findings) -> None:
    link, mention = findings(old="# - first\n", new="# - first, as in [a lab](05_more.ipynb) and lab 06\n")
    assert "links to 05_more.ipynb, and there is no such lab" in link
    assert "speaks of lab 06, and there is none" in mention
