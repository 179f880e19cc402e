"""What files and pages may show of few participants: one rule, so that no single one can be recomputed.

Groups of fewer than ten are counted, but not described; nor are groups that differ from a described one by fewer than
ten, because the difference would describe those. Extreme values are those of one participant: the 5th and 95th
percentiles take their place, and need 50.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

# Groups of fewer participants are counted, but not described.
MIN_SHOWN = 10

# Participants that percentiles of theirs need.
MIN_RANKED = 50


def may_describe(n: int, n_total: int | None = None) -> bool:
    """Return whether `n` participants may be described, beside a description of all `n_total`."""
    return n >= MIN_SHOWN and (n_total is None or n == n_total or n_total - n >= MIN_SHOWN)


def shown_summary(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's ``summary.json`` for tables and pages: without errors in parts of fewer than ten participants."""
    hidden = [part for part in ("train", "val", "test") if not may_describe((summary.get("n") or {}).get(part) or 0)]
    shown = {
        key: {part: dict.fromkeys(values) if part in hidden else values for part, values in summary[key].items()}
        for key in ("metrics", "baseline")
        if summary.get(key)
    }
    if "val" in hidden and summary.get("objective"):
        shown["objective"] = {**dict.fromkeys(summary["objective"]), "name": summary["objective"].get("name")}
    return {**summary, **shown}


def shown_counts(counts: Mapping[str, int]) -> dict[str, int]:
    """Return counts of values for pages and bundles: values of fewer than ten participants are together ``other``."""
    shown = {value: n for value, n in counts.items() if may_describe(n)}
    n_other = sum(counts.values()) - sum(shown.values())
    return {**shown, "other": n_other} if n_other else shown


def merged(counts: Sequence[int]) -> list[slice]:
    """Return neighbouring groups merged until each has ten participants; the last takes what remains."""
    ends, n = [], 0
    for position, count in enumerate(counts, start=1):
        n += count
        if n >= MIN_SHOWN:
            ends.append(position)
            n = 0
    ends = [*ends[:-1], len(counts)]
    return [slice(begin, end) for begin, end in zip([0, *ends], ends, strict=False)]


def keyed_hash(text: str, key: bytes) -> str:
    """Return a hash (HMAC) that only the key's owner can compare with a guess."""
    return hmac.digest(key, text.encode(), "sha256").hex()[:16]
