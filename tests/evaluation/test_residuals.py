"""Residuals of predicted on true age."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from brainage.evaluation.residuals import measure_residuals


def rows(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    age = rng.uniform(20, 80, n)
    return pd.DataFrame(
        {"age": age, "predicted_age": 25 + 0.5 * age + 0.01 * (age - 50) ** 2 + rng.normal(0, age / 15)}
    )


def test_residuals_agree_with_a_library() -> None:
    table = rows(200)
    line = sm.OLS(table["predicted_age"], sm.add_constant(table["age"])).fit()
    found = measure_residuals(table)
    assert found is not None and found.n == 200
    assert found.sd == pytest.approx(np.sqrt(line.mse_resid), rel=1e-9)
    shares = np.percentile(line.resid, [5, 25, 50, 75, 95]) / found.sd
    assert [*found.percentiles.values()] == pytest.approx(shares, abs=0.006)
    assert [*found.percentiles] == ["5", "25", "50", "75", "95"]
    (bend, bend_p), (spread, spread_p) = found.curvature, found.spread
    bent = sm.OLS(table["predicted_age"], sm.add_constant(np.stack([table["age"], table["age"] ** 2], axis=1))).fit()
    assert bend_p == pytest.approx(bent.pvalues.iloc[2], rel=1e-6) and bend.value is not None and bend.value > 0
    assert (spread.value, spread_p) == pytest.approx(tuple(stats.pearsonr(np.abs(line.resid), table["age"])), abs=1e-9)


def test_percentiles_need_fifty_participants_and_residuals_twenty_of_different_ages() -> None:
    few = measure_residuals(rows(49))
    assert few is not None and few.percentiles == {}
    assert measure_residuals(rows(19)) is None
    assert measure_residuals(rows(30).assign(age=50.0)) is None


def test_predictions_on_a_line_have_no_residuals() -> None:
    age = np.arange(60.0)
    assert measure_residuals(pd.DataFrame({"age": age, "predicted_age": 20 + age / 3})) is None
