"""Remove participant ids from texts that other libraries wrote, such as tracebacks."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Ids of every table that this process has read.
_registered: set[str] = set()


def register(ids: Iterable[str]) -> None:
    """Register participant ids; call it where they are read."""
    _registered.update(one for one in ids if one)


def redacted(text: str) -> str:
    """Return a text with ``<participant>`` in place of every registered id."""
    for participant in sorted((one for one in _registered if one in text), key=len, reverse=True):
        text = re.sub(rf"(?<![A-Za-z0-9])(sub-)?{re.escape(participant)}(?![A-Za-z0-9])", "<participant>", text)
    return text
