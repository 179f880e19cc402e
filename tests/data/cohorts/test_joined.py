import math
from pathlib import Path

import pytest

from brainage.data.cohorts.bids import BidsCohort
from brainage.data.cohorts.checks import usable_rows
from brainage.data.cohorts.ukb import UkbCohort
from brainage.errors import CohortError

AGES = "participant_id\tage\tsite\nsub-07\t61\tA\nsub-02\t70.5\tB\nsub-05\t\tB\n"
SCORES = "score,eid,group\n4,2,x\n9,07,y\n5,9,z\n"


def bids(folder: Path, *tables: str) -> BidsCohort:
    paths = tuple(folder / f"{name}.csv" for name, _ in zip("abcd", tables, strict=False))
    for path, text in zip(paths, tables, strict=True):
        path.write_text(text)
    return BidsCohort(root=folder, phenotypes=paths)


def test_tables_are_joined_by_id_with_the_participants_of_all(tmp_path: Path) -> None:
    cohort = bids(tmp_path, AGES, SCORES.replace("\n4,2,", "\n4,02,"), "participant_id,iq\n02,110\n05,95\n")
    assert cohort.phenotype_names() == ["score", "group", "iq"]
    found = cohort.read_table(["iq", "group", "score"])
    assert list(found) == ["participant_id", "age", "site", "iq", "group", "score"]
    rows = found.set_index("participant_id").astype(object).fillna("?").to_dict("index")
    assert rows == {
        "07": {"age": 61.0, "site": "A", "iq": "?", "group": "y", "score": 9.0},
        "02": {"age": 70.5, "site": "B", "iq": 110.0, "group": "x", "score": 4.0},
        "05": {"age": "?", "site": "B", "iq": 95.0, "group": "?", "score": "?"},
        "9": {"age": "?", "site": "?", "iq": "?", "group": "z", "score": 5.0},
    }


def test_one_table_in_a_list_is_read_as_a_single_path(tmp_path: Path) -> None:
    cohort = bids(tmp_path, AGES)
    assert cohort.label == f"`{tmp_path / 'a.csv'}`"
    assert cohort.read_table().index.tolist() == [2, 3, 4]


def test_messages_name_rows_of_the_table_that_has_them(tmp_path: Path) -> None:
    cohort = bids(tmp_path, AGES, "participant_id,iq\n02,110\n02,95\n")
    with pytest.raises(CohortError, match=r"1 participant is .* more than once, in rows \S+a.csv:3, \S+a.csv:3\.") as e:
        usable_rows(cohort.read_table(), include=None, label=cohort.label)
    assert f"`{tmp_path / 'a.csv'}` and `{tmp_path / 'b.csv'}`" in str(e.value)
    with pytest.raises(CohortError, match=r"`\S+b.csv`, column `participant_id`: the id is empty in row 3"):
        bids(tmp_path, AGES, "participant_id,iq\n02,110\n,95\n").read_table(["iq"])


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (
            (AGES, "participant_id,site,age\n02,A,3\n"),
            r"a.csv` and `\S+b.csv` .* both have `age`, `site`\. Remove",
        ),
        ((AGES, "participant_id,x\n02,1\n", "eid,x\n02,2\n"), r"b.csv` and `\S+c.csv` .* both have `x`\. Remove"),
        ((AGES, "subject,x\n02,1\n"), r"b.csv` must have a column of ids .* none of `participant_id`, `eid`"),
        (
            (AGES, "eid,x\n2,1\n5,1\n"),
            r"b.csv` .* in common with `\S+a.csv`, but none of its 2 ids",
        ),
    ],
    ids=["a standard column", "a phenotype", "no ids", "nobody in common"],
)
def test_tables_that_cannot_be_joined_are_refused(tables: tuple[str, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(CohortError, match=message):
        bids(tmp_path, *tables).read_table()


def test_uk_biobank_may_have_the_age_in_any_of_its_tables(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("eid,p31,p2050_i2\n1000022,Female,Do not know\n1000011,Male,2\n")
    (tmp_path / "b.csv").write_text("participant.eid\tp21003_i2\tp20016_i2\n1000011\t66\t7\n1000022\t\t5\n")
    cohort = UkbCohort(root=tmp_path, phenotypes=(tmp_path / "a.csv", tmp_path / "b.csv"))
    assert cohort.phenotype_names() == ["p2050_i2", "p20016_i2"]
    found = cohort.read_table(["p20016_i2", "p2050_i2"]).set_index("participant_id")
    assert list(found) == ["age", "sex", "p20016_i2", "p2050_i2"]
    assert found.loc["1000011"].tolist() == [66.0, 1.0, 7.0, 2.0]
    assert math.isnan(found.loc["1000022", "age"]) and math.isnan(found.loc["1000022", "p2050_i2"])
