"""Draw splits over the participants of a table; a draw depends on them and on its seed, not on the order of rows.

A table has one row a participant with `participant_id`, `age` and, where known, `site` and `family_id`; a family is
never divided. A fraction of N participants is floor(fraction * N), which families can change by less than their size.
``stratify="age"`` draws within bins of age. Every function raises SplitError if a part would be empty.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.data.splits import PARTS
from brainage.data.splits.checks import check_parts, group_keys
from brainage.errors import SplitError, nearest

# Bins of age, with equal numbers of participants.
N_AGE_BINS = 10


def random_split(
    table: pd.DataFrame,
    *,
    seed: int,
    train_fraction: float = 0.8,
    val_fraction: float = 0.1,
    stratify: str | None = None,
) -> pd.Series[str]:
    """Draw training and validation participants; all others are the test set."""
    table = _sorted(table)
    sizes = [_share(train_fraction, len(table)), _share(val_fraction, len(table))]
    sizes.append(len(table) - sum(sizes))
    return _named(table, _dealt(table, sizes, np.random.default_rng(seed), stratify))


def kfold_split(
    table: pd.DataFrame,
    *,
    fold: int,
    n_folds: int = 5,
    seed: int,
    val_fraction: float = 0.1,
    stratify: str | None = None,
    repeat: int = 0,
) -> pd.Series[str]:
    """Test on one of several folds, numbered from 0; train and validate on the others.

    `val_fraction` is a fraction of all participants. The folds do not depend on it. Each `repeat` has other folds.
    """
    table = _sorted(table)
    n = len(table)
    if n_folds > n:
        raise SplitError(
            f"`split.n_folds={n_folds}` needs as many participants or more, but got {n}. Lower it, or include more "
            "participants."
        )
    tested = folds_of(table, n_folds=n_folds, seed=seed, stratify=stratify, repeat=repeat) == fold
    return _tested_on(tested, table, _share(val_fraction, n), np.random.default_rng([seed, fold, repeat]), stratify)


def folds_of(
    table: pd.DataFrame, *, n_folds: int, seed: int, stratify: str | None, repeat: int = 0
) -> NDArray[np.intp]:
    """Return the number of each participant's fold; `table` is sorted by id."""
    n = len(table)
    sizes = [n // n_folds + (number < n % n_folds) for number in range(n_folds)]
    # A seed sequence that ends with zeros is the one without them, so repeat 0 is drawn as if there was one.
    return _dealt(table, sizes, np.random.default_rng([seed, 0, repeat]), stratify)


def leave_site_out_split(
    table: pd.DataFrame, *, site: str, seed: int, val_fraction: float = 0.1, stratify: str | None = None
) -> pd.Series[str]:
    """Test on the participants of one site; train and validate on those of the others.

    `val_fraction` is a fraction of the other sites' participants. Participants without a site, and relatives of test
    participants at other sites, are left out.
    """
    if "site" not in table or table["site"].isna().all():
        raise SplitError(
            "`split=leave_site_out` needs the site of every participant, but the table has none. Add a column `site` "
            "(UK Biobank: field 54), name it with cohort.columns.site=NAME, or choose another split."
        )
    table = _sorted(table)
    counts = table["site"].value_counts()
    if site not in counts:
        # Where columns are shifted, sites are ids.
        names = counts.index[counts > 1]
        step = nearest(site, names) if len(names) else "No site in the table has two participants: look at its columns."
        if site == "all":
            step = "For a run for each site, add --multirun."
        raise SplitError(f"`split.site` got {site!r}. {step}")
    tested = (table["site"] == site).to_numpy()
    keys = group_keys(table)
    related = keys.isin(keys[tested]).to_numpy() & ~tested
    used = table["site"].notna().to_numpy() & ~related
    table, tested = table[used].reset_index(drop=True), tested[used]
    size = _share(val_fraction, int((~tested).sum()))
    return _tested_on(tested, table, size, np.random.default_rng(seed), stratify)


def reduced_training(split: pd.Series[str], n_train: int, seed: int) -> pd.Series[str]:
    """Return the split with `n_train` of its training participants; those of a smaller number are among them."""
    training = split.index[split == "train"]
    if n_train > len(training):
        raise SplitError(
            f"`split.n_train` must be at most {len(training)}, the training participants of the split, or all, but got "
            f"{n_train}."
        )
    dropped = np.random.default_rng([seed, len(training)]).permutation(len(training))[n_train:]
    return split.drop(training[dropped])


def _tested_on(
    tested: NDArray[np.bool_], table: pd.DataFrame, n_val: int, rng: np.random.Generator, stratify: str | None
) -> pd.Series[str]:
    """Draw `n_val` validation participants among those who are not tested; the rest train."""
    others = table[~tested].reset_index(drop=True)
    parts = np.full(len(table), PARTS.index("test"))
    parts[~tested] = _dealt(others, [len(others) - n_val, n_val], rng, stratify)
    return _named(table, parts)


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values("participant_id", ignore_index=True)


def _share(fraction: float, n: int) -> int:
    # The small term keeps 0.8 * 10 = 8.000...1 and 0.29 * 100 = 28.999...6 on the right side.
    return math.floor(fraction * n + 1e-9)


def _named(table: pd.DataFrame, parts: NDArray[np.intp]) -> pd.Series[str]:
    """Return the split, given each participant's index in `PARTS`."""
    index = pd.Index(table["participant_id"], name="participant_id")
    split = pd.Series(np.array(PARTS, dtype=object)[parts], index=index, name="split", dtype=str)
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
    """Return the rows of each family, in the order of first members."""
    families: dict[object, list[int]] = {}
    for row, key in enumerate(group_keys(table)):
        families.setdefault(key, []).append(row)
    return list(families.values())


def _age_bins(ages: np.ndarray, families: list[list[int]], order: np.ndarray) -> list[np.ndarray]:
    """Cut the families, in their random order, into bins of equal size by mean age."""
    means = np.array([ages[families[f]].mean() for f in order])
    ranks = np.argsort(means, kind="stable")
    return [order[np.sort(chosen)] for chosen in np.array_split(ranks, min(N_AGE_BINS, len(ranks)))]


def _evenly_dealt(sizes: list[int]) -> np.ndarray:
    """Return part numbers in an order in which each part is spread evenly, so that any stretch has fair shares."""
    places = np.concatenate([(np.arange(size) + 0.5) / max(size, 1) for size in sizes])
    return np.repeat(np.arange(len(sizes)), sizes)[np.argsort(places, kind="stable")]


def _first_fitting(room: np.ndarray, size: int) -> int:
    """Return the first part with room for a family, or the one with most room."""
    fitting = np.flatnonzero(room >= size)
    return int(fitting[0]) if fitting.size else int(np.argmax(room))
