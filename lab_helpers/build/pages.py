"""The site's pages: each executed lab as Markdown with its pictures beside it, and the index of all labs."""

# nbformat and nbconvert ship types, but not for these functions.
# mypy: allow-untyped-calls

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from nbconvert import MarkdownExporter
from nbformat import NotebookNode
from traitlets.config import Config

from lab_helpers.build.notebooks import student
from lab_helpers.build.prose import prose
from lab_helpers.build.source import LabSource
from lab_helpers.draw.flow import FLOW
from lab_helpers.errors import LabsError

SVG = "image/svg+xml"

_TEMPLATE = Path(__file__).with_name("page.md.j2")
_ALT_SPECIAL = re.compile(r"([\\`*_\[\]{}#!|])")


@dataclass(frozen=True)
class Page:
    """One page of the site."""

    text: str
    """The Markdown."""
    pictures: dict[str, str]
    """SVG text by file name; the files belong in the folder that has the lab's name, beside the page."""


def page(source: LabSource, executed: NotebookNode) -> Page:
    """Write a lab's page from its executed solution.

    Raises
    ------
    LabsError
        A picture has no description in words.
    """
    notebook = deepcopy(executed)
    stubs = {cell.id: cell.source for cell in student(source).cells}
    pictures: dict[str, str] = {}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        stub = stubs.get(cell.id, cell.source)
        if stub != cell.source:
            if "exercise" in cell.metadata:
                cell.metadata["stub"] = stub
            else:
                # A prediction: the question is for the reader too, so the page does not answer it.
                cell.source, cell.outputs = stub, []
        pictures |= _take_pictures(cell, source)
    resources = {
        "title": f"{source.number} · {source.metadata.title}",
        "description": source.metadata.promise,
    }
    text, _ = _exporter().from_notebook_node(notebook, resources=resources)
    return Page(text.rstrip("\n") + "\n", pictures)


def index(sources: Sequence[LabSource]) -> str:
    """Write the page that lists all labs, one table for each part of the course."""
    paragraphs = ['---\ntitle: "Labs"\ndescription: "All labs of the course, part by part."\n---', "# Labs"]
    for part, labs in groupby(sources, key=lambda source: source.metadata.part):
        rows = ["| No. | Lab | Minutes | What you get |", "| --- | --- | ---: | --- |"]
        for lab in labs:
            title, promise = (_cell(text) for text in (lab.metadata.title, lab.metadata.promise))
            rows.append(f"| {lab.number} | [{title}]({lab.slug}.md) | {lab.metadata.minutes} | {promise} |")
        paragraphs += [f"## {part}", "\n".join(rows)]
    return "\n\n".join(paragraphs) + "\n"


def fence(text: str, info: str) -> str:
    """Put text in a code fence that is longer than any fence within it."""
    longest = max((len(ticks) for ticks in re.findall(r"`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    content = text.rstrip("\n")
    return f"{ticks}{info}\n{content}\n{ticks}"


def alt_text(text: str) -> str:
    """Put a picture's description on one line, so that Markdown reads nothing but words in it."""
    words = _ALT_SPECIAL.sub(r"\\\1", " ".join(text.split()))
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def script_json(data: Any) -> str:
    """JSON on one line that may stand in a script element: nothing in it can end the element or begin another.

    https://html.spec.whatwg.org/multipage/scripting.html#restrictions-for-contents-of-script-elements
    """
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


@cache
def _exporter() -> MarkdownExporter:
    # A picture comes before the HTML of the same output: it needs no scripts, and has alt text.
    priority = {"display_data_priority": [SVG, "text/html", "text/plain"]}
    exporter = MarkdownExporter(template_file=str(_TEMPLATE), config=Config({"NbConvertBase": priority}))
    filters = {"prose": prose, "fence": fence, "inset": _inset, "alt": alt_text, "json": _json}
    for name, function in filters.items():
        exporter.register_filter(name, function)
    return exporter


def _take_pictures(cell: NotebookNode, source: LabSource) -> dict[str, str]:
    """Name the file of each picture in a cell's outputs, and return the files."""
    taken: dict[str, str] = {}
    for output in cell.outputs:
        if SVG not in output.get("data", {}):
            continue
        if not output.data.get("text/plain", "").strip():
            raise LabsError(
                f"{source.file}: a picture of the cell {cell.id} has no text/plain, so it has no alt text.",
                remedy="Let the picture's display bundle describe it in text/plain.",
            )
        name = f"{cell.id}-{len(taken) + 1}.svg" if taken else f"{cell.id}.svg"
        output.metadata["picture"] = f"{source.slug}/{name}"
        if FLOW in output.data:
            output.metadata["flow"] = script_json(output.data[FLOW])
        taken[name] = output.data[SVG].rstrip("\n") + "\n"
    return taken


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _inset(text: str) -> str:
    """Indent what belongs into an admonition."""
    return textwrap.indent(text, "    ")


def _json(text: str) -> str:
    """A JSON string is also a YAML string."""
    return json.dumps(text, ensure_ascii=False)
