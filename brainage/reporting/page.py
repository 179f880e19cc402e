"""Pages of titles, sentences, tables and figures, in one self-contained HTML file."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from brainage.reporting.figure import Figure
from brainage.system.files import as_output_error, write_whole
from brainage.system.provenance import commit, versions


@dataclass(frozen=True)
class Table:
    """A table, with `title` above and `note` below; `text` wraps and left-aligns cells that are sentences."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    note: str = ""
    text: bool = False


@dataclass(frozen=True)
class Section:
    """A part of a page, in the order of its fields.

    `listing` is a long text, such as a config, shown collapsed; `links` are texts and addresses relative to the page.
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
    """A page: heading, summary sentences (`lead`), warnings (`notices`) and sections."""

    title: str
    lead: Sequence[str]
    sections: Sequence[Section] = ()
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
    with as_output_error(figures, ""):
        figures.mkdir(parents=True, exist_ok=True)
    for section in page.sections:
        for figure in section.figures:
            _write(figures / f"{figure.name}.png", figure.png)
    return _write(folder / "report.html", page.html().encode())


def _write(target: Path, content: bytes) -> Path:
    write_whole(target, lambda partial: partial.write_bytes(content))
    return target
