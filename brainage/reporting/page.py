"""A page: titles, sentences, tables and figures, in one HTML file that loads nothing from elsewhere."""

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
    """Rows of text.

    Parameters
    ----------
    header : sequence of str
        Column names; none for a table without a header.
    rows : sequence of sequences of str
        The cells.
    title, note : str
        Above it and below it.
    text : bool
        Whether cells are sentences, which are wrapped and set to the left.
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
        Something long, such as a config, that is folded away.
    links : sequence of (str, str)
        Below everything: words, and the address that they lead to, relative to the page.
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
    """A report.

    Parameters
    ----------
    title : str
        Its heading.
    lead : sequence of str
        What a reader is to know first.
    sections : sequence of Section
        What follows.
    notices : sequence of str
        Warnings, above everything else.
    """

    title: str
    lead: Sequence[str]
    sections: Sequence[Section] = field(default_factory=list)
    notices: Sequence[str] = ()

    def html(self) -> str:
        """Return the page as HTML. Everything in it is text: no name or cell is taken for markup."""
        environment = Environment(
            loader=PackageLoader("brainage.reporting", "."), autoescape=True, undefined=StrictUndefined
        )
        return environment.get_template("page.html").render(page=_Encoded(self))


class _Encoded:
    """A page whose figures are text."""

    def __init__(self, page: Page) -> None:
        self.title, self.lead, self.notices = page.title, page.lead, page.notices
        self.sections = [
            {**vars(section), "figures": [_encoded(figure) for figure in section.figures]} for section in page.sections
        ]


def _encoded(figure: Figure) -> dict[str, object]:
    return {**vars(figure), "base64": base64.b64encode(figure.png).decode()}


def made_with() -> list[tuple[str, str]]:
    """Return what every page says of its making: when, at which commit, with which versions."""
    return [
        ("written", time.strftime("%Y-%m-%d %H:%M")),
        ("commit", commit() or "unknown"),
        ("versions", ", ".join(f"{name} {version}" for name, version in versions().items())),
    ]


def write_report(folder: Path, page: Page) -> Path:
    """Write ``report.html``, and its figures under ``figures/``.

    Parameters
    ----------
    folder : Path
        Where both go.
    page : Page
        What to write.

    Returns
    -------
    Path
        The report.
    """
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    for section in page.sections:
        for figure in section.figures:
            png = figure.png
            write_whole(figures / f"{figure.name}.png", lambda path, png=png: path.write_bytes(png))  # type: ignore[misc]
    target, html = folder / "report.html", page.html()
    write_whole(target, lambda path: path.write_text(html, encoding="utf-8"))
    return target
