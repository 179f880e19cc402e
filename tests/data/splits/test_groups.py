"""The reference group trains, validates and is tested; cases are tested only, each once."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainage.config.groups.groups import GroupsConfig
from brainage.config.groups.split import (
    FixedSplitConfig,
    KFoldSplitConfig,
    LeaveSiteOutSplitConfig,
    RandomSplitConfig,
    SplitConfig,
)
from brainage.data.splits.choose import choose_split
from brainage.data.splits.draw import random_split
from brainage.errors import BrainageError

SITES = ("Cheadle", "Reading", "Bristol")
N = 90
# Numbers as a table of phenotypes has them: 1.0 is a case, and the last ten are unknown.
DIAGNOSIS = np.where(np.arange(N) % 4 == 0, 1.0, 0.0)
DIAGNOSIS[80:] = np.nan
TABLE = pd.DataFrame(
    {
        "participant_id": [f"p{number:02d}" for number in range(N)],
        "age": np.linspace(46, 82, N),
        "site": [SITES[number % 3] for number in range(N)],
        "diagnosis": DIAGNOSIS,
    }
)
CASES = set(TABLE["participant_id"][DIAGNOSIS == 1])
REFERENCE = TABLE[DIAGNOSIS == 0].reset_index(drop=True)
GROUPS = GroupsConfig("diagnosis", "0")


def part(split: pd.Series[str], *names: str) -> set[str]:
    return set(split.index[split.isin(names)])


def test_cases_join_the_test_part_of_a_split_that_is_drawn_over_the_reference_group() -> None:
    split = choose_split(RandomSplitConfig("random", seed=5), TABLE, GROUPS)
    alone = random_split(REFERENCE, seed=5)
    pd.testing.assert_series_equal(split[~split.index.isin(CASES)], alone)
    assert part(split, "test") == CASES | part(alone, "test")
    assert split.index.is_monotonic_increasing


def test_unknown_groups_and_relatives_of_cases_are_left_out_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "brainage")
    table = TABLE.assign(family_id=[f"f{number // 2}" for number in range(N)])
    split = choose_split(RandomSplitConfig("random", seed=5), table, GROUPS)
    # Of each four, the first is a case and the second its relative.
    assert len(split) == 80 - 20
    assert "30 participants without a group, or with a relative in another group, are left out" in caplog.text


@pytest.mark.parametrize(
    "configs",
    [
        [KFoldSplitConfig("kfold", fold=fold, n_folds=3) for fold in range(3)],
        [LeaveSiteOutSplitConfig("leave_site_out", site=site) for site in SITES],
    ],
    ids=["folds", "sites"],
)
def test_folds_and_sites_test_each_participant_once_and_never_fit_a_case(configs: list[SplitConfig]) -> None:
    splits = [choose_split(config, TABLE, GROUPS) for config in configs]
    tested = [one for split in splits for one in sorted(part(split, "test"))]
    assert sorted(tested) == sorted(CASES | set(REFERENCE["participant_id"]))
    assert all(not part(split, "train", "val") & CASES for split in splits)
    assert all(4 <= len(part(split, "test") & CASES) <= 10 for split in splits)


@pytest.mark.parametrize(
    ("case", "wrong"), [("test", None), ("val", "1 of 3"), ("train", "1 of 3")], ids=["test", "val", "train"]
)
def test_a_fixed_split_must_not_fit_cases(tmp_path: Path, case: str, wrong: str | None) -> None:
    path = tmp_path / "split.csv"
    path.write_text(f"participant_id,split\np00,{case}\np01,train\np02,val\np03,test\np04,test\n")
    config = FixedSplitConfig("fixed", file=str(path))
    if wrong is None:
        assert choose_split(config, TABLE, GROUPS).to_dict() == choose_split(config, TABLE).to_dict()
        return
    with pytest.raises(BrainageError, match=f"may train and validate, but {wrong} there are not. Move them to test"):
        choose_split(config, TABLE, GROUPS)


@pytest.mark.parametrize(
    ("column", "reference", "message"),
    [
        ("diagnosis", "control", r"`groups.reference` must be a value of the column `diagnosis`.*Choose one of 0, 1"),
        ("participant_id", "p", "No value there is that of ten participants"),
        ("centre", "A", "`groups.column=centre` must have other values than 'A', but all 90"),
    ],
)
def test_a_reference_that_divides_nobody_is_refused(column: str, reference: str, message: str) -> None:
    with pytest.raises(BrainageError, match=message):
        choose_split(RandomSplitConfig("random"), TABLE.assign(centre="A"), GroupsConfig(column, reference))


@pytest.mark.parametrize(("given", "missing"), [({"column": "diagnosis"}, "reference"), ({"reference": "0"}, "column")])
def test_a_column_of_groups_and_its_reference_are_given_together(given: dict[str, str], missing: str) -> None:
    with pytest.raises(BrainageError, match=f"`groups.{missing}` must be given, because the other one is"):
        GroupsConfig(**given)
