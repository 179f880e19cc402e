"""Tables as text of at most a width, in which no word and no number is broken."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Blanks between two columns.
_GAP = 2


@dataclass(frozen=True)
class _Column:
    """A column, and whether its cells are text, which may be wrapped, or numbers."""

    name: str
    cells: Sequence[str]
    is_text: bool

    @property
    def natural(self) -> int:
        """Its width without wrapping."""
        return max(map(cell_len, (self.name, *self.cells)))

    @property
    def least(self) -> int:
        """The width of what may not be broken."""
        cells = [word for cell in self.cells for word in cell.split()] if self.is_text else self.cells
        return max(map(cell_len, ("", *self.name.split(), *cells)))


def table_text(header: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None) -> str:
    """Return a table as text; columns of numbers are right-aligned, except the first one.

    In a table that is too wide, text is wrapped between words. Where that is not enough, the columns are in several
    tables below each other, each with the first column.
    """
    columns = []
    for number, name in enumerate(header):
        cells = [row[number] for row in rows]
        columns.append(_Column(name, cells, number == 0 or any(cell[:1].isalpha() for cell in cells)))
    return "\n\n".join(_text(block, width) for block in _blocks(columns, width))


def _blocks(columns: Sequence[_Column], width: int | None) -> list[list[_Column]]:
    """Return the columns of each table."""
    first, *others = columns
    blocks = [[first]]
    for column in others:
        if width is not None and len(blocks[-1]) > 1 and _total([one.least for one in (*blocks[-1], column)]) > width:
            blocks.append([first])
        blocks[-1].append(column)
    return blocks


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _text(columns: Sequence[_Column], width: int | None) -> str:
    widths = _widths(columns, width)
    table = Table(box=None, pad_edge=False, show_header=any(column.name for column in columns))
    for column, own in zip(columns, widths, strict=True):
        table.add_column(Text(column.name), justify="left" if column.is_text else "right", width=own)
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(Text, row))
    out = io.StringIO()
    Console(file=out, width=_total(widths) + _GAP, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _widths(columns: Sequence[_Column], width: int | None) -> list[int]:
    """Return the width of each column: the widest ones give way first, down to what may not be broken."""
    widths, least = [column.natural for column in columns], [column.least for column in columns]
    while width is not None and _total(widths) > width and widths != least:
        widest = max((n for n in range(len(widths)) if widths[n] > least[n]), key=lambda n: widths[n])
        widths[widest] -= 1
    return widths
