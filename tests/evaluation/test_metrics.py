import math

import numpy as np
import pytest

from brainage.evaluation.metrics import accuracy, standard_error


def test_metrics_agree_with_numbers_by_hand() -> None:
    # Errors 1, -1, 4; deviations of the ages from 60: -10, 0, 10; of the predictions from 61 1/3: -10.33, -2.33, 12.67.
    values = accuracy([50, 60, 70], [51, 59, 74])
    assert values["mae"] == pytest.approx(2)
    assert values["mse"] == pytest.approx(6)
    assert values["rmse"] == pytest.approx(math.sqrt(6))
    assert values["r2"] == pytest.approx(1 - 18 / 200)
    assert values["pearson_r"] == pytest.approx(230 / math.sqrt(200 * (31**2 + 7**2 + 38**2) / 9))


def test_pearson_agrees_with_numpy() -> None:
    rng = np.random.default_rng(0)
    age, predicted = rng.normal(60, 8, 200), rng.normal(60, 8, 200)
    assert accuracy(age, predicted)["pearson_r"] == pytest.approx(np.corrcoef(age, predicted)[0, 1], abs=1e-12)


@pytest.mark.parametrize(
    ("age", "predicted", "undefined"),
    [
        ([], [], {"mae", "mse", "rmse", "r2", "pearson_r"}),
        ([60], [61], {"r2", "pearson_r"}),
        ([50, 60], [55, 55], {"pearson_r"}),
        ([60, 60], [50, 70], {"r2", "pearson_r"}),
        ([50, 60], [math.nan, 60], {"mae", "mse", "rmse", "r2", "pearson_r"}),
    ],
    ids=["nobody", "one", "constant-prediction", "constant-age", "nan"],
)
def test_what_is_undefined_is_none(age: list[float], predicted: list[float], undefined: set[str]) -> None:
    values = accuracy(age, predicted)
    assert {name for name, value in values.items() if value is None} == undefined


def test_arrays_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="the same one axis"):
        accuracy([1, 2], [1])


@pytest.mark.parametrize("metric", ["mae", "mse", "rmse", "pearson_r"])
def test_standard_errors_are_those_of_many_samples(metric: str) -> None:
    rng = np.random.default_rng(0)
    drawn, errors = [], []
    for _ in range(300):
        age = rng.normal(60, 8, 150)
        predicted = age + rng.normal(0, 4, 150)
        drawn.append(accuracy(age, predicted)[metric])
        errors.append(standard_error(metric, age, predicted))
    assert np.mean(errors) == pytest.approx(np.std(drawn), rel=0.15)


def test_a_standard_error_of_two_participants_is_unknown() -> None:
    assert standard_error("mse", [50, 60], [51, 60]) is None
    # Errors 1, 2, 3: squares 1, 4, 9, whose SD is 4.041452.
    assert standard_error("mse", [50, 60, 70], [51, 62, 73]) == pytest.approx(4.041452 / 3**0.5)
