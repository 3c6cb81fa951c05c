"""What a lab says about itself: the ``lab:`` block in the header of its ``lab.py``."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from lab_helpers.errors import LabsError

SLUG = re.compile(r"\d\d_[a-z0-9_]+")
"""What a lab's folder may be called: its number, then its name."""

CLUSTER_NEEDS = {
    "break-nodes": "stops or breaks nodes: not on an external cluster",
}
"""What a lab may ask of the cluster, and how a learner is told so."""

Text = Annotated[str, Field(min_length=1, pattern=r"^\S.*\S$")]


class LabMetadata(BaseModel):
    """The header of a lab; a key that is not listed here is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Text
    """The lab's name, without its number."""
    promise: Text
    """One sentence that says what the learner gets."""
    part: Text
    """The part of the course that the lab belongs to."""
    minutes: Annotated[int, Field(strict=True, ge=5, le=60)]
    """How long the lab takes."""
    objectives: Annotated[tuple[Text, ...], Field(min_length=2, max_length=4)]
    """Each completes the sentence "After this lab you can …"."""
    prerequisites: tuple[str, ...] = ()
    """The slugs of the labs to do first."""
    cluster: tuple[str, ...] = ()
    """What the lab asks of the cluster, by the keys of `CLUSTER_NEEDS`."""

    @field_validator("cluster")
    @classmethod
    def _known_needs(cls, needs: tuple[str, ...]) -> tuple[str, ...]:
        for need in needs:
            if need not in CLUSTER_NEEDS:
                raise ValueError(f"{need!r} is not a known need; known are: {', '.join(CLUSTER_NEEDS)}")
        return needs


def parse(header: object, slug: str, slugs: Collection[str]) -> LabMetadata:
    """Read a lab's header.

    Parameters
    ----------
    header
        The ``lab:`` block as YAML gave it; None where there is none.
    slug
        The lab that the header belongs to.
    slugs
        All labs that exist, which a prerequisite may name.

    Raises
    ------
    LabsError
        A field is missing, wrong or unknown; names the file and the field.
    """
    file = f"labs/src/{slug}/lab.py"
    if not isinstance(header, dict):
        raise LabsError(
            f"{file} has no `lab:` block in its header.",
            remedy="Begin the file with the header that docs/how-to/contribute-a-lab.md shows.",
        )
    try:
        metadata = LabMetadata.model_validate(header)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise _wrong(file, field, first["msg"].removeprefix("Value error, ")) from error
    for prerequisite in metadata.prerequisites:
        if prerequisite not in slugs:
            raise _wrong(file, "prerequisites", f"there is no lab {prerequisite!r}")
        if prerequisite[:2] >= slug[:2]:
            raise _wrong(file, "prerequisites", f"{prerequisite!r} does not come before this lab")
    return metadata


def _wrong(file: str, field: str, why: str) -> LabsError:
    return LabsError(f"{file}: the header's field `{field}` is wrong: {why}.", remedy=f"Correct it in {file}.")
