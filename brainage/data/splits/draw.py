"""Draw splits over the participants of a table; a draw depends on them and on its seed, not on the order of rows."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.data.splits import PARTS
from brainage.data.splits.checks import check_parts, family_of, group_key
from brainage.errors import SplitError, nearest

# Stratification draws within so many bins of age, which have equal numbers of participants.
N_AGE_BINS = 10


def random_split(
    table: pd.DataFrame,
    *,
    seed: int,
    train_fraction: float = 0.8,
    val_fraction: float = 0.1,
    stratify: str | None = None,
) -> pd.Series[str]:
    """Draw training, validation and test participants.

    Parameters
    ----------
    table : DataFrame
        One row a participant, with `participant_id` and `age`. Participants with the same `family_id`, if there is
        such a column, are in the same part.
    seed : int
        Seed of the draw.
    train_fraction, val_fraction : float
        Of N participants, floor(fraction * N) train and validate; the rest is the test set. Families can change these
        numbers by less than their size.
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
    table = _sorted(table)
    sizes = [_share(train_fraction, len(table)), _share(val_fraction, len(table))]
    sizes.append(len(table) - sum(sizes))
    dealt = _dealt(table, sizes, np.random.default_rng(seed), stratify)
    return _named(table, np.array(PARTS, dtype=object)[dealt])


def kfold_split(
    table: pd.DataFrame,
    *,
    fold: int,
    n_folds: int = 5,
    seed: int,
    val_fraction: float = 0.1,
    stratify: str | None = None,
) -> pd.Series[str]:
    """Test on one of several folds; train and validate on the others.

    Parameters
    ----------
    table : DataFrame
        See `random_split`.
    fold : int
        Number of the test fold, from 0.
    n_folds : int
        Number of folds. Their sizes differ by one participant at most, where families allow it.
    seed : int
        Seed of the folds and of the validation participants.
    val_fraction : float
        Of N participants, floor(fraction * N) of the other folds validate.
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
    table = _sorted(table)
    n = len(table)
    if n_folds > n:
        raise SplitError(
            f"`split.n_folds={n_folds}` needs as many participants or more, but got {n}. Lower it, or include more "
            "participants."
        )
    sizes = [n // n_folds + (number < n % n_folds) for number in range(n_folds)]
    tested = _dealt(table, sizes, np.random.default_rng(seed), stratify) == fold
    validating = _drawn_of(table, ~tested, _share(val_fraction, n), np.random.default_rng([seed, fold]), stratify)
    return _named(table, _part_names(tested, validating))


def leave_site_out_split(
    table: pd.DataFrame, *, site: str, seed: int, val_fraction: float = 0.1, stratify: str | None = None
) -> pd.Series[str]:
    """Test on the participants of one site; train and validate on those of the others.

    Participants without a site, and relatives of test participants at other sites, are left out.

    Parameters
    ----------
    table : DataFrame
        See `random_split`; with `site`.
    site : str
        The test site, as in the table.
    seed : int
        Seed of the validation participants.
    val_fraction : float
        Of N participants of the other sites, floor(fraction * N) validate.
    stratify : {None, "age"}
        Draw within bins of age.

    Returns
    -------
    Series of str
        See `random_split`.

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
    table = _sorted(table)
    if site not in set(table["site"].dropna()):
        raise SplitError(f"`split.site` got {site!r}. {nearest(site, table['site'].dropna().unique())}")
    tested = (table["site"] == site).to_numpy()
    families = family_of(table)
    keys = pd.Series([group_key(participant, families) for participant in table["participant_id"]], dtype=object)
    related = keys.isin(keys[tested]).to_numpy() & ~tested
    used = table["site"].notna().to_numpy() & ~related
    table, tested = table[used].reset_index(drop=True), tested[used]
    size = _share(val_fraction, int((~tested).sum()))
    validating = _drawn_of(table, ~tested, size, np.random.default_rng(seed), stratify)
    return _named(table, _part_names(tested, validating))


def _drawn_of(
    table: pd.DataFrame, among: NDArray[np.bool_], size: int, rng: np.random.Generator, stratify: str | None
) -> NDArray[np.bool_]:
    """Draw `size` of the participants for whom `among` is true; return a mask over all."""
    (candidates,) = np.nonzero(among)
    rest = table.iloc[candidates].reset_index(drop=True)
    drawn = np.zeros(len(table), dtype=bool)
    drawn[candidates] = _dealt(rest, [len(rest) - size, size], rng, stratify) == 1
    return drawn


def _part_names(tested: NDArray[np.bool_], validating: NDArray[np.bool_]) -> NDArray[np.object_]:
    return np.where(tested, "test", np.where(validating, "val", "train")).astype(object)


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values("participant_id", ignore_index=True)


def _share(fraction: float, n: int) -> int:
    # The small term keeps 0.8 * 10 = 8.000...1 and 0.29 * 100 = 28.999...6 on the right side.
    return math.floor(fraction * n + 1e-9)


def _named(table: pd.DataFrame, parts: NDArray[np.object_]) -> pd.Series[str]:
    index = pd.Index(table["participant_id"], name="participant_id")
    split = pd.Series(parts, index=index, name="split", dtype=str)
    check_parts(split)
    return split


def _dealt(table: pd.DataFrame, sizes: list[int], rng: np.random.Generator, stratify: str | None) -> NDArray[np.intp]:
    """Deal participants to parts of these sizes, families together; return the part's number of each."""
    families = _families(table)
    order = rng.permutation(len(families))
    bins = [order] if stratify is None else _age_bins(table["age"].to_numpy(), families, order)
    parts = np.empty(len(table), dtype=np.intp)
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


def _families(table: pd.DataFrame) -> list[list[int]]:
    """Return the rows of each family, in the order of first members; without a family, each row is its own."""
    family = family_of(table)
    groups: dict[object, list[int]] = {}
    for row, participant in enumerate(table["participant_id"]):
        groups.setdefault(group_key(participant, family), []).append(row)
    return list(groups.values())


def _age_bins(ages: np.ndarray, families: list[list[int]], order: np.ndarray) -> list[np.ndarray]:
    """Cut the families, in their random order, into bins of equal size by mean age."""
    means = np.array([ages[families[f]].mean() for f in order])
    by_age = order[np.argsort(means, kind="stable")]
    position = {family: rank for rank, family in enumerate(order)}
    bins = np.array_split(by_age, min(N_AGE_BINS, len(by_age)))
    return [np.array(sorted(chosen, key=lambda f: position[f])) for chosen in bins]


def _evenly_dealt(sizes: list[int]) -> np.ndarray:
    """Return part numbers in an order in which each part is spread evenly, so that any stretch has fair shares."""
    places = np.concatenate([(np.arange(size) + 0.5) / max(size, 1) for size in sizes])
    return np.repeat(np.arange(len(sizes)), sizes)[np.argsort(places, kind="stable")]


def _first_fitting(room: np.ndarray, size: int) -> int:
    """Return the first part with room for a family, or the one with most room."""
    fitting = np.flatnonzero(room >= size)
    return int(fitting[0]) if fitting.size else int(np.argmax(room))
