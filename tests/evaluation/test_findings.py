import functools
import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from brainage.errors import EvaluationError
from brainage.evaluation.against import RIDGE, Against, BaselinePredictions
from brainage.evaluation.analyse import analyse
from brainage.evaluation.associations import Associations
from brainage.evaluation.findings import AnalysisSettings, Findings
from brainage.evaluation.gap import Correction

N = {"train": 60, "val": 105, "test": 47}


def tables(seed: int = 0, **sizes: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return predictions and phenotypes, in different orders."""
    rng = np.random.default_rng(seed)
    split = np.repeat(list(N), [sizes.get(part, n) for part, n in N.items()])
    n = len(split)
    age, true_gap = rng.uniform(45, 80, n), rng.normal(0, 4, n)
    predictions = pd.DataFrame(
        {
            "participant_id": [f"volunteer-{number:04d}" for number in rng.permutation(n)],
            "split": split,
            "age": age,
            "predicted_age": 62 + 0.5 * (age + true_gap - 62) + rng.normal(0, 2, n),
        }
    )
    # All ages are within the training range.
    predictions.loc[predictions.index[:2], "age"] = [45.0, 80.0]
    phenotypes = pd.DataFrame(
        {
            "participant_id": predictions["participant_id"],
            "sex": rng.integers(0, 2, n).astype(float),
            "site": rng.choice(["Cheadle", "Reading"], n),
            "head_motion": rng.gamma(2, 0.05, n),
            "family_id": [f"family-{number}" for number in range(n)],
            "true_gap": true_gap,
            "smoking": (true_gap + rng.normal(0, 4, n) > 0).astype(float),
            "body mass": rng.normal(27, 4, n),
        }
    )
    return predictions, phenotypes.sample(frac=1, random_state=seed).reset_index(drop=True)


def analysed(
    predictions: pd.DataFrame | None = None, phenotypes: pd.DataFrame | None = None, **options: Any
) -> Findings:
    if predictions is None or phenotypes is None:
        return usual(**{key: tuple(value) if isinstance(value, list) else value for key, value in options.items()})
    return analyse(predictions, phenotypes, AnalysisSettings(**{"n_resamples": 100, **options}))


@functools.cache
def usual(**options: Any) -> Findings:
    """Return the findings of the usual tables, which tests share."""
    return analyse(*tables(), AnalysisSettings(**{"n_resamples": 100, **options}))


def without_labels(predictions: pd.DataFrame) -> pd.DataFrame:
    return predictions.assign(split=None)


# Which rows


@pytest.mark.parametrize("method", ["linear", "cole", "crossfit", "in_sample", "none"])
@pytest.mark.parametrize(("rows", "n"), [("test", 47), ("val+test", 152), ("all", 212)])
def test_the_rows_that_are_chosen_are_analysed(rows: str, n: int, method: str) -> None:
    found = analysed(rows=rows, gap_correction=method)
    assert (len(found.rows), found.accuracy.n) == (n, n)
    assert found.motion is not None and found.motion.n == n
    assert found.by_age["n"].sum() == n
    assert found.associations.table["n"].tolist() == [n, n, n]
    assert len(found.predictions) == 212
    parts = {"test": {"train", "val"}, "val+test": {"train"}, "all": set()}[rows]
    assert {part: accuracy.n for part, accuracy in found.other_parts.items()} == {part: N[part] for part in parts}


def test_participants_are_matched_by_id() -> None:
    predictions, phenotypes = tables()
    joined = predictions.set_index("participant_id").join(phenotypes.set_index("participant_id"))
    test = joined[joined["split"] == "test"]
    row = analysed().associations.table.set_index("variable").loc["smoking"]
    expected = stats.pearsonr(test["predicted_age"] - test["age"], test["smoking"])
    assert (row["r"], row["p"]) == pytest.approx(tuple(expected), abs=1e-10)


def test_rows_without_labels_are_all_analysed_and_without_a_correction() -> None:
    predictions, phenotypes = tables()
    found = analysed(without_labels(predictions), phenotypes)
    assert found.accuracy.n == 212
    assert found.other_parts == {} and found.corrections == []
    assert found.mean_age_of == "these participants themselves"
    assert found.accuracy.mean_mae == pytest.approx(
        (predictions["age"] - predictions["age"].mean()).abs().mean(), abs=1e-10
    )
    assert any("gap_correction=in_sample" in note for note in found.notes)
    assert "bag_corrected" not in found.predictions


def test_the_mean_predictor_says_the_training_participants_mean_age() -> None:
    predictions, _ = tables()
    parts = {part: group["age"] for part, group in predictions.groupby("split")}
    found = analysed()
    assert found.mean_age_of == "the training participants"
    assert found.accuracy.mean_mae == pytest.approx((parts["test"] - parts["train"].mean()).abs().mean(), abs=1e-10)
    assert found.other_parts["val"].mean_mae == pytest.approx(
        (parts["val"] - parts["train"].mean()).abs().mean(), abs=1e-10
    )
    assert all(estimate.low is None for estimate in found.other_parts["val"].estimates.values())


@pytest.mark.parametrize("rows", ["test", "val+test"])
def test_a_choice_of_rows_that_do_not_exist_is_refused(rows: str) -> None:
    predictions, phenotypes = tables()
    trained = predictions[predictions["split"] == "train"]
    with pytest.raises(EvaluationError, match=re.escape(f"`associations.rows={rows}` must name existing rows")):
        analysed(trained, phenotypes, rows=rows)


def test_a_table_of_other_participants_is_refused_with_the_counts() -> None:
    predictions, phenotypes = tables()
    others = phenotypes.assign(participant_id=[f"stranger-{number}" for number in range(len(phenotypes))])
    with pytest.raises(EvaluationError, match="47 .*212 of the cohort's table"):
        analysed(predictions, others)


def test_participants_without_phenotypes_count_for_the_accuracy_only() -> None:
    predictions, phenotypes = tables()
    tested = predictions.loc[predictions["split"] == "test", "participant_id"]
    found = analysed(predictions, phenotypes[~phenotypes["participant_id"].isin(tested.iloc[:7])])
    assert found.accuracy.n == 47
    assert found.associations.table["n"].tolist() == [40, 40, 40]
    assert found.motion is not None and found.motion.n == 40


def test_columns_of_predictions_take_precedence_over_the_table_of_phenotypes() -> None:
    predictions, phenotypes = tables()
    wrong = phenotypes.assign(age=1.0, predicted_age=2.0, split="train", bag=3.0)
    found = analysed(predictions, wrong)
    assert found.accuracy == analysed().accuracy
    pd.testing.assert_frame_equal(found.associations.table, analysed().associations.table)


# The gap


def test_test_rows_are_corrected_by_the_line_through_the_validation_gaps() -> None:
    found = analysed()
    table = found.predictions
    validation, test = (table[table["split"] == part] for part in ("val", "test"))
    line = sm.OLS(validation["bag"], sm.add_constant(validation["age"])).fit()
    expected = test["bag"] - line.predict(sm.add_constant(test["age"]))
    assert test["bag_corrected"].to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-10)
    assert (found.corrections[0].intercept, found.corrections[0].slope) == pytest.approx(tuple(line.params), abs=1e-10)
    assert found.corrections[0].n == 105
    assert (found.rows["bag"] == test["bag"].to_numpy()).all()


def test_in_sample_is_of_the_rows_that_are_analysed_only() -> None:
    found = analysed(gap_correction="in_sample", rows="val+test")
    corrected = found.predictions.groupby("split")["bag_corrected"].count()
    assert corrected.to_dict() == {"train": 0, "val": 105, "test": 47}
    assert [fit.n for fit in found.corrections] == [152]
    trend = np.polyfit(found.rows["age"], found.rows["bag_corrected"], 1)
    assert trend == pytest.approx([0, 0], abs=1e-8)


def test_accuracy_does_not_depend_on_the_correction() -> None:
    first, *others = (analysed(gap_correction=method) for method in ("none", "linear", "cole", "in_sample"))
    assert all(found.accuracy == first.accuracy for found in others)
    test = first.predictions[first.predictions["split"] == "test"]
    assert first.accuracy.estimates["mae"].value == pytest.approx(test["bag"].abs().mean(), abs=1e-12)


def test_without_a_correction_there_is_no_corrected_gap() -> None:
    found = analysed(gap_correction="none")
    assert "bag_corrected" not in found.predictions and "bag_corrected" not in found.rows
    assert found.corrections == []
    assert found.associations.table["r_corrected"].isna().all()
    assert found.associations.table["r_partial"].notna().all()


def test_a_hundred_validation_participants_are_enough_to_correct_test_rows() -> None:
    found = analysed(*tables(val=100))
    tested = found.predictions[found.predictions["split"] == "test"]
    assert found.corrections and found.corrections[0].n == 100
    assert tested["bag_corrected"].notna().all()
    assert found.associations.table["r_corrected"].notna().all()


@pytest.mark.parametrize("method", ["linear", "cole"])
def test_the_choice_of_rows_does_not_change_corrected_gaps(method: str) -> None:
    first, *others = (analysed(rows=rows, gap_correction=method) for rows in ("test", "val+test", "all"))
    for found in others:
        pd.testing.assert_frame_equal(found.predictions, first.predictions)
    assert first.predictions["bag_corrected"].notna().all()


@pytest.mark.parametrize("rows", ["test", "val+test"])
def test_a_participant_of_both_validation_and_test_set_is_refused(rows: str) -> None:
    predictions, phenotypes = tables()
    first = {part: group.index[0] for part, group in predictions.groupby("split")}
    predictions.loc[first["test"], "participant_id"] = predictions.loc[first["val"], "participant_id"]
    with pytest.raises(EvaluationError, match="fitted on .*, but 1 of"):
        analysed(predictions, phenotypes, rows=rows, strict=True)


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "within-training"])
@pytest.mark.parametrize(
    ("method", "sizes", "message"),
    [
        ("linear", {"val": 99}, r"needs 100 participants .*, but there are 99\. Use gap_correction=crossfit"),
        ("linear", {"val": 0}, "there are none. Use gap_correction=in_sample"),
        ("in_sample", {"test": 12}, r"needs 20 participants .*, but there are 12\."),
        ("crossfit", {"val": 9, "test": 20}, r"needs 30 participants .*, but there are 29\. .*=kfold"),
    ],
    ids=["few", "none", "in-sample", "crossfit"],
)
def test_a_correction_that_cannot_be_fitted_is_an_error_or_a_note(
    method: str, sizes: dict[str, int], message: str, strict: bool
) -> None:
    predictions, phenotypes = tables(**sizes)
    if strict:
        with pytest.raises(EvaluationError, match=message):
            analysed(predictions, phenotypes, gap_correction=method, strict=True)
        return
    found = analysed(predictions, phenotypes, gap_correction=method)
    assert sum(re.search(f"No corrected gap: .*{message}", note) is not None for note in found.notes) == 1
    assert found.corrections == [] and "bag_corrected" not in found.predictions


def test_a_flat_predictor_is_not_corrected_as_cole_does() -> None:
    predictions, phenotypes = tables()
    with pytest.raises(EvaluationError, match="`gap_correction=cole` divides by the slope"):
        analysed(predictions.assign(predicted_age=62.37), phenotypes, gap_correction="cole", strict=True)


def test_gaps_that_were_corrected_already_are_used() -> None:
    predictions, phenotypes = tables()
    gaps = pd.Series(np.linspace(-1, 1, 212), predictions.index)
    fit = Correction("linear", 1.0, 2.0, 40, "validation of fold 0", "abc")
    found = analyse(predictions, phenotypes, AnalysisSettings(n_resamples=100), corrected=(gaps, [fit]))
    assert found.corrections == [fit]
    assert (found.predictions["bag_corrected"] == gaps).all()
    expected = gaps[predictions["split"] == "test"].to_numpy()
    assert (found.rows["bag_corrected"] == expected).all()


@pytest.mark.parametrize("method", ["linear", "in_sample"])
def test_the_mean_predictor_has_corrected_gaps_of_zero_and_no_correlations(method: str) -> None:
    predictions, phenotypes = tables()
    found = analysed(predictions.assign(predicted_age=62.37), phenotypes, gap_correction=method)
    assert (found.rows["bag_corrected"] == 0).all()
    columns = ["r_corrected", "p_corrected", "r_partial", "p_partial", "q_partial"]
    assert found.associations.table[columns].isna().all(axis=None)
    assert found.truth is not None and found.truth.r_corrected is None


# Associations


def test_every_phenotype_and_sex_are_associated_and_the_true_gap_never_is() -> None:
    assert analysed().associations.table["variable"].tolist() == ["sex", "smoking", "body mass"]


def test_variables_that_are_named_are_associated_in_their_order() -> None:
    found = analysed(variables=["smoking", "head_motion", "site"])
    table = found.associations.table
    assert table["variable"].tolist() == ["smoking", "head_motion", "site"]
    assert table["covariates"].tolist() == [
        "age age^2 sex sex:age log(head_motion) site",
        "age age^2 sex sex:age site",
        "age age^2 sex sex:age log(head_motion)",
    ]


def test_a_variable_that_is_named_twice_is_associated_once() -> None:
    found = analysed(variables=["smoking", "sex", "smoking"]).associations
    pd.testing.assert_frame_equal(found.table, analysed(variables=["smoking", "sex"]).associations.table)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("smokng", "'smokng'.* Did you mean `smoking`\\?"),
        ("body_mass", "got 'body_mass'.* Did you mean `body mass`\\?"),
        ("qqq", "got 'qqq'.*Choose one of body mass, head_motion, sex, site, smoking\\.$"),
        ("true_gap", "got 'true_gap'"),
        ("family_id", "got 'family_id'"),
        ("participant_id", "got 'participant_id'"),
        ("age", "got 'age'"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_one(name: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=f"`associations.variables` .*{message}"):
        analysed(variables=["smoking", name])


def test_a_variable_that_cannot_be_used_is_named_in_what_is_saved() -> None:
    predictions, phenotypes = tables()
    table = phenotypes.assign(constant=1.0, rare=0.0)
    tested = predictions.loc[predictions["split"] == "test", "participant_id"]
    table.loc[table["participant_id"].isin(tested.iloc[:3]), "rare"] = 1.0
    saved = analysed(predictions, table).as_json()
    rare = "fewer than 10 participants have another value than the most common one"
    assert saved["left_out"] == {"constant": "it does not vary", "rare": rare}


# Notes


def test_too_few_rows_give_notes_with_the_minimum() -> None:
    found = analysed(*tables(test=9))
    notes = "\n".join(found.notes)
    assert "No associations: 9 participants are analysed, and 20 are needed." in notes
    assert "No accuracy: 9 participants are analysed, and fewer than 10 are only counted." in notes
    assert re.search("Head motion .*20 participants", notes)
    assert found.associations.table.empty and found.motion is None and found.truth is None
    assert found.accuracy.n == 9
    assert {estimate.value for estimate in found.accuracy.estimates.values()} == {None}


def test_a_table_without_phenotypes_or_motion_gives_notes() -> None:
    predictions, phenotypes = tables()
    found = analysed(predictions, phenotypes[["participant_id"]])
    notes = "\n".join(found.notes)
    assert "No associations: the cohort's table has no phenotypes." in notes
    assert "Head motion is unknown" in notes
    assert isinstance(found.associations, Associations) and found.associations.table.empty


def test_complete_data_give_no_caveats() -> None:
    assert analysed().notes == ()


def test_analysed_training_rows_are_counted() -> None:
    (note,) = analysed(rows="all").notes
    assert note.startswith("60 of the 212 rows are training participants")


def test_rows_of_no_part_are_counted_where_they_are_left_out() -> None:
    predictions, phenotypes = tables()
    predictions["split"] = predictions["split"].astype(object)
    predictions.loc[predictions.index[-4:], "split"] = None
    found = analysed(predictions, phenotypes)
    assert found.accuracy.n == 43
    assert [note.startswith("4 of 212 rows belong to no part") for note in found.notes] == [True]
    assert not any("no part" in note for note in analysed(predictions, phenotypes, rows="all").notes)


def test_ages_outside_the_training_range_are_counted() -> None:
    predictions, phenotypes = tables()
    tested = predictions.index[predictions["split"] == "test"]
    predictions.loc[tested[:3], "age"] = [44.9, 80.1, 95.0]
    # Exactly the youngest and the oldest age of training are within it; validation rows are not analysed.
    predictions.loc[tested[3:5], "age"] = [45.0, 80.0]
    predictions.loc[predictions["split"] == "val", "age"] += 100
    (note,) = analysed(predictions, phenotypes, gap_correction="none").notes
    assert note.startswith("3 of 47 participants are younger or older")
    assert "45" not in note and "80" not in note


@pytest.mark.parametrize(("n_sites", "said"), [(47, True), (3, False)])
def test_as_many_sites_as_participants_are_a_note(n_sites: int, said: bool) -> None:
    predictions, phenotypes = tables()
    sites = {one: f"site {number % n_sites}" for number, one in enumerate(predictions["participant_id"].iloc[-47:])}
    found = analysed(predictions, phenotypes.assign(site=phenotypes["participant_id"].map(sites).fillna("site 0")))
    assert found.associations.table["p_partial"].isna().all() == said
    notes = [note for note in found.notes if note.startswith("No partial r, p or interval for 3 of 3 variables")]
    assert bool(notes) == said
    assert not said or "`site` has 47 values" in notes[0]


@pytest.mark.parametrize("ages", [(300.0, -20.0), (120.1, -0.1)])
def test_predictions_of_ages_that_nobody_has_are_a_note(ages: tuple[float, float]) -> None:
    predictions, phenotypes = tables()
    predictions.loc[predictions.index[-2:], "predicted_age"] = ages
    notes = [note for note in analysed(predictions, phenotypes).notes if "below 0 or above 120" in note]
    assert len(notes) == 1 and notes[0].startswith("2 of 47 predicted ages")


# Motion, ridge and truth


def test_motion_alone_learns_from_training_rows() -> None:
    predictions, phenotypes = tables()
    joined = predictions.merge(phenotypes, on="participant_id")
    training, test = (joined[joined["split"] == part] for part in ("train", "test"))
    line = stats.linregress(training["head_motion"], training["age"])
    found = analysed().motion
    assert found is not None
    expected = (test["age"] - line.intercept - line.slope * test["head_motion"]).abs().mean()
    assert found.alone_mae == pytest.approx(expected, abs=1e-10)


def against(
    predictions: pd.DataFrame, phenotypes: pd.DataFrame, table: pd.DataFrame, rows: str = "test"
) -> list[Against]:
    settings = AnalysisSettings(rows=rows, n_resamples=100)
    return analyse(predictions, phenotypes, settings, [BaselinePredictions("any", "any one", table)]).baselines


@pytest.mark.parametrize(("n_missing", "mae"), [(0, 7.0), (2, None), (10, 7.0)])
def test_the_difference_to_a_baseline_is_over_participants_predicted_by_both(n_missing: int, mae: float | None) -> None:
    predictions, phenotypes = tables()
    test = predictions[predictions["split"] == "test"]
    table = predictions[["participant_id"]].assign(predicted_age=predictions["age"] + 7)
    table = table.sample(frac=1, random_state=0).drop(index=test.index[:n_missing])
    (found,) = against(predictions, phenotypes, table)
    error = (test["predicted_age"] - test["age"]).abs()
    assert found.difference.n == 47 - n_missing
    assert found.difference.mae.value == pytest.approx(error.iloc[n_missing:].mean() - 7, abs=1e-10)
    # With the MAEs of the model in all rows and in these, that of the two others would be known.
    assert found.mae == (None if mae is None else pytest.approx(mae))
    assert analysed().baselines == []


@pytest.mark.parametrize("rows", ["val+test", "all"])
def test_the_difference_to_a_baseline_is_over_test_participants_for_any_choice_of_rows(rows: str) -> None:
    predictions, phenotypes = tables()
    table = predictions[["participant_id"]].assign(predicted_age=predictions["age"] + 7)
    found, usual = (against(predictions, phenotypes, table, choice)[0] for choice in (rows, "test"))
    assert found.difference == usual.difference and found.difference.n == 47


def test_a_baseline_of_other_participants_has_no_difference() -> None:
    predictions, phenotypes = tables()
    table = pd.DataFrame({"participant_id": ["stranger"], "predicted_age": [60.0]})
    assert against(predictions, phenotypes, table) == []


def test_the_ridge_is_the_baseline_of_the_headline() -> None:
    predictions, phenotypes = tables()
    table = predictions[["participant_id"]].assign(predicted_age=predictions["age"] + 7)
    baselines = [BaselinePredictions(name, name, table) for name in ("site_mean", RIDGE)]
    found = analyse(predictions, phenotypes, AnalysisSettings(n_resamples=100), baselines)
    assert found.ridge is not None and found.ridge.name == RIDGE
    plain = found.as_json()
    assert plain["against_ridge"] == plain["baselines"][1]["difference"]


def test_recovered_gaps_agree_with_scipy() -> None:
    predictions, phenotypes = tables()
    joined = predictions.merge(phenotypes, on="participant_id")
    training, test = (joined[joined["split"] == part] for part in ("train", "test"))
    line = stats.linregress(training["age"] + training["true_gap"], training["age"])
    best = line.intercept + line.slope * (test["age"] + test["true_gap"]) - test["age"]
    found = analysed()
    assert found.truth is not None
    assert found.truth.r == pytest.approx(
        stats.pearsonr(test["predicted_age"] - test["age"], test["true_gap"]).statistic, abs=1e-10
    )
    assert found.truth.r_corrected == pytest.approx(
        stats.pearsonr(found.rows["bag_corrected"], test["true_gap"]).statistic, abs=1e-10
    )
    assert found.truth.best_r == pytest.approx(stats.pearsonr(best, test["true_gap"]).statistic, abs=1e-10)
    assert found.truth.best_mae == pytest.approx(best.abs().mean(), abs=1e-10)
    assert analysed(gap_correction="none").truth.r_corrected is None  # type: ignore[union-attr]


def test_participants_whose_true_gap_is_unknown_do_not_count_for_it() -> None:
    predictions, phenotypes = tables()
    tested = predictions.loc[predictions["split"] == "test", "participant_id"].iloc[:5]
    unknown = phenotypes.assign(true_gap=phenotypes["true_gap"].mask(phenotypes["participant_id"].isin(tested)))
    truth, fewer = (
        analysed(predictions, unknown).truth,
        analysed(predictions[~predictions["participant_id"].isin(tested)], phenotypes).truth,
    )
    assert truth is not None and fewer is not None
    assert (truth.r, truth.r_corrected, truth.best_r, truth.best_mae) == pytest.approx(
        (fewer.r, fewer.r_corrected, fewer.best_r, fewer.best_mae), abs=1e-12
    )


def test_unknown_true_gaps_give_no_result() -> None:
    predictions, phenotypes = tables()
    found = analysed(predictions, phenotypes.drop(columns="true_gap"))
    assert found.truth is None and found.as_json()["true_gap"] is None


# What is saved


@pytest.mark.parametrize("rows", ["test", "val+test", "all"])
@pytest.mark.parametrize("method", ["linear", "cole", "in_sample", "none"])
def test_saved_findings_contain_no_ids(rows: str, method: str) -> None:
    predictions, phenotypes = tables()
    found = analyse(
        predictions,
        phenotypes.assign(words=phenotypes["participant_id"]),
        AnalysisSettings(rows=rows, gap_correction=method, n_resamples=100),
        [BaselinePredictions("any", "any one", predictions[["participant_id", "predicted_age"]])],
    )
    saved = str(found.as_json()) + json.dumps(found.as_json(), allow_nan=False)
    for name in (*predictions["participant_id"], *phenotypes["family_id"], "volunteer", "family-"):
        assert name not in saved
    assert "words" in found.as_json()["left_out"]


def test_saved_findings_contain_the_fit_of_the_correction() -> None:
    saved = json.loads(json.dumps(analysed().as_json()))
    fit = saved["gap_correction"][0]
    assert fit.keys() == {"method", "intercept", "slope", "n", "fitted_on", "people", "slope_se"}
    assert (fit["method"], fit["n"], fit["fitted_on"]) == ("linear", 105, "validation")
    assert saved["accuracy"]["n"] == 47 and saved["accuracy"]["estimates"]["mae"].keys() == {"value", "low", "high"}


def test_fits_are_saved_with_a_keyed_hash_of_their_participants() -> None:
    found = analysed()
    own = found.corrections[0].people
    first, again, other, none = (found.as_json(key)["gap_correction"][0] for key in (b"key", b"key", b"other", b""))
    assert first == again != other and none["people"] is None
    assert own not in json.dumps([first, other])


def test_fits_that_lack_fewer_than_ten_participants_are_not_saved() -> None:
    few = analysed(*tables(val=20), gap_correction="crossfit", rows="val+test")
    many = analysed(*tables(val=100), rows="val+test")
    assert len(few.corrections) == len(many.corrections) == 11
    assert [fit["n"] for fit in few.as_json()["gap_correction"]] == [67]
    assert [fit["n"] for fit in many.as_json()["gap_correction"]] == [100, *[90] * 10]


def test_fits_that_would_describe_few_with_the_analysed_rows_are_not_saved() -> None:
    few, many = (analysed(*tables(val=val), gap_correction="crossfit") for val in (9, 53))
    assert few.corrections[0].n == 56 and few.as_json()["gap_correction"] == []
    assert [fit["n"] for fit in many.as_json()["gap_correction"]] == [100, *[90] * 10]
    assert "bag_corrected" in few.predictions


def test_the_same_options_give_the_same_findings() -> None:
    first, second = analysed(*tables()), analysed(*tables())
    assert str(first.as_json()) == str(second.as_json())
    pd.testing.assert_frame_equal(first.associations.table, second.associations.table, check_exact=True)


def test_tables_that_are_analysed_stay_as_they_are() -> None:
    predictions, phenotypes = tables()
    before = predictions.copy(), phenotypes.copy()
    analysed(predictions, phenotypes)
    pd.testing.assert_frame_equal(predictions, before[0], check_exact=True)
    pd.testing.assert_frame_equal(phenotypes, before[1], check_exact=True)


@pytest.mark.parametrize(("factor", "said"), [(0.0, True), (0.08, True), (0.12, False), (1.0, False)])
def test_predictions_that_hardly_vary_give_a_note(factor: float, said: bool) -> None:
    predictions, phenotypes = tables()
    # Of these participants's ages, so that the ratio of the two SDs is the factor.
    flat = predictions.assign(predicted_age=62 + factor * (predictions["age"] - 62))
    notes = [note for note in analysed(flat, phenotypes).notes if note.startswith("Predictions hardly vary")]
    assert bool(notes) == said


def test_a_table_without_split_and_sex_as_letters_are_analysed() -> None:
    predictions, phenotypes = tables()
    letters = phenotypes.assign(sex=phenotypes["sex"].map({0.0: "F", 1.0: "M"}))
    usual = analysed(without_labels(predictions), phenotypes)
    found = analysed(predictions.drop(columns="split"), letters)
    pd.testing.assert_frame_equal(found.associations.table, usual.associations.table)
    assert found.associations.coding == {"sex": "0 = F, 1 = M"}
