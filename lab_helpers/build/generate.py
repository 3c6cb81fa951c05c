"""Writes everything that is generated from the labs' sources."""

# nbformat and nbconvert ship types, but not for these functions.
# mypy: allow-untyped-calls

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from lab_helpers.build.execute import normalise, problems, run
from lab_helpers.build.files import (
    index_file,
    page_file,
    picture_folder,
    read,
    solution_file,
    student_file,
    write,
)
from lab_helpers.build.notebooks import dumps, solution, student
from lab_helpers.build.pages import index, page
from lab_helpers.build.source import LabSource, find, select
from lab_helpers.build.verification import verdicts
from lab_helpers.errors import LabsError
from lab_helpers.exercises import Outcome


def build(
    root: Path,
    names: Iterable[str] = (),
    rerun: bool = False,
    cwd: Path | None = None,
    report: Callable[[str], None] = print,
) -> None:
    """Generate the notebooks and pages of labs, executing the solutions that have changed.

    Parameters
    ----------
    root
        The checkout.
    names
        The labs, by number or name; none means all.
    rerun
        Execute the solutions even where they have not changed.
    cwd
        The folder that the kernels start in; an empty temporary one unless given.
    report
        Is told, in one line each, what is executed and what is written.

    Raises
    ------
    LabsError
        A lab cannot be read, or a cell of its solution did not do what it must.
    """
    chosen = select(root, names)
    index_text = index(find(root))
    for source in chosen:
        _put(root, student_file(root, source.slug), dumps(student(source)), report)
        stored = stored_solution(source)
        if rerun or stored is None or not same_sources(stored, solution(source)):
            report(f"executing {source.slug}")
            stored = _execute(source, cwd)
            _put(root, solution_file(root, source.slug), dumps(stored), report)
        made = page(source, stored)
        _put(root, page_file(root, source.slug), made.text, report)
        pictures = picture_folder(root, source.slug)
        for name, svg in made.pictures.items():
            _put(root, pictures / name, svg, report)
        for old in sorted(set(pictures.glob("*.svg")) - {pictures / name for name in made.pictures}):
            old.unlink()
            report(f"removed {old.relative_to(root)}")
    _put(root, index_file(root), index_text, report)


def stored_solution(source: LabSource) -> NotebookNode | None:
    """Read the executed notebook that was stored last; None if there is none that can be read."""
    text = read(solution_file(source.root, source.slug))
    try:
        stored: NotebookNode | None = nbformat.reads(text, as_version=4) if text else None
    except nbformat.reader.NotJSONError:
        return None
    return stored


def same_sources(stored: NotebookNode, generated: NotebookNode) -> bool:
    """Whether an executed notebook is the generated one, apart from what executing it added."""
    return stored.metadata == generated.metadata and [_unexecuted(cell) for cell in stored.cells] == [
        _unexecuted(cell) for cell in generated.cells
    ]


def _unexecuted(cell: NotebookNode) -> dict[str, object]:
    return {key: value for key, value in cell.items() if key not in ("outputs", "execution_count")}


def _execute(source: LabSource, cwd: Path | None) -> NotebookNode:
    # Learners run a lab in workspace/: it must not depend on the files that lie beside its source.
    with tempfile.TemporaryDirectory(prefix="labs-") as empty:
        executed = normalise(run(solution(source), cwd or Path(empty)))
    last = {verdict.exercise: verdict for verdict in verdicts(executed.cells)}
    unsolved = [
        f"the solution of exercise {name!r} got {verdict.outcome}: {verdict.message}"
        for name, verdict in last.items()
        if verdict.outcome is not Outcome.PASSED
    ]
    wrong = [*problems(executed), *unsolved]
    if wrong:
        raise LabsError(
            f"Lab {source.slug}: {'; '.join(wrong)}.",
            remedy=f"Correct the cell, its tags or the exercise in labs/src/{source.slug}.",
        )
    return executed


def _put(root: Path, path: Path, text: str, report: Callable[[str], None]) -> None:
    if write(path, text):
        report(f"wrote {path.relative_to(root)}")
