"""What mkdocs.yml cannot say by itself: the labs in the navigation are the pages that exist."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the index of the labs and then each lab's page, in order, under "Labs"."""
    labs = sorted((Path(config.docs_dir) / "labs").glob("[0-9][0-9]_*.md"))
    pages = ["labs/index.md", *(f"labs/{page.name}" for page in labs)]
    for entry in config.nav or []:
        if isinstance(entry, dict) and "Labs" in entry:
            entry["Labs"] = pages
    return config
