"""Proves a lab on the running cluster: stubs do nothing, solutions pass, wrong answers are refused."""

# nbformat and nbconvert ship types, but not for these functions.
# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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


def verify(source: LabSource, cwd: Path, *, solved: bool = True) -> list[Finding]:
    """Run a lab as a student leaves it, solved, and with each wrong answer, and say how each came out.

    Parameters
    ----------
    source
        The lab.
    cwd
        The folder that the kernels start in.
    solved
        Whether to run the solution too; nbval's comparison of the solved notebook proves the same.

    Raises
    ------
    LabsError
        The lab or its exercises cannot be read. A cell that fails is a finding, not an error.
    """
    exercises = load(source.root, source.slug)
    try:
        return [
            *_unsolved(source, exercises, cwd),
            *(_solved(solution(source), exercises, cwd) if solved else ()),
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


def _solved(notebook: NotebookNode, exercises: Mapping[str, Exercise], cwd: Path) -> list[Finding]:
    """Run the solved notebook, in which every exercise must pass and every cell raise that says so."""
    try:
        executed = run(notebook, cwd, _APART)
    except LabsError as error:
        return [Finding(False, f"solved: {error}")]
    return [
        _runs("solved", problems(executed)),
        *_each("solved", executed.cells, Outcome.PASSED, exercises),
    ]


def _unsolved(source: LabSource, exercises: Mapping[str, Exercise], cwd: Path) -> list[Finding]:
    """Run the lab as shipped, and then, in the same kernel, what is left of a solution and each wrong answer.

    The experiments so run once, also for the names that they define. Before each further check the lab's first cells
    make all afresh, and the cells under the exercise's own heading build what it begins with: so nothing that was
    solved before may count, and an exercise that needs what an experiment left on the broker is found.
    """
    original, solved = student(source), solution(source)
    tried: list[NotebookNode] = []
    expected: list[tuple[str, Outcome, str, NotebookNode]] = []

    def check(name: str, what: str, outcome: Outcome, message: str = "") -> None:
        tried.append(new_code_cell(f'lab.check("{name}")'))
        expected.append((f"exercise {name!r}, {what}", outcome, message, tried[-1]))

    for name, exercise in exercises.items():
        before = [*set_up(original), *under_its_heading(original, name)]
        answers = [cell for cell in solved.cells if cell.metadata.get("exercise") == name]
        tried += [deepcopy(cell) for cell in (*before, *answers, *before)]
        check(name, "begun anew after its solution", Outcome.NOT_ATTEMPTED)
        for answer in exercise.wrong:
            # One that raises is told by its verdict, and does not keep the others from being tried.
            raising = {"tags": ["raises-exception"]}
            tried += [*deepcopy(before), new_code_cell(answer.code, metadata=raising)]
            check(name, f"wrong answer {answer.name!r}", Outcome.INCORRECT, answer.message)
    for position, cell in enumerate(tried):
        cell.id = f"try-{position}"
    try:
        cells = run(new_notebook(cells=[*original.cells, *tried], metadata=original.metadata), cwd, _APART).cells
    except LabsError as error:
        return [Finding(False, f"as shipped, and with wrong answers: {error}")]
    said = {cell.id: verdicts([cell]) for cell in cells}
    return [
        # A stub need not get as far as to raise.
        _runs("as shipped", []),
        *_each("as shipped", cells[: len(original.cells)], Outcome.NOT_ATTEMPTED, exercises),
        *(
            _judge(what, said[cell.id][-1] if said[cell.id] else None, outcome, message)
            for what, outcome, message, cell in expected
        ),
    ]


def _runs(state: str, wrong: Sequence[str]) -> Finding:
    """That a notebook ran to its end, and what it should have raised on its way."""
    return Finding(not wrong, "; ".join([f"{state}: runs from top to bottom", *wrong]))


def _each(
    state: str, cells: Iterable[NotebookNode], outcome: Outcome, exercises: Mapping[str, Exercise]
) -> list[Finding]:
    """Whether every exercise ended with the same outcome."""
    last = {verdict.exercise: verdict for verdict in verdicts(cells)}
    return [_judge(f"{state}: exercise {name!r}", last.get(name), outcome) for name in exercises]


def code_above(notebook: NotebookNode, end: int, start: int = 0) -> list[NotebookNode]:
    """The code cells from ``start`` up to, and without, the cell at ``end``."""
    return [cell for cell in notebook.cells[start:end] if cell.cell_type == "code"]


def set_up(notebook: NotebookNode) -> list[NotebookNode]:
    """The first code cells, up to the next text: those that make the lab."""
    kinds = [cell.cell_type for cell in notebook.cells]
    first = kinds.index("code")
    return code_above(notebook, kinds.index("markdown", first))


def under_its_heading(notebook: NotebookNode, exercise: str) -> list[NotebookNode]:
    """The code cells between an exercise's heading and the cell that the learner writes."""
    end = next(at for at, cell in enumerate(notebook.cells) if cell.metadata.get("exercise") == exercise)
    headings = [at for at, cell in enumerate(notebook.cells[:end]) if has_heading(cell)]
    return code_above(notebook, end, headings[-1] if headings else 0)


def has_heading(cell: NotebookNode) -> bool:
    """Whether a text begins a part of the lab."""
    return cell.cell_type == "markdown" and any(line.startswith("#") for line in cell.source.splitlines())


def _judge(what: str, verdict: ShownVerdict | None, outcome: Outcome, message: str = "") -> Finding:
    if verdict is None:
        return Finding(False, f"{what}: expected {outcome}, and no verdict was shown")
    if verdict.outcome is not outcome:
        return Finding(False, f"{what}: expected {outcome}, got {verdict.outcome}: {verdict.message}")
    if message not in verdict.message:
        return Finding(False, f"{what}: expected the message {message!r}, got {verdict.message!r}")
    return Finding(True, f"{what}: {outcome}")
