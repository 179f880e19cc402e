"""The correction of a run that applies to new participants."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from brainage.trained.load import correction_of


def predictions(n_val: int, n_test: int) -> pd.DataFrame:
    n = 50 + n_val + n_test
    age = np.linspace(45.0, 80.0, n)
    return pd.DataFrame(
        {
            "participant_id": [f"p{number}" for number in range(n)],
            "split": np.random.default_rng(0).permutation(["train"] * 50 + ["val"] * n_val + ["test"] * n_test),
            "age": age,
            "predicted_age": 31 + 0.5 * age + np.random.default_rng(1).normal(0, 2, n),
        }
    )


@pytest.mark.parametrize(("method", "parts"), [("linear", ["val"]), ("crossfit", ["val", "test"])])
def test_new_participants_are_corrected_by_a_fit_on_all_held_out_rows_or_validation(
    method: str, parts: list[str]
) -> None:
    table = predictions(105, 30)
    fit, _ = correction_of(method, table)
    fitted = table[table["split"].isin(parts)]
    slope, intercept = np.polyfit(fitted["age"], fitted["predicted_age"] - fitted["age"], 1)
    assert fit is not None and fit.n == len(fitted)
    assert (fit.slope, fit.intercept) == pytest.approx((slope, intercept), abs=1e-9)


@pytest.mark.parametrize(
    ("method", "n_val", "n_test", "reason"),
    [
        ("in_sample", 30, 30, "fits nothing that applies to others"),
        ("linear", 99, 30, "needs 100 participants"),
        ("crossfit", 14, 15, "needs 30 participants"),
        ("crossfit", 9, 30, "fewer than 10 participants, whom its fit would describe"),
    ],
)
def test_without_a_fit_there_is_a_reason(method: str, n_val: int, n_test: int, reason: str) -> None:
    fit, said = correction_of(method, predictions(n_val, n_test))
    assert fit is None and reason in said
