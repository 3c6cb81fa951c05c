"""Each lab as a learner gets it, solved, and with the mistakes that people make: the judge must tell them apart."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from lab_helpers import build
from lab_helpers.build.verification import set_up, verdicts
from lab_helpers.cluster import Cluster
from lab_helpers.cluster.engines.external import ExternalEngine
from lab_helpers.exercises import Bench, Outcome, load
from lab_helpers.exercises.judge import judge
from lab_helpers.settings import ROOT, Settings

SOURCES = {source.slug: source for source in build.find(ROOT)}


@pytest.mark.parametrize("slug", SOURCES)
def test_stubs_do_nothing_and_wrong_answers_are_refused(slug: str, engine: str, tmp_path: Path) -> None:
    # Solved, it is run and compared by nbval: tests/labs/test_solutions.py.
    findings = build.verify(SOURCES[slug], tmp_path, solved=False)
    assert [finding.text for finding in findings if not finding.ok] == []
    exercises = load(ROOT, slug)
    # The notebook and each exercise as shipped, each solved and then begun anew, each wrong answer.
    expected = 1 + 2 * len(exercises) + sum(len(exercise.wrong) for exercise in exercises.values())
    assert len(findings) == expected


@pytest.mark.parametrize("slug", ["00_start_here"])
def test_code_that_raises_is_an_error_with_its_line(slug: str, engine: str, tmp_path: Path) -> None:
    student = build.student(SOURCES[slug])
    raising = new_code_cell("mended = False\nmended / 0", id="raises", metadata={"tags": ["raises-exception"]})
    cells = [*set_up(student), raising, new_code_cell('lab.check("send")', id="check")]
    # Not the virtual host that other tests run this lab in
    apart = {"LABS_VHOST_PREFIX": "raises."}
    executed = build.run(new_notebook(cells=cells, metadata=student.metadata), tmp_path, apart)
    (verdict,) = verdicts(executed.cells[-1:])
    assert verdict.outcome is Outcome.ERROR
    assert "Line 2 of the cell before this one, `mended / 0`, raised ZeroDivisionError" in verdict.message


@pytest.fixture
def away() -> Iterator[Cluster]:
    """A cluster whose ports are bound, and nobody listens there."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        where = f"labs:pw@127.0.0.1:{bound.getsockname()[1]}"
        settings = Settings(_env_file=None, amqp_url=f"amqp://{where}", management_url=f"http://{where}")
        yield Cluster(ExternalEngine(settings))


@pytest.mark.parametrize("slug", SOURCES)
def test_a_broker_that_is_away_is_said(slug: str, away: Cluster) -> None:
    for exercise in load(ROOT, slug).values():
        # An exercise on what was recorded or counted needs no broker to see that nothing was.
        allowed = (
            {Outcome.ENVIRONMENT, Outcome.NOT_ATTEMPTED} if slug != "04_direct_exchange" else {Outcome.ENVIRONMENT}
        )
        assert judge(exercise, Bench(away, away.managements(), slug)).outcome in allowed
