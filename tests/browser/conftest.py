"""A real Chromium, and pages with a flow player served from this machine."""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserType, Page

from lab_helpers.draw.flow import flow_data
from lab_helpers.draw.flow_widget import MODULE
from lab_helpers.record.story import Story

NAMES = ("chromium", "chromium-browser", "google-chrome")

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>A story</title>
<link rel="icon" href="data:,">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self'; img-src data:">
<body>
<div id="here"></div>
<script type="application/json" id="data">{data}</script>
<script type="module" src="page.js"></script>
</body>
</html>
"""
LOADER = """
import { play } from "./flow.js";
window.end = play(document.getElementById("here"), JSON.parse(document.getElementById("data").textContent));
"""


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any], browser_type: BrowserType) -> dict[str, Any]:
    """The system's Chromium, or the one that LABS_TEST_BROWSER names, or else Playwright's own."""
    found = os.environ.get("LABS_TEST_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)
    if not Path(found or browser_type.executable_path).exists():
        pytest.fail(
            "There is no Chromium to test with: install the package chromium, or run `playwright install chromium`, "
            "or name one in LABS_TEST_BROWSER.",
            pytrace=False,
        )
    own = {"executable_path": found} if found else {}
    return {**browser_type_launch_args, **own, "args": ["--no-sandbox", "--disable-gpu"]}


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Does not write its log into the test's report."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Path], str]]:
    """Serves folders on 127.0.0.1, and gives their addresses."""
    servers = []

    def start(folder: Path) -> str:
        handler = functools.partial(Quiet, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def complaints(page: Page) -> Iterator[list[str]]:
    """What the browser complains of, and what it asks for beyond this machine; must stay empty."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url) if "//127.0.0.1:" not in request.url else None)
    yield said
    assert [one for one in said if not one.startswith("data:")] == []


@pytest.fixture
def show(
    page: Page, tmp_path: Path, serve: Callable[[Path], str], complaints: list[str]
) -> Callable[[Story | dict[str, Any]], Page]:
    """Opens a page with a story's player; time stands still until ``page.clock`` goes on."""

    def open_page(story: Story | dict[str, Any]) -> Page:
        data = flow_data(story) if isinstance(story, Story) else story
        (tmp_path / "flow.js").write_text(MODULE.read_text(encoding="utf-8"), encoding="utf-8")
        (tmp_path / "page.js").write_text(LOADER)
        (tmp_path / "index.html").write_text(PAGE.replace("{data}", json.dumps(data).replace("<", "\\u003c")))
        page.clock.install(time=0)
        page.goto(serve(tmp_path))
        # Any moment that is later than the page's.
        page.clock.pause_at(3600)
        return page

    return open_page
