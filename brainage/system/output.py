"""Standard output and error that never raise: a closed pipe or a terminal's encoding must not end a training."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any, TextIO

from brainage.system.console import terminal_text

# What went wrong when something was printed, once.
_lost: list[str] = []


class _Tolerant(io.FileIO):
    """A stream of bytes that drops what cannot be written."""

    def write(self, data: Any) -> int:
        """Write, or drop."""
        try:
            return super().write(data)
        except OSError as error:
            if not _lost:
                _lost.append(error.strerror or type(error).__name__)
            return len(memoryview(data).cast("B"))


class _Plain(io.TextIOWrapper):
    """Standard error without control characters: messages of any library may quote names that others chose."""

    def write(self, text: str) -> int:
        """Write text that a terminal does not obey."""
        return super().write(terminal_text(text))


def protect_output() -> None:
    """Replace the process's own standard output and error by streams that drop what cannot be written.

    Characters outside the terminal's encoding are printed as ``?``, and control characters on standard error.
    """
    if sys.stdout is sys.__stdout__:
        sys.stdout = _protected(sys.stdout, 1)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _protected(sys.stderr, 2)


def _protected(stream: TextIO | None, descriptor: int) -> TextIO:
    if stream is None:  # closed by the caller, `>&-`
        return Path(os.devnull).open("w", encoding="utf-8")
    stream.flush()
    raw = _Tolerant(descriptor, "w", closefd=False)
    lines = descriptor == 2 or raw.isatty()
    kind = _Plain if descriptor == 2 else io.TextIOWrapper
    return kind(io.BufferedWriter(raw), stream.encoding, "replace", line_buffering=lines)


def lost_output() -> str | None:
    """Return why something that was printed did not reach its reader; None if all did."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return _lost[0] if _lost else None
