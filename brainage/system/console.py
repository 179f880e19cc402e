"""Log lines, progress and tables; progress bars on a terminal, plain lines in a file."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")

log = logging.getLogger("brainage")

# Seconds between two plain lines of progress.
_LINE_INTERVAL = 10.0


def bar() -> Progress:
    """Return a progress bar for a terminal, to be used as a context manager."""
    # Rich takes a tenth of the time of `--help`, which needs none of it.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(file=sys.stdout),
        transient=True,
    )


def track(items: Iterable[T], total: int, label: str) -> Iterator[T]:
    """Yield the items and show the progress under this label."""
    if sys.stdout.isatty():
        with bar() as progress:
            yield from progress.track(items, total=total, description=label)
        return
    last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        if time.monotonic() - last >= _LINE_INTERVAL and done < total:
            last = time.monotonic()
            log.info("%s: %d of %d", label, done, total)


def printable(text: str) -> str:
    """Return a text with control characters replaced by ``?``."""
    return "".join(character if character.isprintable() else "?" for character in text)


def terminal_text(text: str) -> str:
    """Return lines of text without control characters, which a terminal would obey."""
    return "".join(one if one.isprintable() or one in "\n\t" else "?" for one in text)


def _without_control_characters(record: logging.LogRecord) -> bool:
    record.msg, record.args = terminal_text(record.getMessage()), ()
    return True


# Names of sites, columns and tensors are written by others; every message passes here.
log.addFilter(_without_control_characters)


def show_table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; lines are never wrapped, and columns after the first are right-aligned.

    A header of empty names, and an empty title, print none.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    heading = Text(printable(title)) if title else None
    table = Table(title=heading, title_justify="left", box=None, pad_edge=False, show_header=any(header))
    for index, name in enumerate(header):
        table.add_column(Text(printable(name)), justify="right" if index else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(printable(text)) for text in row))
    # Rich would cut columns to the width, 80 characters in a file.
    Console(file=sys.stdout, highlight=False, width=10_000).print(table)


def cell(value: object, spec: str = ".3f") -> str:
    """Return a value for a table: a float by a format, None as a dash."""
    if value is None:
        return "-"
    return format(value, spec) if isinstance(value, float) else str(value)


def bytes_text(size: float) -> str:
    """Return a size in bytes as text, such as 1.2 MB."""
    unit, name = next((pair for pair in ((1e9, "GB"), (1e6, "MB")) if size >= pair[0]), (1e3, "kB"))
    return f"{size / unit:.1f} {name}"
