"""How long `lab.check` takes, for every exercise as shipped, solved, and with its wrong answers.

    .venv/bin/python -m benchmarks.check [--rounds 5] [LAB…]

Runs on the cluster that is up, in virtual hosts beside the learner's. What a learner waits for is the judge, so the
time is the one that each check's event tells.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from typing import Any

from lab_helpers import build
from lab_helpers.broker import vhost
from lab_helpers.cluster import lifecycle
from lab_helpers.exercises import Outcome, events, load
from lab_helpers.settings import ROOT

APART = "benchmark."


def cells_of(notebook: Any) -> Iterator[tuple[str, str]]:
    """Each code cell's exercise, if any, and its code; a cell that must raise is left out."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and "raises-exception" not in cell.metadata.get("tags", []):
            yield cell.metadata.get("exercise", ""), cell.source


def run(code: str, namespace: dict[str, Any]) -> None:
    """Run a cell without its output."""
    with redirect_stdout(io.StringIO()), suppress(Exception):  # a wrong answer may raise, and is checked all the same
        exec(compile(code, "<cell>", "exec"), namespace)  # noqa: S102 - the labs' own code


def at(slug: str, exercise: str) -> dict[str, Any]:
    """The names of a lab that has been run up to an exercise."""
    namespace: dict[str, Any] = {}
    for name, code in cells_of(build.student(build.load(ROOT, slug))):
        if name == exercise:
            break
        run(code, namespace)
    return namespace


def measure(slug: str, rounds: int) -> list[events.Checked]:
    """Check every exercise of a lab in every state."""
    seen: list[events.Checked] = []
    solutions = dict(cells_of(build.solution(build.load(ROOT, slug))))
    end = events.subscribe(seen.append)
    try:
        for name, exercise in load(ROOT, slug).items():
            for state in ("", solutions[name], *(answer.code for answer in exercise.wrong)):
                namespace = at(slug, name)
                run(state, namespace)
                for _ in range(rounds):
                    run(f"lab.check({name!r})", namespace)
    finally:
        end()
        vhost.remove(lifecycle.current().managements()[0], APART + slug)
    return seen


def told(what: str, seconds: list[float]) -> str:
    """One line of the report."""
    return f"  {what:<42} median {statistics.median(seconds):5.2f} s   max {max(seconds):5.2f} s   of {len(seconds)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("labs", nargs="*")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    os.environ["LABS_VHOST_PREFIX"] = APART
    print(f"RabbitMQ {lifecycle.current().status().version}")
    seen: list[events.Checked] = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LABS_PROGRESS_FILE"] = f"{folder}/progress.json"
        for source in build.select(ROOT, asked.labs):
            seen += measure(source.slug, asked.rounds)
    for lab, exercise in dict.fromkeys((event.lab, event.exercise) for event in seen):
        for outcome in Outcome:
            took = [e.seconds for e in seen if (e.lab, e.exercise, e.outcome) == (lab, exercise, outcome)]
            if took:
                print(told(f"{lab} {exercise}: {outcome}", took))
    print(told("all", [event.seconds for event in seen]))


if __name__ == "__main__":
    main()
