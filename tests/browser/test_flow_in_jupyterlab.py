"""The flow player in the JupyterLab that `labs up` starts: the widget loads, plays, and leaves words for nbval."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Page, expect

from lab_helpers.draw.flow import FLOW
from lab_helpers.settings import ROOT, Settings
from lab_helpers.workspace import FIRST_LAB, JupyterLab

CODE = """
from lab_helpers.draw.flow import flow_picture
from tests.browser.stories import shop
flow_picture(shop())
"""


@pytest.fixture
def jupyterlab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Its link; the notebook that it opens shows a flow."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    notebook = new_notebook(
        cells=[new_code_cell(CODE)],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(notebook, workspace / f"{FIRST_LAB}.ipynb")
    lab = JupyterLab(Settings(state_dir=tmp_path / "state", workspace_dir=workspace))
    try:
        yield lab.start()
    finally:
        lab.stop()


def test_the_widget_appears_and_plays(jupyterlab: str, page: Page, tmp_path: Path) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(jupyterlab)
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=60_000)
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=60_000)
    page.locator(".jp-Notebook .jp-InputArea-editor").first.click()
    page.keyboard.press("Shift+Enter")
    player = page.locator(".jp-OutputArea-output .player")
    expect(player).to_be_visible(timeout=60_000)
    # Keys are the player's own while it has the focus: the notebook must not take them for commands.
    player.get_by_role("group", name="Message flow:").focus()
    page.keyboard.press("ArrowRight")
    expect(player).to_have_attribute("data-step", "1")
    expect(player.locator(".caption")).to_contain_text("shop publishes message 1")
    page.keyboard.press("End")
    expect(player).to_have_attribute("data-step", "22")
    page.keyboard.press("Home")
    page.keyboard.press(" ")
    expect(player).to_have_attribute("data-playing", "true")
    expect(player).to_have_attribute("data-step", "2", timeout=20_000)
    page.keyboard.press(" ")
    expect(player).to_have_attribute("data-playing", "false")
    player.get_by_role("button", name="Message 1,").click()
    expect(player.locator("pre")).to_contain_text('"order": 1')
    # "b" would insert a cell, "x" would take this one away.
    before = page.locator(".jp-Notebook .jp-Cell").count()
    player.get_by_role("button", name="Message 1,").press("b")
    page.keyboard.press("x")
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(before)
    # What has a modifier is JupyterLab's.
    page.keyboard.press("Control+s")
    saved = tmp_path / "workspace" / f"{FIRST_LAB}.ipynb"
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)
    (output,) = nbformat.read(saved, as_version=4).cells[0].outputs
    assert {"text/plain", "image/svg+xml", FLOW} < set(output.data)
    foreign = [url for url in asked if url.startswith("http") and "//127.0.0.1:" not in url]
    assert foreign == []
