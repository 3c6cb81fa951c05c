"""What a learner has done: one small file, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from lab_helpers.exercises.model import Outcome
from lab_helpers.processes import write_atomically

Record = dict[str, Any]


@dataclass(frozen=True)
class Progress:
    """The progress file.

    Parameters
    ----------
    file
        Usually ``.labs/progress.json``.
    notice
        Takes a sentence when a damaged file had to be set aside.
    """

    file: Path
    notice: Callable[[str], None] = print

    def of(self, lab: str) -> dict[str, Record]:
        """What is recorded of a lab's exercises, by name: outcome, attempts, hints, whether shown."""
        found = self._read().get(lab, {})
        return found if isinstance(found, dict) else {}

    def record_check(self, lab: str, exercise: str, outcome: Outcome) -> None:
        """Count a check; an exercise once passed stays passed."""

        def change(record: Record) -> None:
            if outcome in (Outcome.PASSED, Outcome.INCORRECT, Outcome.ERROR):
                record["attempts"] = record.get("attempts", 0) + 1
            if outcome is Outcome.PASSED or record.get("outcome") != Outcome.PASSED:
                record["outcome"] = str(outcome)

        self._change(lab, exercise, change)

    def record_hint(self, lab: str, exercise: str, number: int) -> None:
        """Remember that the hint of this number, from 1, was given."""
        self._change(lab, exercise, lambda record: record.update(hints=max(number, record.get("hints", 0))))

    def record_shown(self, lab: str, exercise: str) -> None:
        """Remember that the solution was shown."""
        self._change(lab, exercise, lambda record: record.update(shown=True))

    def _change(self, lab: str, exercise: str, change: Callable[[Record], None]) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        # Two kernels may write at once: each reads, changes and writes while it alone may.
        with filelock.FileLock(self.file.with_suffix(".lock")):
            everything = self._read()
            change(everything.setdefault(lab, {}).setdefault(exercise, {}))
            write_atomically(self.file, json.dumps(everything, indent=1, sort_keys=True) + "\n")

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self.file.read_text(encoding="utf-8"))
            if isinstance(found, dict) and all(isinstance(lab, dict) for lab in found.values()):
                return found
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            pass
        aside = self.file.with_suffix(".damaged.json")
        self.file.replace(aside)
        self.notice(f"Your progress file was damaged. It was kept as {aside}, and a new one begun.")
        return {}
