"""The one text of a lab that people edit: ``labs/src/NN_slug/lab.py``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import jupytext
from nbformat import NotebookNode
from yaml import YAMLError  # type: ignore[import-untyped]

from lab_helpers.build.metadata import SLUG, LabMetadata, parse
from lab_helpers.errors import LabsError


@dataclass(frozen=True)
class LabSource:
    """A lab as its author wrote it."""

    root: Path
    """The checkout that the lab is in."""
    slug: str
    """The name of the lab's folder, such as ``04_direct_exchange``."""
    metadata: LabMetadata
    """What the header says."""
    notebook: NotebookNode
    """The cells as they are written, solutions and stubs together."""

    @property
    def number(self) -> str:
        """The lab's number in two digits."""
        return self.slug[:2]

    @property
    def file(self) -> str:
        """The source's path below the checkout, for messages."""
        return f"labs/src/{self.slug}/lab.py"


def slugs(root: Path) -> list[str]:
    """List the labs in order, by their folders.

    Raises
    ------
    LabsError
        A folder has a name that no lab may have, or two labs share a number.
    """
    found = sorted(path.parent.name for path in (root / "labs" / "src").glob("*/lab.py"))
    numbers: dict[str, str] = {}
    for slug in found:
        if not SLUG.fullmatch(slug):
            raise LabsError(
                f"labs/src/{slug} is not a name for a lab.",
                remedy="Call it by two digits, _ and a name in small letters, such as 04_direct_exchange.",
            )
        if slug[:2] in numbers:
            raise LabsError(
                f"The labs {numbers[slug[:2]]} and {slug} have the same number.",
                remedy="Give one of them a number that is free.",
            )
        numbers[slug[:2]] = slug
    return found


def load(root: Path, slug: str) -> LabSource:
    """Read one lab.

    Parameters
    ----------
    root
        The checkout.
    slug
        The lab's full name.

    Raises
    ------
    LabsError
        There is no such lab, or its header cannot be used.
    """
    existing = slugs(root)
    if slug not in existing:
        raise _unknown(slug, existing)
    path = root / "labs" / "src" / slug / "lab.py"
    try:
        notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    except YAMLError as error:
        raise LabsError(
            f"labs/src/{slug}/lab.py: the header is not YAML: {' '.join(str(error).split())}.",
            remedy=f"Correct the header of labs/src/{slug}/lab.py.",
        ) from error
    return LabSource(root, slug, parse(notebook.metadata.get("lab"), slug, existing), notebook)


def find(root: Path) -> list[LabSource]:
    """Read all labs, in order.

    Raises
    ------
    LabsError
        One of them cannot be read.
    """
    return [load(root, slug) for slug in slugs(root)]


def select(root: Path, names: Iterable[str] = ()) -> list[LabSource]:
    """Read the labs that are asked for, in order.

    Parameters
    ----------
    root
        The checkout.
    names
        Numbers or full names: ``4``, ``04`` and ``04_direct_exchange`` are the same lab. None means all.

    Raises
    ------
    LabsError
        A name fits no lab, or a lab cannot be read.
    """
    existing = slugs(root)
    by_name = {slug: slug for slug in existing} | {slug[:2]: slug for slug in existing}
    chosen = set()
    for name in names:
        slug = by_name.get(name.zfill(2))
        if slug is None:
            raise _unknown(name, existing)
        chosen.add(slug)
    return [load(root, slug) for slug in sorted(chosen or existing)]


def _unknown(name: str, existing: list[str]) -> LabsError:
    return LabsError(
        f"There is no lab {name!r}.",
        remedy=f"Choose one of: {', '.join(existing)}." if existing else "labs/src/ holds no lab yet.",
    )
