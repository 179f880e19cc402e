"""The statistics against independent formulas and other libraries, to 1e-10."""

from __future__ import annotations

import numpy as np
import pandas as pd
import patsy
import pytest
import statsmodels.api as sm
from scipy import stats
from sklearn.metrics import mean_absolute_error, r2_score
from statsmodels.stats.multitest import multipletests

from brainage.errors import EvaluationError
from brainage.evaluation.accuracy import measure_accuracy
from brainage.evaluation.analyse import analyse
from brainage.evaluation.associations import associate
from brainage.evaluation.by_age import gap_by_age
from brainage.evaluation.coding import kind_of
from brainage.evaluation.covariates import Covariates
from brainage.evaluation.findings import AnalysisSettings
from brainage.evaluation.gap import corrected_gaps, fit_correction
from brainage.evaluation.intervals import correlation_estimate
from brainage.evaluation.paired import paired_difference
from brainage.evaluation.regression import covariate_basis, partial_correlation

N = 220


@pytest.fixture
def participants() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    age = rng.uniform(46, 82, N)
    frame = pd.DataFrame(
        {
            "participant_id": [f"p{i:03d}" for i in range(N)],
            "split": ["train"] * 60 + ["val"] * 120 + ["test"] * 40,
            "age": age,
            "predicted_age": 28 + 0.55 * age + rng.normal(0, 3, N),
            "sex": rng.integers(2, size=N).astype(float),
            "site": rng.choice(["a", "b", "c"], N),
            "head_motion": rng.lognormal(-2, 0.4, N),
            "speed": rng.normal(size=N) - 0.05 * age,
            "smoker": (rng.random(N) < 0.3).astype(float),
            "answer": rng.integers(1, 5, N).astype(float),
        }
    )
    frame["bag"] = frame["predicted_age"] - frame["age"]
    return frame


def design(participants: pd.DataFrame, without: str) -> np.ndarray:
    age, sex, motion = participants["age"], participants["sex"], np.log(participants["head_motion"])
    columns = [age, age**2]
    columns += [sex, sex * age] if without != "sex" else []
    low, *knots, high = np.percentile(motion, [5, 35, 65, 95])
    # A basis of natural cubic splines without the constant.
    columns += [*np.asarray(patsy.dmatrix("cr(motion, knots=knots, lower_bound=low, upper_bound=high) - 1")).T[1:]]
    columns += [participants["site"] == "b", participants["site"] == "c"]
    return sm.add_constant(np.column_stack(columns).astype(float))


@pytest.mark.parametrize("name", ["speed", "smoker", "answer", "sex"])
def test_partial_correlations_are_those_of_the_residuals_and_p_that_of_the_regression(
    name: str, participants: pd.DataFrame
) -> None:
    row = associate(participants, [name]).table.iloc[0]
    held = design(participants, name)
    left = [sm.OLS(participants[column], held).fit().resid for column in ("bag", name)]
    assert row["r_partial"] == pytest.approx(np.corrcoef(*left)[0, 1], abs=1e-10)
    fitted = sm.OLS(participants["bag"], np.column_stack([held, participants[name]])).fit(cov_type="HC3", use_t=True)
    assert row["p_partial"] == pytest.approx(fitted.pvalues.iloc[-1], abs=1e-10)
    # By the inverse of the covariance matrix.
    precision = np.linalg.inv(np.cov(np.column_stack([participants["bag"], participants[name], held[:, 1:]]).T))
    by_precision = -precision[0, 1] / np.sqrt(precision[0, 0] * precision[1, 1])
    assert row["r_partial"] == pytest.approx(by_precision, abs=1e-9)
    se = fitted.bse.iloc[-1] * np.linalg.norm(left[1]) / np.linalg.norm(left[0])
    half = stats.t.ppf(0.975, N - held.shape[1] - 1) * se / (1 - row["r_partial"] ** 2)
    low, high = np.tanh(np.arctanh(row["r_partial"]) + np.array([-half, half]))
    assert (row["r_partial_low"], row["r_partial_high"]) == (pytest.approx(low), pytest.approx(high))
    assert (row["r"], row["p"]) == pytest.approx(stats.pearsonr(participants["bag"], participants[name]), abs=1e-10)
    interval = stats.pearsonr(participants["bag"], participants[name]).confidence_interval()
    assert (row["r_low"], row["r_high"]) == pytest.approx((interval.low, interval.high), abs=1e-10)


def test_identical_covariates_count_once(participants: pd.DataFrame) -> None:
    held = Covariates(participants).of(np.ones(N, dtype=bool)).columns
    gap, speed = participants["bag"].to_numpy(), participants["speed"].to_numpy()
    (once, p), (twice, same) = (
        partial_correlation(gap, speed, covariate_basis(columns)) for columns in (held, np.hstack([held, held]))
    )
    assert (twice.value, twice.low, same) == pytest.approx((once.value, once.low, p), abs=1e-10)


def test_a_variable_determined_by_covariates_has_no_partial_correlation(participants: pd.DataFrame) -> None:
    row = associate(participants.assign(decades=participants["age"] / 10), ["decades"]).table.iloc[0]
    assert np.isnan(row["r_partial"])
    assert np.isnan(row["q_partial"])


def test_q_values_are_benjamini_and_hochbergs(participants: pd.DataFrame) -> None:
    table = associate(participants, ["speed", "smoker", "answer", "sex"]).table
    expected = multipletests(table["p_partial"], method="fdr_bh")[1]
    np.testing.assert_allclose(table["q_partial"], expected, atol=1e-10)


def test_a_missing_value_changes_its_own_row_only(participants: pd.DataFrame) -> None:
    names = ["speed", "smoker", "answer"]
    whole = associate(participants, names).table.set_index("variable").drop(columns="q_partial")
    holes = participants.assign(smoker=participants["smoker"].where(participants.index % 7 > 0))
    some = associate(holes, names).table.set_index("variable").drop(columns="q_partial")
    pd.testing.assert_frame_equal(some.drop("smoker"), whole.drop("smoker"), check_exact=True)
    assert some.loc["smoker", "n"] == N - 32
    alone = associate(holes[holes["smoker"].notna()], ["smoker"]).table.iloc[0]
    assert some.loc["smoker", "r_partial"] == alone["r_partial"]


def test_what_cannot_be_used_is_named_and_what_is_rare_flagged(participants: pd.DataFrame) -> None:
    odd = participants.assign(
        few=participants["speed"].where(participants.index < 19),
        same=1.0,
        colour=np.resize(["red", "green", "blue"], N),
        yes_no=np.resize(["yes", "no"], N),
        rare=(participants.index < 3).astype(float),
        level=np.where(participants.index < 3, 2.0, np.resize([0.0, 1.0], N)),
    )
    found = associate(odd, ["few", "same", "colour", "yes_no", "rare", "level"])
    assert found.left_out == {
        "few": "fewer than 20 participants have a value",
        "same": "it does not vary",
        "rare": "fewer than 10 participants have another value than the most common one",
    }
    assert found.flagged == {"level": "fewer than 10 cases in a category"}
    assert list(found.table["kind"]) == ["category", "binary", "ordinal"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [([0, 1, 1], "binary"), ([1, 2, 3], "ordinal"), ([0.5, 1, 2], "continuous"), (range(11), "continuous")],
)
def test_kinds(values: list[float], kind: str) -> None:
    assert kind_of(pd.Series(list(values), dtype=float)) == kind


@pytest.mark.parametrize(("r", "n"), [(float("nan"), 50), (0.5, 3), (1.0, 50)])
def test_where_fishers_z_is_undefined_there_is_no_interval(r: float, n: int) -> None:
    assert correlation_estimate(r, n).low is None


def test_bootstrap_intervals_are_those_of_a_plain_loop_over_the_same_resamples(participants: pd.DataFrame) -> None:
    # Rounded, so that there are ties.
    age, predicted = participants["age"].round().to_numpy(), participants["predicted_age"].round().to_numpy()
    measured = measure_accuracy(age, predicted, mean_age=60.0, n_resamples=130, seed=5)
    metrics = {
        "mae": mean_absolute_error,
        "rmse": lambda y, p: np.sqrt(np.mean((y - p) ** 2)),
        "r2": r2_score,
        "pearson_r": lambda y, p: stats.pearsonr(y, p)[0],
        "spearman_rho": lambda y, p: stats.spearmanr(y, p)[0],
    }
    drawn = np.random.default_rng(5).integers(N, size=(130, N))
    for name, metric in metrics.items():
        estimate = measured.estimates[name]
        assert estimate.value == pytest.approx(metric(age, predicted), abs=1e-10)
        values = np.array([metric(age[index], predicted[index]) for index in drawn])
        levels = np.array([0.025, 0.975])
        if name in ("rmse", "r2", "pearson_r"):
            everyone = np.arange(N)
            jackknife = [metric(*(x[everyone != one] for x in (age, predicted))) for one in everyone]
            bias = stats.norm.ppf(np.mean(values < estimate.value))
            a = stats.skew(-np.array(jackknife)) / (6 * np.sqrt(N))
            z = bias + stats.norm.ppf(levels)
            levels = stats.norm.cdf(bias + z / (1 - a * z))
        expected = np.quantile(values, levels)
        assert (estimate.low, estimate.high) == pytest.approx(tuple(expected), abs=1e-10)
    assert measured.mean_mae == pytest.approx(np.abs(age - 60).mean())
    assert measured.skill == pytest.approx(1 - np.abs(age - predicted).mean() / np.abs(age - 60).mean())


def test_paired_differences_are_those_of_a_plain_loop(participants: pd.DataFrame) -> None:
    age, first = participants["age"].to_numpy(), participants["predicted_age"].to_numpy()
    second = first + np.random.default_rng(2).normal(0.3, 2, N)
    found = paired_difference(age, first, second, n_resamples=110, seed=9)
    drawn = np.random.default_rng(9).integers(N, size=(110, N))
    errors = np.abs(first - age) - np.abs(second - age)
    values = np.array([errors[index].mean() for index in drawn])
    assert found.mae.value == pytest.approx(errors.mean())
    assert (found.mae.low, found.mae.high) == pytest.approx(tuple(np.percentile(values, [2.5, 97.5])), abs=1e-10)
    tail = min((values <= 0).sum(), (values >= 0).sum())
    assert found.p == pytest.approx(min(1, 2 * (tail + 1) / 111))
    mirrored = paired_difference(age, second, first, n_resamples=110, seed=9)
    assert (mirrored.mae.value, mirrored.p) == (pytest.approx(-errors.mean()), pytest.approx(found.p))


def parts(participants: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return participants[participants["split"] == "val"], participants[participants["split"] == "test"]


def test_the_linear_correction_is_the_regression_of_the_gap_on_age_in_other_participants(
    participants: pd.DataFrame,
) -> None:
    val, test = parts(participants)
    gaps, (fit,) = corrected_gaps(test, val, "linear")
    line = sm.OLS(val["bag"], sm.add_constant(val["age"])).fit()
    np.testing.assert_allclose(gaps, test["bag"] - line.predict(sm.add_constant(test["age"])), atol=1e-10)
    assert (fit.n, fit.fitted_on) == (120, "validation")


def test_coles_correction_inverts_the_line_from_age_to_prediction(participants: pd.DataFrame) -> None:
    val, test = parts(participants)
    gaps, _ = corrected_gaps(test, val, "cole")
    slope, intercept = np.polyfit(val["age"], val["predicted_age"], 1)
    np.testing.assert_allclose(gaps, (test["predicted_age"] - intercept) / slope - test["age"], atol=1e-10)


def test_in_sample_leaves_no_trend_in_the_very_rows(participants: pd.DataFrame) -> None:
    val, test = parts(participants)
    gaps, (fit,) = corrected_gaps(test, val, "in_sample")
    assert stats.pearsonr(gaps, test["age"])[0] == pytest.approx(0, abs=1e-10)
    assert fit.fitted_on == "the analysed rows"


def test_no_validation_row_is_corrected_by_a_fit_that_knows_it(participants: pd.DataFrame) -> None:
    val, test = parts(participants)
    rows = pd.concat([val, test])
    before, fits = corrected_gaps(rows, val, "linear")
    person = val.index[7]
    moved = rows.copy()
    moved.loc[person, "predicted_age"] += 50
    after, _ = corrected_gaps(moved, moved[moved["split"] == "val"], "linear")
    assert after[person] - before[person] == pytest.approx(50, abs=1e-10)  # its own fit has not moved
    assert not np.allclose(after[test.index], before[test.index])
    assert [fit.n for fit in fits] == [120, *[108] * 10]


def test_a_fit_on_too_few_or_too_flat_is_refused(participants: pd.DataFrame) -> None:
    val, test = parts(participants)
    with pytest.raises(EvaluationError, match=r"needs 100 participants of different ages .* \(validation\), but .* 99"):
        corrected_gaps(test, val.head(99), "linear")
    with pytest.raises(EvaluationError, match=r"slope .* 0.05, but is 0.000.*linear"):
        fit_correction("cole", val.assign(predicted_age=60.0), "validation")
    with pytest.raises(EvaluationError, match=r"is fitted on validation rows .* none\. Use gap_correction=in_sample"):
        corrected_gaps(test, val.iloc[:0], "linear")


def test_a_gap_that_is_linear_in_age_is_corrected_to_zero(participants: pd.DataFrame) -> None:
    flat = participants.assign(predicted_age=63.0)
    val, test = parts(flat)
    gaps, _ = corrected_gaps(test, val, "linear")
    assert (gaps == 0).all()


def test_bins_of_under_ten_participants_are_merged(participants: pd.DataFrame) -> None:
    rows = participants.assign(age=[50.0] * 9 + [56.0] * (N - 9))
    table = gap_by_age(rows)
    assert table[["age_low", "age_high", "n"]].to_numpy().tolist() == [[50, 60, N]]
    assert table["bag"].iloc[0] == pytest.approx(rows["bag"].mean())


def test_ids_that_are_of_another_table_are_refused(participants: pd.DataFrame) -> None:
    others = participants.assign(participant_id="x" + participants["participant_id"])
    with pytest.raises(EvaluationError, match=r"None of the 40 analysed participants is among the 220 of the"):
        analyse(participants, others[["participant_id", "speed"]], AnalysisSettings())


def test_rows_that_do_not_exist_are_refused(participants: pd.DataFrame) -> None:
    with pytest.raises(EvaluationError, match=r"`associations.rows=test` must name .*rows, but none of 220"):
        analyse(participants.assign(split="val"), participants[["participant_id", "speed"]], AnalysisSettings())


def test_findings_contain_no_ids_and_count_ages_outside_the_training_range(participants: pd.DataFrame) -> None:
    young = participants.assign(age=participants["age"].where(participants.index != N - 1, 30.0))
    columns = ["participant_id", "split", "age", "predicted_age"]
    findings = analyse(
        young[columns], participants.drop(columns=["age", "predicted_age", "bag", "split"]), AnalysisSettings()
    )
    training, test = (young.loc[young["split"] == part, "age"] for part in ("train", "test"))
    n_outside = sum(not min(training) <= age <= max(training) for age in test)
    assert n_outside >= 1
    assert any(note.startswith(f"{n_outside} of 40 participants are younger or older") for note in findings.notes)
    text = str(findings.as_json())
    assert not any(person in text for person in participants["participant_id"])
    assert findings.accuracy.n == 40
    assert set(findings.other_parts) == {"train", "val"}
