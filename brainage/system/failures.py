"""Failures that do not end a command: each becomes one note."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from brainage.errors import BrainageError
from brainage.system.console import log
from brainage.system.redaction import redacted


@contextmanager
def noted(notes: list[str], what: str) -> Iterator[None]:
    """Add what failed, and why, to the notes; the traceback of an unknown error is logged, since it may name files."""
    try:
        yield
    except Exception as error:
        if isinstance(error, BrainageError):
            reason = str(error)
        elif isinstance(error, OSError) and error.strerror:
            reason = f"{error.strerror}."
        else:
            reason = f"{type(error).__name__}; see the log."
            log.error(redacted(traceback.format_exc()))
        notes.append(f"{what}: {reason}")
        log.warning("%s", notes[-1])
