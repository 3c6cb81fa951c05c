"""Boxes for Graphviz's HTML-like labels, and what every picture shares: colours, and texts that can be drawn.

https://graphviz.org/doc/info/shapes.html#html
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

# Every text stands in a filled box of its own, so that one drawing reads well on a light and on a dark page.
EXCHANGE_FILL = "#fde3c8"
QUEUE_FILL = "#dbe7f6"
KEY_FILL = "#ffffff"
PANEL_FILL = "#fafbfc"
"""Behind a whole drawing whose texts have no boxes."""
INK = "#1b1f24"
LINE = "#7d8590"
"""Contrast of at least 3:1 with white and with black."""
FONT = "Helvetica,Arial,sans-serif"

UNDRAWABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML cannot hold (https://www.w3.org/TR/xml/#charsets), and control characters besides."""


def drawable(text: str, *, line_ends: bool = False) -> str:
    """The text with "�" for each character that a drawing cannot hold; on one line unless ``line_ends``."""
    return UNDRAWABLE.sub("\ufffd", text if line_ends else re.sub(r"[\t\n\r]", " ", text))


def shortened(text: str, most: int) -> str:
    """The text with "…" for its middle if it is longer than ``most`` characters: names often differ in their ends."""
    if len(text) <= most:
        return text
    end = (most - 1) // 3
    return f"{text[: most - 1 - end]}…{text[len(text) - end :]}"


def small(text: str) -> str:
    """A line of smaller print."""
    return small_markup(html.escape(text))


def small_markup(markup: str) -> str:
    """The same for a text that is markup already."""
    return f'<font point-size="10">{markup}</font>'


def box(fill: str, rows: list[str], *, rounded: bool = False, border: int = 1, padding: int = 3, sign: str = "") -> str:
    """A filled box of centred lines, in Graphviz's HTML-like labels; a sign stands left of them all."""
    # Space on both sides, because a browser's font may be wider than the one that Graphviz measured. A cell holds
    # texts or a table, never both.
    cells = [
        f"<td>{row}</td>" if row.startswith("<table") else f"<td>&#160;&#160;{row}&#160;&#160;</td>" for row in rows
    ]
    if sign:
        cell = (
            f'<td rowspan="{len(rows)}" border="1" sides="R" color="{LINE}">&#160;<b>{html.escape(sign)}</b>&#160;</td>'
        )
        cells[0] = cell + cells[0]
    lines = "".join(f"<tr>{cell}</tr>" for cell in cells)
    style = ' style="rounded"' if rounded else ""
    return (
        f'<<table bgcolor="{fill}" color="{LINE}" border="{border}" cellborder="0" cellspacing="0" '
        f'cellpadding="{padding}"{style}>{lines}</table>>'
    )


TAGS_A_ROW = 2


def tags(markups: Iterable[str]) -> list[str]:
    """Rows of small boxes of their own inside a box."""
    cells = [
        f'<td bgcolor="{KEY_FILL}" color="{LINE}" border="1" cellpadding="1">&#160;{small_markup(markup)}&#160;</td>'
        for markup in markups
    ]
    rows = [cells[at : at + TAGS_A_ROW] for at in range(0, len(cells), TAGS_A_ROW)]
    return [
        f'<table border="0" cellborder="0" cellspacing="2">{"".join(["<tr>", *row, "</tr>"])}</table>' for row in rows
    ]
