"""What may be shown of participants' values and groups, by the rule of `brainage.evaluation.disclosure`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainage.evaluation.disclosure import MIN_RANKED, MIN_SHOWN, may_describe

Mask = NDArray[np.bool_]

# Digits of percentiles: exact ones could be a participant's value.
_DIGITS = 3


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


def withholds(values: ArrayLike) -> bool:
    """Return whether a variable must not be correlated: fewer than ten values differ from the most common one."""
    _, counts = np.unique(np.asarray(values), return_counts=True)
    return bool(counts.sum() - counts.max() < MIN_SHOWN)


def has_rare_level(values: ArrayLike) -> bool:
    """Return whether one of the values is that of fewer than ten participants."""
    _, counts = np.unique(np.asarray(values), return_counts=True)
    return bool(counts.min() < MIN_SHOWN)


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
