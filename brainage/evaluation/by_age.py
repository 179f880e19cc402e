"""The gap by age: bins, and means and SDs in them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.evaluation.disclosure import MIN_SHOWN, may_describe, merged

# Width of an age bin, in years, and bins at most where they are between quantiles.
_WIDTH, _FEW_BINS = 5.0, 4

_Array = NDArray[np.float64]


def gap_by_age(rows: pd.DataFrame) -> pd.DataFrame:
    """Tabulate gaps by age bin, which shows bias that remains within ages.

    Parameters
    ----------
    rows : DataFrame
        ``age``, ``bag``, and ``bag_corrected`` where there is one, in years.

    Returns
    -------
    DataFrame
        ``age_low, age_high, n, bag, bag_sd, bag_corrected, bag_corrected_sd``: means and SDs in the bins of `age_bins`.
        Fewer than ten participants in all have only `n`.

    References
    ----------
    Zhang et al. (2023), Age-level bias correction in brain age prediction, doi 10.1016/j.nicl.2023.103319.
    """
    age, found = rows["age"].to_numpy(float), []
    for low, high in age_bins(age):
        participants = rows[(age >= low) & (age < high)]
        enough = may_describe(len(participants))
        row: dict[str, object] = {"age_low": low, "age_high": high, "n": len(participants)}
        for name in (column for column in ("bag", "bag_corrected") if column in rows):
            row[name] = participants[name].mean() if enough else None
            row[f"{name}_sd"] = participants[name].std() if enough else None
        found.append(row)
    return pd.DataFrame(found)


def age_bins(age: _Array) -> list[tuple[float, float]]:
    """Return lower and upper ends of age bins, in years: of five years, or between quantiles where those are too few.

    Bins with fewer than ten participants are merged with neighbours, so that none can be computed from the others and
    the total.
    """
    begins = np.unique(np.floor(age / _WIDTH) * _WIDTH)
    bins = _merged_bins(age, begins, begins + _WIDTH)
    n_bins = min(_FEW_BINS, len(age) // MIN_SHOWN)
    if len(bins) >= n_bins:
        return bins
    edges = np.array([begins[0], *quantile_edges(age, n_bins), begins[-1] + _WIDTH])
    of_equal_size = _merged_bins(age, edges[:-1], edges[1:])
    return of_equal_size if len(of_equal_size) > len(bins) else bins


def quantile_edges(age: _Array, n_groups: int) -> _Array:
    """Return the ages between groups of about equal size, in whole years or, where those are the same, in tenths."""
    exact = np.quantile(age, np.arange(1, n_groups) / n_groups)
    whole = np.unique(np.round(exact))
    return whole if len(whole) == len(exact) else np.unique(np.round(exact, 1))


def _merged_bins(age: _Array, lows: _Array, highs: _Array) -> list[tuple[float, float]]:
    counts = [int(((age >= low) & (age < high)).sum()) for low, high in zip(lows, highs, strict=True)]
    return [(float(lows[bins][0]), float(highs[bins][-1])) for bins in merged(counts)]
