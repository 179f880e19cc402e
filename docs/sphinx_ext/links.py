"""Links of the Markdown files, which are written for readers of the repository, as links between pages of the site.

A file outside ``docs/`` is a page of the site if a page consists of ``{include}`` with its path.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parents[1]
_INCLUDED = re.compile(r"^```\{include\} (\S+)$", flags=re.MULTILINE)
_LINK = re.compile(r"(?<=\]\()([^()\s#:]+)(?=[#)])")


def included_files() -> dict[Path, Path]:
    """Return the page of each file that a page includes."""
    pages = [page for page in DOCS.rglob("*.md") if "_build" not in page.parts]
    return {
        (page.parent / path).resolve(): page for page in pages for path in _INCLUDED.findall(page.read_text("utf-8"))
    }


def for_the_site(text: str, file: Path, page: Path, pages: dict[Path, Path]) -> str:
    """Return the text of a file with its links as seen from a page: to pages instead of files that they include."""

    def replaced(link: re.Match[str]) -> str:
        target = (file.parent / link[1]).resolve()
        if target == DOCS / "gallery":
            target = DOCS / "auto_gallery" / "index.rst"
        if target.parent == DOCS / "gallery" and target.suffix == ".py":
            target = DOCS / "auto_gallery" / f"{target.stem}.rst"
        return os.path.relpath(pages.get(target, target), page.parent)

    return _LINK.sub(replaced, text)


def setup(app: Sphinx) -> dict[str, Any]:
    """Rewrite what Sphinx reads and includes."""
    pages = included_files()

    def read(app: Sphinx, docname: str, content: list[str]) -> None:
        page = DOCS / f"{docname}.md"
        if page.is_file():
            content[0] = for_the_site(content[0], page, page, pages)

    def include(app: Sphinx, path: Path, docname: str, content: list[str]) -> None:
        # `docname` is a stem only; https://github.com/executablebooks/MyST-Parser, mocking.py
        content[0] = for_the_site(content[0], DOCS / path, DOCS / f"{app.env.docname}.md", pages)

    app.connect("source-read", read)
    app.connect("include-read", include)
    return {"parallel_read_safe": True}
