"""Queries of ``cohort.include``."""

from __future__ import annotations

import pandas as pd
import pytest

from brainage.data.cohorts.checks import ROW, usable_rows
from brainage.data.cohorts.query import columns_of_query, refuse_participants
from brainage.errors import BrainageError, CohortError, NamedParticipantError
from tests.data.cohorts.examples import check_no_id, cohort_table


@pytest.mark.parametrize(
    ("include", "rows"),
    [
        ("sex == 1 and age < 70", [3]),
        ('sex == "F"', [2]),
        ("'male' == `sex` or sex in ['f', 'Female']", [2, 3, 4]),
        ("sex.isin(['M'])", [3, 4]),
        ("age == age", [2, 3, 5]),
        ("50 < age <= 70", [3, 5]),
        ("`21001-2.0` > 25 & age.notna()", [3, 5]),
        ("age < 55 | sex == 1", [2, 3, 4]),
        ("not age > 55", [2, 4]),
        ("~(age > 55)", [2, 4]),
        ("site.isin(['11025', \"11026\"])", [2, 3]),
        ("site in ['11025'] or site == 'x`y & z'", [2, 5]),
        ("sex not in (0, 1)", [5]),
        ("age.between(50, 60)", [2, 3]),
        ("sex.isna() or site.isna()", [4, 5]),
        ("(age + 10) / 2 > 3 * 10 and -age < -50", [3, 5]),
        ("sex == 1\n  and age < 70", [3]),
    ],
)
def test_a_query_chooses_rows(include: str, rows: list[int]) -> None:
    found = usable_rows(cohort_table(), include=include, label="`t.tsv`")
    assert sorted(found[ROW]) == rows


@pytest.mark.parametrize(
    ("include", "message"),
    [
        ("age >", r"`age >`, but it cannot be parsed"),
        ("", r"cannot be parsed"),
        ("age > 50; sex == 1", r"cannot be parsed"),
        ("age > @limit", r"cannot be parsed"),
        ("age @ sex", r"something else \(MatMult\)"),
        ("__import__('os').system('true')", r"calls a function or another method"),
        ("age.mean() > 3", r"calls a function or another method"),
        ("age.isin([1]).any()", r"calls a function or another method"),
        ("site.str", r"something else \(Attribute\)"),
        ("age[0] > 3", r"something else \(Subscript\)"),
        ("(lambda: age)", r"something else \(Lambda\)"),
        ("[a for a in age]", r"something else \(ListComp\)"),
        ("(age := 3)", r"something else \(NamedExpr\)"),
        ("age > 3 if sex else sex", r"something else \(IfExp\)"),
        ("f'{age}' == '3'", r"something else \(JoinedStr\)"),
        ("age is None", r"something else \(Is\)"),
        ("age == None", r"a constant of type NoneType"),
        ("site == 'a'.isin([1])", r"calls a function or another method"),
        ("agee > 3", r"has no column `agee`.*Did you mean `age`\?"),
        ("`21001-3.0` > 3", r"has no column `21001-3.0`.*Did you mean `21001-2.0`\?"),
        ("index > 3", r"has no column `index`"),
        ("site > 3", r"`site` has text: write the value in quotes"),
        ("site != 11025", r"text with numbers.*`site` has text: write the value in quotes"),
        ("age != '1'", r"`age` has numbers: write the value without quotes"),
        ("sex != 'woman'", r"`sex` has numbers: compare it with F or M, or 0 \(female\) or 1 \(male\)"),
        ("site.isin([11025])", r"`site` has text: write the value in quotes"),
        ("site + 1 == '2'", r"failed on `t.tsv` with a TypeError.*`site` is text"),
        ("age + 1", r"must be true or false for each row, but `age \+ 1` is not"),
        ("sex", r"must be true or false"),
        ("21001-2.0 > 25", r"true or false.*needs backticks"),
        ("True", r"must be true or false"),
        ("age > 200", r"selects none of the 4 rows of `t.tsv`: `age > 200`"),
    ],
)
def test_a_query_that_is_wrong_or_does_more_than_compare_is_refused(include: str, message: str) -> None:
    with pytest.raises(CohortError, match=message) as caught:
        usable_rows(cohort_table(), include=include, label="`t.tsv`")
    check_no_id(caught.value)


def test_the_columns_of_a_query_are_known_without_a_table() -> None:
    query = "`21001-2.0` > 3 & (site in ['age'] or not sex.notna()) and \"`no`\" != site"
    assert columns_of_query(query) == {"21001-2.0", "site", "sex"}
    with pytest.raises(CohortError, match="cannot be parsed"):
        columns_of_query("sex ==")


def people(n: int = 40) -> pd.DataFrame:
    """A table with a second column of ids, as numbers and as text, and columns that look like one."""
    numbers = pd.Series(range(n))
    return pd.DataFrame(
        {
            "participant_id": [f"p{i:03}" for i in range(n)],
            "age": 50.0 + numbers % 30,
            "sex": numbers % 2 * 1.0,
            "IID": 4123000.0 + 17 * numbers,
            "code": [f"CC{i:05}" for i in range(n)],
            "visit": numbers + 1.0,
            "volume": 1_200_000.0 + 1711 * numbers,
            "site": ["north", *["south", "west"] * (n // 2)][:n],
        }
    )


@pytest.mark.parametrize(
    ("query", "column"),
    [
        ("IID != 4123051", "IID"),
        ("age < 70 and not IID == 4123051", "IID"),
        ("IID not in [3, 4123051]", "IID"),
        ("IID.isin([4123051.0])", "IID"),
        ("IID < 4123051 or IID > 4123052", "IID"),
        ("IID != '4123051'", "IID"),
        ("IID - 4123051 != 0", "IID"),
        ("code != 'CC00012'", "code"),
        ("code > 'CC0001'", "code"),
        ("age > 60 & code.isin(['cc00012', 'x'])", "code"),
        ("visit != 7", "visit"),
        ("site != 'North'", "site"),
        ("`site` in ['west', 'north']", "site"),
    ],
)
def test_a_query_that_names_a_participant_by_another_column_is_refused(query: str, column: str) -> None:
    with pytest.raises(NamedParticipantError, match=f"but compares column `{column}` with a value of one") as caught:
        refuse_participants(query, people())
    assert not [value for value in ("412305", "CC0001", "cc0001", "North") if value in str(caught.value)]


@pytest.mark.parametrize(
    "query",
    [
        "age < 70 and sex == 'F'",
        "age == 61",
        "site in ['south', 'west', 'nowhere']",
        "visit > 7",
        "volume > 1234000",
        "volume / 1000000 > 1.25",
        "IID.notna() and code == code",
        "sex == 1",
    ],
)
def test_a_query_that_names_no_participant_is_not_refused(query: str) -> None:
    refusals = []
    try:
        refuse_participants(query, people())
    except BrainageError as error:
        refusals.append(str(error))
    assert refusals == []


@pytest.mark.parametrize(
    "query", ["IDD != 4123051", "code.str != 'CC00012'", "IID != 4123051 and (", "code != CC00012'", "IID != '4123051'"]
)
def test_messages_about_queries_repeat_no_value(query: str) -> None:
    with pytest.raises(CohortError) as caught:
        usable_rows(people(), include=query, label="`t.tsv`")
    assert not [value for value in ("4123051", "CC00012") if value in str(caught.value)]
