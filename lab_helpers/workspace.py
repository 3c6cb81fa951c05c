"""The learner's own copies of the notebooks, and the JupyterLab that opens them."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from lab_helpers.broker.waiting import TimedOutError, wait_until
from lab_helpers.errors import LabsError
from lab_helpers.processes import Background, write_atomically
from lab_helpers.settings import ROOT, Settings

FIRST_LAB = "00_start_here"
START_WITHIN = 60.0
"""Seconds for JupyterLab to start; 2 to 5 on an idle machine."""


def published(root: Path = ROOT) -> list[Path]:
    """The notebooks that a learner gets, in the order of the course."""
    return sorted((root / "labs").glob("[0-9][0-9]_*.ipynb"))


def fill(workspace: Path) -> list[str]:
    """Copy the labs that the workspace does not have yet, and return their names; a learner's own stay as they are.

    Raises
    ------
    LabsError
        The folder cannot be written.
    """
    added = []
    try:
        workspace.mkdir(parents=True, exist_ok=True)
        for source in published():
            target = workspace / source.name
            if not target.exists():
                copy(source, target)
                added.append(source.stem)
    except OSError as error:
        raise LabsError(
            f"The labs could not be copied to {workspace}: {error.strerror}.",
            remedy="Free some space or give yourself the right to write there, then run `labs up` again.",
        ) from error
    return added


def copy(source: Path, target: Path) -> None:
    """Copy a notebook so that a crash in between leaves no half of it."""
    half = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        shutil.copyfile(source, half)
        half.replace(target)
    finally:
        half.unlink(missing_ok=True)


def reset(workspace: Path, name: str) -> tuple[Path, Path | None]:
    """Give back a lab as it was at first; the learner's copy is kept beside it.

    Parameters
    ----------
    workspace
        Where the learner's copies are.
    name
        The lab: "04" or "04_direct_exchange".

    Returns
    -------
    tuple
        The fresh notebook, and where the old one is kept (None if there was none).

    Raises
    ------
    LabsError
        There is no such lab.
    """
    wanted = name.removesuffix(".ipynb")
    number = wanted.zfill(2) if wanted.isdigit() else None
    matching = [lab for lab in published() if lab.stem == wanted or lab.stem.split("_")[0] == number]
    if not matching:
        raise LabsError(f"There is no lab {name!r}.", remedy=f"The labs: {', '.join(lab.stem for lab in published())}.")
    fresh = workspace / matching[0].name
    try:
        workspace.mkdir(parents=True, exist_ok=True)
        kept = keep(fresh) if fresh.exists() else None
        copy(matching[0], fresh)
    except OSError as error:
        raise LabsError(
            f"{fresh} could not be reset: {error.strerror}.",
            meaning="Your copy is still there.",
            remedy="Free some space or give yourself the right to write there, then try again.",
        ) from error
    return fresh, kept


def keep(notebook: Path) -> Path:
    """Move a learner's notebook to a name of its own beside it, never over an earlier one."""
    moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    for number in itertools.count(1):
        kept = notebook.with_name(f"{notebook.stem}.kept-{moment}{f'-{number}' if number > 1 else ''}.ipynb")
        try:
            # Fails where the name is taken, which a rename would not.
            kept.hardlink_to(notebook)
        except FileExistsError:
            continue
        notebook.unlink()
        return kept
    raise AssertionError("unreachable")


@dataclass(frozen=True)
class JupyterLab:
    """The JupyterLab of this checkout: one background process on 127.0.0.1, its link with a random token.

    All its files (settings, history, logs) are in ``.labs/jupyter/``, so that a learner's own Jupyter is
    neither used nor touched.
    """

    settings: Settings

    @property
    def _home(self) -> Path:
        return self.settings.state_dir.resolve() / "jupyter"

    @property
    def _background(self) -> Background:
        return Background(self._home, "jupyterlab")

    def link(self) -> str:
        """The link that opens the first lab, token included; empty while JupyterLab does not answer."""
        process = self._background.process()
        if process is None:
            return ""
        try:
            server = json.loads((self._home / "runtime" / f"jpserver-{process.pid}.json").read_text())
            base, token = str(server["url"]), str(server["token"])
            answer = httpx.get(f"{base}api/status", params={"token": token}, timeout=2.0, trust_env=False)
            answer.raise_for_status()
        except (OSError, ValueError, KeyError, httpx.HTTPError):
            return ""
        return f"{base}lab/tree/{FIRST_LAB}.ipynb?token={token}"

    def start(self) -> str:
        """Start JupyterLab where it does not run, and return its link.

        Raises
        ------
        LabsError
            It did not start; gives the end of its log.
        """
        if self._background.process() is None:
            self._ask_nothing_at_first()
            self._background.spawn(
                [
                    *(sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1"),
                    # Root is what a container or a Codespace gives; on 127.0.0.1 and with a token it is as safe.
                    "--allow-root",
                    f"--ServerApp.root_dir={self.settings.workspace_dir.resolve()}",
                    # The next free one where 8888 is taken.
                    "--ServerApp.port_retries=100",
                    # No request to anywhere but this machine.
                    "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
                ],
                {
                    **os.environ,
                    "JUPYTER_CONFIG_DIR": str(self._home / "config"),
                    "JUPYTER_DATA_DIR": str(self._home / "data"),
                    "JUPYTER_RUNTIME_DIR": str(self._home / "runtime"),
                    "JUPYTERLAB_SETTINGS_DIR": str(self._home / "settings"),
                    "JUPYTERLAB_WORKSPACES_DIR": str(self._home / "workspaces"),
                    "IPYTHONDIR": str(self._home / "ipython"),
                    # So that `labs` can be typed in JupyterLab's own terminal.
                    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
                },
            )
        try:
            return wait_until(self.link, seconds=START_WITHIN, what="JupyterLab to answer")
        except TimedOutError as error:
            raise LabsError(
                f"JupyterLab did not start. The end of its log:\n{self._background.last_lines()}\n",
                remedy="Run `labs doctor`; `labs down` and `labs up` start it again.",
            ) from error

    def _ask_nothing_at_first(self) -> None:
        """Answer the question, asked before anything else is seen, whether JupyterLab may fetch its news."""
        file = self._home / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
        if not file.exists():
            write_atomically(file, json.dumps({"fetchNews": "false", "checkForUpdates": False}))

    def stop(self) -> bool:
        """End JupyterLab and its kernels; returns whether it ran."""
        ran = self._background.process() is not None
        self._background.end(seconds=15)
        shutil.rmtree(self._home / "runtime", ignore_errors=True)
        return ran
