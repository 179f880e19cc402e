"""Shifted and otherwise calibrated predictions of new participants are noted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from brainage.evaluation.gap import Correction, fit_correction
from brainage.evaluation.shift import shift_notes
from brainage.evaluation.training_stats import spread_of


def drawn(rng: np.random.Generator, n: int, *, shift: float = 0, slope: float = 0.6) -> pd.DataFrame:
    age = rng.normal(63, 7.6, n)
    predicted = 63 + shift + slope * (age - 63) + rng.normal(0, 3.5, n)
    return pd.DataFrame({"participant_id": np.arange(n), "age": age, "predicted_age": predicted})


def corrected(rows: pd.DataFrame, fit: Correction) -> pd.DataFrame:
    return rows.assign(bag_corrected=fit.gap(rows["age"].to_numpy(), rows["predicted_age"].to_numpy()))


@pytest.mark.parametrize("method", ["linear", "cole"])
def test_a_shift_and_another_slope_are_noted_and_chance_is_not(method: str) -> None:
    rng = np.random.default_rng(0)
    n_shifts, n_slopes = 0, 0
    for _ in range(200):
        fit = fit_correction(method, drawn(rng, 150), "validation")
        notes = shift_notes(corrected(drawn(rng, 60), fit), [fit])
        n_shifts += any("mean corrected gap" in note for note in notes)
        n_slopes += any("per year of age" in note for note in notes)
    # 20 of 200 are exceeded with a probability of 0.001 at 5 %.
    assert n_shifts <= 20 and n_slopes <= 20
    fit = fit_correction(method, drawn(rng, 150), "validation")
    (note,) = shift_notes(corrected(drawn(rng, 60, shift=5), fit), [fit])
    assert "mean corrected gap of these 60 participants is +" in note and "brainage adapt" in note
    (note,) = shift_notes(corrected(drawn(rng, 200, slope=0.2), fit), [fit])
    assert note.startswith("The corrected gap changes by -") and "gap_correction=in_sample" in note


def test_few_participants_and_those_without_a_correction_have_no_notes() -> None:
    rng = np.random.default_rng(0)
    fit = fit_correction("linear", drawn(rng, 150), "validation")
    shifted = corrected(drawn(rng, 30, shift=9), fit)
    assert shift_notes(shifted.head(19), [fit]) == shift_notes(shifted, []) == []
    assert shift_notes(shifted.drop(columns="bag_corrected"), [fit]) == []


@pytest.mark.parametrize(("shift", "n", "found"), [(0.3, 400, 0), (0.8, 400, 0.8), (0.8, 9, 0), (-2.0, 40, -2.0)])
def test_the_mean_of_series_is_compared_with_that_of_training(shift: float, n: int, found: float) -> None:
    known = spread_of(np.linspace(-1.7, 1.7, 400))
    values = np.linspace(-1, 1, n) + shift * known.sd
    assert known.shift(values) == pytest.approx(found, abs=1e-9)
