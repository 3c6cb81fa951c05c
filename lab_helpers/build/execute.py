"""Runs a notebook from top to bottom, and makes the result the same on each machine."""

# nbformat ships types, but not for all its functions.
# mypy: allow-untyped-calls

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode, from_dict

from lab_helpers.build.notebooks import LANGUAGE_INFO, first_line
from lab_helpers.errors import LabsError

TIMEOUT = 120
"""The seconds that one cell may take."""

WIDGET = "application/vnd.jupyter.widget-view+json"


class _OwnKernel(AsyncKernelManager):
    """Finds the kernel of the interpreter that runs this, whatever other kernels the user has installed."""

    def _kernel_spec_manager_default(self) -> KernelSpecManager:
        # With no folders to search, jupyter_client takes ipykernel's own spec, which starts sys.executable.
        return KernelSpecManager(kernel_dirs=[])

    def _transport_encryption_default(self) -> str:
        # Otherwise each kernel warns, in the middle of the build's report, that its TCP ports are readable.
        return "auto"


def run(notebook: NotebookNode, cwd: Path, settings: Mapping[str, str] | None = None) -> NotebookNode:
    """Execute a notebook in a kernel of its own, and return it with its outputs.

    Parameters
    ----------
    notebook
        What to execute; it is left as it is.
    cwd
        The folder that the kernel starts in.
    settings
        Environment variables for the kernel beside this process's own.

    Raises
    ------
    LabsError
        A cell that is not tagged ``raises-exception`` failed or took too long; names the lab and the cell.
    """
    executed = deepcopy(notebook)
    running = ""

    def note(cell: NotebookNode, cell_index: int) -> None:
        nonlocal running
        running = first_line(cell.source)

    client = NotebookClient(
        executed,
        timeout=TIMEOUT,
        kernel_name="python3",
        kernel_manager_class=_OwnKernel,
        resources={"metadata": {"path": str(cwd)}},
        record_timing=False,
        store_widget_state=False,
        on_cell_start=note,
    )
    try:
        # Progress is a learner's: what is proved or generated does not count as theirs.
        own = {"LABS_PROGRESS_FILE": str(cwd / "progress.json"), **(settings or {})}
        client.execute(env={**os.environ, **own})
    except CellExecutionError as error:
        lines = f"{error.ename}: {error.evalue}".strip().splitlines()
        raise _failed(notebook, running, f"failed: {lines[-1].strip()}") from error
    except CellTimeoutError as error:
        raise _failed(notebook, running, f"did not end within {TIMEOUT} seconds.") from error
    except DeadKernelError as error:
        raise _failed(notebook, running, "ended the kernel.") from error
    return executed


def normalise(notebook: NotebookNode) -> NotebookNode:
    """Take out of an executed notebook, in place, what differs from run to run or from machine to machine."""
    notebook.metadata.language_info = from_dict(LANGUAGE_INFO)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = _normal_outputs(cell.outputs)
    return notebook


def problems(notebook: NotebookNode) -> list[str]:
    """Say which cells of an executed notebook did not run, raised, or should have raised and did not."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        name = f"the cell that begins {first_line(cell.source)!r}"
        raised = any(output.output_type == "error" for output in cell.outputs)
        expected = "raises-exception" in cell.metadata.get("tags", [])
        if cell.execution_count is None:
            found.append(f"{name} was not executed")
        elif raised and not expected:
            found.append(f"{name} shows an error")
        elif expected and not raised:
            found.append(f"{name} is tagged raises-exception and raised nothing")
    return found


def _normal_outputs(outputs: list[NotebookNode]) -> list[NotebookNode]:
    normal: list[NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream":
            # How a stream is cut in messages depends on timing.
            if normal and normal[-1].output_type == "stream" and normal[-1].name == output.name:
                normal[-1].text += output.text
                continue
        elif output.output_type == "error":
            # The frames of a traceback name folders of this machine.
            output.traceback = [f"{output.ename}: {output.evalue}"]
        elif WIDGET in output.data:
            # A widget's id is random and means nothing without its kernel; its picture and words stay.
            del output.data[WIDGET]
            if not output.data:
                continue
        normal.append(output)
    return normal


def _failed(notebook: NotebookNode, cell: str, how: str) -> LabsError:
    lab: dict[str, Any] = notebook.metadata.get("lab", {})
    return LabsError(
        f"Lab {lab.get('slug', '(unnamed)')}: the cell that begins {cell!r} {how}",
        remedy="Run the cell in JupyterLab to see the whole error.",
    )
