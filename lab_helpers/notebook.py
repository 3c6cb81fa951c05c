"""What a notebook's kernel does for a learner beside running cells: it explains the errors that learning brings."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from IPython.core.getipython import get_ipython
from pika import exceptions as pika_errors
from pika.adapters.utils.connection_workflow import AMQPConnectorException

EXPLANATIONS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    (
        (NameError,),
        "The name {name} is not known here: a cell above, which makes it, has not been run since the kernel "
        "started. Choose Run > Run All Above Selected Cell, then run this cell again.",
    ),
    (
        (pika_errors.ChannelWrongStateError,),
        "This channel is closed: an earlier cell closed it, or the broker did after an error. "
        "Run the cell that opens it again, then this one.",
    ),
    (
        (pika_errors.ConnectionWrongStateError,),
        "This connection is closed: an earlier cell closed it, or the broker did after an error. "
        "Run the cell that opens it again, then this one.",
    ),
    (
        (pika_errors.StreamLostError,),
        "The connection broke: the node it led to went away, or the lab's virtual host was made afresh. "
        "Run the cell that opens the connection again; `lab.cluster` shows how the nodes are.",
    ),
    (
        (pika_errors.AMQPConnectionError, AMQPConnectorException),
        "No connection to the broker: is the cluster up? Evaluate `lab.cluster` to see, or run `labs status` "
        "in a terminal. If it is, run the lab's first cell again.",
    ),
)
"""The errors that a learner meets by running cells in another order or on a broken cluster, likeliest first."""


class CellWatch:
    """Remembers how the cell before this one ended."""

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def after_cell(self, result: Any) -> None:
        """Called by IPython after each cell."""
        self.error = result.error_in_exec or result.error_before_exec


def explanation(error: BaseException) -> str:
    """The sentences for an error, or an empty string where its own message says enough."""
    if isinstance(error, NameError) and not error.name:
        return ""
    for kinds, text in EXPLANATIONS:
        if isinstance(error, kinds):
            return text.format(name=f"`{getattr(error, 'name', '')}`")
    return ""


def explain_errors() -> CellWatch:
    """Have this kernel add an explanation to the errors above, and watch how cells end.

    Outside a notebook nothing is changed.
    """
    watch = CellWatch()
    shell = get_ipython()
    if shell is None:
        return watch

    def show(
        shell: Any,
        kind: type[BaseException],
        error: BaseException,
        traceback: TracebackType,
        tb_offset: int | None = None,
    ) -> None:
        shell.showtraceback((kind, error, traceback), tb_offset=tb_offset)
        if text := explanation(error):
            print(text)

    shell.set_custom_exc(tuple(kind for kinds, _ in EXPLANATIONS for kind in kinds), show)
    # Run again, the lab's first cell replaces the watch of its last run.
    for callback in list(shell.events.callbacks["post_run_cell"]):
        if isinstance(getattr(callback, "__self__", None), CellWatch):
            shell.events.unregister("post_run_cell", callback)
    shell.events.register("post_run_cell", watch.after_cell)
    return watch
