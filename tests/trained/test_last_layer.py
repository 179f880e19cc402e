"""What is fitted to a new site, on arrays."""

from __future__ import annotations

import numpy as np
import pytest

from brainage.evaluation.adaptation_errors import UNCHANGED
from brainage.trained.last_layer import METHODS, Change, Controls, cross_validated, fit_change


def site(n: int, seed: int, *, shift: float = 5.0, n_features: int = 6) -> Controls:
    """Return participants as of version 1 of the simulated cohort, whose predictions are years too high at a new site.

    The brain age is age + a gap of SD 4, and networks predict it with regression to the mean.
    """
    rng = np.random.default_rng(seed)
    age = rng.normal(63.4, 7.65, n).clip(46, 82)
    predicted = 63.4 + 0.65 * (age + rng.normal(0, 4, n) - 63.4) + rng.normal(0, 2, n) + shift
    return Controls(age, predicted, rng.normal(1, 2, (n, n_features)))


def test_20_controls_leave_a_mean_error_under_2_5_years_where_predictions_are_5_years_too_high() -> None:
    left = []
    for seed in range(20):
        people = site(400, seed)
        is_control = np.arange(400) < 20
        change = fit_change("offset", people.where(is_control))
        others = people.where(~is_control)
        assert np.mean(others.predicted - others.age) > 4
        left.append(abs(np.mean(change.apply(others.predicted) - others.age)))
    assert sum(error < 2.5 for error in left) >= 18


def test_an_offset_is_the_mean_difference_and_a_line_the_regression_of_age() -> None:
    people = site(40, 1)
    offset, line = fit_change("offset", people), fit_change("line", people)
    assert offset == Change(pytest.approx(np.mean(people.age) - np.mean(people.predicted)))
    slope, intercept = np.polyfit(people.predicted, people.age, 1)
    assert (line.intercept, line.slope) == (pytest.approx(intercept), pytest.approx(slope))
    assert line.apply(people.predicted).mean() == pytest.approx(people.age.mean())


def test_a_line_through_equal_predictions_is_an_offset() -> None:
    people = Controls(np.array([50.0, 60.0, 70.0]), np.full(3, 65.0))
    assert fit_change("line", people) == Change(-5.0)


def test_the_last_layer_is_drawn_toward_the_old_one() -> None:
    """What the features do not tell is left to the offset; what they tell is learnt."""
    people = site(60, 2, n_features=30)
    of_noise = fit_change("last_layer", people)
    assert of_noise.weights is not None and people.features is not None
    least = np.linalg.lstsq(people.features - people.features.mean(axis=0), people.age - people.predicted)[0]
    assert np.linalg.norm(of_noise.weights) < 0.5 * np.linalg.norm(least)
    told = Controls(people.predicted + people.features[:, 0] * 3 - 5, people.predicted, people.features)
    error = {name: np.abs(values - told.age).mean() for name, values in cross_validated(told, seed=0).items()}
    assert error["last_layer"] < 0.2 * error["offset"] < error[UNCHANGED]


@pytest.mark.parametrize("method", METHODS)
def test_nobody_is_predicted_by_a_fit_to_the_own_age(method: str) -> None:
    people = site(25, 3)
    age = people.age.copy()
    age[7] += 30
    other = Controls(age, people.predicted, people.features)
    one, two = (cross_validated(each, seed=4)[method] for each in (people, other))
    assert one[7] == two[7] and (one != two).any()
    assert one.shape == (25,) and not np.array_equal(one, cross_validated(people, seed=5)[method])


def test_what_has_no_last_layer_has_an_offset_and_a_line() -> None:
    people = site(12, 3)
    assert [*cross_validated(Controls(people.age, people.predicted), seed=0)] == [UNCHANGED, "offset", "line"]
