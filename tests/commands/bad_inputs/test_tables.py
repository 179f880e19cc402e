"""Wrong participants' tables."""

# ruff: noqa: E501 (the tables have a case a line)

from __future__ import annotations

import gzip
import re

import pytest

from tests.commands.bad_inputs.cases import (
    AGES,
    BIDS,
    IDS,
    UKB,
    Case,
    first,
    folder_instead,
    gone,
    people,
    put,
    table,
    ukb,
    ukb_table,
    zipped,
)
from tests.commands.bad_inputs.conftest import Answer
from tests.conftest import every_third

TABLES = [
    Case("an empty table", r"participants.tsv` is empty, or its first line is", BIDS, table("")),
    Case("a header alone", r"participants.tsv` has a header but no rows", BIDS, table("participant_id\tage\n")),
    Case("no header", r"participants.tsv` has no column `participant_id`.*first line must contain", BIDS, table(people().partition("\n")[2])),
    Case("no ages", r"participants.tsv` has no column `age`", BIDS, table(people(age=None))),
    Case("spaces", r"has neither tabs nor commas nor semicolons. Separate", BIDS, table(people(" "))),
    Case("UTF-16", r"participants.tsv` is not UTF-8 text, but perhaps UTF-16", BIDS, table(people().encode("utf-16-le"))),
    Case("half a gzip file", r"participants.tsv` is not a whole gzip file. Copy it again", BIDS, table(gzip.compress(people().encode())[:-20])),
    Case("a workbook", r"participants.tsv` is not a whole Excel workbook", BIDS, table(zipped("xl/workbook.xml", b"<x/>"))),
    Case("an old workbook", r"participants.tsv` is an Excel file of the old format .xls", BIDS, table(b"\xd0\xcf\x11\xe0" + bytes(500))),
    Case("half a Parquet file", r"participants.tsv` is not a whole Parquet file. Copy it again", BIDS, table(b"PAR1" + bytes(500))),
    Case("decimal commas", r"`age`: .* are not a number of years, in row 2: a decimal comma", BIDS, table(people(age=first("60,5", AGES)))),
    Case("an unknown standard name", r"`cohort.columns.aeg` must be a standard name, .*Did you mean `age`", (*BIDS, "cohort.columns.aeg=age")),
    Case("an own name of no column", r"`cohort.columns.age` .*participants.tsv`, which has none of the name `AGE`", (*BIDS, "cohort.columns={age: AGE}")),
    Case("one column twice", r"`age` is both `age` and `site`", (*BIDS, "cohort.columns={site: age}")),
    Case("a row too long", r"Row 13 of `.*participants.tsv` has 5 values, but the header has 4", BIDS, table(people().rstrip("\n") + "\t1\n")),
    Case("a quote that does not end", r"Row 13 of `.*participants.tsv` cannot be parsed", BIDS, table(people(site=["n"] * 11 + ['"n']))),
    Case("two columns of ages", r"has 2 columns `age`, so which one to read is ambiguous", BIDS, table(people().replace("site", "age", 1))),
    Case("ages in words", r"`age`: 1 of 12 values are not a number of years, in row 2: a number with a sign", BIDS, table(people(age=first("90+", AGES)))),
    Case("a negative age", r"ages must be 0 to 120 years, but there are 1 negative \(row 2\)", BIDS, table(people(age=first("-1", AGES)))),
    Case("an endless age", r"ages must be 0 to 120 years, but there are 1 infinite \(row 2\)", BIDS, table(people(age=first("inf", AGES)))),
    Case("scans without ages", r"12 of 12 participants with a scan have no age: rows 2, 3, 4, 5, 6 and 7 more", BIDS, table(people(age=["n/a"] * 12))),
    Case("somebody twice", r"1 participant is in the table more than once, in rows 2, 3", BIDS, table(people(participant_id=first(IDS[1], list(IDS))))),
    Case("an id left out", r"`participant_id`: the id is empty in row 2", BIDS, table(people(participant_id=first("", list(IDS))))),
    Case("ids as numbers", r"`participant_id`: a spreadsheet or R has made numbers.* row 2", BIDS, table(people(participant_id=first("7.777001e+06", list(IDS))))),
    Case("a third sex", r"`sex`: sex must be 0 or 1, .* row 2 has something else: a whole number", BIDS, table(people(sex=["2", *["F"] * 11]))),
    Case("ids of another kind", r"participants.tsv` must have both an age and a file of 25 components, but none has", BIDS, table(people(participant_id=[f"A{person}" for person in IDS]))),
    Case("a pattern of no file", r"The first path looked for was `\{participant_id\}/25.txt` in `cohort.root=tree`, and it has 12 x `\*_25.txt`", (*BIDS, "cohort.pattern='{participant_id}/25.txt'")),
    Case("two files of somebody", r"`cohort.pattern`: each participant must have one file, but 1 of 12 have several, up to 2, such as `\{participant_id\}_", (*BIDS, "cohort.pattern='{participant_id}_*.txt'"), put(f"tree/{IDS[0]}_run-2.txt", "")),
    Case("a placeholder without a value", r"`cohort.pattern` may have the placeholders \{participant_id\} and \{dimension\} only", (*BIDS, "cohort.pattern='{participant_id}_{atlas}.txt'")),
    Case("too few people", r"`split` leaves no participant in val, .*got train 4, val 0, test 1 of 5", BIDS, table("".join(people().splitlines(keepends=True)[:6]))),
    Case("a folder as table", r"The table `.*participants.tsv` cannot be read: Is a directory. .*cohort.phenotypes=FILE", BIDS, folder_instead("tree/participants.tsv")),
    Case("no table", r"The table `.*participants.tsv` cannot be read: No such file", BIDS, gone("tree/participants.tsv")),
    Case("no tree", r"`cohort.root` must be a folder, but `tree` is none", BIDS, gone("tree")),
    Case("a path that leads out", r"`cohort.pattern` must stay below `cohort.root`", (*BIDS, "cohort.pattern='../{participant_id}'")),
    Case("an unset variable", r"`cohort.root`.*Environment variable 'NO_SUCH_VARIABLE' not found", (*BIDS, "cohort.root=${oc.env:NO_SUCH_VARIABLE}")),
    Case("a query of no column", r"has no column `bmi`", (*BIDS, "cohort.include=bmi > 3")),
    Case("a query of text as numbers", r"`cohort.include` compares text with numbers", (*BIDS, "cohort.include=site == 3")),
    Case("a query that names somebody", r"`cohort.include` must not name participants", (*BIDS, f"cohort.include=participant_id != '{IDS[0]}'")),
    Case("two ids a line of those who withdrew", r"Line 2 of `gone.txt` is not one id", (*BIDS, "cohort.exclude_ids=gone.txt"), put("gone.txt", f"{IDS[0]}\n{IDS[1]} {IDS[2]}\n")),
    Case("no text of those who withdrew", r"The list of ids `gone.txt` is not UTF-8 text", (*BIDS, "cohort.exclude_ids=gone.txt"), put("gone.txt", b"7\xe4\n")),
    Case("a folder of those who withdrew", r"The list of ids `gone.txt` cannot be read: Is a directory", (*BIDS, "cohort.exclude_ids=gone.txt"), folder_instead("gone.txt")),
    Case("everybody withdrew", r"must have both an age and a file .*0 with a scan, 12 withdrawn", (*BIDS, "cohort.exclude_ids=gone.txt"), put("gone.txt", "\n".join(IDS))),
    Case("ages at recruitment", r"`ukb.csv` has no column `21003-2.0`, .*It has `21003-0.0`.*not used instead", UKB, ukb(ukb_table("21003-0.0"))),
    Case("two styles of columns", r"`ukb.csv` mixes column styles: `21003-2.0`, `p31`", UKB, ukb(ukb_table(more=",p31"))),
    Case("no eid", r"`ukb.csv` has no column `eid`", UKB, ukb(ukb_table(eid="id"))),
    Case("no field that is known", r"`ukb.csv` has none of the columns `21003-2.0`", UKB, ukb(ukb_table("age"))),
    Case("no table of UK Biobank", r"The table `ukb.csv` cannot be read: No such file.*cohort.phenotypes=FILE", UKB, gone("ukb.csv")),
    Case("a file as bulk folder", r"`cohort.root` must be a folder, but `ukb.csv` is none", (*UKB, "cohort.root=ukb.csv")),
    Case("another visit's ages", r"`ukb.csv` has no column `21003-3.0`, the age at imaging visit 3", (*UKB, "cohort.instance=3")),
    Case("a visit that is none", r"`cohort.instance` must be 2 .*3 .*\[2,3\], but got 4", (*UKB, "cohort.instance=4")),
    Case("one path for both dimensions", r"`cohort.member` must be a path that contains `\{dimension\}`", (*UKB, "cohort.member=dr_stage1.txt")),
]  # fmt: skip


@pytest.mark.parametrize("case", every_third(TABLES), ids=lambda case: case.name)
def test_a_wrong_table_is_one_message(case: Case, answer: Answer) -> None:
    ended = answer(case)
    assert ended.code == case.code, ended.text
    assert re.search(case.message, ended.err), ended.text
