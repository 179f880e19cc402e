"""95 % intervals: bootstrap over participants, by percentiles or BCa, and Fisher's z for correlations."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

# Fewer participants than this are not resampled.
MIN_RESAMPLED = 10

# Groups of participants at most that the acceleration of BCa leaves out, one after the other.
_MOST_GROUPS = 500

# Resamples held in memory at once.
_CHUNK = 50

# Share of resamples in which a statistic must be defined for its interval to be reported.
_DEFINED = 0.9

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval.

    Parameters
    ----------
    value, low, high : float or None
        None where undefined.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


def resampled_counts(n: int, n_resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Draw bootstrap resamples as counts of each participant.

    Parameters
    ----------
    n : int
        Participants.
    n_resamples : int
        Resamples of `n` participants, with replacement.
    seed : int
        Governs the draws: resample number b is row b of ``default_rng(seed).integers(n, size=(n_resamples, n))``.

    Yields
    ------
    array of shape (n_together, n)
        Counts; each row sums to `n`.
    """
    rng = np.random.default_rng(seed)
    for begin in range(0, n_resamples, _CHUNK):
        n_together = min(_CHUNK, n_resamples - begin)
        drawn = rng.integers(n, size=(n_together, n)) + np.arange(n_together)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=n_together * n).reshape(n_together, n).astype(np.float64)


def bootstrap(
    statistics: Callable[[_Array], dict[str, _Array]],
    n: int,
    *,
    n_resamples: int,
    seed: int,
    skewed: Collection[str] = (),
) -> dict[str, Estimate]:
    """Estimate statistics of participants, with percentile intervals, or BCa for those that are `skewed`.

    Parameters
    ----------
    statistics : callable
        Takes counts of shape (n_together, n); returns, by name, values of shape (n_together,), NaN where undefined.
    n : int
        Participants; below `MIN_RESAMPLED` there are no intervals.
    n_resamples, seed : int
        See `resampled_counts`.
    skewed : collection of str
        Names of statistics that get `bca_interval`.

    References
    ----------
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, doi 10.1201/9780429246593.
    """
    whole = statistics(np.ones((1, n))) if n else {}
    values = {name: float(value[0]) for name, value in whole.items()}
    if n < MIN_RESAMPLED or n_resamples == 0:
        return {name: Estimate(_finite(value)) for name, value in values.items()}
    parts = [statistics(counts) for counts in resampled_counts(n, n_resamples, seed)]
    drawn = {name: np.concatenate([part[name] for part in parts]) for name in values}
    left_out = _left_out(statistics, n) if skewed else {}
    ends = {
        name: bca_interval(drawn[name], values[name], left_out[name])
        if name in skewed
        else percentile_interval(drawn[name])
        for name in values
    }
    return {name: Estimate(_finite(values[name]), *ends[name]) for name in values}


def _left_out(statistics: Callable[[_Array], dict[str, _Array]], n: int) -> dict[str, _Array]:
    """Return statistics without each participant, or without each of 500 groups."""
    n_groups = min(n, _MOST_GROUPS)
    group = np.arange(n) % n_groups
    parts = [
        statistics((group != np.arange(begin, min(begin + _CHUNK, n_groups))[:, None]).astype(np.float64))
        for begin in range(0, n_groups, _CHUNK)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def bca_interval(drawn: _Array, value: float, left_out: _Array) -> tuple[float | None, float | None]:
    """Return the bias-corrected and accelerated interval of a statistic; None where too few values are defined.

    Parameters
    ----------
    drawn : array of shape (n_resamples,)
        The statistic of resamples.
    value : float
        That of all participants.
    left_out : array of shape (n_groups,)
        That without each participant, or each group of equally many.

    References
    ----------
    Efron (1987), doi 10.1080/01621459.1987.10478410.
    """
    known = drawn[np.isfinite(drawn)]
    if known.size < _DEFINED * drawn.size or not np.isfinite(left_out).all():
        return percentile_interval(drawn)
    share = ((known < value).mean() + (known <= value).mean()) / 2
    influence = left_out.mean() - left_out
    spread = float((influence**2).sum()) ** 1.5
    if not (0 < share < 1 and spread > 0):
        return percentile_interval(drawn)
    bias, acceleration = stats.norm.ppf(share), float((influence**3).sum()) / (6 * spread)
    z = bias + stats.norm.ppf([0.025, 0.975])
    low, high = np.quantile(known, stats.norm.cdf(bias + z / (1 - acceleration * z)))
    return float(low), float(high)


def percentile_interval(drawn: _Array) -> tuple[float | None, float | None]:
    """Return the 2.5 and 97.5 percentiles of resampled values; None where too few are defined."""
    known = drawn[np.isfinite(drawn)]
    if known.size < _DEFINED * drawn.size:
        return None, None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def correlation_estimate(r: float, n: int) -> Estimate:
    """Return a correlation with its interval by Fisher's z transformation.

    Parameters
    ----------
    r : float
        The correlation.
    n : int
        Participants.

    References
    ----------
    Fisher (1921), On the "probable error" of a coefficient of correlation deduced from a small sample, Metron 1.
    """
    if not math.isfinite(r):
        return Estimate(None)
    if n < 4 or abs(r) >= 1:
        return Estimate(r)
    half = stats.norm.ppf(0.975) / math.sqrt(n - 3)
    return Estimate(r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half))


def proportion_estimate(n_of: int, n: int) -> Estimate:
    """Return the share `n_of` of `n` with Wilson's interval, doi 10.1080/01621459.1927.10502953."""
    low, high = stats.binomtest(n_of, n).proportion_ci(method="wilson")
    return Estimate(n_of / n, float(low), float(high))


def correlation_p(r: float, n: int) -> float | None:
    """Return the two-sided p of a correlation, by a t test with n - 2 degrees of freedom."""
    freedom = n - 2
    if not math.isfinite(r) or freedom < 1:
        return None
    if abs(r) >= 1:
        return 0.0
    return float(2 * stats.t.sf(abs(r) * math.sqrt(freedom / (1 - r * r)), freedom))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
