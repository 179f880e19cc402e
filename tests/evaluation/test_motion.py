from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from brainage.evaluation.motion import Motion, measure_motion


def participants(n: int = 21, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.uniform(45, 80, n)
    motion = 0.05 + 0.002 * (age - 45) + rng.gamma(2, 0.02, n)
    predicted = 60 + 0.6 * (age - 60) + 30 * (motion - motion.mean()) + rng.normal(0, 4, n)
    return pd.DataFrame({"age": age, "predicted_age": predicted, "bag": predicted - age, "head_motion": motion})


def measured(rows: pd.DataFrame, training: pd.DataFrame | None = None) -> Motion:
    found = measure_motion(rows, rows.iloc[:0] if training is None else training)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["age", "predicted_age", "bag"])
def test_correlations_with_motion_agree_with_scipy(name: str) -> None:
    rows = participants()
    reference = stats.pearsonr(rows["head_motion"], rows[name])
    estimate, p = measured(rows).correlations[name]
    ends = reference.confidence_interval(0.95)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((reference.statistic, *ends), abs=1e-10)
    assert p == pytest.approx(reference.pvalue, abs=1e-10)


def test_the_still_half_and_the_other_agree_with_numbers_by_hand() -> None:
    # Motion 1, ..., 21: the median, 11, is among the still. Their gaps are -2; those of the others are 5, ..., 14.
    motion = np.arange(1.0, 22.0)
    gap = np.where(motion <= 11, -2, motion - 7)
    age = np.linspace(50, 70, 21)
    rows = pd.DataFrame({"age": age, "predicted_age": age + gap, "bag": gap, "head_motion": motion})
    rows = rows.sample(frac=1, random_state=0)
    found = measured(rows)
    assert (found.n, found.n_still) == (21, 11)
    assert (found.still_mae, found.moving_mae) == pytest.approx((2, 9.5), abs=1e-12)


def test_motion_alone_agrees_with_numbers_by_hand() -> None:
    # Trained where age = 40 + 100 * motion; every analysed participant is 3 years off.
    training = pd.DataFrame({"head_motion": np.linspace(0.1, 0.4, 25)}).assign(
        age=lambda t: 40 + 100 * t["head_motion"]
    )
    rows = participants(30)
    rows["age"] = 40 + 100 * rows["head_motion"] + np.tile([3, -3], 15)
    assert measured(rows, training).alone_mae == pytest.approx(3, abs=1e-10)


def test_motion_alone_agrees_with_another_librarys_line() -> None:
    rows, training = participants(30), participants(40, seed=1)
    training.loc[[2, 5], "head_motion"] = np.nan
    known = training.dropna()
    line = stats.linregress(known["head_motion"], known["age"])
    by_library = (rows["age"] - line.intercept - line.slope * rows["head_motion"]).abs().mean()
    assert measured(rows, training).alone_mae == pytest.approx(by_library, abs=1e-10)


@pytest.mark.parametrize(
    "training",
    [
        participants(40).iloc[:0],
        participants(40).drop(columns="head_motion"),
        participants(19),
        participants(40).assign(head_motion=0.1),
        participants(40).assign(head_motion=[0.1, 0.2, *[np.nan] * 38]),
    ],
    ids=["no-rows", "no-motion", "too-few", "constant", "hardly-known"],
)
def test_motion_alone_is_unknown_without_training_rows(training: pd.DataFrame) -> None:
    assert measured(participants(), training).alone_mae is None


def test_participants_whose_motion_is_unknown_do_not_count() -> None:
    rows = participants(30)
    rows.loc[[0, 7, 8], "head_motion"] = np.nan
    training = participants(40, seed=1)
    found, complete = measured(rows, training), measured(rows.dropna(), training)
    # The error of three participants would follow from both halves and the MAE of all.
    assert (found.still_mae, found.moving_mae) == (None, None)
    assert found == replace(complete, still_mae=None, moving_mae=None)
    assert found.n == 27


def test_both_halves_are_described_where_ten_participants_are_in_neither() -> None:
    rows = participants(40)
    rows.loc[rows.index[:10], "head_motion"] = np.nan
    training = participants(40, seed=1)
    assert measured(rows, training) == measured(rows.dropna(), training)
    assert measured(rows).n == 30


@pytest.mark.parametrize(
    "rows",
    [
        participants().drop(columns="head_motion"),
        participants(19),
        participants().assign(head_motion=[np.nan, np.nan, *[0.1] * 9, *[0.2] * 10]),
        participants().assign(head_motion=0.1),
        participants().assign(head_motion=np.nan),
    ],
    ids=["no-column", "nineteen", "nineteen-known", "constant", "all-missing"],
)
def test_motion_that_is_unknown_or_constant_is_not_analysed(rows: pd.DataFrame) -> None:
    assert measure_motion(rows, participants(40)) is None


@pytest.mark.parametrize("constant", [62.37, 60.1, 58.123456789, 0.1, 61.0])
def test_a_prediction_that_does_not_vary_has_no_correlation_with_motion(constant: float) -> None:
    for n in range(20, 40):
        rows = participants(n).assign(predicted_age=constant)
        estimate, p = measured(rows).correlations["predicted_age"]
        assert (estimate.value, estimate.low, estimate.high, p) == (None, None, None, None)


def test_ties_in_motion_are_split_into_halves() -> None:
    rows = participants(24).assign(head_motion=[0.1] * 4 + [0.3] * 20)
    found = measured(rows)
    assert found.n_still == 12
    assert found.still_mae == pytest.approx(rows["bag"].abs().iloc[:12].mean(), abs=1e-12)
    assert found.moving_mae == pytest.approx(rows["bag"].abs().iloc[12:].mean(), abs=1e-12)
