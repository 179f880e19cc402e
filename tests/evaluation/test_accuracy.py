import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from sklearn import metrics

from brainage.evaluation import intervals
from brainage.evaluation.accuracy import Accuracy, WeightedStatistics, measure_accuracy
from brainage.evaluation.intervals import Estimate, bca_interval

_Array = NDArray[np.float64]

BY_LIBRARY: dict[str, Callable[[_Array, _Array], float]] = {
    "mae": metrics.mean_absolute_error,
    "rmse": metrics.root_mean_squared_error,
    "mse": metrics.mean_squared_error,
    "r2": metrics.r2_score,
    "pearson_r": lambda age, predicted: stats.pearsonr(age, predicted).statistic,
    "spearman_rho": lambda age, predicted: stats.spearmanr(age, predicted).statistic,
    "mean_gap": lambda age, predicted: float((predicted - age).mean()),
    "slope": lambda age, predicted: stats.linregress(age, predicted).slope,
    "intercept": lambda age, predicted: stats.linregress(age, predicted).intercept,
}


def participants(n: int = 23, seed: int = 0, *, ties: bool = True) -> tuple[_Array, _Array]:
    rng = np.random.default_rng(seed)
    age = rng.uniform(45, 80, n)
    predicted = 60 + 0.5 * (age - 60) + rng.normal(0, 5, n)
    return (np.round(age / 4) * 4, np.round(predicted / 3) * 3) if ties else (age, predicted)


def measured(
    age: ArrayLike, predicted: ArrayLike, *, mean_age: float = 62.0, n_resamples: int = 120, seed: int = 7
) -> Accuracy:
    return measure_accuracy(age, predicted, mean_age=mean_age, n_resamples=n_resamples, seed=seed)


def ends(estimate: Estimate) -> tuple[float, float]:
    assert estimate.low is not None and estimate.high is not None
    return estimate.low, estimate.high


def test_ages_have_percentiles_from_fifty_participants_on() -> None:
    ages = np.linspace(40, 80, 50)
    assert (measured(ages, ages).age_p5, measured(ages, ages).age_p95) == (42, 78)
    assert measured(ages[1:], ages[1:]).age_p5 is None


def test_fewer_than_ten_participants_are_only_counted() -> None:
    assert measured(np.arange(10.0), np.ones(10)).described().estimates["mae"].value is not None
    few = measured(np.arange(9.0), np.ones(9)).described()
    assert (few.n, few.age_mean, few.age_sd, few.predicted_sd, few.mean_mae, few.skill) == (9, *[None] * 5)
    assert set(few.estimates.values()) == {Estimate(None)}


def test_accuracy_agrees_with_numbers_by_hand() -> None:
    # Errors 1, -1, 4; the mean predictor's -12, -2, 8; deviations of the predictions from 61 1/3: -31/3, -7/3, 38/3.
    found = measured([50, 60, 70], [51, 59, 74])
    assert (found.n, found.age_mean, found.age_sd, found.age_p5, found.age_p95) == (3, 60, 10, None, None)
    assert found.predicted_sd == pytest.approx(math.sqrt((31**2 + 7**2 + 38**2) / 9 / 2), abs=1e-12)
    assert found.mean_mae == pytest.approx(22 / 3, abs=1e-12)
    assert found.skill == pytest.approx(1 - 2 / (22 / 3), abs=1e-12)
    by_hand = {"mae": 2, "mse": 6, "rmse": math.sqrt(6), "r2": 1 - 18 / 200, "spearman_rho": 1}
    by_hand["pearson_r"] = 230 / math.sqrt(200 * (31**2 + 7**2 + 38**2) / 9)
    # Slope 230 / 200; the line passes through the means, 60 and 61 1/3.
    by_hand |= {"mean_gap": 4 / 3, "slope": 1.15, "intercept": 184 / 3 - 1.15 * 60}
    values = {name: estimate.value for name, estimate in found.estimates.items()}
    assert values == pytest.approx(by_hand, abs=1e-12)


def test_two_participants_have_an_sd_and_one_has_none() -> None:
    two, one = measured([50, 60], [55, 57]), measured([50], [55])
    assert (two.age_sd, two.predicted_sd) == pytest.approx((math.sqrt(50), math.sqrt(2)), abs=1e-12)
    assert (one.age_sd, one.predicted_sd) == (0, 0)


def test_spearman_gives_ties_their_mean_rank_as_by_hand() -> None:
    # Ranks 1, 2.5, 2.5, 4 and 2, 1, 3, 4: deviations -1.5, 0, 0, 1.5 and -0.5, -1.5, 0.5, 1.5.
    found = measured([50, 60, 60, 70], [55, 52, 58, 71])
    assert found.estimates["spearman_rho"].value == pytest.approx(3 / math.sqrt(4.5 * 5), abs=1e-12)


@pytest.mark.parametrize("name", BY_LIBRARY)
@pytest.mark.parametrize("ties", [True, False], ids=["ties", "distinct"])
def test_values_and_intervals_agree_with_a_plain_loop_over_the_same_resamples(name: str, ties: bool) -> None:
    age, predicted = participants(ties=ties)
    drawn = np.random.default_rng(7).integers(len(age), size=(120, len(age)))
    looped = [BY_LIBRARY[name](age[who], predicted[who]) for who in drawn]
    found = measured(age, predicted).estimates[name]
    assert found.value == pytest.approx(BY_LIBRARY[name](age, predicted), abs=1e-10)
    expected = np.percentile(looped, [2.5, 97.5])
    if name in ("rmse", "mse", "r2", "pearson_r"):
        without = [np.delete(np.arange(len(age)), one) for one in range(len(age))]
        jackknife = np.array([BY_LIBRARY[name](age[who], predicted[who]) for who in without])
        assert found.value is not None
        expected = np.array(bca_interval(np.array(looped), found.value, jackknife))
    assert ends(found) == pytest.approx(expected, abs=1e-10)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(4, 12), st.sampled_from(sorted(BY_LIBRARY)))
def test_counting_participants_several_times_is_repeating_them(seed: int, n: int, name: str) -> None:
    age, predicted = participants(n, seed)
    counts = np.random.default_rng(seed + 1).integers(0, 4, n)
    repeated = np.repeat(age, counts), np.repeat(predicted, counts)
    if any(len(np.unique(values)) < 2 for values in repeated):
        return
    found = WeightedStatistics(age, predicted).of(counts[None].astype(float))[name]
    assert found == pytest.approx([BY_LIBRARY[name](*repeated)], abs=1e-10)


@pytest.mark.parametrize("together", [1, 10_000])
def test_intervals_do_not_depend_on_the_chunk_size(monkeypatch: pytest.MonkeyPatch, together: int) -> None:
    usual = measured(*participants()).estimates
    monkeypatch.setattr(intervals, "_CHUNK", together)
    for name, estimate in measured(*participants()).estimates.items():
        assert ends(estimate) == pytest.approx(ends(usual[name]), abs=1e-12)


def test_the_seed_governs_the_intervals_and_only_them() -> None:
    first, same, other = (measured(*participants(), seed=seed).estimates["mae"] for seed in (0, 0, 1))
    assert first == same
    assert first.value == other.value
    assert ends(first) != ends(other)


@pytest.mark.parametrize(("n", "known"), [(9, False), (10, True)])
def test_fewer_than_ten_participants_have_no_interval(n: int, known: bool) -> None:
    estimates = measured(*participants(n, ties=False)).estimates
    assert {estimate.low is not None for estimate in estimates.values()} == {known}
    assert all(estimate.value is not None for estimate in estimates.values())


@pytest.mark.parametrize(
    ("age", "predicted", "undefined"),
    [
        ([60], [61], {"r2", "pearson_r", "spearman_rho", "slope", "intercept"}),
        ([50, 60, 70] * 5, [62.37] * 15, {"pearson_r", "spearman_rho"}),
        ([60.1] * 15, [50, 60, 70] * 5, {"r2", "pearson_r", "spearman_rho", "slope", "intercept"}),
        ([60.1] * 15, [60.1] * 15, {"r2", "pearson_r", "spearman_rho", "slope", "intercept"}),
    ],
    ids=["one", "constant-prediction", "constant-age", "both"],
)
def test_what_is_undefined_is_none_with_its_interval(
    age: list[float], predicted: list[float], undefined: set[str]
) -> None:
    estimates = measured(age, predicted).estimates
    assert {name for name, estimate in estimates.items() if estimate.value is None} == undefined
    assert all(estimates[name] == Estimate(None) for name in undefined)


def test_a_constant_prediction_still_has_an_error_with_an_interval() -> None:
    age = participants(ties=False)[0]
    found = measured(age, np.full(len(age), 62.0))
    assert found.predicted_sd == 0
    assert found.skill == pytest.approx(0, abs=1e-12)
    low, high = ends(found.estimates["mae"])
    assert low < found.mean_mae < high


def test_a_correlation_that_most_resamples_do_not_know_has_no_interval() -> None:
    # The one who differs is missing in (19 / 20)^20 = 36 % of the resamples.
    age, predicted = np.arange(50.0, 70.0), np.full(20, 60.0)
    predicted[3] = 55
    estimates = measured(age, predicted).estimates
    for name in ("pearson_r", "spearman_rho"):
        assert estimates[name].value == pytest.approx(BY_LIBRARY[name](age, predicted), abs=1e-10)
        assert estimates[name].low is None and estimates[name].high is None


def test_perfect_predictions_are_without_error() -> None:
    age = participants(ties=False)[0]
    found = measured(age, age)
    assert found.skill == 1
    assert found.estimates["mae"] == Estimate(0, 0, 0)
    for name in ("r2", "pearson_r", "spearman_rho"):
        assert (found.estimates[name].value, *ends(found.estimates[name])) == pytest.approx((1, 1, 1), abs=1e-12)


def test_there_is_no_skill_where_the_mean_predictor_makes_no_error() -> None:
    found = measured([60, 60], [61, 62], mean_age=60)
    assert (found.mean_mae, found.skill) == (0, None)


def test_no_digits_are_lost_far_from_zero() -> None:
    age, predicted = participants(ties=False)
    near, far = measured(age, predicted).estimates, measured(age + 2.0**20, predicted + 2.0**20).estimates
    for name in set(BY_LIBRARY) - {"intercept"}:  # which is that at age 0
        assert far[name].value == pytest.approx(near[name].value, abs=1e-7)
        assert ends(far[name]) == pytest.approx(ends(near[name]), abs=1e-7)
