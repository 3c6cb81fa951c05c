"""Find a lab's exercises: the tuple ``EXERCISES`` of ``labs/src/NN_slug/exercises.py``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from lab_helpers.errors import LabsError
from lab_helpers.exercises.model import Exercise


def load(root: Path, slug: str) -> dict[str, Exercise]:
    """The exercises of a lab by name, in their order; empty for a lab that has none.

    Raises
    ------
    LabsError
        The file has no ``EXERCISES``, or two exercises have the same name.
    """
    file = root / "labs" / "src" / slug / "exercises.py"
    if not file.exists():
        return {}
    spec = importlib.util.spec_from_file_location(f"labs_src_{slug}_exercises", file)
    if spec is None or spec.loader is None:
        raise LabsError(f"{file} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    exercises: tuple[Exercise, ...] | None = getattr(module, "EXERCISES", None)
    if exercises is None:
        raise LabsError(f"{file} has no EXERCISES.", remedy="Add EXERCISES = (Exercise(...), ...) at its end.")
    by_name = {exercise.name: exercise for exercise in exercises}
    if len(by_name) < len(exercises):
        raise LabsError(f"{file} has two exercises of the same name.", remedy="Give each its own.")
    return by_name
