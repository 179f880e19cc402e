"""Accuracy and mean gap of groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from brainage.evaluation.accuracy import measure_accuracy
from brainage.evaluation.groups import Group, levels_of, measure_groups


def rows(n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    age = rng.uniform(45, 80, n)
    gap = rng.normal(1, 4, n)
    table = pd.DataFrame({"age": age, "predicted_age": age + gap, "bag": gap, "bag_corrected": gap - 1})
    return table.assign(sex=np.arange(n) % 2, site=np.where(np.arange(n) < 50, "Cheadle", "Reading"))


def measured(table: pd.DataFrame) -> dict[str, dict[str, Group]]:
    found: dict[str, dict[str, Group]] = {}
    for group in measure_groups(table, n_resamples=200, seed=4):
        found.setdefault(group.variable, {})[group.level] = group
    return found


def test_groups_have_the_error_of_their_rows_with_the_interval_of_the_bootstrap() -> None:
    table = rows()
    women = table[table["sex"] == 0]
    found = measured(table)["sex"]["female"]
    other = measure_accuracy(women["age"], women["predicted_age"], mean_age=60, n_resamples=200, seed=4).estimates
    for mine, name in ((found.mae, "mae"), (found.mean_gap, "mean_gap")):
        assert (mine.value, mine.low, mine.high) == pytest.approx(
            (other[name].value, other[name].low, other[name].high), abs=1e-9
        )
    assert found.mean_gap_corrected.value == pytest.approx(women["bag"].mean() - 1, abs=1e-9)
    assert {name: [*levels] for name, levels in measured(table).items()} == {
        "age": [*measured(table)["age"]],
        "sex": ["female", "male"],
        "site": ["Cheadle", "Reading"],
    }
    assert [group.n for group in measured(table)["site"].values()] == [50, 70]


def test_thirds_of_age_are_of_about_equal_size_and_at_whole_years() -> None:
    table = rows(300)
    thirds = measured(table)["age"]
    assert [group.n for group in thirds.values()] == pytest.approx([100] * 3, abs=12)
    assert sum(group.n for group in thirds.values()) == 300
    low, middle, high = thirds
    first, second = low.removeprefix("under "), high.removeprefix("from ")
    assert middle == f"{first} to {second}" and int(first) < int(second)


@pytest.mark.parametrize(
    ("change", "levels"),
    [
        ({"site": ["Cheadle"] * 9 + ["Reading"] * 51 + ["York"] * 60}, None),
        ({"site": ["Cheadle"] * 9 + ["Hull"] * 11 + ["Reading"] * 40 + ["York"] * 60}, ["Reading", "York"]),
        ({"site": ["Cheadle"] * 120}, None),
        ({"site": [None] * 20 + ["Reading"] * 40 + ["York"] * 60}, ["Reading", "York", "unknown"]),
    ],
    ids=["nine, who would be the rest", "nine and eleven", "one", "unknown"],
)
def test_groups_that_would_give_fewer_than_ten_away_are_not_measured(
    change: dict[str, list[str | None]], levels: list[str] | None
) -> None:
    found = measured(rows().assign(**change, sex=np.nan))
    assert "sex" not in found
    assert [*found.get("site", {})] == (levels or [])


def test_a_sex_that_is_nearly_a_site_is_measured_only_once() -> None:
    # All 50 of Cheadle and five others are men: with both, the gaps of the five could be computed.
    sex = np.where(np.arange(120) < 55, 1.0, 0.0)
    found = measured(rows().assign(sex=sex))
    assert "sex" in found and "site" not in found


def test_letters_are_levels_of_sex_too() -> None:
    table = rows(40)
    assert [*levels_of(table.assign(sex=np.where(table["sex"] == 1, "M", "F")), "sex")] == ["F", "M"]
    assert [*levels_of(table.assign(sex=table["sex"].astype(float)), "sex")] == ["female", "male"]
    assert levels_of(table.drop(columns="sex"), "sex") == {}


def test_each_row_is_in_one_level_also_where_a_site_is_named_unknown_or_is_a_long_number() -> None:
    table = pd.DataFrame({"site": ["unknown", None, "Reading"] * 10})
    assert {level: int(mask.sum()) for level, mask in levels_of(table, "site").items()} == {
        "Reading": 10,
        "unknown": 20,
    }
    table = pd.DataFrame({"site": [12345678.0, 12345679.0, np.nan]})
    assert [*levels_of(table, "site")] == ["12345678", "12345679", "unknown"]
