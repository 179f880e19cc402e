"""Accuracy of raw predictions with 95 % intervals, and the ages that it depends on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainage.evaluation.disclosure import may_describe
from brainage.evaluation.intervals import Estimate, bootstrap
from brainage.evaluation.shown_values import middle_range

_Array = NDArray[np.float64]

# Statistics that few large errors skew.
_SKEWED = ("rmse", "mse", "r2", "pearson_r")


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of predicted ages, and the age range of the participants, on which accuracy depends.

    Parameters
    ----------
    n : int
        Participants.
    age_mean, age_sd : float or None
        In years; the SD is the sample's (n - 1).
    age_p5, age_p95 : float or None
        5th and 95th percentile of age, in years; None for fewer than 50 participants.
    predicted_sd : float or None
        SD of the predictions, in years.
    estimates : dict of str to Estimate
        ``mae``, ``rmse`` (years), ``mse``, ``r2``, ``pearson_r``, ``spearman_rho``; ``mean_gap`` (years); and the
        calibration: ``slope`` (years per year) and ``intercept`` (years) of predicted on true age.
    mean_mae : float or None
        MAE of predicting the mean training age, in years.
    skill : float or None
        1 - MAE / `mean_mae`.

    References
    ----------
    de Lange et al. (2022), Mind the gap: performance metric evaluation in brain-age prediction, doi 10.1002/hbm.25837.
    """

    n: int
    age_mean: float | None
    age_sd: float | None
    age_p5: float | None
    age_p95: float | None
    predicted_sd: float | None
    estimates: dict[str, Estimate]
    mean_mae: float | None
    skill: float | None

    def described(self) -> Accuracy:
        """Return what may be shown: for fewer than ten participants only their number."""
        if may_describe(self.n):
            return self
        nothing = dict.fromkeys(self.estimates, Estimate(None))
        return Accuracy(self.n, None, None, None, None, None, nothing, None, None)


def measure_accuracy(
    age: ArrayLike, predicted_age: ArrayLike, *, mean_age: float, n_resamples: int, seed: int
) -> Accuracy:
    """Measure predictions against true ages.

    Parameters
    ----------
    age, predicted_age : array of shape (n_participants,)
        In years; at least one participant.
    mean_age : float
        Prediction of the mean predictor: the mean training age, in years.
    n_resamples, seed : int
        See `brainage.evaluation.intervals.bootstrap`.
    """
    truth, predicted = np.asarray(age, dtype=np.float64), np.asarray(predicted_age, dtype=np.float64)
    weighted = WeightedStatistics(truth, predicted)
    estimates = bootstrap(weighted.of, len(truth), n_resamples=n_resamples, seed=seed, skewed=_SKEWED)
    mean_mae = float(np.abs(truth - mean_age).mean())
    mae = estimates["mae"].value
    skill = 1 - mae / mean_mae if mae is not None and mean_mae > 0 else None
    age_sd, predicted_sd = (float(values.std(ddof=1)) if len(values) > 1 else 0.0 for values in (truth, predicted))
    low, high = middle_range(truth) or (None, None)
    age_mean = float(truth.mean())
    return Accuracy(len(truth), age_mean, age_sd, low, high, predicted_sd, estimates, mean_mae, skill)


class WeightedStatistics:
    """Accuracy statistics of many bootstrap resamples at once, given as counts of each participant."""

    def __init__(self, age: _Array, predicted: _Array) -> None:
        error = predicted - age
        # Centred: squares of uncentred ages lose digits.
        self._means = float(age.mean()), float(predicted.mean())
        y, p = age - age.mean(), predicted - predicted.mean()
        self._columns = np.stack([np.abs(error), error**2, y, y**2, p, p**2, y * p], axis=1)
        self._ranked = [_Ranks(age), _Ranks(predicted)]

    def of(self, counts: _Array) -> dict[str, _Array]:
        """Return each statistic for each row of `counts`, of shape (n_together, n_participants)."""
        n = counts.sum(axis=1)
        absolute, squared, y, yy, p, pp, yp = (counts @ self._columns / n[:, None]).T
        with np.errstate(divide="ignore", invalid="ignore"):
            y_spread, p_spread = _positive(yy - y**2, yy), _positive(pp - p**2, pp)
            slope = (yp - y * p) / y_spread
            age, predicted = y + self._means[0], p + self._means[1]
            return {
                "mae": absolute,
                "rmse": np.sqrt(squared),
                "mse": squared,
                "r2": 1 - squared / y_spread,
                "pearson_r": np.clip((yp - y * p) / np.sqrt(y_spread * p_spread), -1, 1),
                "spearman_rho": self._spearman(counts, n),
                "mean_gap": predicted - age,
                "slope": slope,
                "intercept": predicted - slope * age,
            }

    def _spearman(self, counts: _Array, n: _Array) -> _Array:
        # One row per participant: gathering rows is much faster. Ranks are 1 to n, so their mean is (n + 1) / 2.
        by_participant = np.ascontiguousarray(counts.T)
        a, b = (ranks.of(by_participant) - (n + 1) / 2 for ranks in self._ranked)
        aa, bb, ab = (np.einsum("ij,ij,ij->j", by_participant, x, y) for x, y in ((a, a), (b, b), (a, b)))
        spread = np.where(aa * bb > 0, aa * bb, np.nan)
        return np.asarray(np.clip(ab / np.sqrt(spread), -1, 1))


class _Ranks:
    """Mean ranks of values that occur with given counts."""

    def __init__(self, values: _Array) -> None:
        distinct, self._group = np.unique(values, return_inverse=True)
        self._order = np.argsort(self._group, kind="stable")
        self._begins = np.searchsorted(self._group[self._order], np.arange(len(distinct)))

    def of(self, counts: _Array) -> _Array:
        """Return the ranks, in the shape of `counts`: (n_participants, n_together)."""
        together = counts[self._order]
        if len(self._begins) < len(together):
            together = np.add.reduceat(together, self._begins, axis=0)
        ranks = np.cumsum(together, axis=0)
        ranks -= (together - 1) / 2
        return np.asarray(ranks[self._group])


def _positive(spread: _Array, scale: _Array) -> _Array:
    """Return variances, NaN where they are zero up to rounding."""
    return np.where(spread > 1e-12 * np.maximum(scale, 1e-300), spread, np.nan)
