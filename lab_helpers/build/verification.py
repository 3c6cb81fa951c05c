"""Proves a lab on the running cluster: stubs do nothing, solutions pass, wrong answers are refused."""

# nbformat and nbconvert ship types, but not for these functions.
# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from lab_helpers.broker import vhost
from lab_helpers.build.execute import problems, run
from lab_helpers.build.notebooks import solution, student
from lab_helpers.build.source import LabSource
from lab_helpers.cluster import lifecycle
from lab_helpers.errors import LabsError
from lab_helpers.exercises import Exercise, Outcome, load

# Beside the learner's own work on the same lab, not in place of it.
_APART = {"LABS_VHOST_PREFIX": "verify."}

VERDICT = "application/vnd.rabbitmq-labs.verdict+json"
"""The mime type under which ``lab.check`` displays its verdict."""


@dataclass(frozen=True)
class ShownVerdict:
    """What one ``lab.check`` displayed."""

    exercise: str
    outcome: Outcome
    message: str


@dataclass(frozen=True)
class Finding:
    """One thing that was tried, and whether it came out as it must."""

    ok: bool
    text: str


def verify(source: LabSource, cwd: Path) -> list[Finding]:
    """Run a lab as a student leaves it, solved, and with each wrong answer, and say how each came out.

    Parameters
    ----------
    source
        The lab.
    cwd
        The folder that the kernels start in.

    Raises
    ------
    LabsError
        The lab or its exercises cannot be read. A cell that fails is a finding, not an error.
    """
    exercises = load(source.root, source.slug)
    try:
        return [
            *_expect(student(source), "as shipped", Outcome.NOT_ATTEMPTED, exercises, cwd),
            *_expect(solution(source), "solved", Outcome.PASSED, exercises, cwd),
            *_from_the_start(source, exercises, cwd),
        ]
    finally:
        _clean_up(source)


def _clean_up(source: LabSource) -> None:
    """Delete the virtual host that the runs were in; one without a cluster had none."""
    try:
        nodes = lifecycle.current().managements()
        vhost.remove(nodes[0], _APART["LABS_VHOST_PREFIX"] + source.slug)
    except LabsError:
        return


def verdicts(cells: Iterable[NotebookNode]) -> list[ShownVerdict]:
    """Read the verdicts from the outputs of executed cells, in order."""
    bundles = [output.get("data", {}).get(VERDICT) for cell in cells for output in cell.get("outputs", [])]
    return [ShownVerdict(b["exercise"], Outcome(b["outcome"]), b["message"]) for b in bundles if b]


def _expect(
    notebook: NotebookNode, state: str, outcome: Outcome, exercises: Mapping[str, Exercise], cwd: Path
) -> list[Finding]:
    """Run a notebook in which every exercise must end with the same outcome."""
    try:
        executed = run(notebook, cwd, _APART)
    except LabsError as error:
        return [Finding(False, f"{state}: {error}")]
    # Only the solved notebook must raise where it says so: a stub need not get that far.
    wrong = problems(executed) if outcome is Outcome.PASSED else []
    last = {verdict.exercise: verdict for verdict in verdicts(executed.cells)}
    return [
        Finding(not wrong, "; ".join([f"{state}: runs from top to bottom", *wrong])),
        *(_judge(f"{state}: exercise {name!r}", last.get(name), outcome) for name in exercises),
    ]


def _from_the_start(source: LabSource, exercises: Mapping[str, Exercise], cwd: Path) -> list[Finding]:
    """Try what is left of a solution, and each wrong answer, all in one kernel.

    Before each check the cells above the exercise are run again, and the lab's first one makes all afresh: so nothing
    that was solved before may count.
    """
    original, solved = student(source), solution(source)
    cells: list[NotebookNode] = []
    expected: list[tuple[str, Outcome, str, NotebookNode]] = []

    def check(name: str, what: str, outcome: Outcome, message: str = "") -> None:
        cells.append(new_code_cell(f'lab.check("{name}")'))
        expected.append((f"exercise {name!r}, {what}", outcome, message, cells[-1]))

    for name, exercise in exercises.items():
        before = code_before(name, original)
        answers = [cell for cell in solved.cells if cell.metadata.get("exercise") == name]
        cells += [deepcopy(cell) for cell in (*before, *answers, *before)]
        check(name, "begun anew after its solution", Outcome.NOT_ATTEMPTED)
        for answer in exercise.wrong:
            cells += [*deepcopy(before), new_code_cell(answer.code)]
            check(name, f"wrong answer {answer.name!r}", Outcome.INCORRECT, answer.message)
    for position, cell in enumerate(cells):
        cell.id = f"try-{position}"
    try:
        executed = run(new_notebook(cells=cells, metadata=original.metadata), cwd, _APART)
    except LabsError as error:
        return [Finding(False, f"wrong answers: {error}")]
    said = {cell.id: verdicts([cell]) for cell in executed.cells}
    return [
        _judge(what, said[cell.id][-1] if said[cell.id] else None, outcome, message)
        for what, outcome, message, cell in expected
    ]


def code_before(exercise: str, notebook: NotebookNode) -> list[NotebookNode]:
    """The code cells above an exercise's own."""
    before = []
    for cell in notebook.cells:
        if cell.metadata.get("exercise") == exercise:
            break
        if cell.cell_type == "code":
            before.append(cell)
    return before


def _judge(what: str, verdict: ShownVerdict | None, outcome: Outcome, message: str = "") -> Finding:
    if verdict is None:
        return Finding(False, f"{what}: expected {outcome}, and no verdict was shown")
    if verdict.outcome is not outcome:
        return Finding(False, f"{what}: expected {outcome}, got {verdict.outcome}: {verdict.message}")
    if message not in verdict.message:
        return Finding(False, f"{what}: expected the message {message!r}, got {verdict.message!r}")
    return Finding(True, f"{what}: {outcome}")
