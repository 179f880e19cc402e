import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from brainage.errors import EvaluationError
from brainage.evaluation.gap import (
    corrected_across_folds,
    corrected_gaps,
    fit_correction,
    has_labels,
    held_out,
    refuse_shared,
    rows_of,
)


def participants(n: int, split: str, seed: int = 0, *, slope: float = 0.4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.uniform(45, 80, n)
    return pd.DataFrame(
        {
            "participant_id": [f"{split}{number}" for number in range(n)],
            "split": split,
            "age": age,
            "predicted_age": 62 + slope * (age - 60) + rng.normal(0, 4, n),
        }
    )


def both(n_val: int = 145, n_test: int = 31) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return validation rows, test rows, and both mixed up in one table."""
    validation, test = participants(n_val, "val"), participants(n_test, "test", seed=1)
    mixed = pd.concat([validation, test], ignore_index=True).sample(frac=1, random_state=0)
    return mixed[mixed["split"] == "val"], mixed[mixed["split"] == "test"], mixed


# What `linear` and `cole` do to test rows


def test_linear_agrees_with_numpy() -> None:
    validation, test, _ = both()
    slope, intercept = np.polyfit(validation["age"], validation["predicted_age"] - validation["age"], 1)
    corrected, (fit,) = corrected_gaps(test, validation, "linear")
    assert (fit.slope, fit.intercept) == pytest.approx((slope, intercept), abs=1e-10)
    expected = test["predicted_age"] - test["age"] - intercept - slope * test["age"]
    pd.testing.assert_series_equal(corrected, expected, check_names=False, rtol=0, atol=1e-10)
    assert (fit.method, fit.n, fit.fitted_on) == ("linear", 145, "validation")


def test_linear_agrees_with_statsmodels() -> None:
    validation, test, _ = both()
    line = sm.OLS(validation["predicted_age"] - validation["age"], sm.add_constant(validation["age"])).fit()
    corrected, _ = corrected_gaps(test, validation, "linear")
    expected = test["predicted_age"] - test["age"] - line.predict(sm.add_constant(test["age"]))
    assert corrected.to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-10)


def test_cole_agrees_with_numpy_and_statsmodels() -> None:
    validation, test, _ = both()
    slope, intercept = np.polyfit(validation["age"], validation["predicted_age"], 1)
    line = sm.OLS(validation["predicted_age"], sm.add_constant(validation["age"])).fit()
    corrected, (fit,) = corrected_gaps(test, validation, "cole")
    assert (fit.intercept, fit.slope) == pytest.approx(tuple(line.params), abs=1e-10)
    expected = (test["predicted_age"] - intercept) / slope - test["age"]
    pd.testing.assert_series_equal(corrected, expected, check_names=False, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("method", "gap"), [("linear", 4.0), ("cole", 8.0)])
def test_a_correction_agrees_with_numbers_by_hand(method: str, gap: float) -> None:
    # Fitted where predicted = 30 + age / 2, which is 60 at age 60. The participant is predicted 64.
    validation = participants(130, "val").assign(predicted_age=lambda table: 30 + table["age"] / 2)
    participant = pd.DataFrame({"participant_id": ["x"], "split": ["test"], "age": [60.0], "predicted_age": [64.0]})
    corrected, _ = corrected_gaps(participant, validation, method)
    assert corrected.to_list() == pytest.approx([gap], abs=1e-10)


def test_in_sample_leaves_the_residuals_of_the_rows_that_are_analysed() -> None:
    _, _, mixed = both()
    line = sm.OLS(mixed["predicted_age"] - mixed["age"], sm.add_constant(mixed["age"])).fit()
    corrected, (fit,) = corrected_gaps(mixed, mixed.iloc[:0], "in_sample")
    assert corrected.to_numpy() == pytest.approx(line.resid.to_numpy(), abs=1e-10)
    assert list(corrected.index) == list(mixed.index)
    assert (fit.method, fit.n, fit.fitted_on) == ("in_sample", 176, "the analysed rows")


def test_in_sample_does_not_look_at_validation_rows() -> None:
    validation, test, _ = both()
    alone, _ = corrected_gaps(test, validation.iloc[:0], "in_sample")
    pd.testing.assert_series_equal(corrected_gaps(test, validation, "in_sample")[0], alone)


def test_none_corrects_nothing() -> None:
    validation, test, _ = both()
    corrected, fits = corrected_gaps(test, validation, "none")
    assert corrected.isna().all() and list(corrected.index) == list(test.index)
    assert fits == []


# Participants of the fit


@pytest.mark.parametrize("method", ["linear", "cole"])
def test_test_rows_are_corrected_by_the_whole_validation_fit_also_with_validation_rows(method: str) -> None:
    validation, test, mixed = both()
    alone, (fit,) = corrected_gaps(test, validation, method)
    together, fits = corrected_gaps(mixed, validation, method)
    pd.testing.assert_series_equal(together[test.index], alone)
    assert fits[0] == fit and fit.n == 145


@pytest.mark.parametrize("method", ["linear", "cole"])
def test_no_validation_row_is_corrected_by_a_fit_that_contains_it(method: str) -> None:
    # Then its corrected gap is linear in its own prediction; a fit that contained it would bend (cole) or damp it.
    validation, _, mixed = both()
    usual, _ = corrected_gaps(mixed, validation, method)
    for row in validation.index[::15]:
        moved = []
        for years in (20.0, 40.0):
            table = mixed.copy()
            table.loc[row, "predicted_age"] += years
            changed, _ = corrected_gaps(table, table[table["split"] == "val"], method)
            moved.append(changed[row] - usual[row])
        assert moved[1] == pytest.approx(2 * moved[0], abs=1e-9)
        if method == "linear":
            assert moved == pytest.approx([20, 40], abs=1e-9)


def test_a_validation_row_does_change_the_corrections_of_others() -> None:
    validation, test, mixed = both()
    usual, _ = corrected_gaps(mixed, validation, "linear")
    table, row = mixed.copy(), validation.index[4]
    table.loc[row, "predicted_age"] += 20
    moved = corrected_gaps(table, table[table["split"] == "val"], "linear")[0] - usual
    assert (moved[test.index].abs() > 1e-6).all()
    # 45 participants in ten parts: at most 14 others stay out of all fits that this row is in.
    assert (moved[validation.index].abs() > 1e-6).sum() >= 145 - 14


@pytest.mark.parametrize("method", ["linear", "cole"])
def test_each_validation_row_is_left_out_of_exactly_one_of_ten_fits(method: str) -> None:
    validation, _, mixed = both()
    _, fits = corrected_gaps(mixed, validation, method)
    assert len(fits) == 11
    assert sum(145 - fit.n for fit in fits[1:]) == 145
    assert {145 - fit.n for fit in fits[1:]} == {14, 15}
    assert len({fit.people for fit in fits}) == 11


def test_a_cross_fitted_gap_agrees_with_one_of_the_fits_that_are_saved() -> None:
    validation, _, mixed = both()
    corrected, fits = corrected_gaps(mixed, validation, "linear")
    gap = validation["predicted_age"] - validation["age"]
    by_fit = np.stack([gap - fit.intercept - fit.slope * validation["age"] for fit in fits[1:]])
    nearest = np.abs(by_fit - corrected[validation.index].to_numpy()).min(axis=0)
    assert nearest == pytest.approx(np.zeros(145), abs=1e-10)


@pytest.mark.parametrize("method", ["linear", "cole"])
def test_a_fit_set_that_shares_a_participant_with_test_rows_is_refused(method: str) -> None:
    validation, test, mixed = both()
    for table in (test, mixed):
        shared = table.copy()
        shared.loc[test.index[3], "participant_id"] = validation["participant_id"].iloc[7]
        with pytest.raises(EvaluationError, match=rf"`gap_correction={method}` must be fitted on .* 1 of"):
            corrected_gaps(shared, validation, method)


def test_in_sample_may_share_participants() -> None:
    rows = participants(100, "test")
    refuse_shared(fit_correction("in_sample", rows, "the analysed rows"), rows, rows)
    with pytest.raises(EvaluationError, match="100 of 100 are in both"):
        refuse_shared(fit_correction("linear", rows, "validation"), rows, rows)


def test_a_refusal_counts_shared_participants_without_ids() -> None:
    validation = participants(130, "val")
    fit = fit_correction("linear", validation, "validation")
    rows = pd.concat([participants(25, "test"), validation.iloc[:2]])
    with pytest.raises(EvaluationError, match="2 of 27 are in both. Use gap_correction=in_sample") as refused:
        refuse_shared(fit, rows, validation)
    assert "val0" not in str(refused.value)


def test_the_hash_identifies_the_sample_but_no_participant() -> None:
    table = participants(130, "val")
    first = fit_correction("linear", table, "validation")
    same = fit_correction(
        "linear", table.sample(frac=1, random_state=0).assign(age=lambda t: t["age"] + 1), "validation"
    )
    other = fit_correction("linear", table.replace("val29", "val30"), "validation")
    assert first.people == same.people != other.people
    assert "val" not in first.people


# What cannot be fitted


@pytest.mark.parametrize("slope", [0.049, -0.049, 0.0, -0.051, -0.5])
def test_cole_is_refused_where_predictions_do_not_rise_with_age(slope: float) -> None:
    validation = participants(130, "val").assign(predicted_age=lambda table: 60 + slope * table["age"])
    why = "hardly depend on age" if abs(slope) < 0.05 else "fall with age"
    with pytest.raises(
        EvaluationError, match=rf"`gap_correction=cole` divides .*, but is -?{abs(slope):.3f}: predictions {why}"
    ):
        corrected_gaps(participants(30, "test"), validation, "cole")


@pytest.mark.parametrize("slope", [0.051, 0.5])
def test_cole_is_possible_from_a_slope_of_a_twentieth(slope: float) -> None:
    validation = participants(130, "val").assign(predicted_age=lambda table: 60 + slope * table["age"])
    _, (fit,) = corrected_gaps(participants(30, "test"), validation, "cole")
    assert fit.slope == pytest.approx(slope, abs=1e-12)


@pytest.mark.parametrize("method", ["linear", "cole"])
def test_without_validation_rows_the_message_names_an_alternative(method: str) -> None:
    with pytest.raises(
        EvaluationError, match=rf"`gap_correction={method}` .* there are none. Use gap_correction=in_sam"
    ):
        corrected_gaps(participants(30, "test"), participants(0, "val"), method)


LEAST = pytest.mark.parametrize(("method", "least"), [("linear", 100), ("cole", 100), ("in_sample", 20)])


@LEAST
def test_a_fit_on_fewer_participants_is_refused_with_the_number(method: str, least: int) -> None:
    rows, validation = participants(least - 1, "test"), participants(least - 1, "val")
    with pytest.raises(
        EvaluationError, match=rf"`gap_correction={method}` needs {least} .*, but there are {least - 1}\."
    ):
        corrected_gaps(rows, validation, method)


@LEAST
def test_as_many_participants_are_enough(method: str, least: int) -> None:
    corrected, fits = corrected_gaps(participants(20, "test"), participants(least, "val"), method)
    assert corrected.notna().all()
    assert fits[0].n == least


@pytest.mark.parametrize("method", ["linear", "cole", "in_sample"])
def test_participants_of_one_age_are_refused(method: str) -> None:
    rows, validation = (participants(130, split).assign(age=60.0) for split in ("test", "val"))
    with pytest.raises(EvaluationError, match="needs [0-9]+ participants of different ages"):
        corrected_gaps(rows, validation, method)


# Gaps that are functions of age


@pytest.mark.parametrize("method", ["linear", "in_sample"])
@pytest.mark.parametrize("constant", [62.37, 60.1, 58.123456789])
def test_the_mean_predictors_gap_is_corrected_to_zero(method: str, constant: float) -> None:
    for seed in range(10):
        table = pd.concat([participants(140, "val", seed), participants(30, "test", seed + 100)], ignore_index=True)
        table["predicted_age"] = constant
        corrected, _ = corrected_gaps(table, table[table["split"] == "val"], method)
        assert (corrected == 0).all()


def test_a_participant_without_an_age_has_no_corrected_gap() -> None:
    validation, test, _ = both()
    test = test.assign(age=test["age"].mask(test.index == test.index[2]))
    corrected, _ = corrected_gaps(test, validation, "linear")
    assert math.isnan(corrected.iloc[2])
    assert corrected.notna().sum() == len(test) - 1


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.floats(-30, 30), st.floats(-2, 2))
def test_linear_removes_any_linear_function_of_age_from_predictions(seed: int, years: float, slope: float) -> None:
    validation, test = participants(130, "val", seed), participants(25, "test", seed // 2)
    usual, _ = corrected_gaps(test, validation, "linear")
    bent = [
        table.assign(predicted_age=lambda t: t["predicted_age"] + years + slope * t["age"])
        for table in (test, validation)
    ]
    assert corrected_gaps(*bent, "linear")[0].to_numpy() == pytest.approx(usual.to_numpy(), abs=1e-8)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.floats(-30, 30), st.floats(0.5, 3))
def test_cole_does_not_depend_on_the_unit_of_the_predictions(seed: int, offset: float, scale: float) -> None:
    validation, test = (participants(100, split, seed, slope=0.8) for split in ("val", "test"))
    usual, _ = corrected_gaps(test, validation, "cole")
    bent = [table.assign(predicted_age=lambda t: offset + scale * t["predicted_age"]) for table in (test, validation)]
    assert corrected_gaps(*bent, "cole")[0].to_numpy() == pytest.approx(usual.to_numpy(), abs=1e-8)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(20, 60))
def test_in_sample_gaps_have_neither_a_mean_nor_a_trend(seed: int, n: int) -> None:
    table = participants(n, "test", seed)
    corrected, _ = corrected_gaps(table, table.iloc[:0], "in_sample")
    assert corrected.mean() == pytest.approx(0, abs=1e-10)
    assert np.corrcoef(corrected, table["age"])[0, 1] == pytest.approx(0, abs=1e-10)


# Which rows


@pytest.mark.parametrize(("choice", "n"), [("test", 31), ("val+test", 176), ("all", 199)])
def test_rows_are_those_of_the_parts_that_are_named(choice: str, n: int) -> None:
    table = pd.concat([*both()[:2], participants(23, "train")], ignore_index=True)
    chosen = rows_of(table, choice)
    assert len(chosen) == n
    assert set(chosen["split"]) == (set(choice.split("+")) if choice != "all" else {"train", "val", "test"})


@pytest.mark.parametrize("choice", ["test", "val+test", "all"])
def test_without_labels_all_rows_are_meant(choice: str) -> None:
    for table in (participants(9, "test").assign(split=None), participants(9, "test").drop(columns="split")):
        assert not has_labels(table)
        assert len(rows_of(table, choice)) == 9


# Cross-fitting on held-out participants


def without(table: pd.DataFrame, part: pd.DataFrame) -> pd.Series:
    """Correct a part of a table by numpy's line through the others."""
    others = table.drop(part.index)
    slope, intercept = np.polyfit(others["age"], others["predicted_age"] - others["age"], 1)
    return part["predicted_age"] - part["age"] - intercept - slope * part["age"]


def test_crossfit_corrects_held_out_rows_by_a_fit_on_the_others_and_training_rows_by_all() -> None:
    training = participants(25, "train", seed=2).assign(predicted_age=lambda rows: rows["age"])
    table = pd.concat([both(17, 23)[2], training], ignore_index=True)
    tested = held_out(table)
    corrected, fits = corrected_gaps(table, tested, "crossfit")
    ranked = tested.sort_values("age")
    expected = pd.concat([without(tested, ranked.iloc[start::10]) for start in range(10)])
    assert corrected[tested.index].to_numpy() == pytest.approx(expected[tested.index].to_numpy(), abs=1e-10)
    slope, intercept = np.polyfit(tested["age"], tested["predicted_age"] - tested["age"], 1)
    of_training = corrected[table["split"] == "train"].to_numpy()
    assert of_training == pytest.approx(-intercept - slope * training["age"].to_numpy(), abs=1e-10)
    assert [fit.n for fit in fits] == [40, *[36] * 10]
    assert [fit.is_part for fit in fits] == [False, *[True] * 10]
    assert {fit.fitted_on.partition(" ")[0] for fit in fits} == {"held-out"}


def test_crossfit_across_folds_uses_the_participants_of_other_folds_only() -> None:
    pooled = participants(40, "test").reset_index(drop=True)
    folds = pd.Series([f"fold {number}" for number in (0, 1, 1, 2) * 10])
    corrected, fits = corrected_across_folds(pooled, folds)
    expected = pd.concat([without(pooled, part) for _, part in pooled.groupby(folds)]).sort_index()
    assert corrected.to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-10)
    assert {fit.fitted_on: fit.n for fit in fits} == {
        "held-out": 40, "held-out without fold 0": 30, "held-out without fold 1": 20, "held-out without fold 2": 30,
    }  # fmt: skip


@pytest.mark.parametrize("labelled", [True, False])
def test_with_crossfit_nobodys_correction_depends_on_the_own_prediction(labelled: bool) -> None:
    table = pd.concat([participants(15, "val"), participants(16, "test", seed=1)], ignore_index=True)
    table = table if labelled else table.assign(split=None)
    usual, _ = corrected_gaps(table, held_out(table), "crossfit")
    for row in (0, 9, 30):
        changed = table.copy()
        changed.loc[row, "predicted_age"] += 7.0
        moved = corrected_gaps(changed, held_out(changed), "crossfit")[0] - usual
        assert moved[row] == pytest.approx(7.0, abs=1e-10) and moved.drop(row).abs().max() > 0.01


def test_crossfit_needs_thirty_held_out_participants_and_twenty_in_each_fit() -> None:
    few, enough = participants(29, "test"), participants(30, "test")
    with pytest.raises(EvaluationError, match=r"`gap_correction=crossfit` needs 30 .*\(held-out\).* 29\. .*=kfold"):
        corrected_gaps(few, few, "crossfit")
    assert corrected_gaps(enough, enough, "crossfit")[0].notna().all()
    halves = pd.Series([f"fold {number}" for number in (0, 1) * 15])
    with pytest.raises(EvaluationError, match=r"needs 20 .*\(held-out without fold 0\), but there are 15\. "):
        corrected_across_folds(enough, halves)


def test_too_few_validation_rows_are_told_of_crossfit() -> None:
    with pytest.raises(EvaluationError, match=r"`gap_correction=linear` needs 100 .* Use gap_correction=crossfit"):
        corrected_gaps(participants(30, "test"), participants(8, "val"), "linear")
