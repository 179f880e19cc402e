"""Ids that nearly match are counted by what differs."""

from __future__ import annotations

import pytest

from brainage.data.survey.ids import near_matches


@pytest.mark.parametrize(
    ("table", "files", "counts"),
    [
        (["1", "02"], ["001", "02", "3"], {"leading zeros": 1}),
        (["ndar01", "x"], ["NDAR01"], {"upper and lower case": 1}),
        (["NDAR_INV01"], ["NDARINV01"], {"hyphens, underscores, points or spaces": 1}),
        (["S12", "subj_13"], ["12", "13"], {"a prefix such as sub or S": 2}),
        (["12_ses-1", "13-bl"], ["12", "13"], {"a session or visit at the end": 2}),
        (["SUB0012"], ["12"], {"several of these": 1}),
        (["a", "b"], ["a", "b"], {}),
        (["1", "01"], ["001"], {}),  # two of the table would have the same file
        (["abc"], ["xyz"], {}),
    ],
)
def test_near_matches_are_counted_by_what_differs(table: list[str], files: list[str], counts: dict[str, int]) -> None:
    assert near_matches(table, files) == counts
