"""A lab's two notebooks: the student's, and the solved one before it is executed."""

# nbformat and nbconvert ship types, but not for these functions.
# mypy: allow-untyped-calls

from __future__ import annotations

import hashlib
from collections.abc import Callable

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

from lab_helpers.build.card import card
from lab_helpers.build.regions import Cut, cut
from lab_helpers.build.source import LabSource
from lab_helpers.errors import LabsError

# No versions: they would make the same lab a different file on each machine.
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE_INFO = {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"}

_NEW_CELL = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}


def student(source: LabSource) -> NotebookNode:
    """Make the notebook that a learner opens: stubs in place of solutions, no outputs.

    Raises
    ------
    LabsError
        A solution's markers are unbalanced, or words of a marker would reach the learner.
    """
    notebook = _notebook(source, lambda text: text.stub)
    for cell in notebook.cells:
        if "BEGIN SOLUTION" in cell.source or "END SOLUTION" in cell.source:
            raise LabsError(
                f"{source.file}, the cell that begins {first_line(cell.source)!r}:"
                " the words of a solution's marker would reach the student.",
                remedy="Write the markers as `### BEGIN SOLUTION` and `### END SOLUTION`, in a code cell.",
            )
    return notebook


def solution(source: LabSource) -> NotebookNode:
    """Make the solved notebook, not executed yet; its cells have the ids of the student's cells.

    Raises
    ------
    LabsError
        A solution's markers are unbalanced.
    """
    return _notebook(source, lambda text: text.solution)


def dumps(notebook: NotebookNode) -> str:
    """Write a notebook as text: the same notebook always gives the same bytes.

    Raises
    ------
    nbformat.ValidationError
        The notebook is not one.
    """
    nbformat.validate(notebook)
    return str(nbformat.writes(notebook)) + "\n"


def first_line(text: str) -> str:
    """The first line of a cell that is not empty, by which messages name the cell."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def cuts(source: LabSource) -> list[Cut]:
    """Cut each cell of a lab, in order; text that is not code has nothing to cut.

    Raises
    ------
    LabsError
        A solution's markers are unbalanced; names the file and the cell.
    """
    return [
        cut(cell.source, f"{source.file}, the cell that begins {first_line(cell.source)!r}")
        if cell.cell_type == "code"
        else Cut(cell.source, cell.source, has_solution=False)
        for cell in source.notebook.cells
    ]


def _notebook(source: LabSource, choose: Callable[[Cut], str]) -> NotebookNode:
    cells = [new_markdown_cell(card(source), id="card")]
    taken = {"card"}
    for cell, text in zip(source.notebook.cells, cuts(source), strict=True):
        # jupytext keeps the spacing of lab.py in keys of its own; a notebook has no use for them.
        metadata = {key: value for key, value in cell.metadata.items() if not key.startswith("lines_to_")}
        cell_id = _cell_id(source.slug, cell.source, taken)
        cells.append(_NEW_CELL[cell.cell_type](choose(text), id=cell_id, metadata=metadata))
    lab = {"slug": source.slug, **source.metadata.model_dump(mode="json")}
    metadata = {"kernelspec": KERNELSPEC, "language_info": LANGUAGE_INFO, "lab": lab}
    notebook: NotebookNode = new_notebook(cells=cells, metadata=metadata)
    return notebook


def _cell_id(slug: str, text: str, taken: set[str]) -> str:
    """Name a cell by what it says, so that an edit renames that cell and no other."""
    repeat = 0
    while True:
        digest = hashlib.sha256(f"{slug}\n{repeat}\n{text}".encode()).hexdigest()[:8]
        if digest not in taken:
            taken.add(digest)
            return digest
        repeat += 1
