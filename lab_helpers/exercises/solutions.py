"""Show a solution: the cell of the solved notebook, which CI has run."""

from __future__ import annotations

import json
from pathlib import Path

from lab_helpers.errors import LabsError


def solution(root: Path, slug: str, exercise: str) -> str:
    """The code of an exercise's cell in ``labs/solutions``.

    Raises
    ------
    LabsError
        The solved notebook is missing, damaged, or has no such cell.
    """
    file = root / "labs" / "solutions" / f"{slug}.ipynb"
    try:
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        found = ["".join(cell["source"]) for cell in cells if cell["metadata"].get("exercise") == exercise]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LabsError(
            f"The solved notebook {file} cannot be read.", remedy="Restore it with `git checkout labs/solutions`."
        ) from error
    if not found:
        raise LabsError(f"The solved notebook {file} has no exercise {exercise!r}.")
    return found[0]
