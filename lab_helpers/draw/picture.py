"""A picture with its words: what a notebook shows, what a screen reader says and what a test compares."""

from __future__ import annotations

import html
from dataclasses import dataclass

import graphviz

from lab_helpers.draw.markup import drawable


@dataclass(frozen=True)
class Picture:
    """A drawing and the same thing in words.

    ``text`` is deterministic, so that two runs of a lab compare equal; ``svg`` is empty where the program that
    lays pictures out is missing, and the words then stand alone.
    """

    text: str
    svg: str = ""

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        if self.svg:
            return {"image/svg+xml": self.svg, "text/plain": self.text}
        note = (
            "This would be a picture if Graphviz were installed: <code>sudo apt-get install graphviz</code> "
            "or <code>brew install graphviz</code>. In words it is:"
        )
        return {
            "text/html": f"<p>{note}</p><pre>{html.escape(self.text)}</pre>",
            "text/plain": self.text,
        }


def rendered(graph: graphviz.Digraph, text: str) -> Picture:
    """Lay a graph out with Graphviz and join it with its words."""
    try:
        svg = graph.pipe(format="svg", encoding="utf-8")
    except (graphviz.ExecutableNotFound, graphviz.CalledProcessError):
        # Graphviz is missing, or meets a name that it cannot draw: the words say it all the same.
        return Picture(text)
    # From the XML declaration and comments, which name Graphviz's version, to the drawing itself.
    return Picture(text, with_words(svg[svg.index("<svg") :], text))


def with_words(svg: str, text: str) -> str:
    """Make a drawing one image with a text of its own, and no wider than the page that it stands on."""
    words = html.escape(drawable(text, line_ends=True), quote=True)
    return svg.replace("<svg", f'<svg role="img" aria-label="{words}" style="max-width:100%;height:auto"', 1)
