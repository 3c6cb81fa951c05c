"""Each lab as a learner gets it, solved, and with the mistakes that people make: the judge must tell them apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab_helpers import build
from lab_helpers.exercises import load
from lab_helpers.settings import ROOT

SOURCES = {source.slug: source for source in build.find(ROOT)}


@pytest.mark.parametrize("slug", SOURCES)
def test_stubs_solutions_and_wrong_answers(slug: str, engine: str, tmp_path: Path) -> None:
    findings = build.verify(SOURCES[slug], tmp_path)
    assert [finding.text for finding in findings if not finding.ok] == []
    exercises = load(ROOT, slug)
    # The notebook and each exercise as shipped, the same solved, and each wrong answer.
    expected = 2 * (1 + len(exercises)) + sum(len(exercise.wrong) for exercise in exercises.values())
    assert len(findings) == expected
