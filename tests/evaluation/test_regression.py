"""Slopes with HC3 against statsmodels, and their permutation p."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from brainage.evaluation.regression import covariate_basis, hc3_slope, permutation_p, residuals


def _drawn(n: int = 57, *, singletons: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return an outcome whose errors depend on a rare variable, the variable, and covariates with sites."""
    rng = np.random.default_rng(0)
    variable = (rng.random(n) < 0.3).astype(float)
    age = rng.uniform(45, 80, n)
    site = np.arange(n) % 4
    site[:singletons] = np.arange(singletons) + 4
    covariates = np.column_stack([age, age**2, *((site == one).astype(float) for one in np.unique(site)[1:])])
    return 0.1 * age + variable + rng.normal(size=n) * (1 + 2 * variable), variable, covariates


def test_slope_error_interval_and_p_are_those_of_statsmodels() -> None:
    outcome, variable, covariates = _drawn()
    found = hc3_slope(outcome, variable, covariate_basis(covariates))
    design = sm.add_constant(np.column_stack([variable, covariates]))
    fit = sm.OLS(outcome, design).fit(cov_type="HC3", use_t=True)
    expected = [fit.params[1], fit.bse[1], fit.tvalues[1], fit.pvalues[1], *fit.conf_int()[1]]
    np.testing.assert_allclose([found.value, found.se, found.t, found.p, *found.interval], expected, rtol=1e-10)
    assert found.freedom == fit.df_resid


def test_the_only_participant_of_a_site_changes_nothing() -> None:
    outcome, variable, covariates = _drawn(singletons=2)
    with_them = hc3_slope(outcome, variable, covariate_basis(covariates))
    without = hc3_slope(outcome[2:], variable[2:], covariate_basis(covariates[2:]))
    assert (with_them.value, with_them.se) == pytest.approx((without.value, without.se), rel=1e-10)
    assert with_them.freedom == without.freedom


@pytest.mark.parametrize(
    "variable",
    [np.eye(57)[3], np.ones(57), _drawn()[2][:, 0]],
    ids=["one case", "no variation", "a covariate"],
)
def test_what_is_undefined_has_no_p_and_no_interval(variable: np.ndarray) -> None:
    outcome, _, covariates = _drawn()
    basis = covariate_basis(covariates)
    found = hc3_slope(outcome, variable, basis)
    assert (found.p, found.interval) == (None, (None, None))
    assert permutation_p(outcome, variable, basis, n_permutations=9, seed=0) is None


def test_permutation_p_is_that_of_permuted_residuals_one_by_one() -> None:
    outcome, variable, covariates = _drawn(25)
    basis, n = covariate_basis(covariates), 40
    left, rng = residuals(outcome, basis), np.random.default_rng(7)
    design = sm.add_constant(np.column_stack([variable, covariates]))
    t = [
        sm.OLS(drawn, design).fit(cov_type="HC3").tvalues[1]
        for drawn in [outcome, *(outcome - left + rng.permutation(left) for _ in range(n))]
    ]
    expected = np.mean(np.abs(t) >= abs(t[0]))
    assert permutation_p(outcome, variable, basis, n_permutations=n, seed=7) == pytest.approx(expected)


@pytest.mark.more
def test_p_of_unequal_spread_is_right_where_ordinary_least_squares_is_not() -> None:
    rng, n, n_studies = np.random.default_rng(1), 200, 1000
    variable = (np.arange(n) < 10).astype(float)
    basis = covariate_basis(rng.normal(size=(n, 2)))
    outcomes = rng.normal(size=(n_studies, n)) * (1 + variable)
    hc3 = np.mean([hc3_slope(one, variable, basis).p < 0.05 for one in outcomes])  # type: ignore[operator]
    permuted = [permutation_p(one, variable, basis, n_permutations=199, seed=0) for one in outcomes[:300]]
    assert hc3 < 0.09
    assert np.mean(np.array(permuted) <= 0.05) < 0.09
