"""Orientation, kinds of files, missing channels and lengths of a cohort."""

from __future__ import annotations

import pytest

from brainage.config.groups.modality import ModalityConfig
from brainage.data.survey.facts import Facts, Lines
from brainage.data.survey.series import Series, choices_of_length, orientation_of, proposed_length


def file(rows: int, columns: int, names: str = "", labels: str = "", **missing: tuple[int, ...]) -> Facts:
    """Return a file; names of columns and rows are the characters of a text."""
    return Facts(Lines(rows, tuple(labels) or None), Lines(columns, tuple(names) or None, **missing))


def smooth(n_rows: int, n_columns: int, rows: float, columns: float) -> Facts:
    return Facts(Lines(n_rows, None, smoothness=rows), Lines(n_columns, None, smoothness=columns))


@pytest.mark.parametrize(
    ("files", "rows_are_channels", "is_certain", "reason"),
    [
        ([file(5, 3, "abc"), file(5, 3, "abc"), file(9, 3)], False, True, "first line"),
        ([file(3, 5, labels="abc"), file(3, 5, labels="abc")], True, True, "first column"),
        ([file(120, 116), file(90, 116), file(130, 116)], False, True, "columns are as many"),
        ([file(116, 120), file(116, 90), file(116, 130)], True, True, "rows are as many"),
        ([file(490, 25), file(490, 25)], False, False, "neither names nor different lengths"),
        ([smooth(25, 490, rows=0.6, columns=0.3)] * 2, True, False, "smoothness along rows"),
        ([smooth(490, 25, rows=0.3, columns=0.6)] * 2, False, False, "smoothness along columns"),
        ([smooth(490, 25, rows=0.5, columns=0.6)] * 2, False, False, "neither names nor different lengths"),
        ([file(2, 490, labels="ab", names="")] * 2, True, True, "first column"),
    ],
)
def test_names_or_lengths_say_what_rows_are(
    files: list[Facts], rows_are_channels: bool, is_certain: bool, reason: str
) -> None:
    found = orientation_of(files)
    assert (found.rows_are_channels, found.is_certain) == (rows_are_channels, is_certain)
    assert reason in found.reason


def test_time_points_with_numbered_names_are_no_channels() -> None:
    numbered = tuple(f"timepoint_{number}" for number in range(5))
    both = Facts(Lines(2, ("V1", "M1")), Lines(5, numbered))
    assert orientation_of([both, both]).rows_are_channels
    assert not orientation_of([Facts(Lines(5, numbered), Lines(2, ("V1", "M1")))]).rows_are_channels


def test_an_expected_modality_says_what_rows_are_if_its_channels_are_as_many() -> None:
    expected = ModalityConfig(
        name="two", dimension=2, components="all", good_components=None, n_channels=2, orientation="rows_are_channels"
    )
    assert orientation_of([file(2, 5, "abcde")], expected).rows_are_channels
    assert not orientation_of([file(3, 5, "abcde")], expected).rows_are_channels


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
        "p4": file(50, 3, "abc"),
    }
    assert Series.of(files).missing_channels() == [("a", {"constant": 1, "empty": 1}), ("c", {"partial": 1})]
    unnamed = {"p1": file(50, 3, constant=(0,)), "p2": file(60, 3)}
    assert Series.of(unnamed).missing_channels() == [("1", {"constant": 1})]


def test_names_are_shown_only_if_several_participants_share_them() -> None:
    shared = {f"p{number}": file(50, 3, "abc", constant=(1,)) for number in range(4)}
    others = {f"q{number}": file(50, 3, "abx") for number in range(3)} | {
        "r": file(50, 3, "xyz"),
        "s": file(50, 3, "cba"),
    }
    found = Series.of(shared | others)
    assert (found.may_show_names, found.other_names()) == (True, [(("a", "b", "x"), 3)])
    single = Series.of({"p": file(50, 3, "abc", constant=(1,)), "q": file(60, 3, "xyz")})
    assert (single.may_show_names, single.other_names()) == (False, [])
    assert single.missing_channels() == [("2", {"constant": 1})]


def test_lengths_are_chosen_by_how_many_they_keep() -> None:
    assert choices_of_length([100, 150, 150, 200]) == [(100, 4), (150, 3), (200, 1)]
    many = choices_of_length(list(range(1, 1001)))
    assert (len(many), many[0], many[-1]) == (8, (1, 1000), (1000, 1))
    # 5 % of 40 are two: the third shortest is reached by all but two.
    assert proposed_length([50, 60, *[70] * 38]) == 70
    assert proposed_length([50, 60, 60]) == 50
