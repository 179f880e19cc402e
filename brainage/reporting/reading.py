"""How to read a report: ``docs/reading_a_report.md`` as a part of each page, which may be read without a network."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from brainage.system.files import ROOT

_NAME = "reading_a_report.md"
_PACKAGED = ROOT / "brainage" / "reporting" / _NAME
# In a wheel the text is part of the package.
READING = _PACKAGED if _PACKAGED.is_file() else ROOT / "docs" / _NAME


@cache
def reading_html() -> Markup:
    """Return the text without its title as HTML, two levels below a page's title; links stay within the page."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse("## " + READING.read_text(encoding="utf-8").partition("\n## ")[2])
    seen: Counter[str] = Counter()
    for opening, content, closing in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if opening.type == "heading_open":
            opening.tag = closing.tag = f"h{int(opening.tag[1]) + 1}"
            anchor = _anchor(content.content)
            opening.attrSet("id", f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
            seen[anchor] += 1
    for token in tokens:
        if token.type == "table_open":
            token.attrSet("class", "text")
        _keep_within(token.children or ())
    return Markup(parser.renderer.render(tokens, parser.options, {}))


def _keep_within(tokens: Iterable[Token]) -> None:
    """Lead links to headings to their places in the page; links to other files, which have no address, become text."""
    is_kept = True
    for token in tokens:
        if token.type == "link_open":
            address = str(token.attrGet("href"))
            is_kept = address.startswith(("#", "https://doi.org/"))
            if address.startswith("#"):
                token.attrSet("href", f"#{_anchor(address[1:].replace('-', ' '))}")
        if token.type in ("link_open", "link_close") and not is_kept:
            token.tag, token.attrs = "span", {}


def _anchor(heading: str) -> str:
    return "reading-" + re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
