"""Splits that are read from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainage.data.splits.fixed import fixed_split
from brainage.errors import CohortError, MissingPathError, SplitError


def cohort(n: int, **columns: object) -> pd.DataFrame:
    ages = np.linspace(46, 82, n)
    return pd.DataFrame({"participant_id": [f"p{i:05d}" for i in range(n)], "age": ages, **columns})


def test_a_fixed_split_is_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "splits.csv"
    path.write_text("participant_id,split\np00002,train\nsub-p00001,Test\np00004,val\nelsewhere,train\n")
    split = fixed_split(cohort(6), path)
    assert split.to_dict() == {"p00001": "test", "p00002": "train", "p00004": "val"}
    assert list(split.index) == ["p00001", "p00002", "p00004"]


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        ("participant_id,part\np00001,train\n", CohortError, "has no column `split`"),
        ("participant_id,split\n", CohortError, "has a header but no rows"),
        ("participant_id,split\np00001,training\n", SplitError, r"must be one of train, val, test, but 1 rows .*row 2"),
        ("participant_id,split\np00001,train\np00001,test\n", SplitError, r"1 are in several \(rows 2, 3\)"),
        ("participant_id,split\nother,train\n", SplitError, "none of its 1 participants is in the cohort's table"),
        ("participant_id,split\np00001,train\np00002,val\n", SplitError, "leaves no participant in test"),
    ],
    ids=["column", "empty", "part", "twice", "strangers", "no-test"],
)
def test_a_file_that_is_no_split_is_refused(text: str, error: type[Exception], match: str, tmp_path: Path) -> None:
    path = tmp_path / "splits.csv"
    path.write_text(text)
    with pytest.raises(error, match=match) as caught:
        fixed_split(cohort(6), path)
    assert "p0000" not in str(caught.value)


def test_a_split_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(MissingPathError, match="No such file"):
        fixed_split(cohort(6), tmp_path / "splits.csv")
