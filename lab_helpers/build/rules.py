"""What a lab's text and its exercises must have, read without running anything."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from lab_helpers.build.notebooks import cuts
from lab_helpers.build.source import LabSource
from lab_helpers.exercises import Exercise

PARTS = ("lab.py", "exercises.py")
"""What a lab's folder holds."""

_LINK = re.compile(r"\((\d\d_[a-z0-9_]+)\.ipynb")
_MENTION = re.compile(r"\b[Ll]ab (\d\d)\b")
_CHECK = re.compile(r"""\.check\(\s*["']([^"']+)["']""")


def static_findings(source: LabSource, exercises: Mapping[str, Exercise]) -> list[str]:
    """Compare a lab's cells with its exercises.

    Parameters
    ----------
    source
        The lab.
    exercises
        What its ``exercises.py`` holds, by name.

    Returns
    -------
    list[str]
        One sentence for each rule that is broken, with what to do; empty if all is well.

    Raises
    ------
    LabsError
        A solution's markers are unbalanced.
    """
    lab, entries = source.file, source.file.replace("lab.py", "exercises.py")
    cells_of: dict[str, list[int]] = {}
    checks_of: dict[str, list[int]] = {}
    found = []
    for position, (cell, text) in enumerate(zip(source.notebook.cells, cuts(source), strict=True)):
        name = cell.metadata.get("exercise")
        if name is not None:
            cells_of.setdefault(name, []).append(position)
        is_prediction = name is None and "lab.predict(" in cell.source
        if text.has_solution != (name is not None) and not is_prediction:
            found.append(
                f'{lab}: a solution block has no exercise; write exercise="…" on its percent line.'
                if name is None
                else f"{lab}: the cell of exercise {name!r} has no solution; add the block that solves it."
            )
        if text.has_solution and name is not None and same_code(text.stub, text.solution):
            found.append(
                f"{lab}: the stub of exercise {name!r} does what its solution does; leave that to the learner."
            )
        if cell.cell_type == "code":
            for checked in _CHECK.findall(cell.source):
                checks_of.setdefault(checked, []).append(position)

    for name in sorted(set(cells_of) - set(exercises)):
        found.append(f"{lab}: the exercise {name!r} has no entry in {entries}; add one.")
    for name in sorted(set(checks_of) - set(exercises) - set(cells_of)):
        found.append(f'{lab}: lab.check("{name}") names no exercise; correct the name.')
    for name, exercise in exercises.items():
        positions = cells_of.get(name, [])
        if len(positions) != 1:
            found.append(f'{lab}: the exercise {name!r} has {len(positions)} cells; mark one by exercise="{name}".')
        elif not any(check > positions[0] for check in checks_of.get(name, [])):
            found.append(f'{lab}: the exercise {name!r} is not checked; add lab.check("{name}") below its cell.')
        if len(exercise.hints) < 2:
            found.append(f"{entries}: {name!r} has {len(exercise.hints)} hints; give it two or more.")
        if len(exercise.wrong) < 2:
            found.append(
                f"{entries}: {name!r} has {len(exercise.wrong)} wrong answers; give it two that must be refused."
            )
        found += [
            f"{entries}: {name!r}, wrong answer {answer.name!r}: say words of the message that it must get."
            for answer in exercise.wrong
            if not answer.message.strip()
        ]
    return found + dead_links(source) + strays(source)


def same_code(stub: str, solution: str) -> bool:
    """Whether two cells are the same program, whatever their comments and line breaks."""
    try:
        return ast.dump(ast.parse(stub)) == ast.dump(ast.parse(solution))
    except SyntaxError:
        return False


def dead_links(source: LabSource) -> list[str]:
    """Name the labs that the text speaks of and that are not there."""
    there = {path.name for path in (source.root / "labs" / "src").iterdir()}
    numbers = {name[:2] for name in there}
    text = "\n".join(cell.source for cell in source.notebook.cells if cell.cell_type == "markdown")
    linked = {slug for slug in _LINK.findall(text) if slug not in there}
    named = {number for number in _MENTION.findall(text) if number not in numbers}
    return [
        *(
            f"{source.file}: links to {slug}.ipynb, and there is no such lab; take the link out."
            for slug in sorted(linked)
        ),
        *(f"{source.file}: speaks of lab {number}, and there is none; take it out." for number in sorted(named)),
    ]


def strays(source: LabSource) -> list[str]:
    """Name the files in a lab's folder that no lab has."""
    folder = source.root / "labs" / "src" / source.slug
    return [
        f"labs/src/{source.slug}/{path.name} is not part of a lab; delete it, or move it elsewhere."
        for path in sorted(folder.iterdir())
        if path.name not in PARTS and path.name != "__pycache__"
    ]
