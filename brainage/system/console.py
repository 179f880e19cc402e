"""Log lines, progress, and results: what is shown is also in the log of the run, as lines of the level DEBUG."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from brainage.system.screen import columns, marked, title_text

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


def show(text: str) -> None:
    """Print a line of a command's results, and write it to the run's log."""
    text = terminal_text(text)
    print(text)
    log.debug("%s", text)


def show_note(text: str) -> None:
    """Print a note on the results, and write it to the run's log."""
    text = terminal_text(text)
    print(marked("note", text))
    log.debug("note: %s", text)


def show_table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table that fits the terminal, and write it to the run's log.

    A header of empty names, and an empty title, print none. See `brainage.system.tables`.
    """
    # Imports rich.
    from brainage.system.tables import table_text

    title, header, rows = printable(title), [*map(printable, header)], [[*map(printable, row)] for row in rows]
    print("\n".join(filter(None, (title_text(title), table_text(header, rows, columns())))))
    log.debug("%s", "\n".join(filter(None, (title, table_text(header, rows)))))


def cell(value: object, spec: str = ".3f") -> str:
    """Return a value for a table: a float by a format, None as a dash."""
    if value is None:
        return "-"
    return format(value, spec) if isinstance(value, float) else str(value)


def bytes_text(size: float) -> str:
    """Return a size in bytes as text, such as 1.2 MB."""
    unit, name = next((pair for pair in ((1e9, "GB"), (1e6, "MB")) if size >= pair[0]), (1e3, "kB"))
    return f"{size / unit:.1f} {name}"
