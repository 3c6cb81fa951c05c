"""The title card that every lab opens with, as Markdown."""

from __future__ import annotations

from lab_helpers.build.metadata import CLUSTER_NEEDS
from lab_helpers.build.source import LabSource


def card(source: LabSource) -> str:
    """Write a lab's title, promise, time, prerequisites and objectives."""
    lab = source.metadata
    facts = [f"**Part:** {lab.part}", f"**Time:** {lab.minutes} minutes"]
    if lab.prerequisites:
        links = ", ".join(f"[{slug[:2]}]({slug}.ipynb)" for slug in lab.prerequisites)
        facts.append(f"**Do first:** {links}")
    paragraphs = [
        f"# {source.number} · {lab.title}",
        f"*{lab.promise}*",
        " · ".join(facts),
        "**After this lab you can**",
        "\n".join(f"- {objective}" for objective in lab.objectives),
        *(f"> **Note:** This lab {CLUSTER_NEEDS[need]}." for need in lab.cluster),
    ]
    return "\n\n".join(paragraphs)
