"""Least squares of an outcome on one variable and covariates, whose errors may vary differently by participant."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from brainage.evaluation.intervals import Estimate

_Array = NDArray[np.float64]

# Numbers held in memory at once by permutations.
_MOST_NUMBERS = 2_000_000

# A participant with this leverage or more has a residual of zero.
_FULL_LEVERAGE = 1 - 1e-10


@dataclass(frozen=True)
class Slope:
    """The slope of an outcome on a variable, with its heteroscedasticity-consistent standard error.

    Parameters
    ----------
    value, se : float
        In units of the outcome per unit of the variable; NaN where undefined.
    freedom : int
        Degrees of freedom of t: participants minus the rank of the design.
    residual_sd : float
        SD of the residuals, in units of the outcome, with these degrees of freedom; NaN where undefined.
    """

    value: float
    se: float
    freedom: int
    residual_sd: float

    @property
    def t(self) -> float:
        """The slope in units of its standard error; NaN where undefined."""
        return self.value / self.se if self.freedom > 0 and self.se > 0 else math.nan

    @property
    def p(self) -> float | None:
        """Two-sided p by the t distribution."""
        return float(2 * stats.t.sf(abs(self.t), self.freedom)) if math.isfinite(self.t) else None

    @property
    def interval(self) -> tuple[float | None, float | None]:
        """The limits of the 95 % interval by the t distribution."""
        if not math.isfinite(self.t):
            return None, None
        half = float(stats.t.ppf(0.975, self.freedom)) * self.se
        return self.value - half, self.value + half


def covariate_basis(covariates: _Array) -> _Array:
    """Return orthonormal columns that span an intercept and covariates, of shape (n_participants, rank)."""
    design = np.column_stack([np.ones(len(covariates)), covariates])
    scale = np.abs(design).max(axis=0)
    basis, strengths, _ = np.linalg.svd(design / np.where(scale > 0, scale, 1), full_matrices=False)
    return basis[:, strengths > 1e-10 * strengths[0]]


def residuals(values: _Array, basis: _Array) -> _Array:
    """Return what a basis does not explain, zero where that is rounding error.

    Parameters
    ----------
    values : array of shape (..., n_participants)
        One variable a row.
    basis : array of shape (n_participants, rank)
        See `covariate_basis`.
    """
    centred = values - values.mean(axis=-1, keepdims=True)
    rest = centred - (centred @ basis) @ basis.T
    lost = np.linalg.norm(rest, axis=-1, keepdims=True) <= 1e-8 * np.linalg.norm(centred, axis=-1, keepdims=True)
    return np.where(lost, 0.0, rest)


def hc3_slope(outcome: _Array, variable: _Array, basis: _Array) -> Slope:
    """Regress an outcome on a variable and covariates, with the standard error HC3.

    Parameters
    ----------
    outcome, variable : array of shape (n_participants,)
        Without missing values.
    basis : array of shape (n_participants, rank)
        Of the covariates, see `covariate_basis`.

    References
    ----------
    MacKinnon & White (1985), doi 10.1016/0304-4076(85)90158-7; Long & Ervin (2000), doi 10.1080/00031305.2000.10474549.
    """
    rest, left = residuals(variable, basis), residuals(outcome, basis)
    (value,), (se,) = _slopes(left[None], rest, _leverage(rest, basis))
    freedom = len(basis) - int(basis.shape[1]) - 1
    spread = float(np.linalg.norm(left - value * rest)) / math.sqrt(freedom) if freedom > 0 else math.nan
    return Slope(float(value), float(se), freedom, spread)


def partial_correlation(a: _Array, b: _Array, basis: _Array) -> tuple[Estimate, float | None]:
    """Correlate what covariates leave of two variables: the slope of residuals that are scaled to SD 1.

    Parameters
    ----------
    a, b : array of shape (n_participants,)
        Without missing values.
    basis : array of shape (n_participants, rank)
        Of the covariates, see `covariate_basis`.

    Returns
    -------
    Estimate, float or None
        r, with a 95 % interval that is computed as Fisher's z, and p; nothing where covariates determine a variable.
    """
    y, x = residuals(a, basis), residuals(b, basis)
    if not (y.any() and x.any()):
        return Estimate(None), None
    y, x = y / np.linalg.norm(y), x / np.linalg.norm(x)
    r, slope = float(np.clip(x @ y, -1, 1)), hc3_slope(y, x, basis)
    return (Estimate(r) if slope.p is None else fisher_interval(r, slope.se, slope.freedom)), slope.p


def multiple_correlation(outcome: _Array, variables: _Array, basis: _Array) -> tuple[Estimate, float | None]:
    """Correlate what covariates leave of an outcome with several variables together, such as the levels of a category.

    Parameters
    ----------
    outcome : array of shape (n_participants,)
        Without missing values.
    variables : array of shape (n_participants, n_variables)
        Without missing values.
    basis : array of shape (n_participants, rank)
        Of the covariates, see `covariate_basis`.

    Returns
    -------
    Estimate, float or None
        The multiple correlation, 0 or more, without an interval, and p of the F test with the covariances HC3.
    """
    y, rest = residuals(outcome, basis), residuals(variables.T, basis).T
    if not (y.any() and rest.any()):
        return Estimate(None), None
    axes, strengths, _ = np.linalg.svd(rest, full_matrices=False)
    x = axes[:, strengths > 1e-8 * strengths[0]]
    slopes, k = x.T @ y, x.shape[1]
    r, freedom = min(float(np.linalg.norm(slopes) / np.linalg.norm(y)), 1.0), len(y) - basis.shape[1] - k
    free = 1 - (basis**2).sum(axis=1) - (x**2).sum(axis=1)
    full = free <= 1 - _FULL_LEVERAGE
    if freedom < 1 or np.abs(x[full]).max(initial=0) > 1e-8:
        return Estimate(r), None
    errors = x * np.divide(y - x @ slopes, free, out=np.zeros_like(y), where=~full)[:, None]
    if np.linalg.matrix_rank(spread := errors.T @ errors) < k:
        return Estimate(r), None
    return Estimate(r), float(stats.f.sf(slopes @ np.linalg.solve(spread, slopes) / k, k, freedom))


def fisher_interval(r: float, se: float, freedom: int) -> Estimate:
    """Return a correlation with its 95 % interval, by the t distribution on the scale of Fisher's z."""
    if abs(r) >= 1:
        return Estimate(r)
    z, half = math.atanh(r), float(stats.t.ppf(0.975, freedom)) * se / (1 - r**2)
    return Estimate(r, math.tanh(z - half), math.tanh(z + half))


def permutation_p(outcome: _Array, variable: _Array, basis: _Array, *, n_permutations: int, seed: int) -> float | None:
    """Return the two-sided p of a slope among those of permuted residuals, by the absolute t with the error HC3.

    Parameters
    ----------
    outcome, variable, basis
        See `hc3_slope`.
    n_permutations : int
        Permutations of the outcome's residuals, given the covariates, besides the observed order.
    seed : int
        Governs the permutations.

    References
    ----------
    Freedman & Lane (1983), doi 10.1080/07350015.1983.10509354; Winkler et al. (2014),
    doi 10.1016/j.neuroimage.2014.01.060; DiCiccio & Romano (2017), doi 10.1080/01621459.2016.1202117.
    """
    observed = abs(hc3_slope(outcome, variable, basis).t)
    if not math.isfinite(observed):
        return None
    rest, left, rng = residuals(variable, basis), residuals(outcome, basis), np.random.default_rng(seed)
    leverage, n_together, n_beyond = _leverage(rest, basis), max(1, _MOST_NUMBERS // len(outcome)), 0
    for begin in range(0, n_permutations, n_together):
        size = (min(n_together, n_permutations - begin), len(outcome))
        drawn = residuals(rng.permuted(np.broadcast_to(left, size), axis=1), basis)
        value, se = _slopes(drawn, rest, leverage)
        # Permutations that do not change the order differ from it by rounding.
        n_beyond += int((np.abs(value) >= observed * se * (1 - 1e-9)).sum())
    return (1 + n_beyond) / (1 + n_permutations)


def _leverage(rest: _Array, basis: _Array) -> _Array:
    """Return each participant's leverage, given the covariates' basis and what it leaves of the variable."""
    total = float(rest @ rest)
    return np.asarray((basis**2).sum(axis=1) + (rest**2 / total if total > 0 else 0))


def _slopes(outcomes: _Array, rest: _Array, leverage: _Array) -> tuple[_Array, _Array]:
    """Return slopes and standard errors of adjusted outcomes, of shape (n_outcomes, n_participants)."""
    total = float(rest @ rest)
    full = leverage >= _FULL_LEVERAGE
    # Whom covariates alone fit, as the only one at a site, does not move the slope; whom the variable fits, decides it.
    if total == 0 or np.abs(rest[full]).max(initial=0) > 1e-8 * math.sqrt(total):
        return np.full(len(outcomes), np.nan), np.full(len(outcomes), np.nan)
    value = outcomes @ rest / total
    shares = np.divide(rest, (1 - leverage) * total, out=np.zeros_like(rest), where=~full)
    errors = outcomes - value[:, None] * rest
    return value, np.sqrt(errors**2 @ shares**2)
