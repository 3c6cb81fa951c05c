"""Cuts an exercise cell in two: what the student gets, and the solution."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lab_helpers.errors import LabsError

_MARKER = re.compile(r"(?P<indent>\s*)### (?P<word>BEGIN SOLUTION|END SOLUTION|STUB(?: (?P<text>.*))?)")

PLACEHOLDER = "# Your code here"
"""What a student gets in place of a solution that has no stub."""


@dataclass(frozen=True)
class Cut:
    """The two versions of one code cell; the same text twice where it holds no solution."""

    stub: str
    solution: str
    has_solution: bool


def cut(text: str, where: str) -> Cut:
    """Separate a code cell's solution from its stub.

    Parameters
    ----------
    text
        The cell as its author wrote it.
    where
        The file and the cell, for the error.

    Raises
    ------
    LabsError
        The markers do not make one block, or a stub stands outside of it.
    """
    stub: list[str] = []
    solution: list[str] = []
    state = "before"
    own_stub = False
    begins_at = 0
    for line in text.split("\n"):
        marker = _MARKER.fullmatch(line.rstrip())
        if marker is None:
            solution.append(line)
            if state != "inside":
                stub.append(line)
        elif marker["word"] == "BEGIN SOLUTION" and state == "before":
            state = "inside"
            begins_at = len(stub)
            placeholder = marker["indent"] + PLACEHOLDER
        elif marker["word"] == "END SOLUTION" and state == "inside":
            state = "after"
        elif marker["word"].startswith("STUB") and state == "inside":
            own_stub = True
            stub.append(marker["indent"] + marker["text"] if marker["text"] else "")
        else:
            raise _unbalanced(where, f"`### {marker['word']}` stands where it cannot")
    if state == "inside":
        raise _unbalanced(where, "`### BEGIN SOLUTION` has no `### END SOLUTION`")
    if state == "after" and not own_stub:
        stub.insert(begins_at, placeholder)
    return Cut("\n".join(stub), "\n".join(solution), state == "after")


def _unbalanced(where: str, what: str) -> LabsError:
    return LabsError(
        f"{where}: {what}.",
        remedy="Mark one block by `### BEGIN SOLUTION` and `### END SOLUTION`, with its stub inside.",
    )
