"""Ids of the table and of files that nearly match."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

# What may differ, and an id without it. The first that explains a pair is counted.
_DIFFERENCES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("leading zeros", lambda text: text.lstrip("0")),
    ("upper and lower case", str.casefold),
    ("hyphens, underscores, points or spaces", lambda text: re.sub(r"[-_. ]", "", text)),
    ("a prefix such as sub or S", lambda text: re.sub(r"^(subject|subj|sub|s|p)[-_]?(?=.)", "", text, flags=re.I)),
    (
        "a session or visit at the end",
        lambda text: re.sub(r"(?<=.)[-_]+(ses|session|visit|v|t|run)?[-_]?\w{1,3}$", "", text),
    ),
    (
        "several of these",
        lambda text: re.sub(r"[-_. ]", "", re.sub(r"^(subject|subj|sub|s|p)[-_]?0*(?=.)", "", text.casefold())).lstrip(
            "0"
        ),
    ),
)


def near_matches(table: Collection[str], files: Collection[str]) -> dict[str, int]:
    """Count the participants of a table without a file who have one under an id that nearly matches.

    Returns the number by what differs; ids that several would share after the change are not counted.
    """
    left, others = set(table) - set(files), set(files) - set(table)
    counts: dict[str, int] = {}
    for what, bare in _DIFFERENCES:
        own, other = _by_bare_id(left, bare), _by_bare_id(others, bare)
        paired = {own[text]: other[text] for text in own.keys() & other.keys() if text}
        left, others = left - paired.keys(), others - set(paired.values())
        if paired:
            counts[what] = len(paired)
    return counts


def _by_bare_id(ids: Collection[str], bare: Callable[[str], str]) -> dict[str, str]:
    """Return ids by what is left of them, without those of which the same is left."""
    found: dict[str, str] = {}
    twice: set[str] = set()
    for one in ids:
        text = bare(one)
        twice |= {text} & found.keys()
        found[text] = one
    return {text: one for text, one in found.items() if text not in twice}
