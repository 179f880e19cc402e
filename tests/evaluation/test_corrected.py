"""Correlations of corrected gaps carry the uncertainty of the correction."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from brainage.evaluation.corrected import corrected_correlation, known_fit
from brainage.evaluation.gap import corrected_gaps, fit_correction


def drawn(rng: np.random.Generator, n: int, split: str) -> pd.DataFrame:
    age = rng.normal(63, 7.6, n)
    predicted = 63 + 0.6 * (age - 63) + rng.normal(0, 3.5, n)
    ids = [f"{split}{number}" for number in range(n)]
    return pd.DataFrame({"participant_id": ids, "split": split, "age": age, "predicted_age": predicted})


def related(rng: np.random.Generator, age: np.ndarray) -> np.ndarray:
    """Return a variable that correlates with age (r = 0.5) and with nothing else."""
    return np.asarray(0.5 * (age - 63) / 7.6 + rng.normal(0, np.sqrt(0.75), len(age)))


@pytest.mark.parametrize("method", ["linear", pytest.param("crossfit", marks=pytest.mark.more)])
def test_a_variable_that_goes_with_age_is_no_false_positive(method: str) -> None:
    """With 100 validation and 800 test participants, p < .05 in 26 % where the fit is taken to be known."""
    rng, n_false = np.random.default_rng(3), 0
    for _ in range(200):
        test = drawn(rng, 150 if method == "crossfit" else 800, "test")
        age, predicted = test["age"].to_numpy(), test["predicted_age"].to_numpy()
        if method == "crossfit":
            gaps, (fit, *_) = corrected_gaps(test, test, method)
            corrected = gaps.to_numpy()
        else:
            fit = fit_correction(method, drawn(rng, 100, "val"), "validation")
            corrected = fit.gap(age, predicted)
        _, p = corrected_correlation(corrected, related(rng, age), age, fit)
        assert p is not None
        n_false += p < 0.05
    # 20 of 200 are exceeded with a probability of 0.001 at 5 %.
    assert n_false <= 20


def test_in_sample_p_is_that_of_the_regression_on_age_and_the_variable() -> None:
    rng = np.random.default_rng(0)
    rows = drawn(rng, 80, "test")
    age, gap = rows["age"].to_numpy(), (rows["predicted_age"] - rows["age"]).to_numpy()
    variable = related(rng, age)
    corrected, (fit,) = corrected_gaps(rows, rows.iloc[:0], "in_sample")
    found, p = corrected_correlation(corrected.to_numpy(), variable, age, fit)
    reference = sm.OLS(gap, sm.add_constant(np.column_stack([variable, age]))).fit(cov_type="HC3", use_t=True)
    assert found.value == pytest.approx(stats.pearsonr(corrected, variable).statistic, abs=1e-12)
    assert p == pytest.approx(reference.pvalues[1], abs=1e-10)


def test_the_standard_error_of_the_fit_is_that_of_statsmodels() -> None:
    rows = drawn(np.random.default_rng(1), 120, "val")
    for method, target in (("linear", rows["predicted_age"] - rows["age"]), ("cole", rows["predicted_age"])):
        reference = sm.OLS(target, sm.add_constant(rows["age"])).fit(cov_type="HC3")
        assert fit_correction(method, rows, "validation").slope_se == pytest.approx(reference.bse["age"], abs=1e-12)


def test_where_the_fit_is_unknown_there_is_no_p_and_no_interval() -> None:
    rng = np.random.default_rng(2)
    rows, validation = drawn(rng, 60, "test"), drawn(rng, 120, "val")
    both = pd.concat([rows, validation], ignore_index=True)
    corrected, fits = corrected_gaps(both, validation, "linear")
    assert known_fit(fits, both) is None  # validation rows are corrected by fits on each other
    assert known_fit(fits, rows) == fits[0]
    assert known_fit([fits[0], fits[0]], rows) is None  # two networks
    age = both["age"].to_numpy()
    found, p = corrected_correlation(corrected.to_numpy(), related(rng, age), age, None)
    assert found.value is not None and (found.low, found.high, p) == (None, None, None)
