"""The learner's failing line, as the card of a check names it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from lab_helpers.notebook import CellWatch, explain_errors


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
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


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (
            "a = 1\n\nb = a / 0  # oops",
            "Line 3 of the cell before this one, `b = a / 0  # oops`, raised ZeroDivisionError: division by zero",
        ),
        # In a library, the line of the cell that called it
        (
            "import json\nfor text in ['[]', '[']:\n    json.loads(text)",
            "Line 3 of the cell before this one, `json.loads(text)`, raised json.decoder.JSONDecodeError: "
            "Expecting value: line 1 column 2 (char 1)",
        ),
        ("def f():\n    raise ValueError\nf()", "Line 3 of the cell before this one, `f()`, raised ValueError"),
        ("1 +", "Line 1 of the cell before this one, `1 +`, raised SyntaxError: invalid syntax"),
        (
            "assert False, '`x`'",
            "Line 1 of the cell before this one, `assert False, ''x''`, raised AssertionError: `x`",
        ),
    ],
)
def test_the_line_and_its_text(shell: InteractiveShell, cell: str, said: str) -> None:
    watch = explain_errors()
    shell.run_cell(cell)
    assert str(watch.failure).replace("'`x`'", "''x''") == said
    shell.run_cell("1 + 1")
    assert watch.failure is None


def test_a_line_of_another_cell_is_not_named(shell: InteractiveShell) -> None:
    watch = explain_errors()
    shell.run_cell("def broken():\n    a = 1\n    return a / 0")
    shell.run_cell("\nbroken()")
    assert str(watch.failure).startswith("Line 2 of the cell before this one, `broken()`, raised ZeroDivisionError")


def test_an_error_whose_line_is_not_known(shell: InteractiveShell) -> None:
    watch = CellWatch({})
    shell.events.register("post_run_cell", watch.after_cell)
    shell.run_cell("1 / 0")
    assert str(watch.failure) == "The cell before this one ended with ZeroDivisionError: division by zero"
