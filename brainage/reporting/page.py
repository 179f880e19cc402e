"""Pages of titles, sentences, tables and figures, in one self-contained HTML file."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from brainage.reporting.figure import Figure
from brainage.reporting.reading import reading_html
from brainage.system.files import as_output_error, write_whole
from brainage.system.provenance import commit, versions

# Columns and characters of a row for which a phone is wide enough, and characters of half a wide screen, in two lines.
_N_COLUMNS, _N_NARROW, _N_HALF = 4, 42, 110

# An escaped DOI, without the punctuation of the sentence around it.
_DOI = re.compile(r"\b10\.\d{4,9}/[^\s,;<>&]*[^\s,;<>&.)]")


@dataclass(frozen=True)
class Card:
    """A headline number: what it is, its value with unit, and a line below."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A table, with `title` above and `note` below; `text` wraps and left-aligns cells that are sentences."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    note: str = ""
    text: bool = False

    @property
    def stacks(self) -> bool:
        """Whether each row is a list of named cells where the screen is narrow, so that no column is cut."""
        if self.text or not self.header or not self.rows:
            return len(self.header) > _N_COLUMNS
        first, *others = zip(*self.rows, strict=False)
        # The first column wraps between words.
        n_characters = max(len(word) for cell in first for word in [*cell.split(), ""])
        n_characters += sum(max(map(len, column)) for column in others)
        return len(self.header) > _N_COLUMNS or n_characters > _N_NARROW

    @property
    def is_wide(self) -> bool:
        """Whether it needs more than half of a wide screen."""
        rows = [row for row in (self.header, *self.rows) if row]
        return self.text or sum(max(map(len, column)) for column in zip(*rows, strict=False)) > _N_HALF


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

    @property
    def layout(self) -> str:
        """``split``: tables and figures side by side; ``half``: beside another section; ``full``: neither."""
        if self.listing or self.links or not self.tables or any(table.is_wide for table in self.tables):
            return "full"
        return "split" if self.figures else "half"


def some(drawn: Sequence[Figure | None]) -> list[Figure]:
    """Return the figures that could be drawn."""
    return [figure for figure in drawn if figure is not None]


@dataclass(frozen=True)
class Page:
    """A page: heading, facts, cards, summary sentences (`lead`), warnings (`notices`) and sections."""

    title: str
    lead: Sequence[str]
    sections: Sequence[Section] = ()
    notices: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = ()
    cards: Sequence[Card] = ()

    @property
    def layouts(self) -> list[str]:
        """The layouts of the sections; ``full`` for a half without a neighbour."""
        found: list[str] = []
        for is_half, run in groupby((section.layout for section in self.sections), lambda layout: layout == "half"):
            layouts = list(run)
            found += [*layouts[:-1], "full"] if is_half and len(layouts) % 2 else layouts
        return found

    def html(self) -> str:
        """Return the page as HTML; all texts are escaped."""
        environment = Environment(
            loader=PackageLoader("brainage.reporting", "."), autoescape=True, undefined=StrictUndefined
        )
        environment.filters["base64"] = lambda data: base64.b64encode(data).decode()
        environment.filters["linked"] = linked
        return environment.get_template("page.html").render(page=self, reading=reading_html())


def linked(text: str) -> Markup:
    """Return an escaped text whose DOIs are links."""
    return Markup(_DOI.sub(r'<a href="https://doi.org/\g<0>">\g<0></a>', str(escape(text))))


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
            vector = figures / f"{figure.name}.svg"
            if figure.svg:
                _write(vector, figure.svg)
            else:
                vector.unlink(missing_ok=True)  # of an earlier report
    return _write(folder / "report.html", page.html().encode())


def _write(target: Path, content: bytes) -> Path:
    write_whole(target, lambda partial: partial.write_bytes(content))
    return target
