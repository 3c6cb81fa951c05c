"""What a notebook's kernel does for a learner beside running cells: it explains the errors that learning brings."""

from __future__ import annotations

import linecache
import traceback as tracebacks
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import aiormq.exceptions
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
        (pika_errors.ConnectionClosedByBroker,),
        "The broker closed this connection; the code and the text above say why (320: its node was shut down). "
        "Mend that, and run the cell that opens the connection again.",
    ),
    (
        (pika_errors.AMQPConnectionError, AMQPConnectorException, aiormq.exceptions.AMQPConnectionError),
        "No connection to the broker: is the cluster up? Evaluate `lab.cluster` to see, or run `labs status` "
        "in a terminal. If it is, run the lab's first cell again.",
    ),
)
"""The errors that a learner meets by running cells in another order or on a broken cluster, likeliest first."""


@dataclass(frozen=True)
class Failure:
    """How a cell failed, and the line of it that did."""

    error: BaseException
    line: int
    """The line's number in its cell, from 1; 0 where none is known."""
    text: str
    """What stands there."""

    def __str__(self) -> str:
        message = "".join(tracebacks.format_exception_only(self.error)[-1:]).strip()
        if not self.line:
            return f"The cell before this one ended with {message}"
        # A backtick would end what the card shows as code.
        text = self.text.replace("`", "'")
        where = f", `{text}`," if text else ""
        return f"Line {self.line} of the cell before this one{where} raised {message}"


class CellWatch:
    """Remembers how the cell before this one ended.

    Parameters
    ----------
    namespace
        The notebook's own global variables: code that runs in it stands in a cell, all other code in a library.
    """

    def __init__(self, namespace: dict[str, Any] | None = None) -> None:
        self.failure: Failure | None = None
        self._namespace = namespace

    @property
    def error(self) -> BaseException | None:
        """What the cell raised, if anything."""
        return self.failure.error if self.failure else None

    def after_cell(self, result: Any) -> None:
        """Called by IPython after each cell."""
        error = result.error_in_exec or result.error_before_exec
        # IPython drops empty lines at a cell's beginning before it counts.
        code = result.info.raw_cell
        dropped = code[: len(code) - len(code.lstrip())].count("\n")
        self.failure = None if error is None else self._failure(error, dropped)

    def _failure(self, error: BaseException, dropped: int) -> Failure:
        if isinstance(error, SyntaxError):
            return Failure(error, (error.lineno or 0) + dropped, (error.text or "").strip())
        # The first frame of the notebook's: the line of this cell, even where it calls a function of another one.
        for frame, number in tracebacks.walk_tb(error.__traceback__):
            if frame.f_globals is self._namespace:
                return Failure(error, number + dropped, linecache.getline(frame.f_code.co_filename, number).strip())
        return Failure(error, 0, "")


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
    shell = get_ipython()
    if shell is None:
        return CellWatch()
    watch = CellWatch(shell.user_global_ns)

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
