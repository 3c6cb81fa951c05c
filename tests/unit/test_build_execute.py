"""Running notebooks, with a real kernel."""

import sys
from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output

from lab_helpers.build.execute import WIDGET, normalise, problems, run
from lab_helpers.errors import LabsError


def notebook(*sources: str, tags: tuple[str, ...] = ()) -> NotebookNode:
    cells = [new_code_cell(source, metadata={"tags": list(tags)} if tags else {}) for source in sources]
    return new_notebook(cells=cells, metadata={"lab": {"slug": "07_made_up"}})


def test_the_kernel_is_this_interpreter_in_the_given_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Somebody else's python3 kernel comes first on Jupyter's path, and cannot even start.
    other = tmp_path / "kernels/python3"
    other.mkdir(parents=True)
    (other / "kernel.json").write_text('{"argv": ["/bin/false"], "display_name": "x", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    given = notebook("import os, sys\nprint(sys.executable)\nprint(os.getcwd())")
    executed = run(given, tmp_path)
    assert executed.cells[0].outputs[0].text.splitlines() == [sys.executable, str(tmp_path)]
    assert given.cells[0].outputs == []


def test_a_failing_cell_is_named_with_the_last_line_of_its_error(tmp_path: Path) -> None:
    given = notebook("x = 1", '\n# publish\nraise ValueError("first\\nqueue is gone")')
    with pytest.raises(LabsError) as failed:
        run(given, tmp_path)
    assert failed.value.what == "Lab 07_made_up: the cell that begins '# publish' failed: queue is gone"


def test_a_cell_that_ends_the_kernel_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabsError, match=r"begins 'import os' ended the kernel"):
        run(notebook("import os\nos._exit(1)"), tmp_path)


def test_a_cell_tagged_so_may_raise_and_keeps_no_folder_of_this_machine(tmp_path: Path) -> None:
    given = notebook("import json", 'json.loads("[")', tags=("raises-exception",))
    executed = normalise(run(given, tmp_path))
    (error,) = executed.cells[1].outputs
    assert error.ename == "JSONDecodeError"
    assert error.traceback == [f"JSONDecodeError: {error.evalue}"]
    assert problems(executed) == ["the cell that begins 'import json' is tagged raises-exception and raised nothing"]


def test_an_error_or_a_missing_run_is_a_problem() -> None:
    given = notebook("a", "b", "")
    given.cells[0].execution_count = 1
    given.cells[0].outputs = [new_output("error", ename="E", evalue="e", traceback=[])]
    assert problems(given) == [
        "the cell that begins 'a' shows an error",
        "the cell that begins 'b' was not executed",
    ]


def test_normalising_takes_out_what_varies() -> None:
    given = notebook("a")
    given.metadata.language_info = {"name": "python", "version": "3.11.2"}
    given.metadata.widgets = {"state": {}}
    cell = given.cells[0]
    cell.execution_count = 3
    cell.metadata.execution = {"iopub.status.busy": "2024-01-01"}
    cell.outputs = [
        new_output("stream", name="stdout", text="one\n"),
        new_output("stream", name="stdout", text="two\n"),
        new_output("display_data", {"text/plain": "picture", WIDGET: {"model_id": "1"}}),
        new_output("display_data", {WIDGET: {"model_id": "2"}}),
        new_output("stream", name="stdout", text="three\n"),
        new_output("stream", name="stderr", text="four\n"),
    ]
    normalise(given)
    assert "version" not in given.metadata.language_info
    assert "widgets" not in given.metadata
    assert cell.metadata == {}
    assert cell.execution_count == 3
    assert [output.get("text") or output.data for output in cell.outputs] == [
        "one\ntwo\n",
        {"text/plain": "picture"},
        "three\n",
        "four\n",
    ]
