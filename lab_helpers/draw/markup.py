"""Boxes for Graphviz's HTML-like labels, and the colours that every picture shares.

https://graphviz.org/doc/info/shapes.html#html
"""

from __future__ import annotations

import html

# Every text stands in a filled box of its own, so that one drawing reads well on a light and on a dark page.
EXCHANGE_FILL = "#fde3c8"
QUEUE_FILL = "#dbe7f6"
KEY_FILL = "#ffffff"
INK = "#1b1f24"
LINE = "#7d8590"
"""Contrast of at least 3:1 with white and with black."""
FONT = "Helvetica,Arial,sans-serif"


def small(text: str) -> str:
    """A line of smaller print."""
    return small_markup(html.escape(text))


def small_markup(markup: str) -> str:
    """The same for a text that is markup already."""
    return f'<font point-size="10">{markup}</font>'


def box(fill: str, rows: list[str], *, rounded: bool = False, border: int = 1, padding: int = 3) -> str:
    """A filled box of centred lines, in Graphviz's HTML-like labels."""
    # Space on both sides, because a browser's font may be wider than the one that Graphviz measured.
    cells = "".join(f"<tr><td>&#160;&#160;{row}&#160;&#160;</td></tr>" for row in rows)
    style = ' style="rounded"' if rounded else ""
    return (
        f'<<table bgcolor="{fill}" color="{LINE}" border="{border}" cellborder="0" cellspacing="0" '
        f'cellpadding="{padding}"{style}>{cells}</table>>'
    )
