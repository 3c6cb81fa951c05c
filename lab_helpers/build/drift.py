"""Finds what was generated from an older source, or changed by hand; needs no broker and runs nothing."""

from __future__ import annotations

from pathlib import Path

from lab_helpers.build.execute import normalise, problems
from lab_helpers.build.files import (
    index_file,
    page_file,
    picture_folder,
    read,
    solution_file,
    strays,
    student_file,
)
from lab_helpers.build.generate import same_sources, stored_solution
from lab_helpers.build.notebooks import dumps, solution, student
from lab_helpers.build.pages import index, page
from lab_helpers.build.rules import static_findings
from lab_helpers.build.source import LabSource, load, slugs
from lab_helpers.errors import LabsError
from lab_helpers.exercises import load as load_exercises


def check(root: Path) -> list[str]:
    """Compare all generated files with what the sources give now, and the labs with the rules.

    Parameters
    ----------
    root
        The checkout.

    Returns
    -------
    list[str]
        One sentence for each difference, ending with what to do; empty if all is well.
    """
    try:
        existing = slugs(root)
    except LabsError as error:
        return [str(error)]
    found: list[str] = []
    sources: list[LabSource] = []
    for slug in existing:
        try:
            source = load(root, slug)
            sources.append(source)
            found += _lab(source)
        except LabsError as error:
            found.append(str(error))
    if len(sources) == len(existing) and read(index_file(root)) != index(sources):
        found.append("docs/labs/index.md is not the index of the labs; run: labs build")
    found += [f"{path} belongs to no lab; delete it, or add its source." for path in strays(root, existing)]
    return found


def _lab(source: LabSource) -> list[str]:
    remedy = f"run: labs build {source.number}"
    found = static_findings(source, load_exercises(source.root, source.slug))
    if read(student_file(source.root, source.slug)) != dumps(student(source)):
        found.append(f"labs/{source.slug}.ipynb is not what {source.file} gives; {remedy}")

    file = solution_file(source.root, source.slug)
    stored = stored_solution(source)
    name = file.relative_to(source.root)
    if stored is None:
        return [*found, f"{name} is missing or is not a notebook; {remedy}"]
    if not same_sources(stored, solution(source)):
        # Its page would only repeat the same difference.
        return [*found, f"{name} was executed from another text than {source.file}; {remedy}"]
    found += [f"{name}: {problem}; {remedy} --rerun" for problem in problems(stored)]
    if read(file) != dumps(normalise(stored)):
        found.append(f"{name} was changed after it was executed; {remedy} --rerun")

    made = page(source, stored)
    if read(page_file(source.root, source.slug)) != made.text:
        found.append(f"docs/labs/{source.slug}.md is not the page of the executed lab; {remedy}")
    folder = picture_folder(source.root, source.slug)
    if {path.name: read(path) for path in folder.glob("*")} != made.pictures:
        found.append(f"docs/labs/{source.slug}/ does not hold the pictures of the executed lab; {remedy}")
    return found
