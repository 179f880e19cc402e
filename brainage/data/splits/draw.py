"""Drawing splits over a table's people; a draw depends on them and on its seed only."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.data.splits.checks import PARTS, check_parts, family_of, group_key
from brainage.errors import SplitError, nearest

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
    people = _sorted(table)
    n_people = len(people)
    sizes = [_share(train_fraction, n_people), _share(val_fraction, n_people)]
    sizes.append(n_people - sum(sizes))
    dealt = _dealt(people, sizes, np.random.default_rng(seed), stratify)
    return _named(people, np.array(PARTS, dtype=object)[dealt])


def kfold_split(
    table: pd.DataFrame,
    *,
    fold: int,
    n_folds: int = 5,
    seed: int,
    val_fraction: float = 0.1,
    stratify: str | None = None,
) -> pd.Series[str]:
    """Test one fold of several, and train and validate on the others.

    Parameters
    ----------
    table : DataFrame
        See `random_split`.
    fold : int
        Which fold is tested, from 0.
    n_folds : int
        How many there are; their sizes differ by one person at most, where families allow it. Everybody is in one.
    seed : int
        Governs who is in which fold, and who validates.
    val_fraction : float
        Of N people, floor(fraction * N) of the other folds validate.
    stratify : {None, "age"}
        Draw within bins of age.

    Returns
    -------
    Series of str
        See `random_split`.

    Raises
    ------
    SplitError
        A part would be empty.
    """
    people = _sorted(table)
    n_people = len(people)
    if n_folds > n_people:
        raise SplitError(
            f"`split.n_folds={n_folds}` needs as many people or more, but {n_people} take part. Lower it, or let more "
            "people take part."
        )
    sizes = [n_people // n_folds + (number < n_people % n_folds) for number in range(n_folds)]
    tested = _dealt(people, sizes, np.random.default_rng(seed), stratify) == fold
    parts = np.where(tested, "test", "train").astype(object)
    _draw_val(people, parts, _share(val_fraction, n_people), np.random.default_rng([seed, fold]), stratify)
    return _named(people, parts)


def leave_site_out_split(
    table: pd.DataFrame, *, site: str, seed: int, val_fraction: float = 0.1, stratify: str | None = None
) -> pd.Series[str]:
    """Test the people of one site, and train and validate on those of the others.

    Who has no site may be from that one, and a relative of a tested person tells of them: both are left out.

    Parameters
    ----------
    table : DataFrame
        See `random_split`; with `site`.
    site : str
        The site that is tested, as in the table.
    seed : int
        Governs who validates.
    val_fraction : float
        Of N people of the other sites, floor(fraction * N) validate.
    stratify : {None, "age"}
        Draw within bins of age.

    Returns
    -------
    Series of str
        See `random_split`; without those who are left out.

    Raises
    ------
    SplitError
        There are no sites, there is none of this name, or a part would be empty.
    """
    if "site" not in table or table["site"].isna().all():
        raise SplitError(
            "`split=leave_site_out` needs the site of every participant, but the table has none. Add a column `site` "
            "(UK Biobank: field 54), or choose another split."
        )
    people = _sorted(table)
    if site not in set(people["site"].dropna()):
        raise SplitError(f"`split.site` got {site!r}. {nearest(site, people['site'].dropna().unique())}")
    tested = (people["site"] == site).to_numpy()
    families = family_of(people)
    keys = [group_key(person, families) for person in people["participant_id"]]
    tested_keys = {key for key, is_tested in zip(keys, tested, strict=True) if is_tested}
    related = np.array([key in tested_keys for key in keys]) & ~tested
    used = people["site"].notna().to_numpy() & ~related
    people, tested = people[used].reset_index(drop=True), tested[used]
    parts = np.where(tested, "test", "train").astype(object)
    _draw_val(people, parts, _share(val_fraction, int((~tested).sum())), np.random.default_rng(seed), stratify)
    return _named(people, parts)


def _draw_val(
    people: pd.DataFrame, parts: NDArray[np.object_], size: int, rng: np.random.Generator, stratify: str | None
) -> None:
    """Let some of those who train validate."""
    (training,) = np.nonzero(parts == "train")
    rest = people.iloc[training].reset_index(drop=True)
    dealt = _dealt(rest, [len(rest) - size, size], rng, stratify)
    parts[training[dealt == 1]] = "val"


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values("participant_id", ignore_index=True)


def _share(fraction: float, n_people: int) -> int:
    # The small term keeps 0.8 * 10 = 8.000...1 and 0.29 * 100 = 28.999...6 on the right side.
    return math.floor(fraction * n_people + 1e-9)


def _named(people: pd.DataFrame, parts: NDArray[np.object_]) -> pd.Series[str]:
    index = pd.Index(people["participant_id"], name="participant_id")
    split = pd.Series(parts, index=index, name="split", dtype=str)
    check_parts(split)
    return split


def _dealt(people: pd.DataFrame, sizes: list[int], rng: np.random.Generator, stratify: str | None) -> NDArray[np.intp]:
    """Deal people to parts of these sizes; return the part's number of each. Families stay together."""
    families = _families(people)
    order = rng.permutation(len(families))
    bins = [order] if stratify is None else _age_bins(people["age"].to_numpy(), families, order)
    parts = np.empty(len(people), dtype=np.intp)
    dealt, seen, room = _evenly_dealt(sizes), 0, np.zeros(len(sizes), dtype=int)
    for chosen in bins:
        n_chosen = sum(len(families[f]) for f in chosen)
        room += np.bincount(dealt[seen : seen + n_chosen], minlength=len(sizes))
        seen += n_chosen
        for family in (families[f] for f in chosen):
            part = _first_fitting(room, len(family))
            parts[family] = part
            room[part] -= len(family)
    return parts


def _families(people: pd.DataFrame) -> list[list[int]]:
    """Return the rows of each family, in the order of their first member; who has no family stands alone."""
    family = family_of(people)
    groups: dict[object, list[int]] = {}
    for row, person in enumerate(people["participant_id"]):
        groups.setdefault(group_key(person, family), []).append(row)
    return list(groups.values())


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
