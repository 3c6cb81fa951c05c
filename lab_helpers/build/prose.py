"""A lab's text as mkdocs wants it: JupyterLab and mkdocs read slightly different Markdown."""

from __future__ import annotations

import re
from urllib.parse import unquote

from markdown.extensions.toc import slugify  # type: ignore[import-untyped]

ADMONITIONS = {
    "Note": "!!! note",
    "Tip": "!!! tip",
    "Warning": "!!! warning",
    "Predict": '!!! question "Predict"',
}
"""What a blockquote that opens with such a word in bold becomes on the site."""

_OPENING = re.compile(rf"\*\*(?P<kind>{'|'.join(ADMONITIONS)}):\*\*\s*(?P<rest>.*)")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_LINK = re.compile(r"\]\((?:(?P<slug>\d\d_[a-z0-9_]+)\.ipynb)?(?:#(?P<fragment>[^)\s]+))?\)")
_ITEM = re.compile(r"(?:[-*+]|1[.)])\s")


def prose(text: str) -> str:
    """Turn a Markdown cell into the site's Markdown.

    Blockquotes that open with a bold word of `ADMONITIONS` become admonitions, links to sibling notebooks
    become links to their pages, and a list that follows a paragraph directly gets the empty line that mkdocs
    needs. What stands in a code fence is left alone.
    """
    lines = text.split("\n")
    written: list[str] = []
    fence = ""
    while lines:
        line = lines.pop(0)
        mark = _FENCE.match(line)
        if fence:
            if mark and line.strip().startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif mark:
            fence = mark[1]
        elif line.startswith(">"):
            quote = [line]
            while lines and lines[0].startswith(">"):
                quote.append(lines.pop(0))
            written += _quote(quote)
            continue
        else:
            if _ITEM.match(line) and written and _is_paragraph(written[-1]):
                written.append("")
            line = _LINK.sub(_site_link, line)
        written.append(line)
    return "\n".join(written)


def _quote(lines: list[str]) -> list[str]:
    inner = [line[1:].removeprefix(" ") for line in lines]
    opening = _OPENING.fullmatch(inner[0])
    if opening:
        content = prose("\n".join([opening["rest"], *inner[1:]])).strip("\n")
        body = [f"    {line}" if line else "" for line in content.split("\n")]
        return [ADMONITIONS[opening["kind"]], "", *body]
    return [f"> {line}".rstrip() for line in prose("\n".join(inner)).split("\n")]


def _is_paragraph(line: str) -> bool:
    """Whether a list that begins on the next line would be swallowed by this one."""
    return bool(line.strip()) and not line.startswith((" ", "#", "|")) and not _ITEM.match(line)


def _site_link(link: re.Match[str]) -> str:
    page = f"{link['slug']}.md" if link["slug"] else ""
    # JupyterLab names a heading by its text; mkdocs names it in small letters.
    anchor = f"#{slugify(unquote(link['fragment']), '-')}" if link["fragment"] else ""
    return f"]({page}{anchor})"
