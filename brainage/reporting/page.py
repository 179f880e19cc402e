"""Pages of titles, sentences, tables and figures, in one self-contained HTML file."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from brainage.reporting.figure import Figure
from brainage.system.files import write_whole
from brainage.system.provenance import commit, versions


@dataclass(frozen=True)
class Table:
    """A table of text.

    Parameters
    ----------
    header : sequence of str
        Column names; empty for a table without a header.
    rows : sequence of sequences of str
        The cells.
    title, note : str
        Text above and below the table.
    text : bool
        Whether cells are sentences: wrapped and left-aligned.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    note: str = ""
    text: bool = False


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Parameters
    ----------
    title : str
        Its heading.
    texts : sequence of str
        Paragraphs.
    tables : sequence of Table
        Below the paragraphs.
    figures : sequence of Figure
        Below the tables.
    listing, listing_title : str
        A long text, such as a config, shown collapsed, and its heading.
    links : sequence of (str, str)
        Link texts and addresses relative to the page, at the end.
    """

    title: str
    texts: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    listing: str = ""
    listing_title: str = ""
    links: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Page:
    """A page.

    Parameters
    ----------
    title : str
        Its heading.
    lead : sequence of str
        Summary sentences at the top.
    sections : sequence of Section
        The sections.
    notices : sequence of str
        Warnings, below the summary.
    """

    title: str
    lead: Sequence[str]
    sections: Sequence[Section] = field(default_factory=list)
    notices: Sequence[str] = ()

    def html(self) -> str:
        """Return the page as HTML; all texts are escaped."""
        environment = Environment(
            loader=PackageLoader("brainage.reporting", "."), autoescape=True, undefined=StrictUndefined
        )
        environment.filters["base64"] = lambda data: base64.b64encode(data).decode()
        return environment.get_template("page.html").render(page=self)


def made_with() -> list[tuple[str, str]]:
    """Return date, commit and versions, as every page shows them."""
    return [
        ("written", time.strftime("%Y-%m-%d %H:%M")),
        ("commit", commit() or "unknown"),
        ("versions", ", ".join(f"{name} {version}" for name, version in versions().items())),
    ]


def write_report(folder: Path, page: Page) -> Path:
    """Write ``report.html`` and ``figures/`` into a folder, and return the path of the report."""
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    for section in page.sections:
        for figure in section.figures:
            png = figure.png
            write_whole(figures / f"{figure.name}.png", lambda path, png=png: path.write_bytes(png))  # type: ignore[misc]
    target, html = folder / "report.html", page.html()
    write_whole(target, lambda path: path.write_text(html, encoding="utf-8"))
    return target
