"""Results within folds, and their intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from brainage.evaluation.folds import Fold, FoldResults
from brainage.evaluation.metrics import accuracy


def folds_of(age: np.ndarray, predicted: np.ndarray, n_folds: int) -> FoldResults:
    fold = np.arange(len(age)) % n_folds
    each = [
        Fold(str(number), int((fold == number).sum()), accuracy(age[fold == number], predicted[fold == number]))
        for number in range(n_folds)
    ]
    return FoldResults("fold", each)


def test_results_within_folds_agree_with_numbers_by_hand() -> None:
    rng = np.random.default_rng(0)
    age = rng.uniform(45, 80, 93)
    predicted = age + rng.normal(0, 5, 93) + 3 * (np.arange(93) % 4)
    found, parts = folds_of(age, predicted, 4).within(), [np.arange(93) % 4 == number for number in range(4)]
    z = np.array([math.atanh(stats.pearsonr(age[part], predicted[part]).statistic) for part in parts])
    weights = np.array([part.sum() - 3 for part in parts])
    mean, half = (weights * z).sum() / weights.sum(), stats.norm.ppf(0.975) / math.sqrt(weights.sum())
    expected = [math.tanh(end) for end in (mean, mean - half, mean + half)]
    r = found["pearson_r"]
    assert [r.value, r.low, r.high] == pytest.approx(expected, abs=1e-12)
    squared = sum(((predicted[part] - age[part]) ** 2).sum() for part in parts)
    spread = sum(((age[part] - age[part].mean()) ** 2).sum() for part in parts)
    assert found["r2"].value == pytest.approx(1 - squared / spread, abs=1e-12)
    maes = [np.abs(predicted[part] - age[part]).mean() for part in parts]
    half = stats.t.ppf(0.975, 3) * np.std(maes, ddof=1) * math.sqrt(1 / 4 + 1 / 3)
    assert found["mae"].low == pytest.approx(np.mean(maes) - half, abs=1e-12)


def test_r_within_folds_does_not_count_offsets_of_networks() -> None:
    rng = np.random.default_rng(1)
    age = rng.uniform(45, 80, 200)
    straight = age + rng.normal(0, 5, 200)
    shifted = straight + 20 * (np.arange(200) % 2)
    of_shifted, of_straight = (folds_of(age, one, 2).within()["pearson_r"].value for one in (shifted, straight))
    assert of_shifted == pytest.approx(of_straight, abs=1e-12)
    assert np.corrcoef(age, shifted)[0, 1] < np.corrcoef(age, straight)[0, 1] - 0.1


def test_there_is_nothing_where_a_fold_is_not_shown() -> None:
    shown = Fold("0", 30, {"mae": 3.0, "mse": 12.0, "r2": 0.5, "pearson_r": 0.7})
    hidden = Fold("1", 9, dict.fromkeys(("mae", "mse", "r2", "pearson_r")))
    assert FoldResults("fold", [shown, hidden]).within() == {}
    assert FoldResults("fold", [shown, shown]).within().keys() == {"mae", "r2", "pearson_r"}


def test_the_interval_within_folds_contains_the_error_of_the_method() -> None:
    """The mean error over cohorts, by least squares on 25 features that overfits 80 participants."""
    rng, n, p, found = np.random.default_rng(2), 100, 25, []
    for _ in range(200):
        x, fold = rng.normal(size=(n, p)), np.arange(n) % 5
        y = x[:, 0] + rng.normal(size=n)
        predicted = np.empty(n)
        for number in range(5):
            slopes = np.linalg.lstsq(x[fold != number], y[fold != number], rcond=None)[0]
            predicted[fold == number] = x[fold == number] @ slopes
        found.append(folds_of(y, predicted, 5).within()["mae"])
    true = np.mean([one.value for one in found if one.value is not None])
    covered = sum(one.low <= true <= one.high for one in found if one.low is not None and one.high is not None)
    assert covered >= 182  # 95 % of 200 is 190, with an SD of 3
