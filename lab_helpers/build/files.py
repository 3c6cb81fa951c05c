"""Where the generated files of a lab are, and how they are written."""

from __future__ import annotations

import os
from pathlib import Path


def student_file(root: Path, slug: str) -> Path:
    """The notebook that a learner opens."""
    return root / "labs" / f"{slug}.ipynb"


def solution_file(root: Path, slug: str) -> Path:
    """The solved and executed notebook."""
    return root / "labs" / "solutions" / f"{slug}.ipynb"


def page_file(root: Path, slug: str) -> Path:
    """The lab's page on the site."""
    return root / "docs" / "labs" / f"{slug}.md"


def picture_folder(root: Path, slug: str) -> Path:
    """The folder of the page's pictures."""
    return root / "docs" / "labs" / slug


def index_file(root: Path) -> Path:
    """The page that lists all labs."""
    return root / "docs" / "labs" / "index.md"


def read(path: Path) -> str | None:
    """The text of a file, or None where there is none."""
    return path.read_text(encoding="utf-8") if path.is_file() else None


def write(path: Path, text: str) -> bool:
    """Write a file at once or not at all, and only if its text is new.

    Returns
    -------
    bool
        Whether the file was written.
    """
    if read(path) == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return True


def strays(root: Path, slugs: list[str]) -> list[Path]:
    """List what lies among the generated files and belongs to no lab, as paths below the root."""
    labs, docs = root / "labs", root / "docs" / "labs"
    found = [*labs.glob("*.ipynb"), *(labs / "solutions").glob("*.ipynb"), *docs.glob("*.md")]
    found += [path for path in docs.glob("*") if path.is_dir()]
    return sorted(path.relative_to(root) for path in found if path.stem not in slugs and path != docs / "index.md")
