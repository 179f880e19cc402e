"""Agreement of two scans of the same participants: intraclass correlations and measurement error."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from brainage.evaluation.intervals import Estimate

# Sums of squares below this share of that of the values are rounding.
_ROUNDING = 1e-24


@dataclass(frozen=True)
class Reliability:
    """How well two scans agree on a number.

    Parameters
    ----------
    name : str
        ``predicted_age``, ``bag`` or ``bag_corrected``.
    n : int
        Participants, each with two scans.
    agreement, consistency : Estimate
        ICC(A,1), in which a mean difference between the scans is disagreement, and ICC(C,1), in which it is not, with
        95 % intervals.
    error : Estimate
        Standard error of measurement, in years: the root of the residual mean square of participants by scans, with its
        95 % interval for normal errors.

    References
    ----------
    McGraw & Wong (1996), Forming inferences about some intraclass correlation coefficients, doi
    10.1037/1082-989X.1.1.30.
    """

    name: str
    n: int
    agreement: Estimate
    consistency: Estimate
    error: Estimate


def measure_reliability(name: str, first: ArrayLike, second: ArrayLike) -> Reliability:
    """Compare the values of a first and a second scan, each of shape (n_participants,).

    Where values do not vary, there are no correlations.
    """
    values = np.stack([np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)], axis=1)
    n, (participants, scans, residual) = len(values), _mean_squares(values)
    low, high = (math.sqrt((n - 1) * residual / stats.chi2.ppf(p, n - 1)) for p in (0.975, 0.025))
    error = Estimate(math.sqrt(residual), low, high)
    if participants + residual == 0:
        return Reliability(name, n, Estimate(None), Estimate(None), error)
    agreement, consistency = _agreement(n, participants, scans, residual), _consistency(n, participants, residual)
    return Reliability(name, n, agreement, consistency, error)


def _mean_squares(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the mean squares of participants, scans and residuals of a two-way analysis of variance."""
    n, k = values.shape
    centred = values - values.mean()
    of_participants, of_scans = centred.mean(axis=1, keepdims=True), centred.mean(axis=0, keepdims=True)
    residuals = centred - of_participants - of_scans
    sums = k * (of_participants**2).sum(), n * (of_scans**2).sum(), (residuals**2).sum()
    rounding = _ROUNDING * (values**2).sum()
    of_rows, of_columns, rest = (float(one) if one > rounding else 0.0 for one in sums)
    return of_rows / (n - 1), of_columns / (k - 1), rest / ((n - 1) * (k - 1))


def _consistency(n: int, participants: float, residual: float) -> Estimate:
    """Return ICC(C,1) of two scans: McGraw and Wong, table 4 and 7."""
    value = (participants - residual) / (participants + residual)
    if residual == 0:
        return Estimate(value)
    ratio, limit = participants / residual, stats.f.ppf(0.975, n - 1, n - 1)
    low, high = ratio / limit, ratio * limit
    return Estimate(value, (low - 1) / (low + 1), (high - 1) / (high + 1))


def _agreement(n: int, participants: float, scans: float, residual: float) -> Estimate:
    """Return ICC(A,1) of two scans: McGraw and Wong, table 4 and 7."""
    value = (participants - residual) / (participants + residual + 2 / n * (scans - residual))
    if residual == 0 or value == 1:
        return Estimate(value)
    a, b = 2 * value / (n * (1 - value)), 1 + 2 * value * (n - 1) / (n * (1 - value))
    freedom = (a * scans + b * residual) ** 2 / ((a * scans) ** 2 + (b * residual) ** 2 / (n - 1))
    of_low, of_high = stats.f.ppf(0.975, n - 1, freedom), stats.f.ppf(0.975, freedom, n - 1)
    noise = 2 * scans + (n - 2) * residual
    low = n * (participants - of_low * residual) / (of_low * noise + n * participants)
    high = n * (of_high * participants - residual) / (noise + n * of_high * participants)
    return Estimate(value, low, high)
