"""The flow player on a page of the site, as mkdocs builds it: no Jupyter, and nothing from elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from mkdocs.commands.build import build as build_site
from mkdocs.config import load_config
from nbformat.v4 import new_output
from playwright.sync_api import Browser, Page, expect

from lab_helpers.build.notebooks import solution
from lab_helpers.build.pages import page as lab_page
from lab_helpers.build.source import load
from lab_helpers.draw.flow import FLOW, flow_picture
from lab_helpers.settings import ROOT
from tests.browser.stories import shop

FIXTURES = ROOT / "tests/unit/build_fixtures"
Serve = Callable[[Path], str]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site with one lab, whose first cell shows a flow."""
    root = tmp_path_factory.mktemp("site")
    shutil.copytree(FIXTURES, root, dirs_exist_ok=True)
    source = load(root, "04_routes")
    notebook = solution(source)
    player = flow_picture(shop())
    notebook.cells[1].outputs = [
        new_output("display_data", {"image/svg+xml": player.svg, "text/plain": player.text, FLOW: player.data})
    ]
    made = lab_page(source, notebook)
    docs = root / "docs"
    shutil.copytree(ROOT / "docs", docs, ignore=lambda folder, names: [n for n in names if n.endswith((".md", "labs"))])
    (docs / "labs/04_routes").mkdir(parents=True)
    (docs / "labs/04_routes.md").write_text(made.text)
    (docs / "labs/00_start.md").write_text("# Start\n\n## The situation\n")
    for name, svg in made.pictures.items():
        (docs / "labs/04_routes" / name).write_text(svg)
    for name in ("index.md", "install.md", "labs/index.md"):
        (docs / name).write_text("# A page\n")
    settings = (ROOT / "mkdocs.yml").read_text()
    nav = yaml.safe_load(settings)["nav"]
    start = settings.index("nav:")
    end = settings.index("\n\n", start)
    assert {"Labs": "labs/index.md"} in nav
    (root / "mkdocs.yml").write_text(
        settings[:start] + "nav: [index.md, install.md, {Labs: labs/index.md}]" + settings[end:]
    )
    build_site(load_config(str(root / "mkdocs.yml")))
    return root / "site"


def test_a_page_of_the_site_plays(site: Path, serve: Serve, page: Page, complaints: list[str]) -> None:
    page.goto(f"{serve(site)}labs/04_routes/")
    figure = page.locator("figure.flow")
    expect(figure.locator(".player")).to_be_visible()
    expect(figure.locator("> p")).to_be_hidden()
    figure.get_by_role("button", name="One step forward").click()
    expect(figure.locator(".caption")).to_have_text(
        'shop publishes message 1 to exchange orders with routing key "order.eu.paid".'
    )
    page.evaluate("document.body.setAttribute('data-md-color-scheme', 'slate')")
    expect(figure.locator(".player.dark")).to_have_count(1)
    box, article = figure.locator(".player").bounding_box(), page.locator("article").bounding_box()
    assert box
    assert article
    assert box["width"] > 0.9 * article["width"]


def test_without_javascript_the_picture_and_its_words_stand_there(site: Path, serve: Serve, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{serve(site)}labs/04_routes/")
    picture = page.locator("figure.flow img")
    expect(picture).to_be_visible()
    assert "message 1" in str(picture.get_attribute("alt"))
    assert page.locator("figure.flow script").is_hidden()
    context.close()
