"""The error over all folds of all draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from brainage.evaluation.accuracy import measure_accuracy
from brainage.evaluation.folds import Fold, FoldResults
from brainage.evaluation.repeats import repeats_of
from brainage.reporting.fold_section import repeat_section


def draw(number: int, *errors: float | None, name: str = "") -> FoldResults:
    folds = [Fold(str(place), 20, {"mae": error}) for place, error in enumerate(errors)]
    age = np.linspace(45, 80, 20)
    accuracy = measure_accuracy(age, age + 3 + number, mean_age=60, n_resamples=100, seed=0)
    return FoldResults("fold", folds, name=f"{name} split.repeat={number}".strip(), accuracy=accuracy)


def test_draws_of_one_model_are_summarised_with_the_corrected_interval() -> None:
    found = repeats_of([draw(0, 3.0, 4.0), draw(1, 3.5, 4.5), draw(0, 9.0, 9.0, name="seed=2")])
    (repeats,) = found
    assert repeats.mae is not None and repeats.mae.mean.value == pytest.approx(3.75)
    # 3 degrees of freedom: the 97.5 percentile of t is 3.182446; the factor is 1 / 4 + 1 / (2 - 1).
    half = 3.182446 * np.sqrt((1 / 4 + 1) * np.var([3, 4, 3.5, 4.5], ddof=1))
    assert repeats.mae.mean.low == pytest.approx(3.75 - half, abs=1e-5)
    assert "2 draws of 2 folds: MAE 3.75 years" in repeats.sentence and "3.50 ± 0.71 years" in repeats.sentence
    assert [row[0] for row in repeat_section(repeats).tables[0].rows] == ["0", "1"]


def test_models_have_draws_of_their_own() -> None:
    results = [draw(number, 3.0, 4.0, name=name) for name in ("model=a", "model=b") for number in range(2)]
    assert [(found.name, list(found.draws)) for found in repeats_of(results)] == [
        ("model=a", ["0", "1"]),
        ("model=b", ["0", "1"]),
    ]


@pytest.mark.parametrize("hidden", [draw(1, 3.5, None), replace(draw(1, 3.5, 4.5), accuracy=None)])
def test_a_fold_that_is_not_shown_hides_the_mean(hidden: FoldResults) -> None:
    (repeats,) = repeats_of([draw(0, 3.0, 4.0), hidden])
    assert repeats.mae is None
    assert "not all are finished, or shown" in repeats.sentence
