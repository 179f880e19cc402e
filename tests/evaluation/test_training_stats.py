"""Aggregates of the training participants."""

from __future__ import annotations

import numpy as np
import pytest

from brainage.evaluation.training_stats import Aggregates, Spread, spread_of

KURTOSIS = "excess kurtosis"
SPREAD = {"n": 60, "mean": 1.0, "sd": 1.0, "p5": 0.0, "p95": 2.0}


def test_a_spread_has_the_sample_sd_and_below_fifty_values_no_percentiles() -> None:
    assert spread_of([50.0, 60.0, 70.0]) == Spread(3, 60.0, 10.0)
    assert spread_of([50.0]) == Spread(1, 50.0, 0.0)
    assert spread_of(np.arange(49.0)).p5 is None


def test_from_fifty_values_on_a_spread_has_percentiles_to_three_digits() -> None:
    values = np.linspace(40, 80, 50)
    found = spread_of(values)
    assert (found.p5, found.p95) == (42.0, 78.0)
    # At 61 values the percentiles are the fourth and the 58th value themselves.
    odd = np.sort(np.random.default_rng(0).uniform(40, 80, 61))
    found = spread_of(odd)
    assert (found.p5, found.p95) == (round(odd[3], 1), round(odd[57], 1)) != (odd[3], odd[57])


@pytest.mark.parametrize(
    ("n_inside", "n_beyond", "n_outside"), [(90, 10, 0), (84, 16, 0), (83, 17, 17), (0, 1, 1), (10, 0, 0), (0, 0, 0)]
)
def test_values_outside_count_where_they_are_more_than_chance_explains(
    n_inside: int, n_beyond: int, n_outside: int
) -> None:
    # Of 100, 10 are expected outside the 5th and 95th percentile, give or take 2 · 3.
    values = np.array([50.0] * n_inside + [70.1] * n_beyond)
    assert Spread(60, 60.0, 10.0, 50.0, 70.0).n_outside(values) == n_outside
    assert Spread(20, 60.0, 10.0).n_outside(values) == 0


def test_one_value_far_outside_counts_among_many() -> None:
    values = np.array([60.0] * 99 + [80.1])
    assert Spread(60, 60.0, 10.0, 50.0, 70.0).n_outside(values) == 1
    assert Spread(60, 60.0, 10.0, 50.0, 70.0).n_outside(values - 0.2) == 0


def test_aggregates_are_the_same_after_json() -> None:
    found = Aggregates(spread_of(np.arange(60.0)), {KURTOSIS: spread_of([1.0, 2.0])})
    assert Aggregates.from_json(found.as_json()) == found


def test_extremes_that_earlier_versions_wrote_are_dropped() -> None:
    old = {"n": 2, "mean": 1.0, "sd": 1.0, "low": 0.0, "high": 2.0}
    assert Aggregates.from_json({"ages": old, "series": {KURTOSIS: old}}).ages == Spread(2, 1.0, 1.0)


@pytest.mark.parametrize(
    "plain",
    [
        None,
        [],
        {"ages": SPREAD},
        {"ages": SPREAD, "series": 3},
        {"ages": {**SPREAD, "n": 2.0}, "series": {}},
        {"ages": {**SPREAD, "mean": "1"}, "series": {}},
        {"ages": SPREAD, "series": {KURTOSIS: {**SPREAD, "sd": float("nan")}}},
    ],
)
def test_damaged_aggregates_raise_value_error(plain: object) -> None:
    with pytest.raises(ValueError, match="for Aggregates"):
        Aggregates.from_json(plain)
