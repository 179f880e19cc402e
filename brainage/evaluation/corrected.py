"""Correlations of the corrected gap, whose p and intervals include the uncertainty of the correction's fit."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from brainage.evaluation.gap import Correction
from brainage.evaluation.intervals import Estimate
from brainage.evaluation.regression import covariate_basis, fisher_interval, hc3_slope, residuals

_Array = NDArray[np.float64]

# Corrections that are fitted on the analysed rows themselves, or on parts of them.
_OWN_ROWS = ("crossfit", "in_sample")


def known_fit(fits: Sequence[Correction], rows: pd.DataFrame) -> Correction | None:
    """Return the fit that corrected all analysed rows, or whose parts did; None where several networks have their own.

    Fits on more or fewer rows than the analysed ones, and validation rows that are corrected by fits on each other,
    have none.
    """
    if not fits or not all(fit.is_part for fit in fits[1:]):
        return None
    if fits[0].method in _OWN_ROWS:
        return fits[0] if fits[0].n == len(rows) else None
    return None if rows["split"].eq("val").any() else fits[0]


def corrected_correlation(
    corrected: _Array, variable: _Array, age: _Array, fit: Correction | None
) -> tuple[Estimate, float | None]:
    """Correlate the corrected gap with a variable.

    Parameters
    ----------
    corrected, variable, age : array of shape (n_participants,)
        Without missing values.
    fit : Correction or None
        The fit that corrected the gaps: its slope on age is uncertain, and so is all that goes with age in them.

    Returns
    -------
    Estimate, float or None
        Pearson's r, with 95 % interval and p, which have HC3 standard errors; these are None where the uncertainty of
        the fit is unknown.
    """
    c, x = (values - values.mean() for values in (corrected, variable))
    if any(np.linalg.norm(one) <= 1e-12 * np.linalg.norm(of) for one, of in ((c, corrected), (x, variable))):
        return Estimate(None), None
    scale = float(np.linalg.norm(c))
    c, x = c / scale, x / np.linalg.norm(x)
    r = float(np.clip(c @ x, -1, 1))
    if fit is None or (fit.method not in _OWN_ROWS and fit.slope_se is None):
        return Estimate(r), None
    if fit.method in _OWN_ROWS:  # the slope on age was fitted here: adjusting for age is to fit it
        basis = covariate_basis(age[:, None])
        rest = residuals(x, basis)
        slope, of_fit = hc3_slope(c, x, basis), 0.0
        se, freedom = slope.se * float(rest @ rest), slope.freedom
    else:
        slope = hc3_slope(c, x, covariate_basis(np.empty((len(c), 0))))
        of_fit = float(fit.slope_se or 0) / (fit.slope if fit.method == "cole" else 1)
        se = math.hypot(slope.se, of_fit * float((age - age.mean()) @ x) / scale)
        freedom = min(slope.freedom, fit.n - 2)
    if not se > 0 or freedom < 1:
        return Estimate(r), None
    return fisher_interval(r, se, freedom), float(2 * stats.t.sf(abs(r) / se, freedom))
