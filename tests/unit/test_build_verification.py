"""The proof of a lab: each way in which one can come out wrong is found."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab_helpers.build.source import LabSource, load
from lab_helpers.build.verification import Finding, verify

FIXTURES = Path(__file__).parent / "build_fixtures"


def wrong(name: str, code: str, message: str) -> SimpleNamespace:
    return SimpleNamespace(name=name, code=code, message=message)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(FIXTURES, tmp_path, dirs_exist_ok=True)
    return tmp_path


def prove(
    root: Path, monkeypatch: pytest.MonkeyPatch, *answers: SimpleNamespace, old: str = "", new: str = ""
) -> list[Finding]:
    path = root / "labs/src/04_routes/lab.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new) if old else text)
    exercises = {"routes": SimpleNamespace(name="routes", hints=("a", "b"), wrong=answers)}
    monkeypatch.setattr("lab_helpers.build.verification.load", lambda root, slug: exercises)
    source: LabSource = load(root, "04_routes")
    cwd = root / "cwd"
    cwd.mkdir()
    return verify(source, cwd)


def failed(findings: list[Finding]) -> list[str]:
    return [finding.text for finding in findings if not finding.ok]


def test_a_sound_lab_is_proved_in_all_three_ways(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    findings = prove(
        root,
        monkeypatch,
        wrong("us", 'lab.bindings = {"us": "audit"}', "['us'] are bound"),
        wrong("both", 'lab.bindings = {"eu": "audit", "us": "audit"}', "['eu', 'us'] are bound"),
    )
    assert failed(findings) == []
    assert [finding.text for finding in findings] == [
        "as shipped: runs from top to bottom",
        "as shipped: exercise 'routes': not-attempted",
        "exercise 'routes', begun anew after its solution: not-attempted",
        "exercise 'routes', wrong answer 'us': incorrect",
        "exercise 'routes', wrong answer 'both': incorrect",
        "solved: runs from top to bottom",
        "solved: exercise 'routes': passed",
    ]


def test_wrong_answers_that_are_not_refused_as_they_should_are_found(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    findings = prove(
        root,
        monkeypatch,
        wrong("right", 'lab.bindings = {"eu": "audit"}', ""),
        wrong("mute", 'lab.bindings = {"us": "audit"}', "something else"),
        wrong("good", 'lab.bindings = {"us": "audit"}', "should not be"),
    )
    assert failed(findings) == [
        "exercise 'routes', wrong answer 'right': expected incorrect, got passed: All orders arrive.",
        "exercise 'routes', wrong answer 'mute': expected the message 'something else',"
        " got \"['us'] are bound, and should not be\"",
    ]


def test_a_stub_that_passes_and_a_solution_that_does_not_are_found(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swapped = '### STUB lab.bindings = {"eu": "audit"}\n    lab.bindings = {"us": "audit"}\n    ### END SOLUTION'
    old = '### STUB lab.bindings = {}\n    ### STUB\n    ### STUB # bind "audit"\n'
    findings = prove(
        root,
        monkeypatch,
        old=old + '    lab.bindings = {"eu": "audit"}\n    ### END SOLUTION',
        new=swapped,
    )
    shipped, solved = failed(findings)
    assert shipped == "as shipped: exercise 'routes': expected not-attempted, got passed: All orders arrive."
    assert solved.startswith("solved: exercise 'routes': expected passed, got incorrect")


def test_a_lab_that_fails_half_way_and_shows_no_verdict_is_found(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    findings = prove(
        root,
        monkeypatch,
        wrong("broken", "lab.missing()", ""),
        old='lab.check("routes")',
        new="pass",
    )
    assert failed(findings) == [
        "as shipped: exercise 'routes': expected not-attempted, and no verdict was shown",
        # It raised, and the others were tried all the same.
        "exercise 'routes', wrong answer 'broken': expected incorrect, got not-attempted: Nothing is bound yet.",
        "solved: exercise 'routes': expected passed, and no verdict was shown",
    ]


def test_a_lab_that_does_not_run_is_found(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    findings = prove(root, monkeypatch, old="lab = Lab()", new="lab = Lab(1)")
    shipped, solved = failed(findings)
    assert shipped.startswith("as shipped, and with wrong answers: Lab 04_routes: the cell that begins")
    assert solved.startswith("solved: Lab 04_routes: the cell that begins")


def test_a_cell_that_must_raise_and_does_not_is_found(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    findings = prove(root, monkeypatch, old='raise ValueError("no queue")', new="calm = True")
    assert failed(findings) == [
        "solved: runs from top to bottom; the cell that begins 'calm = True'"
        " is tagged raises-exception and raised nothing"
    ]
