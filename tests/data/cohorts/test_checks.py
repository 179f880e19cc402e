"""Checks of a cohort's table."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from brainage.data.cohorts.checks import ROW, check_ages_of_scanned, usable_rows
from brainage.errors import CohortError

IDS = ("1000044", "1000011", "1000033", "1000022")


def people(**columns: list[object]) -> pd.DataFrame:
    """Four people in rows 2 to 5; the ids are not in order."""
    table = {
        "participant_id": list(IDS),
        "age": [50.0, 60.0, math.nan, 70.0],
        "sex": [0.0, 1.0, 1.0, math.nan],
        "site": pd.Series(["11025", "11026", None, "x`y & z"], dtype="str"),
        "21001-2.0": [20.0, 30.0, 25.0, 40.0],
    }
    return pd.DataFrame(table | columns).set_axis(pd.RangeIndex(2, 6))


def refuse_ids(error: BaseException) -> None:
    assert not [person for person in IDS if person in str(error)]


def test_people_are_sorted_by_id_and_keep_their_row() -> None:
    found = usable_rows(people(), include=None, label="`t.tsv`")
    assert found["participant_id"].tolist() == ["1000011", "1000022", "1000033", "1000044"]
    assert found[ROW].tolist() == [3, 5, 4, 2]
    assert found.index.tolist() == [0, 1, 2, 3]
    assert math.isnan(found["age"][2])


def test_ids_are_sorted_as_text() -> None:
    found = usable_rows(people(participant_id=["10", "9", "1", "09"]), include=None, label="t")
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
def test_people_who_cannot_be_are_refused_until_left_out(
    columns: dict[str, list[object]], message: str, rest: list[int]
) -> None:
    with pytest.raises(CohortError, match=rf"^`t.tsv`: .*{message}.*cohort.include") as caught:
        usable_rows(people(**columns), include=None, label="`t.tsv`")
    refuse_ids(caught.value)
    found = usable_rows(people(**columns), include="sex == sex and 0 <= age <= 120", label="`t.tsv`")
    assert sorted(found[ROW]) == rest


def test_people_with_a_scan_need_an_age() -> None:
    table = usable_rows(people(), include=None, label="t")
    check_ages_of_scanned(table, {"1000011", "1000022"})
    with pytest.raises(
        CohortError, match=r"^1 of 3 participants with a scan have no age: row 4 .*age == age"
    ) as caught:
        check_ages_of_scanned(table, {"1000011", "1000022", "1000033"})
    refuse_ids(caught.value)
