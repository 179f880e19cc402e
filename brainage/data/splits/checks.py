"""Who trains, who validates, who is tested: what holds for every split, whoever drew it.

A split is a Series of the parts, indexed by `participant_id`. `brainage.data.splits.draw` draws them over people,
before anybody looks at files; `brainage.data.splits.fixed` reads one.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from brainage.errors import SplitError

PARTS = ("train", "val", "test")


def check_parts(split: pd.Series[str]) -> None:
    """Refuse a split that leaves a part empty.

    Parameters
    ----------
    split : Series of str
        A part a participant.

    Raises
    ------
    SplitError
        The message holds the size of each part.
    """
    sizes = {part: int((split == part).sum()) for part in PARTS}
    empty = [part for part, size in sizes.items() if size == 0]
    if empty:
        counts = ", ".join(f"{part} {size}" for part, size in sizes.items())
        raise SplitError(
            f"`split` leaves no participant in {' and '.join(empty)}, but every part needs at least one (got {counts} "
            f"of {len(split)}). Let more people take part, or change the shares of the split."
        )


def check_disjoint(split: pd.Series[str], families: Mapping[str, object]) -> None:
    """Refuse a split in which one person, or one family, is in two parts.

    Parameters
    ----------
    split : Series of str
        A part a participant, indexed by `participant_id`.
    families : mapping of str to object
        Who belongs to which family, by `participant_id`; others stand alone.

    Raises
    ------
    SplitError
        The message holds how many are in two parts.
    """
    part_of: dict[object, str] = {}
    straddling: set[object] = set()
    for person, part in split.items():
        key = group_key(str(person), families)
        if part_of.setdefault(key, part) != part:
            straddling.add(key)
    if straddling:
        raise SplitError(
            f"`split` puts {len(straddling)} people or families into more than one part, but each must be in one. This "
            "is a fault of the split that was given; correct it there."
        )


def family_of(table: pd.DataFrame) -> dict[str, object]:
    """Return the family of each participant that has one.

    Parameters
    ----------
    table : DataFrame
        With `participant_id`, and `family_id` where families are known.
    """
    if "family_id" not in table:
        return {}
    known = table.loc[table["family_id"].notna(), ["participant_id", "family_id"]]
    return dict(zip(known["participant_id"].astype(str), known["family_id"], strict=True))


def group_key(person: str, families: Mapping[str, object]) -> object:
    """Return what is the same for those who must stay together: the family, or the person who has none.

    Parameters
    ----------
    person : str
        A `participant_id`.
    families : mapping of str to object
        See `family_of`.
    """
    return ("family", families[person]) if person in families else ("alone", person)
