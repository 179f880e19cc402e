"""Bins of age, and gaps in them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from brainage.evaluation.by_age import age_bins, gap_by_age


def test_gaps_by_age_agree_with_numbers_by_hand() -> None:
    # Ten participants in 45 to 50 with gaps 1, ..., 10; ten of exactly 50, who are of the next bin; ten in 60 to 65.
    age = [*np.linspace(45, 49.99, 10), *[50.0] * 10, *[61.0] * 10]
    gap = np.array([*range(1, 11), *[-3.0] * 10, *[99.0] * 10], dtype=float)
    table = gap_by_age(pd.DataFrame({"age": age, "bag": gap, "bag_corrected": 2 * gap}))
    assert table["age_low"].tolist() == [45, 50, 60]
    assert table["age_high"].tolist() == [50, 55, 65]
    assert table["n"].tolist() == [10, 10, 10]
    sd = math.sqrt(82.5 / 9)
    assert table["bag"].tolist()[:2] == pytest.approx([5.5, -3], abs=1e-12)
    assert table["bag_sd"].tolist()[:2] == pytest.approx([sd, 0], abs=1e-12)
    assert table["bag_corrected"].tolist()[:2] == pytest.approx([11, -6], abs=1e-12)
    assert table["bag_corrected_sd"].tolist()[:2] == pytest.approx([2 * sd, 0], abs=1e-12)


def test_bins_of_fewer_than_ten_participants_are_merged_with_a_neighbour() -> None:
    rows = pd.DataFrame({"age": [46.0] * 9 + [57.0] * 11 + [61.0] * 10 + [78.0], "bag": [1.0] * 9 + [3.0] * 22})
    table = gap_by_age(rows)
    assert table[["age_low", "age_high", "n"]].to_numpy().tolist() == [[45, 60, 20], [60, 80, 11]]
    assert table["bag"].tolist() == pytest.approx([(9 + 33) / 20, 3])


def test_few_ages_are_in_bins_between_quantiles() -> None:
    # In one bin of five years; the quartiles of 8.05, 8.10, ... 11.95 are 9.025, 10 and 10.975.
    children = np.arange(8.05, 11.96, 0.05)
    assert age_bins(children) == [(5, 9), (9, 10), (10, 11), (11, 15)]
    # Whole years do not separate these: quartiles of 50.02, ... 51.6 are 50.415, 50.81 and 51.205.
    assert age_bins(np.arange(50.02, 51.61, 0.02)) == [(50, 50.4), (50.4, 50.8), (50.8, 51.2), (51.2, 55)]
    # Four bins of five years are enough.
    assert age_bins(np.arange(40, 80, 0.5)) == [(low, low + 5) for low in range(40, 80, 5)]


def test_fewer_than_ten_participants_in_all_have_only_n() -> None:
    table = gap_by_age(pd.DataFrame({"age": [61.0] * 9, "bag": 99.0, "bag_corrected": 98.0}))
    assert table["n"].tolist() == [9]
    assert table[["bag", "bag_sd", "bag_corrected", "bag_corrected_sd"]].isna().all(axis=None)


def test_without_a_corrected_gap_the_bins_are_of_the_raw_one() -> None:
    table = gap_by_age(pd.DataFrame({"age": [60.0] * 5 + [62.0] * 7, "bag": [1.0] * 5 + [3.0] * 7}))
    assert list(table.columns) == ["age_low", "age_high", "n", "bag", "bag_sd"]
    assert table.iloc[0, :4].tolist() == pytest.approx([60, 65, 12, 26 / 12], abs=1e-12)
