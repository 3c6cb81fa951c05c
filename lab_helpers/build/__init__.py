"""From one source per lab to student notebooks, executed notebooks, docs pages and the lab index."""

from lab_helpers.build.drift import check
from lab_helpers.build.execute import normalise, problems, run
from lab_helpers.build.generate import build
from lab_helpers.build.metadata import LabMetadata
from lab_helpers.build.notebooks import dumps, solution, student
from lab_helpers.build.pages import Page, index, page
from lab_helpers.build.rules import static_findings
from lab_helpers.build.source import LabSource, find, load, select
from lab_helpers.build.verification import Finding, ShownVerdict, verify

__all__ = [
    "Finding",
    "LabMetadata",
    "LabSource",
    "Page",
    "ShownVerdict",
    "build",
    "check",
    "dumps",
    "find",
    "index",
    "load",
    "normalise",
    "page",
    "problems",
    "run",
    "select",
    "solution",
    "static_findings",
    "student",
    "verify",
]
