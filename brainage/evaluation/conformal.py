"""Prediction intervals: ages between which a participant's own is expected, from errors on validation participants.

Conformal prediction needs predictions and no model, so that networks, ridges and their means have intervals alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from brainage.errors import EvaluationError
from brainage.evaluation.disclosure import MIN_RANKED

LOW, HIGH = BOUNDS = ("predicted_age_low", "predicted_age_high")

# Validation participants whose errors must be beyond the interval's width: it would be the error of one otherwise.
_BEYOND = 2.5

# Groups by predicted age, between whose means widths are interpolated; and parts of cross-fitting.
_FEWEST_GROUPS, _MOST_GROUPS, _N_FOLDS = 3, 8, 10

# Digits of what is stored, rounded up: an exact width could be a participant's error.
_DIGITS = 3

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Conformal:
    """Fitted intervals.

    Parameters
    ----------
    kind : {"adaptive", "symmetric"}
        Whether widths depend on the predicted age.
    level : float
        Share of participants whose age is between the bounds.
    n : int
        Number of fitted participants.
    predicted, half_widths : tuple of float
        Half widths at these predicted ages, in years; in between they are interpolated, outside constant.

    References
    ----------
    Lei et al. (2018), Distribution-free predictive inference for regression (sections 2 and 5.2), doi
    10.1080/01621459.2017.1307116.
    """

    kind: str
    level: float
    n: int
    predicted: tuple[float, ...]
    half_widths: tuple[float, ...]

    def bounds(self, predicted: ArrayLike) -> pd.DataFrame:
        """Return the lower and upper bounds of predicted ages, in years, in `BOUNDS`."""
        ages = np.asarray(predicted, dtype=np.float64)
        half = np.interp(ages, self.predicted, self.half_widths)
        return pd.DataFrame({LOW: ages - half, HIGH: ages + half})


@dataclass(frozen=True)
class Intervals:
    """Bounds of some predictions, by their index, in `BOUNDS`; the fits; and why there are none."""

    bounds: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(BOUNDS), dtype=float))
    fits: Sequence[Conformal] = ()
    reason: str = ""


def n_needed(level: float, kind: str = "symmetric") -> int:
    """Return the number of validation participants that intervals need."""
    least = max(MIN_RANKED, math.ceil(round(_BEYOND / (1 - level), 9)))
    return least if kind == "symmetric" else _FEWEST_GROUPS * least


def fit_conformal(age: ArrayLike, predicted: ArrayLike, *, level: float, kind: str = "auto") -> Conformal:
    """Fit intervals to participants on whom the model was not fitted.

    Parameters
    ----------
    age, predicted : array of shape (n_participants,)
        True and predicted ages, in years.
    level : float
        Share of participants whose age shall be between the bounds.
    kind : {"auto", "adaptive", "symmetric"}
        Symmetric: prediction ± the rank ceil((n + 1) * level) of absolute errors. Adaptive: errors are divided by the
        mean absolute error near their predicted age, cross-fitted, before they are ranked. Auto is adaptive where
        there are enough participants.

    Raises
    ------
    EvaluationError
        There are too few participants.
    """
    predicted = np.asarray(predicted, dtype=np.float64)
    errors = np.abs(np.asarray(age, dtype=np.float64) - predicted)
    if kind == "auto":
        kind = "adaptive" if len(errors) >= n_needed(level, "adaptive") else "symmetric"
    if len(errors) < (needed := n_needed(level, kind)):
        other = "intervals.kind=symmetric" if kind == "adaptive" else "a lower intervals.level"
        step = "" if needed == MIN_RANKED else f", or {other}"
        raise EvaluationError(
            f"`intervals.level={level:g}` needs {needed} validation participants for {kind} intervals, but there are "
            f"{len(errors)}. Use a larger split.val_fraction{step}."
        )
    if kind == "symmetric":
        return Conformal(kind, level, len(errors), (0.0,), (_rounded_up(_ranked(errors, level)),))
    ages, spreads = _spreads(predicted, errors, _n_groups(len(errors), level))
    half_widths = spreads * _ranked(_relative(predicted, errors, level), level)
    return Conformal(kind, level, len(errors), tuple(ages.round(1).tolist()), tuple(map(_rounded_up, half_widths)))


def intervals_in(table: pd.DataFrame, level: float, kind: str) -> Intervals:
    """Fit intervals to a table's validation rows, and return those of rows of other parts than training.

    Without validation rows there are neither intervals nor a reason.
    """
    split = table["split"]
    fitted, others = table[split == "val"], table[split.notna() & ~split.isin(["train", "val"])]
    if fitted.empty:
        return Intervals()
    try:
        fit = fit_conformal(fitted["age"], fitted["predicted_age"], level=level, kind=kind)
    except EvaluationError as error:
        return Intervals(reason=str(error))
    return Intervals(fit.bounds(others["predicted_age"]).set_index(others.index), [fit])


def _n_groups(n: int, level: float) -> int:
    return min(_MOST_GROUPS, n // n_needed(level))


def _relative(predicted: _Array, errors: _Array, level: float) -> _Array:
    """Return errors divided by the spread at their predicted age, of participants of other folds."""
    n_groups = _n_groups(len(errors), level)
    folds = np.empty(len(errors), dtype=int)
    folds[np.argsort(predicted, kind="stable")] = np.arange(len(errors)) % _N_FOLDS
    found = np.empty(len(errors))
    for fold in range(_N_FOLDS):
        own = folds == fold
        found[own] = errors[own] / np.interp(predicted[own], *_spreads(predicted[~own], errors[~own], n_groups))
    return found


def _spreads(predicted: _Array, errors: _Array, n_groups: int) -> tuple[_Array, _Array]:
    """Return mean predicted ages and mean absolute errors of groups of similar predicted ages."""
    groups = np.array_split(np.argsort(predicted, kind="stable"), n_groups)
    means = np.array([[predicted[group].mean(), errors[group].mean()] for group in groups])
    return means[:, 0], np.maximum(means[:, 1], np.finfo(float).tiny)


def _ranked(scores: _Array, level: float) -> float:
    """Return the smallest score below which so many are that the next one is too, with the probability `level`."""
    rank = math.ceil(round((len(scores) + 1) * level, 9))
    return float(np.sort(scores)[min(rank, len(scores)) - 1])


def _rounded_up(width: float) -> float:
    if width <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(width)) + 1 - _DIGITS)
    return float(f"{math.ceil(round(width / unit, 6)) * unit:.{_DIGITS}g}")
