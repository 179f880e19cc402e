"""A run that compares groups, from the split to its files."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from brainage.data.cohorts.simulated2_people import draw_people
from tests.conftest import train_here


@pytest.mark.more
def test_cases_are_only_tested_and_are_compared_with_held_out_reference_participants(tmp_path: Path) -> None:
    folder = train_here(
        tmp_path / "run", "cohort.version=2", "cohort.n_participants=150", "model=ridge_motion",
        "split.train_fraction=0.4", "groups.column=diagnosis", "groups.reference=0", "groups.n_permutations=99",
        "gap_correction=none",
    )  # fmt: skip
    people = draw_people(0, 150)
    cases = set(people.loc[people["diagnosis"] == 1, "participant_id"])
    split = pd.read_csv(folder / "splits.csv").set_index("participant_id")["split"]
    assert set(split[list(cases)]) == {"test"}
    n_reference = int((split == "test").sum()) - len(cases)
    table = pd.read_csv(folder / "group_differences.csv")
    assert table[["group", "gap", "n", "n_reference"]].to_numpy().tolist() == [[1, "bag", len(cases), n_reference]]
    saved = json.loads((folder / "findings.json").read_text())["group_differences"]
    assert saved["differences"][0]["difference"] == pytest.approx(table["difference"][0])
    assert "Differences between groups" in (folder / "report.html").read_text()
