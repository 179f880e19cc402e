"""Splits that cannot be drawn."""

# ruff: noqa: E501 (the tables have a case a line)

from __future__ import annotations

import re

import pytest

from tests.commands.bad_inputs.cases import BIDS, IDS, Case, both, folder_instead, parts, people, put, scans, table
from tests.commands.bad_inputs.conftest import Answer
from tests.conftest import every_third

FIXED = (*BIDS, "split=fixed", "split.file=split.csv")
SPLITS = [
    Case("no file", r"The table `split.csv` cannot be read: No such file.*`split.file=FILE`", FIXED),
    Case("a folder", r"The table `split.csv` cannot be read: Is a directory.*`split.file=FILE`", FIXED, folder_instead("split.csv")),
    Case("an empty file", r"`split.csv` is empty, or its first line is", FIXED, put("split.csv", "")),
    Case("no parts", r"`split.file=split.csv` has no column `split`.*Did you mean `splits`", FIXED, put("split.csv", parts("val", "test").replace("split", "splits", 1))),
    Case("parts of other names", r"`split.file=split.csv`: `split` must be one of train, val, test, but 2 rows have something else \(rows 2, 3\)", FIXED, put("split.csv", parts("validation", "testing"))),
    Case("somebody in two parts", r"`split.file=split.csv`: each participant must be in one row, but 1 are in several \(rows 2, 14\)", FIXED, put("split.csv", parts("val", "test") + f"{IDS[0]},test\n")),
    Case("none of these participants", r"`split.file=split.csv`: none of its 12 participants is in the cohort's table, which has 12", FIXED, put("split.csv", parts("val", "test").replace("7777", "X777"))),
    Case("no validation participants", r"`split` leaves no participant in val, .*got train 11, val 0, test 1 of 12", FIXED, put("split.csv", parts("test"))),
    Case("a family in two parts", r"`split` puts 1 participants or families into more than one part", FIXED, both(put("split.csv", parts("val", "test")), table(people(family_id=["a", "a", *["n/a"] * 10])))),
    Case("no test participants left", r"`split` leaves no participant in test, .*val 1, test 0 of 11", FIXED, both(put("split.csv", parts("val", "test")), scans(b"", people=IDS[1:2]))),
    Case("a fixed split of no file", r"`split.file` must be given, but got nothing. Add split.file=...", (*BIDS, "split=fixed")),
    Case("no fold", r"`split.fold` must be given", (*BIDS, "split=kfold")),
    Case("a fold too far", r"`split.fold` must be from 0 to 4, but got 5", (*BIDS, "split=kfold", "split.fold=5")),
    Case("one fold", r"`split.n_folds` must be 2 or more, but got 1", (*BIDS, "split=kfold", "split.fold=0", "split.n_folds=1")),
    Case("more folds than people", r"`split.n_folds=13` needs as many participants or more, but got 12", (*BIDS, "split=kfold", "split.fold=0", "split.n_folds=13")),
    Case("no training participants", r"`split.val_fraction \+ 1 / split.n_folds` must be under 1, .* but got 1.1", (*BIDS, "split=kfold", "split.fold=0", "split.val_fraction=0.9")),
    Case("a site that is none", r"`split.site` got 'nord'. Choose one of north, south. Did you mean `north`\?", (*BIDS, "split=leave_site_out", "split.site=nord")),
    Case("no sites", r"`split=leave_site_out` needs the site of every participant, but the table has none", (*BIDS, "split=leave_site_out", "split.site=north"), table(people(site=None))),
    Case("one site", r"`split` leaves no participant in train and val", (*BIDS, "split=leave_site_out", "split.site=north"), table(people(site=["north"] * 12))),
    Case("all sites in one run", r"`split.site` got 'all'. For a run for each site, add --multirun", (*BIDS, "split=leave_site_out", "split.site=all")),
    Case("all sites of none", r"`split.site=all` needs two sites or more, but the participants who have a scan are of 0", ("--multirun", *BIDS, "split=leave_site_out", "split.site=all"), table(people(site=None))),
    Case("all sites of several cohorts", r"`split.site=all` needs the same participants in all jobs, but `cohort.seed` has several", ("--multirun", "cohort.seed=1,2", "split=leave_site_out", "split.site=all")),
]  # fmt: skip


@pytest.mark.parametrize("case", every_third(SPLITS), ids=lambda case: case.name)
def test_a_wrong_split_is_one_message(case: Case, answer: Answer) -> None:
    ended = answer(case)
    assert ended.code == case.code, ended.text
    assert re.search(case.message, ended.err), ended.text
