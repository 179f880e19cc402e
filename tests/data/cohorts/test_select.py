"""Participants that a config selects."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from brainage.data.cohorts.select import select_participants
from brainage.data.cohorts.withdrawn import Withdrawn
from brainage.errors import CohortError
from brainage.system.redaction import redacted
from tests.data.store.scans import FakeScan


@dataclass(frozen=True)
class FakeCohort:
    """Five participants; the last has no age, the fourth no scan."""

    scanned: tuple[str, ...] = ("id-a", "id-b", "id-c")
    label: str = "`t.tsv`"

    def read_table(self, columns: Collection[str] = ()) -> pd.DataFrame:
        ids = ["id-c", "id-a", "id-b", "id-d", "id-e"]
        table = pd.DataFrame({"participant_id": ids, "age": [70.0, 50.0, 60.0, 65.0, math.nan]}, index=range(2, 7))
        return table.assign(**{name: range(5) for name in columns})

    def phenotype_names(self) -> list[str]:
        return ["steps", "sleep"]

    def find_scans(self, participant_ids: Iterable[str], dimension: int) -> dict[str, FakeScan]:
        return {one: FakeScan(dimension) for one in participant_ids if one in self.scanned}


def test_the_table_has_all_participants_with_an_age_and_scans_are_of_those_who_have_one() -> None:
    found = select_participants(FakeCohort(), dimension=25)
    assert found.table["participant_id"].tolist() == ["id-a", "id-b", "id-c", "id-d"]
    assert sorted(found.scans) == ["id-a", "id-b", "id-c"]
    assert "steps" not in found.table


def test_phenotypes_are_read_on_request_and_columns_of_the_query_always() -> None:
    assert {"steps", "sleep"} <= set(select_participants(FakeCohort(), dimension=25, phenotypes=True).table)
    found = select_participants(FakeCohort(), dimension=25, include="steps < 2")
    assert found.table["participant_id"].tolist() == ["id-a", "id-c"]
    assert "sleep" not in found.table


def test_withdrawn_participants_stay_in_the_table_and_lose_their_scan(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "brainage")
    (tmp_path / "gone").write_text("id-a\nid-z\n")
    found = select_participants(FakeCohort(), dimension=25, withdrawn=Withdrawn(tmp_path / "gone"))
    assert "id-a" in set(found.table["participant_id"])
    assert sorted(found.scans) == ["id-b", "id-c"]
    assert "1 of the 2 ids" in caplog.text


def test_a_scan_without_an_age_is_an_error_unless_ages_are_not_needed() -> None:
    cohort = FakeCohort(scanned=("id-a", "id-e"))
    with pytest.raises(CohortError, match="1 of 2 participants with a scan have no age: row 6"):
        select_participants(cohort, dimension=25)
    found = select_participants(cohort, dimension=25, need_ages=False)
    assert len(found.table) == 5
    assert sorted(found.scans) == ["id-a", "id-e"]


def test_no_scan_at_all_is_an_error_with_the_counts() -> None:
    counts = r"25 components.*5 participants, 4 of them with an age, 0 with a scan, 0 withdrawn"
    with pytest.raises(CohortError, match=counts):
        select_participants(FakeCohort(scanned=()), dimension=25)


def test_ids_are_registered_for_redaction() -> None:
    select_participants(FakeCohort(), dimension=25)
    assert redacted("KeyError: id-d") == "KeyError: <participant>"
