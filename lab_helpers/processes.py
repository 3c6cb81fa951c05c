"""Processes that outlive the command that starts them, each remembered by a file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from lab_helpers.errors import LabsError

CLOCK_STEP = 2.0
"""Seconds by which a process's start may seem to move: it is counted from the boot, by a clock that gets corrected."""
KILLED_WITHIN = 10.0
"""Seconds for a process that was killed to end."""
LOOK_EVERY = 0.02
"""Seconds between two looks at a process that is to end."""


class Background:
    """A program that runs in the background; its file says which process it is.

    Parameters
    ----------
    folder
        Where its files are: ``<name>.pid`` and ``<name>.log``.
    name
        What it is called there.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.pid_file = folder / f"{name}.pid"
        self.log_file = folder / f"{name}.log"

    def spawn(self, command: Sequence[str], env: Mapping[str, str], cwd: Path | None = None) -> None:
        """Start the program, detached from this terminal, its output going to the log file.

        Parameters
        ----------
        command, env
            The program with its arguments, and all of its environment.
        cwd
            Where it works; the folder of its files if None. Never where the caller happens to be: that folder may be
            deleted one day, and RabbitMQ 3.10's management API then answers every request with 500.

        Raises
        ------
        LabsError
            The program could not be started or its files could not be written.
        """
        try:
            self.pid_file.parent.mkdir(parents=True, exist_ok=True)
            with self.log_file.open("ab") as log:
                child = subprocess.Popen(
                    command,
                    env=dict(env),
                    cwd=cwd or self.pid_file.parent,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    # Its own session: Ctrl-C in the terminal ends the command, not the cluster.
                    start_new_session=True,
                )
            try:
                identity = {"pid": child.pid, "created": psutil.Process(child.pid).create_time()}
                write_atomically(self.pid_file, json.dumps(identity))
            except BaseException:
                # What nobody remembers, nobody could end.
                child.kill()
                child.wait()
                raise
        except (OSError, psutil.Error) as error:
            raise LabsError(
                f"{command[0]} could not be started: {error}.",
                remedy=f"Mend that (a full disk? a missing permission on {self.pid_file.parent}?)"
                " and run `labs up` again.",
            ) from error

    def process(self) -> psutil.Process | None:
        """The running process, or None. A process id that now belongs to another program does not count."""
        try:
            identity = json.loads(self.pid_file.read_text())
            process = psutil.Process(int(identity["pid"]))
            same = abs(process.create_time() - float(identity["created"])) < CLOCK_STEP
            if not same or process.status() == psutil.STATUS_ZOMBIE:
                return None
        except (OSError, ValueError, KeyError, TypeError, psutil.Error):
            return None
        return process

    @property
    def is_paused(self) -> bool:
        """Whether the process is held by SIGSTOP."""
        process = self.process()
        return process is not None and process.status() == psutil.STATUS_STOPPED

    def end(self, seconds: float = 30.0, *, forcibly: bool = False) -> None:
        """End the process: ask by SIGTERM and wait, then SIGKILL; or SIGKILL at once if ``forcibly``."""
        process = self.process()
        if process is not None:
            self.signal(signal.SIGKILL if forcibly else signal.SIGTERM)
            # A stopped process acts on SIGTERM only when it goes on.
            self.signal(signal.SIGCONT)
            if not self._ends_within(seconds):
                self.signal(signal.SIGKILL)
                self._ends_within(KILLED_WITHIN)
            with suppress(psutil.TimeoutExpired):
                process.wait(0)  # ours to bury, if it was this process that started it
        self.pid_file.unlink(missing_ok=True)

    def _ends_within(self, seconds: float) -> bool:
        """Whether the process ends in time.

        To wait for its process id would not do: what another process started, a notebook that is still open or a test,
        keeps its id after its end until that one asks for it.
        """
        deadline = time.monotonic() + seconds
        while self.process() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_EVERY)
        return True

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if the process is there."""
        process = self.process()
        if process is not None:
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                return

    def last_lines(self, count: int = 15) -> str:
        """The end of its log."""
        try:
            return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-count:])
        except OSError:
            return ""


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader, or a crash in between, sees the old text or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        half.write_text(text, encoding="utf-8")
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
