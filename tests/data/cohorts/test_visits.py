"""Two imaging visits of UK Biobank as scans of a participant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from brainage.config.groups.cohort import UkbCohortConfig
from brainage.config.groups.modality import ModalityConfig
from brainage.data.cohorts.readers import reader_of
from brainage.data.cohorts.select import select_participants
from brainage.data.cohorts.ukb import UkbVisits
from brainage.data.store.several import SeveralScans
from brainage.errors import CohortError, ConfigError

MODALITY = ModalityConfig(name="ica3", dimension=3, components="all", good_components=[1, 2], n_channels=3, n_times=400)
TABLE = """\
eid,p31,p21003_i2,p21003_i3,p54_i2,p54_i3,p25741_i2,p25741_i3,p50_i0
1000001,1,60,63,11025,11026,0.1,0.2,170
1000002,0,61,64,11025,11026,0.1,0.2,171
1000003,0,,70,,11027,,0.3,172
1000004,1,66,,11025,,0.1,,173
1000005,1,50,52,11025,11026,0.1,0.2,174
"""
# 1000004 has files of both visits, and an age at the first only; 1000005 has a file of the second only.
FILES = {"1000001": "23", "1000002": "2", "1000003": "3", "1000004": "23", "1000005": "3"}


@pytest.fixture
def reader(tmp_path: Path) -> UkbVisits:
    (tmp_path / "table.csv").write_text(TABLE)
    for one, visits in FILES.items():
        for visit in visits:
            (tmp_path / f"{one}_20227_{visit}_0.zip").touch()
    return make(tmp_path)


def make(root: Path, need_ages: bool = True, **changes: Any) -> Any:
    config = UkbCohortConfig(
        name="ukb", root=str(root), **{"phenotypes": str(root / "table.csv"), "instance": [2, 3], **changes}
    )
    return reader_of(config, MODALITY, need_ages=need_ages)


def labels(scan: Any) -> list[tuple[str, float | None]] | None:
    return [(one.label, one.age) for one in scan.scans] if isinstance(scan, SeveralScans) else None


def test_each_scan_has_the_age_of_its_visit_and_a_participant_is_one_row(reader: UkbVisits) -> None:
    selection = select_participants(reader, dimension=3, phenotypes=list)
    table = selection.table.set_index("participant_id")
    assert list(table.index) == sorted(FILES)
    # Who was not imaged at the first visit has age, site and motion of the second.
    assert table["age"].to_dict() == {"1000001": 60, "1000002": 61, "1000003": 70, "1000004": 66, "1000005": 50}
    assert (table.loc["1000003", "site"], table.loc["1000003", "head_motion"]) == ("11027", 0.3)
    assert table["sex"].tolist() == [1, 0, 0, 1, 1] and table["p50_i0"].tolist() == [170, 171, 172, 173, 174]
    assert {one: labels(scan) for one, scan in selection.scans.items()} == {
        "1000001": [("instance-2", 60.0), ("instance-3", 63.0)],
        "1000002": None,  # the table's age is that of this scan
        "1000003": [("instance-3", 70.0)],
        "1000004": None,
        "1000005": [("instance-3", 52.0)],
    }


def test_without_a_table_participants_of_either_visit_are_read(reader: UkbVisits, tmp_path: Path) -> None:
    without = make(tmp_path, need_ages=False, phenotypes=None)
    assert sorted(without.read_table()["participant_id"]) == sorted(FILES) == sorted(reader.ids_of_files())
    scans = without.find_scans(list(FILES), 3)
    assert labels(scans["1000001"]) == [("instance-2", None), ("instance-3", None)]
    assert labels(scans["1000004"]) == [("instance-2", None), ("instance-3", None)]
    assert isinstance(without.read_table().index, pd.RangeIndex) or without.read_table().index.is_unique


def test_a_table_without_ages_at_the_second_visit_is_refused(reader: UkbVisits, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(TABLE.replace("p21003_i3", "p21003_i1"))
    with pytest.raises(CohortError, match="has no column `p21003_i3`, the age at imaging visit 3"):
        make(tmp_path).read_table()


@pytest.mark.parametrize("instance", [4, [3, 2], "2", [2, 3, 3], None])
def test_other_visits_are_refused(instance: Any) -> None:
    with pytest.raises(ConfigError, match=r"`cohort.instance` must be 2 \(first imaging visit\), 3 .* or \[2,3\]"):
        UkbCohortConfig(name="ukb", root="r", phenotypes="t.csv", instance=instance)


def test_one_column_of_ages_is_not_that_of_both_visits() -> None:
    with pytest.raises(ConfigError, match="`cohort.columns.age` must be left out with cohort.instance="):
        UkbCohortConfig(name="ukb", root="r", phenotypes="t.csv", instance=[2, 3], columns={"age": "AGE"})
