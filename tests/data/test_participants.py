import math
from pathlib import Path

import pandas as pd
import pytest

from brainage.data.cohorts.checks import ROW, check_ages_of_scanned, usable_rows
from brainage.data.cohorts.columns import ages, numbers, participant_ids, phenotype, sex_codes
from brainage.data.cohorts.ids import read_ids
from brainage.data.cohorts.query import columns_of_query
from brainage.data.cohorts.tables import read_columns, read_header
from brainage.errors import CohortError, MissingPathError

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


def column(*values: object, name: str = "col") -> pd.Series:
    return pd.Series(list(values), name=name, index=range(2, 2 + len(values)))


def refuse_ids(error: BaseException) -> None:
    assert not [person for person in IDS if person in str(error)]


# --- usable_rows ---


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
    ("include", "rows"),
    [
        ("sex == 1 and age < 70", [3]),
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
    found = usable_rows(people(), include=include, label="`t.tsv`")
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
        ("age == None", r"the constant None"),
        ("site == 'a'.isin([1])", r"calls a function or another method"),
        ("agee > 3", r"has no column `agee`.*Did you mean `age`\?"),
        ("`21001-3.0` > 3", r"has no column `21001-3.0`.*Did you mean `21001-2.0`\?"),
        ("index > 3", r"has no column `index`"),
        ("site > 3", r"`site` has text: write the value in quotes"),
        ("site != 11025", r"text with numbers.*`site` has text: write the value in quotes"),
        ("sex != '1'", r"`sex` has numbers: write the value without quotes"),
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
        usable_rows(people(), include=include, label="`t.tsv`")
    refuse_ids(caught.value)


def test_the_columns_of_a_query_are_known_without_a_table() -> None:
    query = "`21001-2.0` > 3 & (site in ['age'] or not sex.notna()) and \"`no`\" != site"
    assert columns_of_query(query) == {"21001-2.0", "site", "sex"}
    with pytest.raises(CohortError, match="cannot be parsed"):
        columns_of_query("sex ==")


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


# --- Words ---


def test_sex_has_one_code_whatever_its_words() -> None:
    found = sex_codes(column("F", "male", "FEMALE", "m", "0", "1.0", " ", "n/a", None), "t")
    assert found.tolist()[:6] == [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]
    assert found[6:].isna().all()
    assert sex_codes(column(0, 1, 1), "t").tolist() == [0.0, 1.0, 1.0]
    assert sex_codes(column(0.0, math.nan, 1.0), "t").fillna(9).tolist() == [0.0, 9.0, 1.0]


def test_an_unknown_sex_is_listed() -> None:
    with pytest.raises(
        CohortError, match=r"`sex`: sex must be 0 or 1.*rows 3, 4, 5, 6, 7 and 2 more have `2`, .* 1 more"
    ):
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
    refuse_ids(caught.value)


def test_ages_are_numbers_or_missing() -> None:
    found = ages(column("63", "62.5", " 6e1 ", "", "n/a", "NA", None, "inf"), "t")
    assert found.tolist()[:3] == [63.0, 62.5, 60.0]
    assert found.iloc[3:7].isna().all()
    assert found.iloc[7] == math.inf


def test_an_age_that_is_no_number_is_refused() -> None:
    message = r"`age`: 4 of 5 values are not a number of years, in rows 3, 4, 5, 6: `##\+`, `sixty`, `6_0` and 1 more\."
    with pytest.raises(CohortError, match=message):
        ages(column("60", "90+", "sixty", "6_0", "1,5", name="age"), "t")


def test_other_numbers_must_be_finite() -> None:
    with pytest.raises(CohortError, match=r"1 of 2 values are not a finite number, in row 3: `inf`\."):
        numbers(column("0.1", "inf"), "t")


def test_a_phenotype_is_numeric_only_if_all_its_values_are() -> None:
    assert phenotype(column("1", "n/a", "2.5")).fillna(9).tolist() == [1.0, 9.0, 2.5]
    assert phenotype(column("1", "", "two")).fillna("-").tolist() == ["1", "-", "two"]


# --- Files ---


def test_rows_are_lines_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'\xef\xbb\xbf"a", b,c\r\n1,"x\r\ny",3\r\n\r\n,,\r\n4,5,caf\xe9\r\n')
    assert read_header(path) == ["a", "b", "c"]
    found = read_columns(path, ["b", "a"])
    assert found.to_dict("split") == {"index": [2, 6], "columns": ["b", "a"], "data": [["x\r\ny", "1"], ["5", "4"]]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is empty"),
        (b"\na,b\n", r"is empty, or its first line is"),
        (b"a,b\n", r"has a header but no rows"),
        (b"a;b\n1;2\n", r"neither tabs nor commas"),
        ("a,b\n1,2\n".encode("utf-16"), r"is not UTF-8 text"),
        (b"PK\x03\x04\x00,\x00", r"is not UTF-8 text"),
        (b"a,b\n1,2\n1,2,3\n", r"^Row 3 of .* has 3 values, but the header has 2 names"),
        (b"a,b\n1\n", r"^Row 2 of .* has 1 values"),
        (b'a,b\n1,2\n1,"2\n3,4\n', r"^Row 3 of .* cannot be parsed: unexpected end of data"),
        (b"a,a,b\n1,2,3\n", r"has 2 columns `a`"),
        (b"\x1f\x8b\x08\x00rubbish", r"is not a whole gzip file"),
    ],
    ids=["empty", "blank", "no rows", "semicolons", "UTF-16", "xlsx", "long", "short", "quote", "twice", "gzip"],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(CohortError, match=message):
        read_columns(path, ["a"])


def test_a_list_of_ids_is_read(tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_bytes(b'\xef\xbb\xbf"eid"\r\n1000011\r\n\r\n "1000022" \r\nsub-01\r\n')
    assert read_ids(path) == {"1000011", "1000022", "01"}
    path.write_text("")
    assert read_ids(path) == frozenset()


@pytest.mark.parametrize("line", ["1000022 1000033", "1000022,1", "1000022\t1", "1.00002e+06"])
def test_a_line_that_is_not_one_id_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "w.csv"
    path.write_text(f"participant_id\n1000011\n\n{line}\n")
    with pytest.raises(CohortError, match=r"^Line 4 of .* is not one id") as caught:
        read_ids(path)
    refuse_ids(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no.csv"):
        with pytest.raises(MissingPathError, match=r"The list of ids `.*` cannot be read"):
            read_ids(path)
        with pytest.raises(MissingPathError, match=r"The table `.*` cannot be read"):
            read_header(path)
    (tmp_path / "w").write_bytes(b"\xff\xfe1\x00")
    with pytest.raises(CohortError, match="is not UTF-8 text"):
        read_ids(tmp_path / "w")
