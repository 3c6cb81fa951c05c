"""The site's pages: what a notebook's parts become, as Markdown and as the HTML that mkdocs makes of it."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from mkdocs.commands.build import build as build_site
from mkdocs.config import load_config
from nbformat import NotebookNode
from nbformat.v4 import new_output

from lab_helpers.build.notebooks import solution
from lab_helpers.build.pages import index, page
from lab_helpers.build.prose import prose
from lab_helpers.build.source import LabSource, find, load
from lab_helpers.draw.flow import FLOW
from lab_helpers.errors import LabsError

CHECKOUT = Path(__file__).parents[2]
FIXTURES = Path(__file__).parent / "build_fixtures"
WORDS = 'exchange orders\n  --[eu & "us" *]--> <audit> `x`'


@pytest.fixture
def source(tmp_path: Path) -> LabSource:
    shutil.copytree(FIXTURES, tmp_path, dirs_exist_ok=True)
    return load(tmp_path, "04_routes")


def executed(source: LabSource, *outputs: NotebookNode) -> NotebookNode:
    """The solved lab with these outputs under its first code cell, which the id ``first`` then names."""
    notebook = solution(source)
    notebook.cells[1].id = "first"
    notebook.cells[1].outputs = list(outputs)
    return notebook


def picture(words: str = WORDS) -> NotebookNode:
    return new_output("display_data", {"image/svg+xml": "<svg></svg>", "text/plain": words})


def test_a_page_opens_with_title_and_card_and_the_way_to_run_it(source: LabSource) -> None:
    text = page(source, executed(source)).text
    assert text.startswith(
        '---\ntitle: "04 · Routes | and \\"keys\\""\ndescription: "You decide where an order goes."\n'
        "---\n\n# 04 · Routes"
    )
    card, rest = text.split("[Run this lab yourself](../install.md)")
    assert "You decide where an order goes" in card
    assert "## The situation" in rest


def test_an_exercise_shows_its_stub_and_folds_its_solution(source: LabSource) -> None:
    assert (
        '```python\nif True:\n    lab.bindings = {}\n\n    # bind "audit"\n```\n\n'
        '??? success "Solution"\n\n'
        '    ```python\n    if True:\n        lab.bindings = {"eu": "audit"}\n    ```\n'
    ) in page(source, executed(source)).text


def test_outputs_become_fences_and_html(source: LabSource) -> None:
    notebook = executed(
        source,
        new_output("stream", name="stdout", text="\x1b[31mone\x1b[0m\n```\ntwo\n"),
        new_output("display_data", {"text/html": "<b>x</b>", "text/plain": "x"}),
        new_output("execute_result", {"text/plain": "42"}, execution_count=1),
        new_output("error", ename="ValueError", evalue="no queue", traceback=["/home/me/file"]),
    )
    text = page(source, notebook).text
    assert "````{ .text .output }\none\n```\ntwo\n````\n" in text
    assert '<div class="output" markdown="0">\n<b>x</b>\n</div>\n' in text
    assert "```{ .text .output }\n42\n```\n" in text
    assert "```{ .text .output }\nValueError: no queue\n```\n" in text
    assert "/home/me" not in text


def test_a_picture_is_a_file_with_alt_text_and_stands_in_words_too(source: LabSource) -> None:
    made = page(source, executed(source, picture(), picture("second")))
    assert made.pictures == {"first.svg": "<svg></svg>\n", "first-2.svg": "<svg></svg>\n"}
    assert "](04_routes/first.svg)\n" in made.text
    assert "![second](04_routes/first-2.svg)\n" in made.text
    assert '??? note "The picture in words"\n\n    ```text\n    second\n    ```\n' in made.text


def test_a_picture_without_words_is_refused(source: LabSource) -> None:
    with pytest.raises(LabsError, match=r"04_routes/lab\.py: a picture .* has no alt text"):
        page(source, executed(source, picture(" ")))


def flow(words: str = WORDS) -> NotebookNode:
    """A flow player's output as the build stores it."""
    data = {"format": 1, "actors": [], "links": [], "messages": [{"label": "</script><!--&"}], "steps": []}
    return new_output("display_data", {"image/svg+xml": "<svg></svg>", "text/plain": words, FLOW: data})


def test_a_flow_is_a_figure_with_its_picture_its_words_and_its_data(source: LabSource) -> None:
    made = page(source, executed(source, flow("a flow")))
    assert made.pictures == {"first.svg": "<svg></svg>\n"}
    (figure,) = re.findall(r'<figure class="flow" markdown="1">(.*?)</figure>', made.text, re.DOTALL)
    assert "![a flow](04_routes/first.svg)" in figure
    (data,) = re.findall(r'<script type="application/json">(.*?)</script>', figure)
    assert not set(data) & set("<>&")
    assert json.loads(data)["messages"][0]["label"] == "</script><!--&"
    assert '??? note "The picture in words"\n\n    ```text\n    a flow\n    ```\n' in made.text


def test_the_same_notebook_gives_the_same_page(source: LabSource) -> None:
    notebook = executed(source, picture())
    assert page(source, notebook) == page(source, notebook)


@pytest.mark.parametrize(
    ("kind", "admonition"),
    [
        ("Note", "!!! note"),
        ("Tip", "!!! tip"),
        ("Warning", "!!! warning"),
        ("Predict", '!!! question "Predict"'),
    ],
)
def test_a_marked_quote_becomes_an_admonition(kind: str, admonition: str) -> None:
    text = f"before\n\n> **{kind}:** one\n> two\n>\n> ```\n> code\n> ```\n\nafter"
    expected = "one\n    two\n\n    ```\n    code\n    ```"
    assert prose(text) == f"before\n\n{admonition}\n\n    {expected}\n\nafter"


def test_other_quotes_and_code_stay_as_they_are() -> None:
    text = "> just said\n\n```\n> **Note:** no\n[x](01_a.ipynb)\nword\n- item\n```"
    assert prose(text) == text


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("[a](01_a.ipynb)", "[a](01_a.md)"),
        ("[a](01_a.ipynb#What-is-it%3F)", "[a](01_a.md#what-is-it)"),
        ("[a](#In-production)", "[a](#in-production)"),
        ("> **Tip:** [a](01_a.ipynb)", "!!! tip\n\n    [a](01_a.md)"),
        ("[a](https://example.org/01_a.ipynb)", "[a](https://example.org/01_a.ipynb)"),
    ],
)
def test_links_to_notebooks_become_links_to_pages(link: str, expected: str) -> None:
    assert prose(link) == expected


def test_a_list_right_after_a_paragraph_gets_its_empty_line() -> None:
    assert prose("these:\n- a\n- b\n  more\n- c") == "these:\n\n- a\n- b\n  more\n- c"


def test_the_index_has_one_table_for_each_part(source: LabSource) -> None:
    text = index(find(source.root))
    assert "## Beginning\n\n| No. |" in text
    assert "| 00 | [Start here](00_start.md) | 10 | You send a first message. |\n\n## The model" in text
    assert '| 04 | [Routes \\| and "keys"](04_routes.md) | 20 |' in text


class Elements(HTMLParser):
    """All start tags of a page with their attributes."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def pages_of(nav: object) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    return [name for entry in (nav.values() if isinstance(nav, dict) else nav) for name in pages_of(entry)]


@pytest.fixture
def site(source: LabSource) -> Path:
    """The site as mkdocs.yml makes it of the two made-up labs, strictly; other pages have a heading only."""
    root = source.root
    shutil.copy(CHECKOUT / "mkdocs.yml", root)
    docs = root / "docs"
    for folder in ("stylesheets", "javascripts"):
        shutil.copytree(CHECKOUT / "docs" / folder, docs / folder)
    shutil.copy(CHECKOUT / "docs/hooks.py", docs)
    for name in pages_of(yaml.safe_load((root / "mkdocs.yml").read_text())["nav"]):
        (docs / name).parent.mkdir(parents=True, exist_ok=True)
        (docs / name).write_text("# A page\n")
    (docs / "labs/index.md").write_text(index(find(root)))
    table = "<table>\n\n<tr><td>*plain*</td></tr>\n\n</table>"
    notebook = executed(
        source,
        picture(),
        new_output("display_data", {"text/html": table, "text/plain": "x"}),
        new_output("stream", name="stdout", text="printed\n"),
        flow("a flow"),
    )
    made = page(source, notebook)
    (docs / "labs/04_routes.md").write_text(made.text)
    (docs / "labs/04_routes").mkdir()
    for name, svg in made.pictures.items():
        (docs / "labs/04_routes" / name).write_text(svg)
    (docs / "labs/00_start.md").write_text(page(load(root, "00_start"), solution(load(root, "00_start"))).text)
    build_site(load_config(str(root / "mkdocs.yml")))
    return root / "site"


def test_mkdocs_reads_a_page_as_it_is_meant(site: Path) -> None:
    path = site / "labs/04_routes/index.html"
    elements, html = Elements(path), path.read_text()
    image, still = [tag for tag in elements.of("img") if str(tag["src"]).endswith(".svg")]
    assert still["alt"] == "a flow"
    assert image["alt"] == " ".join(WORDS.split())
    assert (path.parent / str(image["src"])).resolve() == site / "labs/04_routes/first.svg"
    assert (site / "labs/04_routes/first.svg").is_file()
    assert [tag.get("class") for tag in elements.of("details")] == ["note", "note", "success"]
    assert not any("open" in tag for tag in elements.of("details"))
    assert re.search(r'<div class="admonition question">\s*<p class="admonition-title">Predict</p>', html)
    assert "<td>*plain*</td>" in html
    assert any("output" in str(tag.get("class")).split() for tag in elements.of("div"))
    assert any({"highlight", "output"} <= set(str(tag.get("class")).split()) for tag in elements.of("div"))
    assert html.count("<h1") == 1
    assert "<li>first</li>" in html


def test_mkdocs_keeps_a_flow_whole_and_brings_the_player(site: Path) -> None:
    html = (site / "labs/04_routes/index.html").read_text()
    (figure,) = re.findall(r'<figure class="flow">(.*?)</figure>', html, re.DOTALL)
    (data,) = re.findall(r'<script type="application/json">(.*?)</script>', figure)
    assert json.loads(data)["messages"][0]["label"] == "</script><!--&"
    assert figure.count("<img") == 1
    assert (site / "javascripts/flow.js").read_text() == (CHECKOUT / "lab_helpers/draw/flow.js").read_text()
    (loader,) = [
        tag for tag in Elements(site / "labs/04_routes/index.html").of("script") if tag.get("type") == "module"
    ]
    assert (site / "labs/04_routes" / str(loader["src"])).resolve() == site / "javascripts/players.js"


def test_the_labs_are_in_the_navigation_in_order(site: Path) -> None:
    links = [str(tag.get("href")) for tag in Elements(site / "labs/index.html").of("a")]
    pages = [link for link in links if link in ("00_start/", "04_routes/")]
    assert pages[:2] == ["00_start/", "04_routes/"]
    assert len(pages) > 2  # in the table, and in the navigation before it


def test_the_site_asks_nobody_else_for_anything(site: Path) -> None:
    for path in site.rglob("*.html"):
        elements = Elements(path)
        asked = [tag.get("src") for kind in ("script", "img", "iframe") for tag in elements.of(kind)]
        asked += [tag.get("href") for tag in elements.of("link")]
        assert [address for address in asked if re.match(r"(https?:)?//", address or "")] == []
