"""Run another program to its end, and turn its failure into a sentence."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab_helpers.errors import LabsError


def run(
    command: Sequence[str],
    *,
    seconds: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    remedy: str = "",
    shown: str = "",
) -> str:
    """Run a program and return what it printed.

    Parameters
    ----------
    command
        The program and its arguments.
    seconds
        How long it may take.
    env, cwd
        Its environment and folder; this process's own by default.
    remedy
        What the user should do if it fails.
    shown
        How the command is named where it fails; its first words if empty.

    Raises
    ------
    LabsError
        It is not there, failed (with its last lines), or took too long.
    """
    shown = shown or " ".join(command[:4]) + (" …" if len(command) > 4 else "")
    try:
        done = subprocess.run(
            command,
            env=None if env is None else dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError as error:
        raise LabsError(f"The program {error.filename or command[0]} is not there.", remedy=remedy) from error
    except OSError as error:
        raise LabsError(f"`{shown}` could not be started: {error.strerror}.", remedy=remedy) from error
    except subprocess.TimeoutExpired as error:
        raise LabsError(f"`{shown}` did not end within {seconds:.0f} s.", remedy=remedy) from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        last = " / ".join(line.strip() for line in said[-4:] if line.strip()) or "it said nothing"
        raise LabsError(f"`{shown}` failed with exit code {done.returncode}: {last}.", remedy=remedy)
    return done.stdout
