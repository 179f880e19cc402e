"""Tables of predictions made elsewhere."""

from pathlib import Path

import pytest

from brainage.errors import EvaluationError
from brainage.runs.predictions_table import read_phenotypes, read_predictions
from tests.data.cohorts.examples import book


def written(folder: Path, text: str) -> Path:
    path = folder / "made.csv"
    path.write_text(text)
    return path


def test_rows_without_age_or_prediction_are_excluded_and_counted(tmp_path: Path) -> None:
    path = written(tmp_path, "eid,age,predicted_age,split\n1,50,51,test\n2,,52,val\n3,60,,\n4,70,66,\n")
    table, notes = read_predictions(path, "predictions")
    assert table["participant_id"].tolist() == ["1", "4"]
    assert table["split"].tolist() == ["test", None]
    assert table["predicted_age"].tolist() == [51.0, 66.0]
    (note,) = notes
    assert note.startswith("2 of 4 rows")


def test_other_columns_are_phenotypes(tmp_path: Path) -> None:
    path = written(tmp_path, "participant_id,age,predicted_age,bag,sex,bmi\na,50,51,1,0,22.5\nb,60,58,-2,1,30\n")
    table = read_phenotypes(path)
    assert set(table.columns) >= {"participant_id", "sex", "bmi"}
    assert not {"age", "predicted_age", "bag"} & set(table.columns)
    assert table["bmi"].tolist() == [22.5, 30.0]


def test_only_the_variables_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, "participant_id,age,predicted_age,bmi,steps,sex\na,50,51,22.5,9,0\nb,60,58,30,8,1\n")
    assert list(read_phenotypes(path, ["steps"])) == ["participant_id", "sex", "steps"]
    with pytest.raises(EvaluationError, match="'stepps'.*Did you mean `steps`"):
        read_phenotypes(path, ["stepps"])


@pytest.mark.parametrize(
    "content",
    [
        book([["Participant ID", "age", "predicted_age", "bmi"], [11, 50.5, 51, 22.5], [12, 60, 58, 30]]),
        b"n_eid;age;predicted_age;bmi\n11;50,5;51;22,5\n12;60;58;30\n",
    ],
    ids=["Excel", "semicolons"],
)
def test_predictions_may_be_in_any_format_of_tables(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "made").write_bytes(content)
    table, notes = read_predictions(tmp_path / "made", "predictions")
    assert table["participant_id"].tolist() == ["11", "12"]
    assert table["age"].tolist() == [50.5, 60.0]
    assert table["predicted_age"].tolist() == [51.0, 58.0]
    assert notes == []
    assert read_phenotypes(tmp_path / "made")["bmi"].tolist() == [22.5, 30.0]


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("participant_id,age\na,50\n", "lacks predicted_age"),
        ("name,predicted_age\na,50\n", r"lacks participant_id \(or eid\), age"),
        ("eid,age,predicted_age\n1,50,51\n1,50,52\n", "1 rows repeat one"),
        ("eid,age,predicted_age,split\n1,50,51,training\n", "train, val or test.* 1 rows"),
        ("eid,age,predicted_age\n1,,51\n2,60,\n", "none of its 2 rows"),
    ],
    ids=["no-prediction", "no-id", "repeated", "unknown-part", "empty"],
)
def test_an_unusable_table_is_refused_with_the_rule(text: str, fact: str, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=fact):
        read_predictions(written(tmp_path, text), "predictions")
