"""Short answers to a learner: each with a rich form for the notebook and a plain one that says the same."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import Any

TONES = {
    "good": ("#1a7f37", "Passed"),
    "bad": ("#b35900", "Not yet"),
    "open": ("#6e7781", "Not attempted"),
    "trouble": ("#b3261e", "Trouble"),
    "note": ("#3b6fb5", "Note"),
}
"""What a card's edge looks like; the word beside it says the same without colour."""


@dataclass(frozen=True)
class Card:
    """One answer.

    Parameters
    ----------
    tone
        A key of :data:`TONES`.
    heading
        A few words in bold.
    body
        Sentences; text between backticks is shown as code.
    data
        Further representations by MIME type, for programs.
    label
        Replaces the tone's word.
    """

    tone: str
    heading: str
    body: str
    data: dict[str, Any] = field(default_factory=dict)
    label: str = ""

    @property
    def text(self) -> str:
        """The plain form."""
        return f"[{self._label.upper()}] {self.heading}: {self.body}" if self.body else self._plain_heading

    @property
    def _label(self) -> str:
        return self.label or TONES[self.tone][1]

    @property
    def _plain_heading(self) -> str:
        return f"[{self._label.upper()}] {self.heading}"

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        colour = TONES[self.tone][0]
        rich = (
            f'<div style="border-left: 4px solid {colour}; padding: 0.4em 0.9em; margin: 0.3em 0">'
            f'<span style="background: {colour}; color: #fff; border-radius: 3px; padding: 0.1em 0.5em; '
            f'font-size: 85%">{html.escape(self._label)}</span> <b>{marked(self.heading)}</b>'
            f'<div style="margin-top: 0.3em">{marked(self.body)}</div></div>'
        )
        return {"text/html": rich, "text/plain": self.text, **self.data}


def marked(text: str) -> str:
    """Escape a text for HTML; backticks make code, line ends stay."""
    escaped = html.escape(text, quote=False)
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", escaped).replace("\n", "<br>")
