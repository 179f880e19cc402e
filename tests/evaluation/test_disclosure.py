"""What may be shown of few participants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainage.evaluation.disclosure import keyed_hash, may_describe, merged, shown_summary
from brainage.evaluation.shown_values import (
    Mask,
    described_groups,
    drawn_range,
    has_rare_level,
    middle_range,
    withholds,
)


@pytest.mark.parametrize(
    ("n", "n_total", "may"),
    [(9, None, False), (10, None, True), (10, 10, True), (20, 21, False), (20, 29, False), (20, 30, True)],
)
def test_a_group_is_described_from_ten_on_if_the_others_are_none_or_ten(n: int, n_total: int | None, may: bool) -> None:
    assert may_describe(n, n_total) == may


def masks(*sizes: int) -> list[Mask]:
    """Return groups of these sizes, one after the other."""
    ends = np.cumsum(sizes)
    return [
        (np.arange(ends[-1]) >= end - size) & (np.arange(ends[-1]) < end) for size, end in zip(sizes, ends, strict=True)
    ]


@pytest.mark.parametrize(
    ("sizes", "partitions", "shown"),
    [
        ((30, 20), [], [True, True]),
        ((30, 9), [], [False, False]),  # the first would tell the second
        ((30, 12, 9), [], [True, False, False]),
        ((30, 12, 5, 5), [], [True, True, False, False]),  # ten together
        ((0, 30), [], [False, True]),
        ((30, 20), [masks(35, 15)], [False, False]),  # five more than the first
        ((30, 20), [masks(12, 13, 25)], [False, False]),  # two of these are five fewer
        ((30, 20), [masks(40, 10)], [True, True]),
        ((30, 20), [masks(30, 10, 10)], [True, True]),
        ((30, 20), [masks(15, 21, 14)[1:2]], [True, True]),  # six more than the first's half that it covers
    ],
)
def test_groups_are_described_if_no_difference_of_descriptions_is_of_fewer_than_ten(
    sizes: tuple[int, ...], partitions: list[list[Mask]], shown: list[bool]
) -> None:
    assert described_groups(masks(*sizes), partitions) == shown


@given(st.lists(st.integers(1, 30), max_size=12))
def test_merged_groups_have_ten_and_are_all_groups_in_their_order(counts: list[int]) -> None:
    groups = merged(counts)
    assert [count for group in groups for count in counts[group]] == counts
    sizes = [sum(counts[group]) for group in groups]
    assert all(size >= 10 for size in sizes) or len(sizes) == 1


def test_groups_that_have_ten_are_merged_only_with_sparse_ones() -> None:
    assert [(group.start, group.stop) for group in merged([3, 12, 20, 15, 2])] == [(0, 2), (2, 3), (3, 5)]


@pytest.mark.parametrize(
    ("values", "withheld", "rare"),
    [
        ([0] * 30 + [1] * 9, True, True),
        ([0] * 30 + [1] * 10, False, False),
        ([0] * 30 + [*range(1, 10)], True, True),
        ([0] * 30 + [1] * 20 + [2], False, True),
    ],
)
def test_a_variable_is_withheld_by_how_many_differ_from_the_most_common_value(
    values: list[int], withheld: bool, rare: bool
) -> None:
    assert (withholds(values), has_rare_level(values)) == (withheld, rare)


def test_percentiles_need_fifty_values_and_are_no_participants_values() -> None:
    values = np.random.default_rng(0).uniform(45, 80, 61)
    assert drawn_range(values[:49]) is middle_range(values[:49]) is None
    drawn, shown = drawn_range(values), middle_range(values)
    exact = pytest.approx(tuple(np.sort(values)[[3, 57]]), abs=0.05)
    assert drawn == shown == exact and drawn is not None and not set(drawn) & set(values)
    # Years of birth would be one number at three digits.
    born = drawn_range(2000 + values / 100)
    assert born is not None and born == pytest.approx((2000.462, 2000.777), abs=1e-3)


def test_a_summary_shows_no_error_of_fewer_than_ten_participants() -> None:
    error = {"mae": 5.0}
    summary = {
        "n": {"train": 20, "val": 9, "test": 10},
        "metrics": dict.fromkeys(("train", "val", "test"), error),
        "baseline": dict.fromkeys(("val", "test"), error),
        "objective": {"name": "val/mse", "value": 30.0},
        "epochs": 3,
    }
    shown = shown_summary(summary)
    assert shown["metrics"] == {"train": error, "val": {"mae": None}, "test": error}
    assert shown["baseline"] == {"val": {"mae": None}, "test": error}
    assert shown["objective"] == {"name": "val/mse", "value": None} and shown["epochs"] == 3
    assert shown_summary({**summary, "n": None})["metrics"]["train"] == {"mae": None}
    assert shown_summary({"status": "failed"}) == {"status": "failed"}


def test_a_keyed_hash_is_the_same_for_the_same_key_only() -> None:
    assert keyed_hash("people", b"key") == keyed_hash("people", b"key")
    assert len({keyed_hash("people", b"key"), keyed_hash("people", b"other"), keyed_hash("others", b"key")}) == 3
