"""Checks that every split passes: no part is empty, and no participant or family is in two parts."""

from __future__ import annotations

from collections.abc import Mapping

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


def check_disjoint(split: pd.Series[str], families: Mapping[str, object]) -> None:
    """Raise SplitError if a participant or a family, see `family_of`, is in more than one part."""
    part_of: dict[object, str] = {}
    straddling: set[object] = set()
    for participant, part in split.items():
        key = group_key(str(participant), families)
        if part_of.setdefault(key, part) != part:
            straddling.add(key)
    if straddling:
        raise SplitError(
            f"`split` puts {len(straddling)} participants or families into more than one part, but each must be in "
            "one. Correct the split that was given."
        )


def family_of(table: pd.DataFrame) -> dict[str, object]:
    """Return the family of each participant that has one, by `participant_id`."""
    if "family_id" not in table:
        return {}
    known = table.loc[table["family_id"].notna(), ["participant_id", "family_id"]]
    return dict(zip(known["participant_id"].astype(str), known["family_id"], strict=True))


def group_key(participant: str, families: Mapping[str, object]) -> object:
    """Return a key that participants of one family share; without a family, each has their own."""
    return ("family", families[participant]) if participant in families else ("alone", participant)
