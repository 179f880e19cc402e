"""Differences of gaps between groups, against statsmodels and by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from brainage.evaluation.analyse import analyse
from brainage.evaluation.findings import AnalysisSettings, Findings
from brainage.evaluation.group_difference import GroupSettings, hedges_g, measure_differences
from brainage.evaluation.regression import covariate_basis, hc3_slope

SETTINGS = GroupSettings("diagnosis", "control", 199)


def cohort(n: int = 140, *, difference: float = 3.0) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    case = rng.random(n) < 0.3
    age = rng.uniform(45, 80, n)
    gap = 20 - 0.3 * age + difference * case + rng.normal(size=n) * np.where(case, 5, 3)
    return pd.DataFrame(
        {
            "participant_id": [f"p{number}" for number in range(n)],
            "age": age,
            "bag": gap,
            "bag_corrected": gap - 20 + 0.3 * age,
            "sex": rng.integers(2, size=n).astype(float),
            "site": rng.choice(["Cheadle", "Hull", "Reading"], n),
            "head_motion": rng.gamma(2, 0.1, n),
            "diagnosis": np.where(case, "case", "control"),
        }
    )


def test_the_adjusted_difference_is_that_of_statsmodels_with_hc3_and_t() -> None:
    table = cohort()
    found = measure_differences(table, SETTINGS, seed=0).table
    formula = "bag ~ I(diagnosis == 'case') + age + I(age**2) + sex + head_motion + C(site)"
    fit = smf.ols(formula, table).fit(cov_type="HC3", use_t=True)
    name = "I(diagnosis == 'case')[T.True]"
    (low, high) = fit.conf_int().loc[name]
    expected = {
        "difference": fit.params[name],
        "low": low,
        "high": high,
        "se": fit.bse[name],
        "t": fit.tvalues[name],
        "p": fit.pvalues[name],
        "freedom": fit.df_resid,
    }
    for gap in ("bag", "bag_corrected"):  # a line of age is a covariate
        mine = found.set_index("gap").loc[gap, list(expected)].astype(float)
        np.testing.assert_allclose(mine, [*expected.values()], rtol=1e-10)
    (case,) = {*found["group"]}
    assert (case, {*found["n"]}, {*found["n_reference"]}) == (
        "case",
        {int((table["diagnosis"] == "case").sum())},
        {int((table["diagnosis"] == "control").sum())},
    )
    assert {*found["covariates"]} == {"age age^2 sex head_motion site"}
    assert (found["p_permutation"] < 0.02).all()


def test_hedges_g_without_covariates_is_that_of_the_textbook() -> None:
    rng = np.random.default_rng(0)
    case, control = rng.normal(1, 2, 12), rng.normal(0, 3, 17)
    outcome, variable = np.concatenate([case, control]), np.repeat([1.0, 0.0], [12, 17])
    g, half = hedges_g(hc3_slope(outcome, variable, covariate_basis(np.empty((29, 0)))))
    pooled = math.sqrt((11 * case.var(ddof=1) + 16 * control.var(ddof=1)) / 27)
    bias = math.gamma(27 / 2) / (math.sqrt(27 / 2) * math.gamma(26 / 2))
    assert g == pytest.approx(bias * (case.mean() - control.mean()) / pooled, rel=1e-12)
    # Hedges and Olkin's large-sample SE, which takes the spreads to be equal
    assert half / 2.05 == pytest.approx(math.sqrt(29 / (12 * 17) + g**2 / 58), rel=0.15)


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"diagnosis": np.where(np.arange(140) < 9, "control", "case")}, "fewer than 10 held-out participants are in"),
        ({"diagnosis": np.where(np.arange(140) < 9, "case", "control")}, "Groups of fewer than 10 held-out"),
        ({"site": lambda table: table["diagnosis"]}, "case is not compared: its difference cannot be distinguished"),
        (
            {"head_motion": lambda table: table["head_motion"].where(table["diagnosis"] == "case")},
            "case is not compared: sex or head motion is unknown for all but a few",
        ),
    ],
    ids=["few controls", "few cases", "a site of cases", "unknown motion"],
)
def test_groups_that_cannot_be_compared_are_a_note(change: dict[str, object], note: str) -> None:
    found = measure_differences(cohort().assign(**change), SETTINGS, seed=0)
    assert found.table.empty
    assert note in found.notes[0]


def test_participants_without_a_covariate_are_counted_and_not_compared() -> None:
    table = cohort()
    table.loc[table.index[:7], "head_motion"] = np.nan
    found = measure_differences(table, SETTINGS, seed=0).table
    expected = measure_differences(table.iloc[7:], SETTINGS, seed=0).table
    assert {*found["n_incomplete"]} == {7}
    pd.testing.assert_frame_equal(found.drop(columns="n_incomplete"), expected.drop(columns="n_incomplete"))


def analysed(**settings: object) -> Findings:
    table = cohort(600).assign(predicted_age=lambda rows: rows["age"] + rows["bag"])
    case = table["diagnosis"] == "case"
    split = np.where(case | (np.arange(600) % 3 == 0), "test", np.where(np.arange(600) % 3 == 1, "train", "val"))
    predictions = table[["participant_id", "age", "predicted_age"]].assign(split=split)
    phenotypes = table.drop(columns=["age", "bag", "bag_corrected", "predicted_age"])
    options = {"n_resamples": 100, "groups": SETTINGS, **settings}
    return analyse(predictions, phenotypes, AnalysisSettings(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize("rows", ["test", "val+test", "all"])
def test_groups_are_compared_in_the_test_part_whichever_rows_are_analysed(rows: str) -> None:
    usual, found = analysed().differences, analysed(rows=rows).differences
    assert usual is not None and found is not None
    pd.testing.assert_frame_equal(found.table[found.table["gap"] == "bag"], usual.table[usual.table["gap"] == "bag"])


@pytest.mark.parametrize("method", ["linear", "cole", "crossfit", "in_sample"])
def test_corrections_are_fitted_on_the_reference_group(method: str) -> None:
    found = analysed(gap_correction=method)
    table = found.predictions.merge(cohort(600)[["participant_id", "diagnosis"]], on="participant_id")
    fitted = table[table["diagnosis"] == "control"]
    fitted = fitted[fitted["split"].isin({"in_sample": ["test"], "crossfit": ["val", "test"]}.get(method, ["val"]))]
    target = fitted["predicted_age"] if method == "cole" else fitted["bag"]
    slope, intercept = np.polyfit(fitted["age"], target, 1)
    assert (found.corrections[0].slope, found.corrections[0].intercept) == pytest.approx((slope, intercept))
    assert found.corrections[0].n == len(fitted)
    assert found.predictions.loc[found.predictions["split"] == "test", "bag_corrected"].notna().all()


def test_findings_say_whose_accuracy_it_is_and_have_that_of_each_group() -> None:
    found = analysed()
    n_cases = int((cohort(600)["diagnosis"] == "case").sum())
    assert any(f"{n_cases} of the {len(found.rows)} analysed participants are not in the ref" in n for n in found.notes)
    assert {(group.variable, group.level) for group in found.groups} >= {
        ("diagnosis", "case"), ("diagnosis", "control"), ("site", "Hull"),
    }  # fmt: skip
    saved = found.as_json()["group_differences"]
    assert (saved["column"], saved["reference"], len(saved["differences"])) == ("diagnosis", "control", 2)
