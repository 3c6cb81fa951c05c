"""Short answers to a learner: each with a rich form for the notebook and a plain one that says the same."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
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
    rows
        A small table under the body: a word and what belongs to it, as ("Expected", "2 messages").
    look
        A last sentence that says where to look or what to do.
    """

    tone: str
    heading: str
    body: str
    data: dict[str, Any] = field(default_factory=dict)
    label: str = ""
    rows: Sequence[tuple[str, str]] = ()
    look: str = ""

    @property
    def text(self) -> str:
        """The plain form."""
        first = f"[{self._label.upper()}] {self.heading}: {self.body}" if self.body else self._plain_heading
        width = max((len(name) for name, _ in self.rows), default=0) + 1
        table = [f"  {name + ':':<{width}} {value}" for name, value in self.rows]
        return "\n".join([first, *table, *([f"  {self.look}"] if self.look else [])])

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
        cells = "".join(
            f'<tr><th scope="row" style="text-align: left; padding: 0.1em 1em 0.1em 0">{html.escape(name)}</th>'
            f'<td style="text-align: left; padding: 0.1em 0">{marked(value)}</td></tr>'
            for name, value in self.rows
        )
        table = f'<table style="margin: 0.4em 0; border: 0; font-size: inherit">{cells}</table>' if cells else ""
        look = f'<div style="margin-top: 0.3em">{marked(self.look)}</div>' if self.look else ""
        rich = (
            f'<div style="border-left: 4px solid {colour}; padding: 0.4em 0.9em; margin: 0.3em 0">'
            f'<span style="background: {colour}; color: #fff; border-radius: 3px; padding: 0.1em 0.5em; '
            f'font-size: 85%">{html.escape(self._label)}</span> <b>{marked(self.heading)}</b>'
            f'<div style="margin-top: 0.3em">{marked(self.body)}</div>{table}{look}</div>'
        )
        return {"text/html": rich, "text/plain": self.text, **self.data}


@dataclass(frozen=True)
class CodeCard:
    """A piece of code, with a sentence on it.

    Parameters
    ----------
    label, heading
        As of a :class:`Card`.
    code
        What is shown.
    note
        A sentence under it.
    """

    label: str
    heading: str
    code: str
    note: str = ""

    @property
    def text(self) -> str:
        """The plain form."""
        return "\n".join([f"[{self.label.upper()}] {self.heading}:", self.code, *([self.note] if self.note else [])])

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        above = Card("note", self.heading, "", label=self.label)._repr_mimebundle_()["text/html"]
        note = f"<p>{marked(self.note)}</p>" if self.note else ""
        return {
            "text/html": f"{above}<pre><code>{html.escape(self.code)}</code></pre>{note}",
            "text/plain": self.text,
        }


def marked(text: str) -> str:
    """Escape a text for HTML; backticks make code, line ends stay."""
    escaped = html.escape(text, quote=False)
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", escaped).replace("\n", "<br>")
