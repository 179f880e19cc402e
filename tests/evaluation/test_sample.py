"""The sample by part of the split."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainage.evaluation.sample import Sample, sample_by_part


def table(**sizes: int) -> pd.DataFrame:
    split = np.repeat([*sizes], [*sizes.values()])
    n = len(split)
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "participant_id": [f"p{number}" for number in range(n)],
            "split": split,
            "age": rng.uniform(50, 70, n),
            "sex": np.arange(n) % 2,
            "site": "Reading",
            "head_motion": rng.gamma(2, 0.05, n),
        }
    )


def described(rows: pd.DataFrame, *parts: str) -> dict[str, Sample]:
    return sample_by_part(rows, rows[rows["split"].isin(parts)])


def test_each_part_has_its_ages_sexes_sites_and_motion() -> None:
    rows = table(train=60, test=40)
    found = described(rows, "test")
    train = rows[rows["split"] == "train"]
    assert (found["train"].n, found["test"].n) == (60, 40)
    assert (found["train"].age_mean, found["train"].age_sd) == pytest.approx((train["age"].mean(), train["age"].std()))
    assert found["train"].age_p5 == pytest.approx(np.percentile(train["age"], 5), abs=0.06)
    assert found["test"].age_p5 is None  # needs 50
    assert found["test"].counts == {"sex": {"female": 20, "male": 20}, "site": {"Reading": 40}}
    assert found["train"].motion_mean == pytest.approx(train["head_motion"].mean())


@pytest.mark.parametrize(
    ("sizes", "parts", "shown"),
    [
        ({"train": 40, "val": 9, "test": 20}, ("test",), {"train", "test"}),
        ({"train": 40, "val": 9, "test": 20}, ("val", "test"), {"train"}),
        ({"train": 40, "val": 12, "test": 20}, ("val", "test"), {"train", "val", "test"}),
    ],
    ids=["nine are counted", "nine would be the rest of what is described", "all"],
)
def test_parts_that_would_give_fewer_than_ten_away_are_only_counted(
    sizes: dict[str, int], parts: tuple[str, ...], shown: set[str]
) -> None:
    found = described(table(**sizes), *parts)
    assert {part for part, sample in found.items() if sample.age_mean is not None} == shown
    assert all(sample == Sample(sample.n) for part, sample in found.items() if part not in shown)
    assert {part: sample.n for part, sample in found.items()} == sizes


@pytest.mark.parametrize(
    ("women", "parts", "counted"),
    [
        ({"val": 15, "test": 15}, ("test",), {"train", "val", "test"}),
        ({"val": 15, "test": 9}, ("test",), {"train", "val"}),
        ({"val": 15, "test": 9}, ("val", "test"), {"train"}),  # the women of both are described
    ],
    ids=["all", "nine women", "nine women of two analysed parts"],
)
def test_sexes_that_would_give_fewer_than_ten_away_are_not_counted(
    women: dict[str, int], parts: tuple[str, ...], counted: set[str]
) -> None:
    rows = table(train=60, val=40, test=40)
    sex: list[Any] = [0.0, 1.0] * 30
    for part in ("val", "test"):
        sex += [0.0] * women[part] + [1.0] * (40 - women[part])
    found = described(rows.assign(sex=sex), *parts)
    assert {part for part, sample in found.items() if "sex" in sample.counts} == counted


def test_motion_that_nine_lack_is_not_described() -> None:
    rows = table(train=60)
    rows.loc[:8, "head_motion"] = np.nan
    assert described(rows, "train")["train"].motion_mean is None
    rows.loc[:9, "head_motion"] = np.nan
    assert described(rows, "train")["train"].motion_mean is not None


def test_rows_without_parts_are_one_column() -> None:
    rows = table(train=30).assign(split=None)
    assert {part: sample.n for part, sample in sample_by_part(rows, rows).items()} == {"all": 30}
