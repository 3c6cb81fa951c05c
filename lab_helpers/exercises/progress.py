"""What a learner has done: one small file, written whole or not at all.

Labs and exercises that the file knows and the course no longer has are kept as they are. A lab that only got another
number, 05_acks from 04_acks, keeps its progress.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from lab_helpers.exercises.model import Outcome
from lab_helpers.processes import write_atomically

Record = dict[str, Any]

ATTEMPTS = (Outcome.PASSED, Outcome.INCORRECT, Outcome.ERROR)
"""What counts as an attempt."""


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
        return self.of_all([lab])[lab]

    def of_all(self, labs: Iterable[str]) -> dict[str, dict[str, Record]]:
        """The same for several labs, read at once."""
        everything: dict[str, Any] = {}
        if self.file.exists():
            try:
                with self._locked():
                    everything = self._read()
            except OSError as error:
                self.notice(f"Your progress could not be read from {self.file}: {error.strerror}.")
        return {lab: dict(everything.get(known_as(lab, everything), {})) for lab in labs}

    def record_check(self, lab: str, exercise: str, outcome: Outcome) -> int:
        """Count a check; an exercise once passed stays passed.

        Returns
        -------
        int
            How many attempts there have been by now; 0 where that could not be written.
        """
        attempts = 0

        def change(record: Record) -> None:
            nonlocal attempts
            attempts = number_in(record, "attempts") + (outcome in ATTEMPTS)
            if attempts:
                record["attempts"] = attempts
            if outcome is Outcome.PASSED or record.get("outcome") != Outcome.PASSED:
                record["outcome"] = str(outcome)

        self._change(lab, exercise, change)
        return attempts

    def record_hint(self, lab: str, exercise: str, number: int) -> None:
        """Remember that the hint of this number, from 1, was given."""
        self._change(lab, exercise, lambda record: record.update(hints=max(number, number_in(record, "hints"))))

    def record_shown(self, lab: str, exercise: str) -> None:
        """Remember that the solution was shown."""
        self._change(lab, exercise, lambda record: record.update(shown=True))

    def _change(self, lab: str, exercise: str, change: Callable[[Record], None]) -> None:
        try:
            # Two kernels may write at once: each reads, changes and writes while it alone may.
            with self._locked():
                everything = self._read()
                # Under its present name from now on
                everything[lab] = records = everything.pop(known_as(lab, everything), {})
                change(records.setdefault(exercise, {}))
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


def known_as(lab: str, everything: Iterable[str]) -> str:
    """The name under which the file has a lab: its own, or the one that it had under another number."""
    own = list(everything)
    if lab in own:
        return lab
    name = lab[2:]
    return next((other for other in own if other[2:] == name and name.startswith("_")), lab)


def number_in(record: Record, name: str) -> int:
    """A count from the file; 0 where it is missing or is no number."""
    found = record.get(name, 0)
    return found if isinstance(found, int) else 0


def is_progress(found: object) -> bool:
    """Whether this is what the file holds: labs, in each its exercises, in each its record."""
    return isinstance(found, dict) and all(
        isinstance(lab, dict) and all(isinstance(record, dict) for record in lab.values()) for lab in found.values()
    )
