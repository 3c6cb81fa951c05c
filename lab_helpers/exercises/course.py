"""The whole course as a learner has it: which labs are done, which are begun, which comes next."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lab_helpers.exercises.loading import load
from lab_helpers.exercises.model import Outcome
from lab_helpers.exercises.progress import Progress, Record

MARKS: Mapping[str, str] = {"done": "●", "begun": "◐", "open": "○"}
"""A shape for each state, so that it is not told by colour alone; the word stands beside it."""


class State(StrEnum):
    """How far a learner is with a lab."""

    DONE = "done"
    """Every exercise has been passed."""
    BEGUN = "begun"
    """An exercise was checked, or a hint asked for."""
    OPEN = "open"


@dataclass(frozen=True)
class LabProgress:
    """One lab of the course.

    ``is_next`` marks the first lab in the course's order that has exercises left.
    """

    slug: str
    title: str
    passed: int
    exercises: int
    state: State
    is_next: bool = False

    @property
    def name(self) -> str:
        """ "04 Direct and default exchanges"."""
        return f"{self.slug[:2]} {self.title}"

    @property
    def words(self) -> str:
        """ "● done, 3 of 3"."""
        text = f"{MARKS[self.state]} {self.state}, {self.passed} of {self.exercises}"
        return text + (" ← next" if self.is_next else "")


def passed(records: Mapping[str, Record], exercises: Mapping[str, object]) -> list[str]:
    """The exercises of a lab that have been passed, in its order; what the lab no longer has does not count."""
    return [name for name in exercises if records.get(name, {}).get("outcome") == Outcome.PASSED]


def is_begun(record: Record) -> bool:
    """Whether a learner has tried an exercise; a check of an untouched one is no try."""
    return bool(record.get("attempts") or record.get("hints") or record.get("shown"))


def course(root: Path, progress: Progress) -> list[LabProgress]:
    """Every lab that has exercises, in order: found by listing ``labs/src``."""
    folders = sorted((root / "labs" / "src").glob("*/lab.py"))
    labs = {file.parent.name: load(root, file.parent.name) for file in folders}
    records = progress.of_all(labs)
    found: list[LabProgress] = []
    for slug, exercises in labs.items():
        if not exercises:
            continue
        count = len(passed(records[slug], exercises))
        touched = any(is_begun(records[slug].get(name, {})) for name in exercises)
        state = State.DONE if count == len(exercises) else State.BEGUN if touched else State.OPEN
        is_next = state is not State.DONE and not any(lab.is_next for lab in found)
        found.append(LabProgress(slug, title(root, slug), count, len(exercises), state, is_next))
    return found


def title(root: Path, slug: str) -> str:
    """A lab's title, from the notebook that learners get; without one, from its name."""
    try:
        notebook = json.loads((root / "labs" / f"{slug}.ipynb").read_text(encoding="utf-8"))
        return str(notebook["metadata"]["lab"]["title"])
    except (OSError, ValueError, KeyError, TypeError):
        return re.sub(r"^\d\d_", "", slug).replace("_", " ")
