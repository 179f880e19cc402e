"""Error against the number of training participants."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from brainage.data.cohorts.simulated import GOOD_COMPONENTS, SimulatedCohort
from brainage.evaluation.learning_curve import LearningCurve, Training, fit_learning_curve
from brainage.models.baselines.ridge import fit_ridge
from brainage.models.features.random_convolutions import _drawn, _responses

SIZES = (50, 100, 200, 400, 800, 1600, 3200, 6400)


def law(n: float) -> float:
    return 3.0 + 25.0 * n**-0.6


def trainings(sizes: tuple[int, ...], seed: int = 0, n_test: int = 400, n_seeds: int = 3) -> list[Training]:
    """Return trainings whose mean absolute errors follow a power law; people and trainings vary."""
    rng = np.random.default_rng(seed)
    of_person = rng.exponential(1.0, n_test)
    people = [f"p{number}" for number in range(n_test)]
    return [
        Training(str(n), n, f"seed={draw}", pd.Series(law(n) * of_person * rng.uniform(0.5, 1.5, n_test), people))
        for n in sizes
        for draw in range(n_seeds)
    ]


def fit(given: list[Training], at: int = 10_000) -> LearningCurve:
    return fit_learning_curve(given, n_resamples=200, seed=1, at=at)


def test_a_power_law_without_noise_is_found() -> None:
    people = [f"p{number}" for number in range(20)]
    found = fit([Training(str(n), n, "seed=1", pd.Series(law(n), people)) for n in SIZES[:6]])
    assert {key: value.value for key, value in found.parameters.items()} == pytest.approx(
        {"floor": 3.0, "scale": 25.0, "exponent": 0.6}, rel=0.15
    )
    assert found.expected.value == pytest.approx(law(10_000), abs=0.02)
    assert found.sentence.startswith(f"With 10,000 people expect {found.expected.value:.2f} years (")


def test_the_larger_half_is_within_the_interval_of_a_fit_on_the_smaller_half() -> None:
    hits, widths = 0, []
    for seed in range(10):
        whole = trainings(SIZES, seed)
        found = fit([each for each in whole if each.n_train <= 400], at=3200)
        measured = np.mean([each.errors.mean() for each in whole if each.n_train == 3200])
        assert found.expected.low is not None and found.expected.high is not None
        hits += found.expected.low <= measured <= found.expected.high
        widths.append(found.expected.high - found.expected.low)
    assert hits >= 8
    assert np.mean(widths) < 2.5  # half the errors of the smallest size would be no forecast


def test_points_have_mean_sd_and_interval_over_trainings() -> None:
    given = trainings((100, 200), n_seeds=2)
    found = fit(given)
    assert found.points["n_train"].tolist() == [100, 200] and found.points["trainings"].tolist() == [2, 2]
    each = [training.errors.mean() for training in given[:2]]
    assert found.points["mae"][0] == pytest.approx(np.mean(each))
    assert found.points["sd"][0] == pytest.approx(np.std(each, ddof=1))
    assert (found.points["low"] < found.points["mae"]).all() and (found.points["mae"] < found.points["high"]).all()
    assert found.parameters == {} and "needs 4 sizes or more to be extrapolated, but has 2" in found.sentence


def test_draws_that_test_other_people_are_weighted_by_those_they_test() -> None:
    errors = [pd.Series({"a": 1.0, "b": 3.0}), pd.Series({"b": 5.0, "c": 9.0})]
    found = fit([Training("10", 10, str(draw), own) for draw, own in enumerate(errors)] + trainings((20,), n_seeds=1))
    assert found.points["mae"][0] == pytest.approx((2.0 + 7.0) / 2)


def test_an_error_that_does_not_fall_is_extrapolated_as_it_is() -> None:
    people = [f"p{number}" for number in range(20)]
    found = fit([Training(str(n), n, "seed=1", pd.Series(4.0, people)) for n in SIZES[:5]])
    assert found.expected.value == pytest.approx(4.0)
    assert found.parameters["scale"].value == pytest.approx(0.0, abs=1e-9)


def test_a_curve_that_has_as_many_is_extrapolated_tenfold() -> None:
    assert fit(trainings((100, 1000, 5000, 20_000), n_seeds=1)).at == 200_000


@pytest.mark.slow
def test_ridges_of_few_simulated_people_predict_the_error_of_ridges_of_more() -> None:
    hits = []
    for cohort in range(3):
        features, age = simulated(3900, cohort)
        rng = np.random.default_rng(cohort)
        given = []
        for draw in range(4):
            order = rng.permutation(np.arange(700, len(age)))  # the first 700 are tested
            for n in (50, 100, 200, 400, 800, 1600, 3200):
                weights, intercept, _ = fit_ridge(features[order[:n]], age[order[:n]])
                errors = pd.Series(np.abs(features[:700] @ weights + intercept - age[:700]))
                given.append(Training(str(n), n, f"split.seed={draw}", errors))
        small = [each for each in given if each.n_train <= 400]
        for n in (800, 1600, 3200):
            expected = fit(small, at=n).expected
            assert expected.value is not None and expected.low is not None and expected.high is not None
            measured = np.mean([each.errors.mean() for each in given if each.n_train == n])
            print(f"cohort {cohort}, N {n}: {measured:.2f}, expected {expected.value:.2f} "
                  f"({expected.low:.2f} to {expected.high:.2f})")  # fmt: skip
            hits.append(expected.low <= measured <= expected.high)
            assert expected.value == pytest.approx(measured, rel=0.15)
    assert sum(hits) >= 7, hits


def simulated(n: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return responses of the series of simulated people to random convolutions, and ages."""
    good = GOOD_COMPONENTS[25]
    cohort = SimulatedCohort(n_participants=n, seed=seed, good_components=good)
    table = cohort.read_table()
    kernels = _drawn(60, len(good), 490, 0)
    rows = []
    for scan in cohort.find_scans(table["participant_id"], 25).values():
        raw = scan.read()[:490, np.array(good) - 1].T
        series = (raw - raw.mean(1, keepdims=True)) / raw.std(1, keepdims=True)
        rows.append(_responses(series.astype(np.float32), *kernels))
    found = np.stack(rows).astype(float)
    return (found - found.mean(axis=0)) / np.maximum(found.std(axis=0), 1e-9), table["age"].to_numpy(float)
