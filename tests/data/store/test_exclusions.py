"""Participants whose file cannot be used."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from brainage.data.store.exclusions import check_excluded, exclusions_of
from brainage.errors import CohortError
from tests.data.store.scans import FakeScan, make

SCANS = {f"secret{i}": FakeScan(-i if i in (2, 4, 6) else i) for i in range(1, 9)}


def test_each_excluded_participant_has_one_row_with_the_reason(tmp_path: Path) -> None:
    table = exclusions_of(make(tmp_path, SCANS))
    assert table.to_dict("list") == {
        "participant_id": ["secret2", "secret4", "secret6"],
        "reason": ["NaN or infinity: made so"] * 3,
    }


def test_up_to_the_limit_exclusions_are_a_warning_that_counts_reasons(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "brainage")
    check_excluded(make(tmp_path, SCANS), 8, 0.375, tmp_path)
    assert "3 of 8 participants with a file are excluded (exclusions.csv): 3 x NaN or infinity" in caplog.text
    assert "(most often made so; modality.missing)" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(("limit", "kept"), [(0.37, range(1, 9)), (1.0, (2, 4, 6))], ids=["over the limit", "all"])
def test_too_many_exclusions_are_an_error_that_names_the_table(
    tmp_path: Path, limit: float, kept: list[int] | range
) -> None:
    scans = {f"secret{i}": SCANS[f"secret{i}"] for i in kept}
    facts = rf"max_excluded_fraction={limit}.*3 of {len(scans)} participants.*3 x NaN.*exclusions.csv"
    with pytest.raises(CohortError, match=facts) as caught:
        check_excluded(make(tmp_path / "store", scans), len(scans), limit, tmp_path)
    assert "secret2" not in str(caught.value)


def test_two_exclusions_never_stop_a_run_unless_nobody_is_left(tmp_path: Path) -> None:
    scans = {one: scan for one, scan in SCANS.items() if one != "secret6"}
    check_excluded(make(tmp_path / "store", scans), len(scans), 0.0, tmp_path)
    alone = {one: SCANS[one] for one in ("secret2", "secret4")}
    with pytest.raises(CohortError, match="2 of 2 participants"):
        check_excluded(make(tmp_path / "other", alone), 2, 0.9, tmp_path)
