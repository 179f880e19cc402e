"""Who trains, who validates, who is tested. Drawn over people, before anybody looks at files."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from brainage.errors import SplitError

PARTS = ("train", "val", "test")

# Stratification draws within this many bins of age, of equally many people.
N_AGE_BINS = 10


def random_split(
    table: pd.DataFrame,
    *,
    seed: int,
    train_fraction: float = 0.8,
    val_fraction: float = 0.1,
    stratify: str | None = None,
) -> pd.Series[str]:
    """Draw training, validation and test people.

    Parameters
    ----------
    table : DataFrame
        One row a participant, with `participant_id` and `age`; the draw depends on these people, never on the order of
        rows. With a column `family_id`, the members of a family stay together.
    seed : int
        Governs the draw.
    train_fraction, val_fraction : float
        Of N people, floor(fraction * N) train and validate; the rest are tested. Families that do not fit in what is
        left of a part can shift these numbers by less than their size.
    stratify : {None, "age"}
        Draw within bins of age.

    Returns
    -------
    Series of str
        The part of each participant, indexed by `participant_id`, sorted.

    Raises
    ------
    SplitError
        A part would be empty.
    """
    people = table.sort_values("participant_id", ignore_index=True)
    n_people = len(people)
    # The small term keeps 0.8 * 10 = 8.000...1 and 0.29 * 100 = 28.999...6 on the right side.
    sizes = [math.floor(train_fraction * n_people + 1e-9), math.floor(val_fraction * n_people + 1e-9)]
    sizes.append(n_people - sum(sizes))
    families = _families(people)
    order = np.random.default_rng(seed).permutation(len(families))
    bins = [order] if stratify is None else _age_bins(people["age"].to_numpy(), families, order)

    parts = np.empty(n_people, dtype=object)
    dealt, seen, room = _evenly_dealt(sizes), 0, np.zeros(len(PARTS), dtype=int)
    for chosen in bins:
        n_chosen = sum(len(families[f]) for f in chosen)
        room += np.bincount(dealt[seen : seen + n_chosen], minlength=len(PARTS))
        seen += n_chosen
        for family in (families[f] for f in chosen):
            part = _first_fitting(room, len(family))
            parts[family] = PARTS[part]
            room[part] -= len(family)
    result = pd.Series(parts, index=pd.Index(people["participant_id"], name="participant_id"), name="split", dtype=str)
    check_parts(result)
    return result


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
            f"of {len(split)}). Let more people take part, or change split.train_fraction and split.val_fraction."
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
        key = _group_key(str(person), families)
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


def _families(people: pd.DataFrame) -> list[list[int]]:
    """Return the rows of each family, in the order of their first member; who has no family stands alone."""
    family = family_of(people)
    groups: dict[object, list[int]] = {}
    for row, person in enumerate(people["participant_id"]):
        groups.setdefault(_group_key(person, family), []).append(row)
    return list(groups.values())


def _group_key(person: str, families: Mapping[str, object]) -> object:
    return ("family", families[person]) if person in families else ("alone", person)


def _age_bins(ages: np.ndarray, families: list[list[int]], order: np.ndarray) -> list[np.ndarray]:
    """Return the families in their random order, cut into bins of equally many by mean age."""
    means = np.array([ages[families[f]].mean() for f in order])
    by_age = order[np.argsort(means, kind="stable")]
    position = {family: rank for rank, family in enumerate(order)}
    bins = np.array_split(by_age, min(N_AGE_BINS, len(by_age)))
    return [np.array(sorted(chosen, key=lambda f: position[f])) for chosen in bins]


def _evenly_dealt(sizes: list[int]) -> np.ndarray:
    """Return one part's number a person, each part as evenly spread as can be, so that any stretch is fair."""
    places = np.concatenate([(np.arange(size) + 0.5) / max(size, 1) for size in sizes])
    return np.repeat(np.arange(len(sizes)), sizes)[np.argsort(places, kind="stable")]


def _first_fitting(room: np.ndarray, size: int) -> int:
    """Return the first part with room for a family, or the one with most room."""
    fitting = np.flatnonzero(room >= size)
    return int(fitting[0]) if fitting.size else int(np.argmax(room))
