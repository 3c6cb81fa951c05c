"""What mkdocs.yml cannot say by itself: which labs are in the navigation, and where the flow player is."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the index of the labs and then each lab's page, in order, under "Labs"."""
    labs = sorted((Path(config.docs_dir) / "labs").glob("[0-9][0-9]_*.md"))
    pages = ["labs/index.md", *(f"labs/{page.name}" for page in labs)]
    for entry in config.nav or []:
        if isinstance(entry, dict) and "Labs" in entry:
            entry["Labs"] = pages
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Put the flow player, the same module that JupyterLab gets, beside the script that loads it."""
    package = find_spec("lab_helpers")
    folder = Path((package.submodule_search_locations or [""])[0]) if package else Path()
    files.append(File.generated(config, "javascripts/flow.js", abs_src_path=str(folder / "draw" / "flow.js")))
    return files
