"""Errors in a notebook, in a real IPython: what the learner reads."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import aiormq.exceptions
import pytest
from IPython.core.interactiveshell import InteractiveShell
from pika import exceptions as pika_errors
from traitlets.config import Config

from lab_helpers.notebook import EXPLANATIONS, CellWatch, explain_errors, explanation

Shell = InteractiveShell


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """An IPython without history or colours, gone after the test."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    for hook in ("excepthook", "displayhook"):
        monkeypatch.setattr(sys, hook, getattr(sys, hook))
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance(config=config)
    yield made
    made.restore_sys_module_state()
    InteractiveShell.clear_instance()


def run(shell: Shell, cell: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a cell and return everything that it showed."""
    capsys.readouterr()
    shell.run_cell(cell)
    shown = capsys.readouterr()
    return shown.out + shown.err


def watches(shell: Shell) -> list[object]:
    callbacks = shell.events.callbacks["post_run_cell"]
    return [callback for callback in callbacks if isinstance(getattr(callback, "__self__", None), CellWatch)]


def test_an_unknown_name_is_explained(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    explain_errors()
    shown = run(shell, "queue_that_is_not_there", capsys)
    assert "Traceback" in shown
    assert "NameError: name 'queue_that_is_not_there' is not defined" in shown
    assert "The name `queue_that_is_not_there` is not known here: a cell above" in shown


def test_a_closed_channel_is_explained(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    explain_errors()
    shown = run(shell, "import pika\nraise pika.exceptions.ChannelWrongStateError('Channel is closed.')", capsys)
    assert "ChannelWrongStateError: Channel is closed." in shown
    assert "This channel is closed: an earlier cell closed it" in shown


def test_other_errors_are_shown_as_ever(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    before = run(shell, "1 / 0", capsys)
    explain_errors()
    after = run(shell, "1 / 0", capsys)
    assert "ZeroDivisionError" in before
    assert len(before.splitlines()) == len(after.splitlines())


def test_ours_are_sentences_without_a_traceback(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    explain_errors()
    run(shell, "from lab_helpers.errors import LabsError, BrokerUnreachableError", capsys)
    assert run(shell, "raise LabsError('What.', meaning='Means.', remedy='Do.')", capsys) == "What. Means. Do.\n"
    shown = run(
        shell,
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise BrokerUnreachableError('Gone.') from e",
        capsys,
    )
    assert shown == "Gone.\n"


def test_each_explanation_is_for_its_own_error() -> None:
    reason = {pika_errors.ConnectionClosedByBroker: (541, "INTERNAL_ERROR")}
    for kinds, text in EXPLANATIONS[1:]:
        assert [explanation(kind(*reason.get(kind, ()))) for kind in kinds] == [text] * len(kinds)
    assert explanation(NameError("x", name="x")).startswith("The name `x` is not known here")


def test_related_errors_are_explained_too() -> None:
    assert explanation(pika_errors.ProbableAuthenticationError()) == explanation(pika_errors.AMQPConnectionError())
    assert explanation(aiormq.exceptions.AMQPConnectionError()) == explanation(pika_errors.AMQPConnectionError())
    assert explanation(pika_errors.ChannelClosedByBroker(404, "no queue")) == ""
    assert explanation(ValueError()) == ""


@pytest.mark.parametrize("error", [UnboundLocalError("local variable 'x'"), NameError("made by hand")], ids=repr)
def test_a_name_error_that_names_nothing(error: NameError) -> None:
    assert "None" not in explanation(error)


def test_the_watch_knows_how_the_last_cell_ended(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    watch = explain_errors()
    assert watch.error is None
    run(shell, "1 / 0", capsys)
    assert isinstance(watch.error, ZeroDivisionError)
    run(shell, "1 + 1", capsys)
    assert watch.error is None
    # An error with an explanation, and one before the cell even runs
    run(shell, "not_there", capsys)
    assert isinstance(watch.error, NameError)
    run(shell, "1 +", capsys)
    assert isinstance(watch.error, SyntaxError)


def test_explaining_twice_registers_once(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = explain_errors(), explain_errors()
    assert len(watches(shell)) == 1
    shown = run(shell, "not_there", capsys)
    assert shown.count("is not known here") == 1
    assert first.error is None
    assert isinstance(second.error, NameError)


def test_outside_a_notebook_nothing_happens() -> None:
    assert not InteractiveShell.initialized()
    assert explain_errors().error is None
