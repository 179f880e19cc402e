"""A table's own names of the standard columns: `cohort.columns` and `cohort.sex_codes`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from brainage.config.groups.cohort import BidsCohortConfig, UkbCohortConfig
from brainage.config.groups.modality import ModalityConfig
from brainage.data.cohorts.own_columns import usual_columns
from brainage.data.cohorts.readers import CohortReader, reader_of
from brainage.errors import CohortError, ConfigError, NamedParticipantError

ABIDE = """\
SUB_ID,SITE_ID,AGE_AT_SCAN,SEX,func_mean_fd,FIQ
50003,PITT,24.45,1,0.116,
50004,NYU,19.09,2,0.322,113
"""
COLUMNS = {
    "participant_id": "SUB_ID",
    "site": "SITE_ID",
    "age": "AGE_AT_SCAN",
    "sex": "SEX",
    "head_motion": "func_mean_fd",
}
CODES = {1: "male", 2: "Female"}
MODALITY = ModalityConfig("ica7", 7, "good", [1, 3], n_channels=2, n_times=40, t_r=2.0)


def bids(folder: Path, table: str, columns: Any = (), **more: Any) -> CohortReader:
    (folder / "participants.tsv").write_text(table)
    config = BidsCohortConfig(name="bids", root=str(folder), columns=dict(columns), **more)
    return reader_of(config, MODALITY)


def ukb(folder: Path, table: str, columns: Any, **more: Any) -> CohortReader:
    (folder / "t.csv").write_text(table)
    config = UkbCohortConfig(
        name="ukb", root=str(folder), phenotypes=str(folder / "t.csv"), columns=dict(columns), **more
    )
    return reader_of(config, MODALITY)


def test_own_columns_and_codes_become_standard_ones_and_are_no_phenotypes(tmp_path: Path) -> None:
    reader = bids(tmp_path, ABIDE, COLUMNS, sex_codes=CODES)
    assert reader.read_table(["FIQ"]).fillna(0).to_dict("list") == {
        "participant_id": ["50003", "50004"],
        "age": [24.45, 19.09],
        "sex": [1.0, 0.0],
        "site": ["PITT", "NYU"],
        "head_motion": [0.116, 0.322],
        "FIQ": [0.0, 113.0],
    }
    assert reader.phenotype_names() == ["FIQ"]


def test_joined_tables_may_have_ids_of_an_own_name(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("score,SUB_ID\n7,50004\n")
    tables = [str(tmp_path / "participants.tsv"), str(tmp_path / "b.csv")]
    reader = bids(tmp_path, ABIDE, COLUMNS, sex_codes=CODES, phenotypes=tables)
    found = reader.read_table(["score"]).set_index("participant_id")
    assert found.loc["50004", ["age", "score"]].tolist() == [19.09, 7.0]


def test_uk_biobank_takes_an_own_column_instead_of_a_field(tmp_path: Path) -> None:
    table = "eid,21003-2.0,54-2.0,exact,scanner\n1000011,60,11025,60.4,A\n"
    found = ukb(tmp_path, table, {"age": "exact", "site": "scanner"}).read_table()
    assert found.iloc[0].tolist() == ["1000011", 60.4, "A"]
    found = ukb(
        tmp_path, "subject,years,sex\n1000011,60.4,2\n", {"participant_id": "subject", "age": "years"}, sex_codes=CODES
    )
    assert found.read_table().iloc[0].tolist() == ["1000011", 60.4, 0.0]
    assert found.phenotype_names() == []


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ({"agee": "AGE_AT_SCAN"}, ConfigError, r"`cohort\.columns\.agee` .* a standard name.*Did you mean `age`\?"),
        (
            {"participant_id": "SUB_ID", "age": "AGE_AT_SCANS"},
            CohortError,
            r"`cohort\.columns\.age` .*participants\.tsv`.* `AGE_AT_SCANS`.*Did you mean `AGE_AT_SCAN`\?",
        ),
        ({"age": "FIQ", "site": "FIQ"}, ConfigError, r"`FIQ` is both `age` and `site`"),
        ({**COLUMNS, "family_id": "FAM"}, CohortError, r"`cohort\.columns\.family_id` must name a column"),
        ({**COLUMNS, "sex": "FIQ"}, CohortError, r"`FIQ`: sex must be 0 or 1.*row 3 has .*cohort\.sex_codes=\{1: male"),
        ({"age": ["AGE_AT_SCAN"]}, ConfigError, r"`cohort\.columns` must be a mapping .*age: AGE_AT_SCAN"),
    ],
    ids=["unknown name", "missing", "two to one", "missing too", "codes", "no text"],
)
def test_names_that_cannot_be_used_are_refused(tmp_path: Path, columns: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        bids(tmp_path, ABIDE, columns).read_table()


def test_a_standard_column_that_is_another_by_an_own_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`age` is both `age` and `site`"):
        bids(tmp_path, "participant_id,age\n11,60\n", {"site": "age"}).read_table()


def test_codes_of_sex_must_be_complete(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match=r"`SEX`: sex must be one of `cohort\.sex_codes`, but row 3 has"):
        bids(tmp_path, ABIDE, COLUMNS, sex_codes={1: "male", 0: "female"}).read_table()
    with pytest.raises(ConfigError, match=r"`cohort\.sex_codes\.2` must be male or female, but got 'w'"):
        bids(tmp_path, ABIDE, COLUMNS, sex_codes={1: "M", 2: "w"})


def test_a_missing_age_or_id_proposes_the_tables_own_columns(tmp_path: Path) -> None:
    proposal = (
        r"no column `participant_id`.* 'cohort\.columns=\{participant_id: SUB_ID, age: AGE_AT_SCAN, sex: SEX, site: "
        r"SITE_ID, head_motion: func_mean_fd\}'\.$"
    )
    with pytest.raises(CohortError, match=proposal):
        bids(tmp_path, ABIDE).read_table()
    with pytest.raises(CohortError, match=r"no column `age`.*'cohort\.columns=\{age: Age\}'\.$"):
        bids(tmp_path, "participant_id\tAge\n11\t60\n").read_table()
    with pytest.raises(CohortError, match=r"no column `age`.*cohort\.columns\.age=NAME\.$"):
        bids(tmp_path, "participant_id\tinterview_age_months\tSEX\n11\t600\tF\n").read_table()
    with pytest.raises(CohortError, match=r"no column `21003-2\.0`.*cohort\.columns\.age=NAME"):
        ukb(tmp_path, "eid,31-0.0,age\n1000011,1,60\n", {}).read_table()


def test_columns_that_are_probably_standard_ones_are_found() -> None:
    header = [
        "Subject",
        "Gender",
        "Age_in_Yrs",
        "age_at_onset",
        "scanner",
        "Family_ID",
        "meanFD",
        "RepetitionTime",
        "x",
    ]
    assert usual_columns(header) == {
        "participant_id": "Subject",
        "age": "Age_in_Yrs",
        "sex": "Gender",
        "site": "scanner",
        "head_motion": "meanFD",
        "family_id": "Family_ID",
        "t_r": "RepetitionTime",
    }
    assert usual_columns(["1000011", "sub-1000022", "60"]) == {}


def test_columns_that_nothing_maps_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    bids(tmp_path, "participant_id,age,Gender,scanner\n11,60,2,A\n", {"site": "scanner"}).read_table()
    assert "`Gender` are taken as phenotypes; as sex they are used with 'cohort.columns={sex: Gender}'" in caplog.text


def test_a_query_must_not_name_participants_by_an_own_name(tmp_path: Path) -> None:
    with pytest.raises(NamedParticipantError, match="family_id or SUB_ID") as caught:
        bids(tmp_path, ABIDE, COLUMNS, include="SUB_ID != 50003")
    assert "50003" not in str(caught.value)
