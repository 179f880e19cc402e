"""What a terminal shows: its width and colours, and log lines on standard output."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import textwrap
from typing import TextIO

# Colours of ANSI for what is to be seen among other lines.
_COLOURS = {"note": 36, "warning": 33}


def columns() -> int | None:
    """Return the width of the terminal, or what COLUMNS says; None in a pipe or a file, which have no width."""
    return shutil.get_terminal_size().columns if "COLUMNS" in os.environ or sys.stdout.isatty() else None


def marked(kind: str, text: str) -> str:
    """Return a note or a warning for the screen: its kind in colour, and lines wrapped at words.

    Lines that begin with a blank are commands, which are copied, and stay one line.
    """
    return _styled(f"{kind}:", f"1;{_COLOURS[kind]}") + wrapped(f"{kind}: {text}").removeprefix(f"{kind}:")


def title_text(text: str) -> str:
    """Return a title for the screen: bold, and wrapped at words."""
    return _styled(wrapped(text), "1")


def _styled(text: str, style: str) -> str:
    coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return f"\x1b[{style}m{text}\x1b[0m" if coloured and text else text


def wrapped(text: str) -> str:
    """Return a text whose lines have the terminal's width, and break between words only."""
    width = columns()
    if width is None:
        return text
    wrapper = textwrap.TextWrapper(width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return "\n".join(line if line.startswith(" ") else wrapper.fill(line) for line in text.split("\n"))


class Screen(logging.StreamHandler[TextIO]):
    """Log lines on standard output as it is at that moment: a progress bar replaces it while it is shown."""

    def __init__(self) -> None:
        logging.Handler.__init__(self, logging.INFO)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """Standard output."""
        return sys.stdout

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; warnings are marked."""
        text = super().format(record)
        return marked("warning", text) if record.levelno == logging.WARNING else text


def log_to_screen() -> None:
    """Show the log lines of a command that Hydra does not run."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[Screen()])
