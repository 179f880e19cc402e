"""Which split a config asks for."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd
import pytest

from brainage.config.groups.split import (
    FixedSplitConfig,
    KFoldSplitConfig,
    LeaveSiteOutSplitConfig,
    RandomSplitConfig,
    RepeatedKFoldSplitConfig,
    SplitConfig,
)
from brainage.data.splits.choose import choose_split
from brainage.data.splits.draw import kfold_split, leave_site_out_split, random_split
from brainage.errors import ConfigError, SplitError

TABLE = pd.DataFrame(
    {
        "participant_id": [f"p{i:02d}" for i in range(30)],
        "age": [50.0 + i for i in range(30)],
        "site": [("Cheadle", "Reading", "Bristol")[i % 3] for i in range(30)],
    }
)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (RandomSplitConfig("random", seed=5, train_fraction=0.6), random_split(TABLE, seed=5, train_fraction=0.6)),
        (KFoldSplitConfig("kfold", seed=5, fold=1, n_folds=3), kfold_split(TABLE, seed=5, fold=1, n_folds=3)),
        (
            RepeatedKFoldSplitConfig("repeated_kfold", seed=5, fold=1, n_folds=3, repeat=2),
            kfold_split(TABLE, seed=5, fold=1, n_folds=3, repeat=2),
        ),
        (
            LeaveSiteOutSplitConfig("leave_site_out", site="Reading"),
            leave_site_out_split(TABLE, site="Reading", seed=43),
        ),
    ],
    ids=["random", "kfold", "repeated", "site"],
)
def test_a_config_draws_its_split_with_its_values(config: SplitConfig, expected: pd.Series[str]) -> None:
    pd.testing.assert_series_equal(choose_split(config, TABLE), expected)


def test_a_fixed_split_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("participant_id,split\np01,train\np02,val\np03,test\n")
    split = choose_split(FixedSplitConfig("fixed", file=str(tmp_path / "s.csv")), TABLE)
    assert split.to_dict() == {"p01": "train", "p02": "val", "p03": "test"}


def test_participants_without_a_site_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "brainage")
    table = TABLE.assign(site=TABLE["site"].where(TABLE.index > 1))
    choose_split(LeaveSiteOutSplitConfig("leave_site_out", site="Reading"), table)
    assert "2 participants without a site" in caplog.text


def test_an_unknown_config_is_refused() -> None:
    with pytest.raises(ConfigError, match="`split` got an unknown config"):
        choose_split(SplitConfig("other"), TABLE)


def test_fewer_training_participants_are_among_more_of_them() -> None:
    whole, more, few = (choose_split(RandomSplitConfig("random", n_train=n), TABLE) for n in (None, 20, 5))
    pd.testing.assert_series_equal(choose_split(RandomSplitConfig("random", n_train="all"), TABLE), whole)
    parts = [
        {part: set(split.index[split == part]) for part in ("train", "val", "test")} for split in (whole, more, few)
    ]
    assert [len(part["train"]) for part in parts] == [24, 20, 5]
    assert parts[0]["train"] > parts[1]["train"] > parts[2]["train"]
    assert parts[0]["test"] == parts[1]["test"] == parts[2]["test"]
    assert parts[0]["val"] == parts[2]["val"]


@pytest.mark.parametrize("n_train", [0, "some", -3])
def test_a_number_of_training_participants_that_is_none_is_refused(n_train: int | str) -> None:
    with pytest.raises(ConfigError, match=rf"`split.n_train` must be 1 or more, or all, but got '?{n_train}"):
        RandomSplitConfig("random", n_train=n_train)


def test_more_training_participants_than_there_are_are_refused() -> None:
    with pytest.raises(SplitError, match=r"`split.n_train` must be at most 24, .* but got 25"):
        choose_split(RandomSplitConfig("random", n_train=25), TABLE)
