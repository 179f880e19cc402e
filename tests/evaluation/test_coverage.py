"""Coverage and width of prediction intervals, by hand, and what is not shown of few participants."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from brainage.evaluation.coverage import Coverage, measure_coverage


def rows(n: int = 120) -> pd.DataFrame:
    """Return rows of which every tenth is missed, with intervals that are 10 years wide for women and 14 for men."""
    age = np.random.default_rng(1).uniform(45, 80, n)
    sex = np.arange(n) % 2
    half = np.where(sex == 1, 7.0, 5.0)
    predicted = age + np.where(np.arange(n) % 10 == 0, 20.0, np.where(np.arange(n) % 4 < 2, 4.5, -4.5))
    table = pd.DataFrame({"age": age, "predicted_age": predicted, "sex": sex, "site": "Cheadle"})
    return table.assign(predicted_age_low=predicted - half, predicted_age_high=predicted + half)


def measured(table: pd.DataFrame) -> dict[str, dict[str, Coverage]]:
    found: dict[str, dict[str, Coverage]] = {}
    for group in measure_coverage(table, n_resamples=200, seed=4):
        found.setdefault(group.variable, {})[group.level] = group
    return found


def test_coverage_is_the_share_of_ages_inside_with_wilsons_interval() -> None:
    found = measured(rows())
    assert list(found) == ["all", "predicted age", "age", "sex"]
    overall = found["all"][""]
    # Wilson's interval of 108 of 120 by its formula.
    centre = (0.9 + 1.959964**2 / 240) / (1 + 1.959964**2 / 120)
    half = 1.959964 * np.sqrt(0.9 * 0.1 / 120 + 1.959964**2 / (4 * 120**2)) / (1 + 1.959964**2 / 120)
    assert overall.coverage.value == 0.9
    assert (overall.coverage.low, overall.coverage.high) == pytest.approx((centre - half, centre + half), abs=1e-6)
    assert overall.width.low is not None and overall.width.high is not None
    assert overall.width.low < 12 < overall.width.high and overall.width.value == pytest.approx(12)
    women, men = found["sex"]["female"], found["sex"]["male"]
    assert (women.coverage.value, men.coverage.value) == pytest.approx((0.8, 1.0))  # even rows are women
    assert (women.width.value, women.width.low) == (pytest.approx(10), None)  # all are alike
    for variable in ("age", "predicted age"):
        assert sum(group.n for group in found[variable].values()) == 120 and len(found[variable]) == 3


def test_small_cells_and_those_that_would_give_them_away_are_not_shown() -> None:
    sites = ["Cheadle"] * 9 + ["Hull"] * 11 + ["Reading"] * 40 + ["York"] * 60
    assert list(measured(rows().assign(site=sites))["site"]) == ["Reading", "York"]
    assert measure_coverage(rows(9), n_resamples=100, seed=1) == []
    few = rows()
    few.loc[:4, ["predicted_age_low", "predicted_age_high"]] = np.nan  # the difference would describe five
    assert measure_coverage(few, n_resamples=100, seed=1) == []
    few.loc[:19, ["predicted_age_low", "predicted_age_high"]] = np.nan
    assert measured(few)["all"][""].n == 100
    assert measure_coverage(rows()[["age", "predicted_age"]], n_resamples=100, seed=1) == []
