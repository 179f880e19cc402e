"""Checks that every split passes: no part is empty, and no participant or family is in two parts."""

from __future__ import annotations

import pandas as pd

from brainage.data.splits import PARTS
from brainage.errors import SplitError


def check_parts(split: pd.Series[str]) -> None:
    """Raise SplitError, with the size of each part, if one is empty."""
    sizes = {part: int((split == part).sum()) for part in PARTS}
    empty = [part for part, size in sizes.items() if size == 0]
    if empty:
        counts = ", ".join(f"{part} {size}" for part, size in sizes.items())
        raise SplitError(
            f"`split` leaves no participant in {' and '.join(empty)}, but every part needs at least one (got {counts} "
            f"of {len(split)}). Include more participants, or change the shares of the split."
        )


def check_disjoint(table: pd.DataFrame) -> None:
    """Raise SplitError if a participant or a family of a table with a column `split` is in more than one part."""
    n_parts = table["split"].groupby(group_keys(table)).nunique()
    if n_divided := int((n_parts > 1).sum()):
        raise SplitError(
            f"`split` puts {n_divided} participants or families into more than one part, but each must be in one. "
            "Correct the split that was given."
        )


def group_keys(table: pd.DataFrame) -> pd.Series[str]:
    """Return a key for each participant, which the members of a family share."""
    keys = "participant " + table["participant_id"].astype(str)
    if "family_id" in table:
        keys = keys.mask(table["family_id"].notna(), "family " + table["family_id"].astype(str))
    return keys
