"""What a lab's text and its exercises must have, read without running anything."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lab_helpers.build.notebooks import cuts
from lab_helpers.build.source import LabSource
from lab_helpers.exercises import Exercise

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
        if not exercise.wrong:
            found.append(f"{entries}: {name!r} has no wrong answer; add one that must be refused.")
    return found
