"""Ages at sessions of a BIDS tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from brainage.data.cohorts.bids import BidsCohort
from brainage.data.cohorts.own_columns import OwnColumns
from brainage.data.cohorts.sessions import session_ages
from brainage.errors import CohortError

FILES = {
    "01": "session_id\tacq_time\tage\nses-1\tx\t20.5\nses-2\tx\t22\n",
    "02": "session_id\tage\nses-1\t30\nses-2\tn/a\n",
    "03": "age\tsession_id\r\n40\t2\r\n",  # without `ses-`, from Windows
}
BROKEN = {
    "04": "session\tage\nses-2\t50\n",
    "05": "session_id\tage\nses-2\t50\nses-2\t51\n",
    "06": "session_id\tage\nses-2\n",
    "07": "\udcff\udcfe",
}
AGES = {("01", "1"): 20.5, ("01", "2"): 22.0, ("02", "1"): 30.0, ("03", "2"): 40.0}


def cohort(folder: Path, table: str = "", pattern: str = "", **more: object) -> BidsCohort:
    rows = "".join(f"sub-{one}\tA\n" for one in [*FILES, *BROKEN, "08"])
    (folder / "participants.tsv").write_text(table or f"participant_id\tsite\n{rows}")
    for one, text in (FILES | BROKEN).items():
        (folder / f"sub-{one}").mkdir()
        (folder / f"sub-{one}" / f"sub-{one}_sessions.tsv").write_bytes(text.encode(errors="surrogateescape"))
    options = {"pattern": pattern} if pattern else {}
    return BidsCohort(root=folder, **options, **more)  # type: ignore[arg-type]


def test_one_broken_file_does_not_change_the_ages_of_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cohort(tmp_path)
    found = session_ages(tmp_path, [*FILES, *BROKEN, "08", "../01"])
    assert found.ages == AGES
    assert found.n_files == 7
    assert "4 of 7 files sub-*/sub-*_sessions.tsv are ignored" in caplog.text


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", {"01": 22.0, "03": 40.0}),
        ("sub-{participant_id}/ses-1/x.tsv", {"01": 20.5, "02": 30.0}),
        ("sub-{participant_id}_ses-2_x.tsv", {"01": 22.0, "03": 40.0}),
        ("sub-{participant_id}/ses-*/x.tsv", {"02": 30.0, "03": 40.0}),
        ("sub-{participant_id}/x.tsv", {"02": 30.0, "03": 40.0}),
    ],
    ids=["default", "folder", "name", "wildcard", "without"],
)
def test_ages_are_those_at_the_session_of_the_pattern(
    tmp_path: Path, pattern: str, expected: dict[str, float], caplog: pytest.LogCaptureFixture
) -> None:
    found = cohort(tmp_path, pattern=pattern).read_table().set_index("participant_id")
    assert ("1 participants have several ages in sub-*_sessions.tsv" in caplog.text) == ("01" not in expected)
    assert found["age"].dropna().to_dict() == expected
    assert len(found) == 8


def test_ages_of_the_table_come_first(tmp_path: Path) -> None:
    found = cohort(tmp_path, "participant_id\tage\nsub-01\t70\nsub-02\tn/a\n").read_table()
    assert found["age"].fillna(0).tolist() == [70.0, 0.0]


def test_ages_may_have_an_own_name(tmp_path: Path) -> None:
    path = tmp_path / "sub-01" / "sub-01_sessions.tsv"
    reader = cohort(tmp_path, own=OwnColumns({"age": "age_at_scan"}))
    message = r"`cohort\.columns\.age` .*, with 7 files .* without an age at session `2`,.* `age_at_scan`"
    with pytest.raises(CohortError, match=message):
        reader.read_table()
    path.write_text(FILES["01"].replace("\tage", "\tage_at_scan"))
    assert reader.read_table()["age"].dropna().tolist() == [22.0]


def test_without_any_age_the_session_is_named(tmp_path: Path) -> None:
    reader = cohort(tmp_path, pattern="sub-{participant_id}/ses-9/x.tsv")
    with pytest.raises(CohortError, match=r"7 files sub-\*/sub-\*_sessions.tsv without an age at session `9`, .*`age`"):
        reader.read_table()
    assert BidsCohort(root=tmp_path, pattern=reader.pattern, need_ages=False).read_table()["age"].isna().all()
