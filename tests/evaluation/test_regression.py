"""Slopes with HC3 against statsmodels, and their permutation p."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from brainage.evaluation.regression import covariate_basis, hc3_slope, partial_correlation, permutation_p, residuals


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
    expected = [fit.params[1], fit.bse[1], fit.tvalues[1], fit.pvalues[1], *fit.conf_int()[1], fit.mse_resid**0.5]
    mine = [found.value, found.se, found.t, found.p, *found.interval, found.residual_sd]
    np.testing.assert_allclose(mine, expected, rtol=1e-10)
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


def _correlated(seed: int, n: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    held = rng.normal(size=(n, 4))
    return rng.normal(size=n) + held[:, 0], rng.normal(size=n) + held[:, 1], held


def _numbers(a: np.ndarray, b: np.ndarray, held: np.ndarray) -> tuple[float, float, float, float]:
    found, p = partial_correlation(a, b, covariate_basis(held))
    assert found.value is not None and found.low is not None and found.high is not None and p is not None
    return found.value, found.low, found.high, p


@pytest.mark.parametrize("spread", [1.5, 2.0])
def test_cases_whose_gaps_vary_more_are_no_false_positives(spread: float) -> None:
    """5 % cases without a difference in mean: p < .05 in 18 and 29 % where equal spread is assumed."""
    rng, n, n_tests = np.random.default_rng(0), 600, 400
    case = (np.arange(n) < 30).astype(float)
    age = rng.normal(63, 8, n)
    held = np.column_stack([age, (age - 63) ** 2])
    found = np.array([_numbers(rng.normal(size=n) * np.where(case, spread, 1), case, held) for _ in range(n_tests)])
    # 36 of 400 are exceeded with a probability of 0.0002 at 5 %.
    assert (found[:, 3] < 0.05).sum() <= 36
    assert ((found[:, 1] > 0) | (found[:, 2] < 0)).sum() <= 36


def test_an_exact_relation_has_no_interval() -> None:
    x = np.arange(-4.0, 5.0)
    found, _ = partial_correlation(-2 * x, x, covariate_basis(np.empty((9, 0))))
    assert (found.value, found.low) == (pytest.approx(-1.0), None)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1000), st.floats(-1000, 1000), st.sampled_from([-1, 1]))
def test_units_of_the_variable_do_not_matter(seed: int, scale: float, offset: float, sign: int) -> None:
    a, b, held = _correlated(seed)
    r, low, high, p = _numbers(a, b, held)
    assert _numbers(sign * a, offset + scale * b, held) == pytest.approx(
        (r, low, high, p) if sign > 0 else (-r, -high, -low, p), abs=1e-8
    )
    assert _numbers(b, a, held)[0] == pytest.approx(r, abs=1e-10)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.lists(st.floats(0.01, 100), min_size=4, max_size=4), st.floats(-100, 100))
def test_units_and_mixtures_of_covariates_do_not_matter(seed: int, scales: list[float], offset: float) -> None:
    a, b, held = _correlated(seed)
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(4, 4)))[0]
    expected = pytest.approx(_numbers(a, b, held), abs=1e-8)
    assert _numbers(a, b, offset + held @ rotation * scales) == expected
    # What is adjusted for changes nothing if it is added to a variable, nor a mixture of covariates as one more.
    assert _numbers(a + held @ scales, b, held) == expected
    assert _numbers(a, b, np.column_stack([held, held @ scales])) == expected


def test_one_covariate_agrees_with_the_textbook_formula() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=50)
    x, y = z + rng.normal(size=50), z + rng.normal(size=50)
    (_, xy, xz), (_, _, yz), _ = np.corrcoef([x, y, z])
    expected = (xy - xz * yz) / math.sqrt((1 - xz**2) * (1 - yz**2))
    assert _numbers(x, y, z[:, None])[0] == pytest.approx(expected, abs=1e-12)
