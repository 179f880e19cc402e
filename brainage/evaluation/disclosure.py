"""What files and pages may show of few participants: one rule, so that no single one can be recomputed.

Groups of fewer than ten are counted, but not described; nor are groups that differ from a described one by fewer than
ten, because the difference would describe those. Extreme values are those of one participant: the 5th and 95th
percentiles take their place, and need 50.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Mask = NDArray[np.bool_]

# Groups of fewer participants are counted, but not described.
MIN_SHOWN = 10

# Participants that percentiles of theirs need.
MIN_RANKED = 50

# Digits of percentiles: exact ones could be a participant's value.
_DIGITS = 3


def may_describe(n: int, n_total: int | None = None) -> bool:
    """Return whether `n` participants may be described, beside a description of all `n_total`."""
    return n >= MIN_SHOWN and (n_total is None or n == n_total or n_total - n >= MIN_SHOWN)


def described_groups(groups: Sequence[Mask], partitions: Sequence[Sequence[Mask]] = ()) -> list[bool]:
    """Return which groups, that together are all rows, may be described.

    Parameters
    ----------
    groups : sequence of array of shape (n_rows,)
        Whether each row is in the group; a row is in one group.
    partitions : sequence of sequence of array of shape (n_rows,)
        Other groups of the same rows, that are described.

    Returns
    -------
    list of bool
        False for groups of fewer than ten; for more, until those that are not described are ten together; and for a
        group that is ten participants more or less than a group of a partition, or than several of one together.
    """
    shown = [may_describe(int(group.sum())) and not _isolates(group, partitions) for group in groups]
    sizes = [int(group.sum()) for group in groups]
    while any(shown) and 0 < sum(size for size, is_shown in zip(sizes, shown, strict=True) if not is_shown) < MIN_SHOWN:
        shown[min((place for place, is_shown in enumerate(shown) if is_shown), key=lambda place: sizes[place])] = False
    return shown


def _isolates(group: Mask, partitions: Sequence[Sequence[Mask]]) -> bool:
    """Return whether fewer than ten participants are the difference between a group and parts of a partition."""
    for parts in partitions:
        around = _union([part for part in parts if (part & group).any()], group)
        inside = _union([part for part in parts if not (part & ~group).any()], group)
        is_covered = not (group & ~around).any()
        if is_covered and 0 < int((around & ~group).sum()) < MIN_SHOWN:
            return True
        if inside.any() and 0 < int((group & ~inside).sum()) < MIN_SHOWN:
            return True
    return False


def _union(groups: Sequence[Mask], like: Mask) -> Mask:
    return np.logical_or.reduce(groups) if groups else np.zeros_like(like)


def shown_summary(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's ``summary.json`` for tables and pages: without errors in parts of fewer than ten participants."""
    hidden = [part for part in ("train", "val", "test") if not may_describe((summary.get("n") or {}).get(part) or 0)]
    shown = {
        key: {part: dict.fromkeys(values) if part in hidden else values for part, values in summary[key].items()}
        for key in ("metrics", "baseline")
        if summary.get(key)
    }
    if "val" in hidden and summary.get("objective"):
        shown["objective"] = {**summary["objective"], "value": None}
    return {**summary, **shown}


def shown_counts(counts: Mapping[str, int]) -> dict[str, int]:
    """Return counts of values for pages and bundles: values of fewer than ten participants are together ``other``."""
    shown = {value: n for value, n in counts.items() if may_describe(n)}
    n_other = sum(counts.values()) - sum(shown.values())
    return {**shown, "other": n_other} if n_other else shown


def withholds(values: ArrayLike) -> bool:
    """Return whether a variable must not be correlated: fewer than ten values differ from the most common one."""
    _, counts = np.unique(np.asarray(values), return_counts=True)
    return bool(counts.sum() - counts.max() < MIN_SHOWN)


def has_rare_level(values: ArrayLike) -> bool:
    """Return whether one of the values is that of fewer than ten participants."""
    _, counts = np.unique(np.asarray(values), return_counts=True)
    return bool(counts.min() < MIN_SHOWN)


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


def drawn_percentiles(values: ArrayLike, percents: Sequence[float]) -> NDArray[np.float64]:
    """Return percentiles for figures, to a hundredth of the power of ten of their spread."""
    found = np.percentile(np.asarray(values, dtype=np.float64), percents)
    spread = float(np.ptp(found))
    return np.round(found, 2 - math.floor(math.log10(spread))) if spread > 0 else found


def drawn_range(values: ArrayLike) -> tuple[float, float] | None:
    """Return the 5th and 95th percentiles, for figures; None for fewer than 50 values."""
    if np.size(values) < MIN_RANKED:
        return None
    low, high = drawn_percentiles(values, [5, 95])
    return float(low), float(high)


def middle_range(values: ArrayLike) -> tuple[float, float] | None:
    """Return the 5th and 95th percentiles to three digits; None for fewer than 50 values."""
    known = np.asarray(values, dtype=np.float64)
    if known.size < MIN_RANKED:
        return None
    low, high = (float(f"{end:.{_DIGITS}g}") for end in np.percentile(known, [5, 95]))
    return low, high


def keyed_hash(text: str, key: bytes) -> str:
    """Return a hash (HMAC) that only the key's owner can compare with a guess."""
    return hmac.digest(key, text.encode(), "sha256").hex()[:16]
