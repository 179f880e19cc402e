"""Parsing columns."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd
import pytest

from brainage.data.cohorts.columns import ages, numbers, participant_ids, phenotype, sex_codes, table_without_ages
from brainage.errors import CohortError
from brainage.system.redaction import redacted
from tests.data.cohorts.examples import check_no_id


def column(*values: object, name: str = "col") -> pd.Series:
    return pd.Series(list(values), name=name, index=range(2, 2 + len(values)))


def test_sex_has_one_code_in_all_spellings() -> None:
    found = sex_codes(column("F", "male", "FEMALE", "m", "0", "1.0", " ", "n/a", None), "t")
    assert found.tolist()[:6] == [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]
    assert found[6:].isna().all()
    assert sex_codes(column(0, 1, 1), "t").tolist() == [0.0, 1.0, 1.0]
    assert sex_codes(column(0.0, math.nan, 1.0), "t").fillna(9).tolist() == [0.0, 9.0, 1.0]


def test_an_unknown_sex_is_listed() -> None:
    message = r"`sex`: sex must be 0 or 1.*rows 3, 4, 5, 6, 7 and 2 more have something else: a whole number, text\."
    with pytest.raises(CohortError, match=message):
        sex_codes(column("1", "2", "2", "3", "4", "x", "other", "unsure", name="sex"), "t")


def test_ids_are_bare_text() -> None:
    assert participant_ids(column(" sub-01", "01", '"7"', "1000011.0"), "t").tolist() == ["01", "01", "7", "1000011"]
    assert participant_ids(column(1000011, 1000022), "t").tolist() == ["1000011", "1000022"]


@pytest.mark.parametrize("empty", ["", "sub-", "n/a", None])
def test_an_empty_id_is_refused(empty: str | None) -> None:
    with pytest.raises(CohortError, match=r"column `col`: the id is empty in rows 3, 4\. "):
        participant_ids(column("1000011", empty, empty), "t")


def test_an_id_that_a_spreadsheet_rounded_is_refused() -> None:
    with pytest.raises(CohortError, match=r"an exponent of the ids in row 3\. ") as caught:
        participant_ids(column("1000011", "1.5e+06"), "t")
    check_no_id(caught.value)


def test_ages_are_numbers_or_missing() -> None:
    found = ages(column("63", "62.5", " 6e1 ", "", "n/a", "NA", None, "inf"), "t")
    assert found.tolist()[:3] == [63.0, 62.5, 60.0]
    assert found.iloc[3:7].isna().all()
    assert found.iloc[7] == math.inf


def test_an_age_that_is_no_number_is_refused() -> None:
    kinds = "a number with a sign, text, text with digits, a decimal comma, a range of numbers"
    message = rf"`age`: 5 of 6 values are not a number of years, in rows 3, 4, 5, 6, 7: {kinds}\."
    with pytest.raises(CohortError, match=message):
        ages(column("60", "90+", "sixty", "6_0", "1,5", "22-25", name="age"), "t")


def test_other_numbers_must_be_finite() -> None:
    with pytest.raises(CohortError, match=r"1 of 2 values are not a finite number, in row 3: infinity\."):
        numbers(column("0.1", "inf"), "t")


def test_a_phenotype_is_numeric_only_if_all_its_values_are() -> None:
    assert phenotype(column("1", "n/a", "2.5")).fillna(9).tolist() == [1.0, 9.0, 2.5]
    assert phenotype(column("1", "", "two")).fillna("-").tolist() == ["1", "-", "two"]


@pytest.mark.parametrize("parse", [ages, numbers, sex_codes])
def test_values_of_shifted_columns_are_never_quoted(parse: Callable[[pd.Series, str], pd.Series]) -> None:
    with pytest.raises(CohortError) as caught:
        parse(column("S1abcZZ", "1000011", "Ahn-Meier", "12.3.1999 ", name="age"), "t")
    assert not [part for part in ("S1abc", "ZZ", "1000011", "Ahn", "Meier", "1999") if part in str(caught.value)]


def test_ids_are_known_before_anything_about_them_is_refused() -> None:
    with pytest.raises(CohortError, match="the id is empty"):
        participant_ids(column("early7654", ""), "t")
    assert redacted("crash at early7654") == "crash at <participant>"
    table_without_ages({"early8765"})
    assert redacted("/data/early8765_20227_2_0/fMRI") == "/data/<participant>_20227_2_0/fMRI"
