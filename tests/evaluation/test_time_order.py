"""The errors on series in other orders of time."""

from __future__ import annotations

import numpy as np
import pytest

from brainage.evaluation.time_order import COLUMNS, measure_time_order


def test_the_table_has_errors_paired_differences_and_changes() -> None:
    age, own = np.arange(50.0, 60.0), np.arange(50.0, 60.0) + 1
    found = measure_time_order(age, own, {"worse": own + 2, "mirrored": age - 1}, n_resamples=50, seed=0)
    assert found is not None and list(found) == list(COLUMNS)
    worse, mirrored = found.to_dict("records")
    # every participant's error grows by two years, so resamples do not differ; p is 2 (1 + 0) / (50 + 1)
    expected = {"order": "worse", "n": 10, "mae": 3, "mae_difference": 2, "low": 2, "high": 2, "change": 2}
    assert worse == {**expected, "p": pytest.approx(2 / 51)}
    assert (mirrored["mae"], mirrored["mae_difference"], mirrored["change"], mirrored["p"]) == (1, 0, 2, 1)


def test_fewer_than_ten_participants_have_no_table() -> None:
    age = np.arange(50.0, 59.0)
    assert measure_time_order(age, age, {"reversed": age}, n_resamples=50, seed=0) is None
