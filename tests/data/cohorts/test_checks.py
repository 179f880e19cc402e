"""Checks of a cohort's table."""

from __future__ import annotations

import math

import pytest

from brainage.data.cohorts.checks import ROW, check_ages_of_scanned, usable_rows
from brainage.errors import CohortError
from tests.data.cohorts.examples import check_no_id, cohort_table


def test_rows_are_sorted_by_id_and_keep_their_number() -> None:
    found = usable_rows(cohort_table(), include=None, label="`t.tsv`")
    assert found["participant_id"].tolist() == ["1000011", "1000022", "1000033", "1000044"]
    assert found[ROW].tolist() == [3, 5, 4, 2]
    assert found.index.tolist() == [0, 1, 2, 3]
    assert math.isnan(found["age"][2])


def test_ids_are_sorted_as_text() -> None:
    found = usable_rows(cohort_table(participant_id=["10", "9", "1", "09"]), include=None, label="t")
    assert found["participant_id"].tolist() == ["09", "1", "10", "9"]


@pytest.mark.parametrize(
    ("columns", "message", "rest"),
    [
        ({"participant_id": ["1000011", "1000044", "1000022", "1000044"]}, r"1 participant is .* rows 3, 5\.", [2, 3]),
        ({"age": [50.0, -1.0, 3.0, -3.0]}, r"0 to 120 years, .* 2 negative \(rows 3, 5\)", [2, 4]),
        ({"age": [120.0, 120.5, 3.0, 4.0]}, r"are 1 over 120 \(row 3\)", [2, 4]),
        ({"age": [math.inf, -math.inf, 3.0, 4.0]}, r"are 2 infinite \(rows 2, 3\)", [4]),
    ],
    ids=["twice", "negative", "too old", "infinite"],
)
def test_impossible_rows_are_refused_unless_a_query_removes_them(
    columns: dict[str, list[object]], message: str, rest: list[int]
) -> None:
    with pytest.raises(CohortError, match=rf"^`t.tsv`: .*{message}.*cohort.include") as caught:
        usable_rows(cohort_table(**columns), include=None, label="`t.tsv`")
    check_no_id(caught.value)
    found = usable_rows(cohort_table(**columns), include="sex == sex and 0 <= age <= 120", label="`t.tsv`")
    assert sorted(found[ROW]) == rest


def test_participants_with_a_scan_need_an_age() -> None:
    table = usable_rows(cohort_table(), include=None, label="t")
    check_ages_of_scanned(table, {"1000011", "1000022"})
    with pytest.raises(
        CohortError, match=r"^1 of 3 participants with a scan have no age: row 4 .*age == age"
    ) as caught:
        check_ages_of_scanned(table, {"1000011", "1000022", "1000033"})
    check_no_id(caught.value)
