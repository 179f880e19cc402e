"""Paired difference in MAE of two predictors on the same participants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainage.evaluation.intervals import MIN_RESAMPLED, Estimate, percentile_interval, resampled_counts


@dataclass(frozen=True)
class Difference:
    """Difference in MAE, first - second.

    Parameters
    ----------
    n : int
        Participants predicted by both.
    mae : Estimate
        MAE (first - second), in years.
    p : float or None
        Two-sided, from the share of resamples in which the difference changes sign.
    """

    n: int
    mae: Estimate
    p: float | None


def paired_difference(
    age: ArrayLike, first: ArrayLike, second: ArrayLike, *, n_resamples: int, seed: int
) -> Difference:
    """Compare two predictions of the same participants by a paired bootstrap.

    Parameters
    ----------
    age, first, second : array of shape (n_participants,)
        True and predicted ages, in years, in the same order.
    n_resamples, seed : int
        See `brainage.evaluation.intervals.resampled_counts`.
    """
    truth, a, b = (np.asarray(values, dtype=np.float64) for values in (age, first, second))
    differences: NDArray[np.float64] = np.abs(a - truth) - np.abs(b - truth)
    n = len(truth)
    if n == 0:
        return Difference(0, Estimate(None), None)
    value = float(differences.mean())
    if n < MIN_RESAMPLED:
        return Difference(n, Estimate(value), None)
    drawn = np.concatenate([counts @ differences / n for counts in resampled_counts(n, n_resamples, seed)])
    return Difference(n, Estimate(value, *percentile_interval(drawn)), sign_p(drawn))


def sign_p(drawn: NDArray[np.float64]) -> float:
    """Return twice the smaller share of resampled differences on one side of 0.

    The sample itself counts as one resample, so p is never 0.
    """
    below, above = (1 + int((drawn <= 0).sum())) / (len(drawn) + 1), (1 + int((drawn >= 0).sum())) / (len(drawn) + 1)
    return min(1.0, 2 * min(below, above))
