"""Orientation, kinds of files, missing channels and lengths of a cohort."""

from __future__ import annotations

import pytest

from brainage.data.survey.facts import Facts, Lines
from brainage.data.survey.series import Series, choices_of_length, orientation_of, proposed_length


def file(rows: int, columns: int, names: str = "", labels: str = "", **missing: tuple[int, ...]) -> Facts:
    """Return a file; names of columns and rows are the characters of a text."""
    return Facts(Lines(rows, tuple(labels) or None), Lines(columns, tuple(names) or None, **missing))


@pytest.mark.parametrize(
    ("files", "rows_are_channels", "is_certain", "reason"),
    [
        ([file(5, 3, "abc"), file(5, 3, "abc"), file(9, 3)], False, True, "first line"),
        ([file(3, 5, labels="abc"), file(3, 5, labels="abc")], True, True, "first column"),
        ([file(120, 116), file(90, 116), file(130, 116)], False, True, "columns are as many"),
        ([file(116, 120), file(116, 90), file(116, 130)], True, True, "rows are as many"),
        ([file(490, 25), file(490, 25)], False, False, "taken as time points"),
    ],
)
def test_names_or_lengths_say_what_rows_are(
    files: list[Facts], rows_are_channels: bool, is_certain: bool, reason: str
) -> None:
    found = orientation_of(files)
    assert (found.rows_are_channels, found.is_certain) == (rows_are_channels, is_certain)
    assert reason in found.reason


def test_files_are_told_apart_from_most() -> None:
    files = {
        "p1": file(50, 3, "abc"),
        "p2": file(60, 3, "abc"),
        "p3": file(60, 3, "bca"),
        "p4": file(60, 3, "abx"),
        "p5": file(60, 3),
        "p6": file(3, 60),
        "p7": file(60, 4, "abcd"),
        "p8": file(70, 3, "abc", constant=(1,)),
    }
    found = Series.of(files)
    assert (found.n_channels, found.names) == (3, ("a", "b", "c"))
    assert list(found.kinds.values()) == [
        *("usable", "usable", "names in another order", "other names", "without names", "transposed"),
        *("another number of channels", "usable"),
    ]
    assert set(found.matching) == {"p1", "p2", "p3", "p8"}
    assert found.shapes()[0] == (3, [50, 60, 60, 60, 60, 70])
    assert found.usable(60) == {"p2", "p3"}
    assert found.usable(60, max_missing=0.34) == {"p2", "p3", "p8"}


def test_missing_channels_are_counted_by_the_names_of_each_file() -> None:
    files = {
        "p1": file(50, 3, "abc", constant=(0,), partial=(2,)),
        "p2": file(50, 3, "bca", empty=(2,)),
        "p3": file(50, 3, "abc"),
    }
    assert Series.of(files).missing_channels() == [("a", {"constant": 1, "empty": 1}), ("c", {"partial": 1})]
    unnamed = {"p1": file(50, 3, constant=(0,)), "p2": file(60, 3)}
    assert Series.of(unnamed).missing_channels() == [("1", {"constant": 1})]


def test_lengths_are_chosen_by_how_many_they_keep() -> None:
    assert choices_of_length([100, 150, 150, 200]) == [(100, 4), (150, 3), (200, 1)]
    many = choices_of_length(list(range(1, 1001)))
    assert (len(many), many[0], many[-1]) == (8, (1, 1000), (1000, 1))
    # 5 % of 40 are two: the third shortest is reached by all but two.
    assert proposed_length([50, 60, *[70] * 38]) == 70
    assert proposed_length([50, 60, 60]) == 50
