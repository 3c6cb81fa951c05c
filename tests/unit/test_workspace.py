"""The learner's copies of the notebooks, and whether JupyterLab runs."""

from __future__ import annotations

import json
import os
import threading
from datetime import datetime, tzinfo
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lab_helpers.errors import LabsError
from lab_helpers.processes import Background
from lab_helpers.settings import Settings
from lab_helpers.workspace import FIRST_LAB, JupyterLab, fill, published, reset


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "my work" / "workspace"


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_the_first_lab_is_published_first() -> None:
    assert published()[0].stem == FIRST_LAB
    assert [lab.name for lab in published()] == sorted(lab.name for lab in published())


def test_the_first_fill_copies_every_lab(workspace: Path) -> None:
    assert fill(workspace) == [lab.stem for lab in published()]
    assert names(workspace) == {lab.name for lab in published()}
    for lab in published():
        assert (workspace / lab.name).read_bytes() == lab.read_bytes()


def test_a_later_fill_copies_new_labs_only(workspace: Path) -> None:
    fill(workspace)
    mine, new = published()[0].name, published()[-1].name
    (workspace / mine).write_text("mine", encoding="utf-8")
    (workspace / "notes.ipynb").write_text("mine too", encoding="utf-8")
    (workspace / new).unlink()
    assert fill(workspace) == [Path(new).stem]
    assert (workspace / mine).read_text(encoding="utf-8") == "mine"
    assert (workspace / "notes.ipynb").read_text(encoding="utf-8") == "mine too"
    assert fill(workspace) == []


def test_a_workspace_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LabsError, match="could not be copied") as caught:
        fill(tmp_path / "file" / "workspace")
    assert "None" not in caught.value.what


def test_a_half_copy_is_not_left(workspace: Path) -> None:
    workspace.mkdir(parents=True)
    # In the way of the half copy, under the name that this process gives it.
    (workspace / f".{published()[-1].name}.{os.getpid()}" / "full").mkdir(parents=True)
    with pytest.raises(LabsError, match="could not be copied"):
        fill(workspace)
    assert published()[-1].name not in names(workspace)


@pytest.mark.parametrize("name", ["0", "00", FIRST_LAB, f"{FIRST_LAB}.ipynb"])
def test_reset_gives_the_lab_back_and_keeps_the_old_one(workspace: Path, name: str) -> None:
    fill(workspace)
    others = names(workspace) - {f"{FIRST_LAB}.ipynb"}
    (workspace / f"{FIRST_LAB}.ipynb").write_text("mine", encoding="utf-8")
    fresh, kept = reset(workspace, name)
    assert fresh == workspace / f"{FIRST_LAB}.ipynb"
    assert fresh.read_bytes() == published()[0].read_bytes()
    assert kept is not None
    assert kept.parent == workspace
    assert kept.name.startswith(f"{FIRST_LAB}.kept-")
    assert kept.suffix == ".ipynb"
    assert kept.read_text(encoding="utf-8") == "mine"
    assert names(workspace) == others | {fresh.name, kept.name}
    assert fill(workspace) == []


def test_reset_of_a_lab_that_the_workspace_lacks(workspace: Path) -> None:
    fresh, kept = reset(workspace, "00")
    assert (fresh.exists(), kept) == (True, None)


@pytest.mark.parametrize("name", ["99", "start", "00_start", "../00_start_here", "4x"])
def test_an_unknown_lab(workspace: Path, name: str) -> None:
    with pytest.raises(LabsError) as caught:
        reset(workspace, name)
    assert f"no lab '{name}'" in caught.value.what
    assert FIRST_LAB in caught.value.remedy
    assert not workspace.exists()


def test_no_name_is_no_lab(workspace: Path) -> None:
    with pytest.raises(LabsError):
        reset(workspace, "")


def test_two_resets_in_a_second_lose_nothing(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Stopped:
            return cls(2026, 1, 2, 3, 4, 5, tzinfo=tz)

    monkeypatch.setattr("lab_helpers.workspace.datetime", Stopped, raising=False)
    fill(workspace)
    (workspace / f"{FIRST_LAB}.ipynb").write_text("mine", encoding="utf-8")
    for _ in range(2):
        reset(workspace, "00")
    assert len(names(workspace)) == len(published()) + 2
    assert "mine" in {file.read_text(encoding="utf-8") for file in workspace.iterdir()}


def test_reset_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LabsError):
        reset(tmp_path / "file" / "workspace", "00")


# --- JupyterLab


@pytest.fixture
def jupyterlab(tmp_path: Path) -> JupyterLab:
    return JupyterLab(Settings(_env_file=None, state_dir=tmp_path / "state", workspace_dir=tmp_path))


def test_a_jupyterlab_that_was_never_started(jupyterlab: JupyterLab) -> None:
    assert jupyterlab.link() == ""
    assert jupyterlab.stop() is False


@pytest.mark.parametrize(("status", "answers"), [(200, True), (403, False), (500, False)])
def test_the_link_is_given_while_the_server_answers(
    jupyterlab: JupyterLab, tmp_path: Path, status: int, answers: bool
) -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on the terminal."""

    home = tmp_path / "state" / "jupyter"
    background = Background(home, "jupyterlab")
    background.spawn(["sleep", "60"], os.environ)
    try:
        process = background.process()
        assert process is not None
        assert jupyterlab.link() == ""
        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
            url = f"http://127.0.0.1:{server.server_port}/"
            (home / "runtime").mkdir()
            runtime = home / "runtime" / f"jpserver-{process.pid}.json"
            runtime.write_text(json.dumps({"url": url, "token": "t0ken"}), encoding="utf-8")
            link = jupyterlab.link()
            server.shutdown()
        assert link == (f"{url}lab/tree/{FIRST_LAB}.ipynb?token=t0ken" if answers else "")
        assert asked == ["/api/status?token=t0ken"]
        assert jupyterlab.link() == ""
        runtime.write_text("half of {", encoding="utf-8")
        assert jupyterlab.link() == ""
    finally:
        assert jupyterlab.stop() is True
    assert not process.is_running()
    assert not (home / "runtime").exists()
