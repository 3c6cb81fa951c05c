"""What a learner has done: one small file, written whole or not at all."""

from __future__ import annotations

import itertools
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
        if not self.file.exists():
            return {}
        try:
            with self._locked():
                return dict(self._read().get(lab, {}))
        except OSError as error:
            self.notice(f"Your progress could not be read from {self.file}: {error.strerror}.")
            return {}

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
        try:
            # Two kernels may write at once: each reads, changes and writes while it alone may.
            with self._locked():
                everything = self._read()
                change(everything.setdefault(lab, {}).setdefault(exercise, {}))
                write_atomically(self.file, json.dumps(everything, indent=1, sort_keys=True) + "\n")
        except OSError as error:
            # A verdict is worth more than its record.
            self.notice(f"Your progress could not be written to {self.file}: {error.strerror}.")

    def _locked(self) -> filelock.BaseFileLock:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        return filelock.FileLock(self.file.with_suffix(".lock"))

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self.file.read_text(encoding="utf-8"))
            if is_progress(found):
                return dict(found)
        except FileNotFoundError:
            return {}
        except ValueError:
            pass
        aside = self._set_aside()
        self.notice(f"Your progress file was damaged. It was kept as {aside}, and a new one begun.")
        return {}

    def _set_aside(self) -> Path:
        for number in itertools.count(1):
            aside = self.file.with_suffix(f".damaged{number if number > 1 else ''}.json")
            if not aside.exists():
                self.file.replace(aside)
                return aside
        raise AssertionError("unreachable")


def is_progress(found: object) -> bool:
    """Whether this is what the file holds: labs, in each its exercises, in each its record."""
    return isinstance(found, dict) and all(
        isinstance(lab, dict) and all(isinstance(record, dict) for record in lab.values()) for lab in found.values()
    )
