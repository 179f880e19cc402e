"""Prediction intervals: ranks by hand, coverage over simulated cohorts, and who is too few."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from brainage.errors import EvaluationError
from brainage.evaluation.conformal import BOUNDS, fit_conformal, intervals_in, n_needed

Array = NDArray[np.float64]


def drawn(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """Return true and predicted ages; errors at the highest predicted ages are three times as large."""
    predicted = rng.normal(62, 6, n)
    spread = np.interp(predicted, [47, 77], [2, 6])
    return predicted + spread * rng.standard_t(8, n), predicted


def coverage(kind: str, n_seeds: int) -> Array:
    """Return the share of new participants inside, in all and in thirds of predicted age: means over seeds."""
    shares = []
    for seed in range(n_seeds):
        rng = np.random.default_rng(seed)
        fit = fit_conformal(*drawn(rng, 200), level=0.9, kind=kind)
        age, predicted = drawn(rng, 900)
        low, high = fit.bounds(predicted).to_numpy().T
        inside = (low <= age) & (age <= high)
        shares.append([inside.mean(), *(part.mean() for part in np.array_split(inside[np.argsort(predicted)], 3))])
    return np.mean(shares, axis=0)


def test_adaptive_intervals_contain_nine_of_ten_in_each_third_of_predicted_age_and_symmetric_ones_do_not() -> None:
    assert np.abs(coverage("adaptive", 200) - 0.9).max() < 0.02
    overall, *thirds = coverage("symmetric", 200)
    assert abs(overall - 0.9) < 0.02
    assert thirds[0] > 0.94 and thirds[2] < 0.86


def test_a_symmetric_width_is_the_error_of_the_conformal_rank() -> None:
    # Of 99 errors 0.1, 0.2, ..., 9.9 the one of rank (99 + 1) * 0.9 is 9.0.
    errors = np.random.default_rng(1).permutation(np.arange(1, 100) / 10)
    fit = fit_conformal(60 + errors, np.full(99, 60.0), level=0.9)
    assert (fit.kind, fit.n, fit.half_widths) == ("symmetric", 99, (9.0,))
    assert fit.bounds([50.0]).to_numpy().tolist() == [[41.0, 59.0]]
    # Ranks of 50: ceil(51 * 0.8) = 41; the sign of an error does not matter.
    fit = fit_conformal(60 - np.arange(1, 51), np.full(50, 60.0), level=0.8)
    assert fit.half_widths == (41.0,)


def test_widths_are_stored_with_three_digits_rounded_up_so_that_none_is_the_error_of_a_participant() -> None:
    errors = np.linspace(1.23456, 8.76543, 99)
    fit = fit_conformal(60 + errors, np.full(99, 60.0), level=0.9)
    assert fit.half_widths == (8.08,) and errors[89] == pytest.approx(8.07382, abs=1e-5)
    adaptive = fit_conformal(*drawn(np.random.default_rng(2), 400), level=0.9)
    assert [f"{width:.3g}" for width in adaptive.half_widths] == [f"{width:g}" for width in adaptive.half_widths]
    assert len(adaptive.predicted) == 8 and list(adaptive.predicted) == sorted(adaptive.predicted)


@pytest.mark.parametrize(
    ("n", "level", "kind", "found"),
    [
        (50, 0.9, "auto", "symmetric"),
        (149, 0.9, "auto", "symmetric"),
        (150, 0.9, "auto", "adaptive"),
        (150, 0.9, "symmetric", "symmetric"),
        (49, 0.9, "auto", "needs 50 validation participants for symmetric intervals, but there are 49"),
        (149, 0.9, "adaptive", "needs 150 validation participants for adaptive intervals, but there are 149"),
        (249, 0.99, "auto", "needs 250 validation participants for symmetric intervals, but there are 249"),
        (0, 0.9, "auto", "there are 0"),
    ],
)
def test_the_kind_follows_from_the_number_of_validation_participants(
    n: int, level: float, kind: str, found: str
) -> None:
    ages = drawn(np.random.default_rng(3), n)
    if found in ("adaptive", "symmetric"):
        assert fit_conformal(*ages, level=level, kind=kind).kind == found
    else:
        with pytest.raises(EvaluationError, match=found):
            fit_conformal(*ages, level=level, kind=kind)


def table(**changes: Any) -> pd.DataFrame:
    age, predicted = drawn(np.random.default_rng(4), 400)
    split = ["train"] * 150 + ["val"] * 160 + ["test"] * 90
    found = pd.DataFrame({"split": split, "age": age, "predicted_age": predicted}, index=range(1000, 1400))
    return found.assign(**changes)


def test_bounds_are_those_of_test_rows_and_depend_on_validation_rows_only() -> None:
    found = intervals_in(table(), 0.9, "auto")
    assert found.bounds.index.tolist() == list(range(1310, 1400)) and list(found.bounds) == list(BOUNDS)
    assert [fit.n for fit in found.fits] == [160] and found.reason == ""
    other = table()
    other.loc[other["split"] != "val", "age"] += 30
    pd.testing.assert_frame_equal(intervals_in(other, 0.9, "auto").bounds, found.bounds, check_exact=True)
    few = intervals_in(table()[90:190], 0.9, "auto")
    assert few.bounds.empty and not few.fits and "but there are 40" in few.reason
    assert intervals_in(table(split=None), 0.9, "auto").reason == ""


def test_predictions_without_errors_have_intervals_without_width() -> None:
    predicted = np.linspace(50, 70, 200)
    for kind in ("adaptive", "symmetric"):
        fit = fit_conformal(predicted, predicted, level=0.9, kind=kind)
        assert (fit.bounds([40.0, 60.0]).to_numpy() == [[40.0, 40.0], [60.0, 60.0]]).all()
    assert (n_needed(0.9), n_needed(0.95), n_needed(0.99), n_needed(0.9, "adaptive")) == (50, 50, 250, 150)
