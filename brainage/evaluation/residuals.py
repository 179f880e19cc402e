"""Residuals of predicted on true age: their distribution, and what a straight line leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.evaluation.associations import MIN_ROWS, pearson
from brainage.evaluation.disclosure import MIN_RANKED
from brainage.evaluation.intervals import Estimate, correlation_estimate, correlation_p
from brainage.evaluation.regression import covariate_basis, partial_correlation

# Percentiles that are compared with those of a normal distribution.
PERCENTS = (5, 25, 50, 75, 95)

# Residuals of this share of the predictions are rounding error.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Residuals:
    """Residuals of the regression of predicted on true age.

    Parameters
    ----------
    n : int
        Participants.
    sd : float
        SD of the residuals (n - 2), in years.
    percentiles : dict of str to float
        Percentiles of the residuals, in SDs; empty for fewer than 50 participants.
    curvature : (Estimate, float or None)
        Partial correlation of predicted age with age squared, adjusted for age, and its p: whether the line is bent.
    spread : (Estimate, float or None)
        Correlation of the residuals' size with age, and its p: whether errors grow or shrink with age.
    """

    n: int
    sd: float
    percentiles: dict[str, float]
    curvature: tuple[Estimate, float | None]
    spread: tuple[Estimate, float | None]


def residuals_of(rows: pd.DataFrame) -> NDArray[np.float64]:
    """Return the residuals of the regression of predicted on true age, in years."""
    age, predicted = rows["age"].to_numpy(float), rows["predicted_age"].to_numpy(float)
    slope, intercept = np.polyfit(age - age.mean(), predicted, 1)
    return np.asarray(predicted - intercept - slope * (age - age.mean()))


def measure_residuals(rows: pd.DataFrame) -> Residuals | None:
    """Describe the residuals; None for fewer than 20 participants, and where age or the residuals do not vary."""
    age, predicted = rows["age"].to_numpy(float), rows["predicted_age"].to_numpy(float)
    if len(rows) < MIN_ROWS or np.ptp(age) == 0:
        return None
    residuals, n = residuals_of(rows), len(rows)
    if np.linalg.norm(residuals) <= _ROUNDING * np.linalg.norm(predicted):
        return None
    sd = float(np.sqrt((residuals**2).sum() / (n - 2)))
    centred = age - age.mean()
    spread = pearson(np.abs(residuals), age)
    shares = np.percentile(residuals, PERCENTS) / sd if n >= MIN_RANKED else np.array([])
    return Residuals(
        n,
        sd,
        {f"{percent}": round(float(share), 2) for percent, share in zip(PERCENTS, shares, strict=False)},
        partial_correlation(predicted, centred**2, covariate_basis(centred[:, None])),
        (correlation_estimate(spread, n), correlation_p(spread, n)),
    )
