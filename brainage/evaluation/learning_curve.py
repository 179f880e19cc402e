"""Error against the number of training participants, and what more of them can be expected to give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.evaluation.intervals import Estimate, percentile_interval, resampled_counts

_Array = NDArray[np.float64]

# Sizes that a curve of three parameters needs.
MIN_SIZES = 4

# Training participants for whom the error is extrapolated.
EXPECTED_AT = 10_000

# Exponents that are tried; with each, the curve is linear in its other parameters.
_EXPONENTS = np.geomspace(0.05, 2.0, 80)


@dataclass(frozen=True)
class Training:
    """One training: the requested size, its training participants, its draw, and its absolute errors.

    Parameters
    ----------
    size : str
        As it was asked for.
    n_train : int
        Training participants.
    draw : str
        Its seeds and its split: trainings of all sizes with one draw are resampled together.
    errors : Series
        In years, by test participant.
    """

    size: str
    n_train: int
    draw: str
    errors: pd.Series


@dataclass(frozen=True)
class LearningCurve:
    """A power law, error = floor + scale * N ** -exponent, fitted to the errors of trainings.

    Parameters
    ----------
    name : str
        What distinguishes it from others of the same multirun.
    points : DataFrame
        ``n_train, trainings, mae, sd, low, high``: mean and SD over trainings of the MAE in years, and its interval.
    parameters : dict of str to Estimate
        ``floor`` and ``scale`` in years, and ``exponent``; empty for fewer than `MIN_SIZES` sizes.
    at : int
        Training participants of the extrapolation.
    expected : Estimate
        The MAE expected with them, in years.
    fitted : DataFrame
        The curve: ``n_train, mae, low, high``.
    """

    name: str
    points: pd.DataFrame
    parameters: dict[str, Estimate]
    at: int
    expected: Estimate
    fitted: pd.DataFrame

    @property
    def sentence(self) -> str:
        """What is to be expected, in words."""
        if self.expected.value is None:
            return f"A learning curve needs {MIN_SIZES} sizes or more to be extrapolated, but has {len(self.points)}."
        between = "" if self.expected.low is None else f" ({self.expected.low:.2f} to {self.expected.high:.2f})"
        return f"With {self.at:,} people expect {self.expected.value:.2f} years{between}."


def fit_learning_curve(
    trainings: Sequence[Training], *, n_resamples: int, seed: int, name: str = "", at: int = EXPECTED_AT
) -> LearningCurve:
    """Fit a power law, with intervals by a bootstrap over test participants and draws.

    Parameters
    ----------
    trainings : sequence of Training
        Of two sizes or more.
    n_resamples, seed : int
        See `brainage.evaluation.intervals.resampled_counts`. Of k draws, k - 1 are resampled.
    name : str
        See `LearningCurve`.
    at : int
        Training participants for whom the error is extrapolated; ten times the largest size if that has as many.

    References
    ----------
    Hestness et al. (2017), Deep Learning Scaling is Predictable, Empirically, arXiv 1712.00409.
    """
    levels = pd.DataFrame([{"size": each.size, "n": each.n_train} for each in trainings]).groupby("size")["n"].mean()
    levels = levels.sort_values()
    n_train = levels.to_numpy(float)
    places = np.array([levels.index.get_loc(each.size) for each in trainings])
    own, measured, resampled = _resampled(trainings, places, n_resamples, seed)
    points = _points(n_train, places, own, measured, resampled)
    at = at if at > n_train.max() else int(10 * n_train.max())
    if len(levels) < MIN_SIZES:
        return LearningCurve(name, points, {}, at, Estimate(None), pd.DataFrame())
    laws, drawn = _power_laws(n_train, measured[None]), _power_laws(n_train, resampled)
    shown = np.append(np.geomspace(n_train.min(), at, 60)[:-1], at)
    curve, curves = _errors_at(laws, shown)[0], _errors_at(drawn, shown)
    low, high = np.nanpercentile(curves, [2.5, 97.5], axis=0)
    parameters = {
        key: Estimate(float(laws[0, place]), *percentile_interval(drawn[:, place]))
        for place, key in enumerate(("floor", "scale", "exponent"))
    }
    fitted = pd.DataFrame({"n_train": shown, "mae": curve, "low": low, "high": high})
    return LearningCurve(
        name, points, parameters, at, Estimate(float(curve[-1]), *percentile_interval(curves[:, -1])), fitted
    )


def _resampled(
    trainings: Sequence[Training], places: NDArray[np.intp], n_resamples: int, seed: int
) -> tuple[_Array, _Array, _Array]:
    """Return the MAE of each training, that of each size, and the latter in resamples of participants and draws."""
    draws = pd.Categorical([each.draw for each in trainings])
    errors = pd.DataFrame({number: each.errors for number, each in enumerate(trainings)})
    known, values = errors.notna().to_numpy(float), errors.fillna(0.0).to_numpy(float)
    n_draws, rng = len(draws.categories), np.random.default_rng([seed, len(draws.categories)])
    of_sizes = partial(_level_means, places=places, draws=draws.codes, n_levels=int(places.max()) + 1)
    parts = []
    for counts in resampled_counts(len(errors), n_resamples, seed):
        each = (counts @ values) / np.maximum(counts @ known, 1e-9)
        parts.append(of_sizes(each, _weights(n_draws, len(counts), rng)))
    own = values.sum(axis=0) / known.sum(axis=0)
    return own, of_sizes(own[None], np.ones((1, n_draws)))[0], np.concatenate(parts)


def _weights(n_draws: int, n_resamples: int, rng: np.random.Generator) -> _Array:
    n_drawn = max(n_draws - 1, 1)
    return rng.multinomial(n_drawn, np.full(n_draws, 1 / n_draws), size=n_resamples).astype(float)


def _level_means(
    errors: _Array, weights: _Array, *, places: NDArray[np.intp], draws: NDArray[Any], n_levels: int
) -> _Array:
    """Return the weighted mean error of each size, NaN where none of its draws has a weight."""
    own = weights[:, draws]
    columns = []
    for level in range(n_levels):
        here = places == level
        total = own[:, here].sum(axis=1)
        columns.append(np.where(total > 0, (errors * own)[:, here].sum(axis=1) / np.where(total > 0, total, 1), np.nan))
    return np.stack(columns, axis=1)


def _points(
    n_train: _Array, places: NDArray[np.intp], own: _Array, measured: _Array, resampled: _Array
) -> pd.DataFrame:
    rows = []
    for level, n in enumerate(n_train):
        values = own[places == level]
        low, high = percentile_interval(resampled[:, level])
        spread = float(values.std(ddof=1)) if len(values) > 1 else None
        row = {"n_train": round(n), "trainings": len(values), "mae": float(measured[level]), "sd": spread}
        rows.append({**row, "low": low, "high": high})
    return pd.DataFrame(rows)


def _power_laws(n_train: _Array, errors: _Array) -> _Array:
    """Fit floor, scale (0 or more) and exponent to rows of errors, by least squares of relative deviations."""
    best = np.full((len(errors), 4), np.inf)
    for exponent in _EXPONENTS:
        x = (n_train / n_train.max()) ** -exponent
        floor, scale = _line(x, errors)
        loss = (((floor[:, None] + scale[:, None] * x) / errors - 1) ** 2).sum(axis=1)
        found = np.stack([floor, scale * n_train.max() ** exponent, np.full(len(errors), exponent), loss], axis=1)
        best = np.where((loss < best[:, 3])[:, None], found, best)
    return np.where(np.isfinite(best[:, 3:]), best[:, :3], np.nan)


def _line(x: _Array, errors: _Array) -> tuple[_Array, _Array]:
    """Return intercept and slope, 0 or more both, of rows of errors on x, with weights 1 / error²."""
    weights = errors**-2
    total, sum_x, sum_y = weights.sum(axis=1), weights @ x, (weights * errors).sum(axis=1)
    sum_xx, sum_xy = weights @ x**2, (weights * errors) @ x
    slope = (total * sum_xy - sum_x * sum_y) / (total * sum_xx - sum_x**2)
    slope = np.where(sum_y - slope * sum_x < 0, sum_xy / sum_xx, np.maximum(slope, 0))
    return np.maximum(sum_y - slope * sum_x, 0) / total, slope


def _errors_at(laws: _Array, n_train: _Array) -> _Array:
    return np.asarray(laws[:, :1] + laws[:, 1:2] * n_train ** -laws[:, 2:3])
