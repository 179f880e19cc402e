"""What a newcomer with 80 people does: train, read what helps, and follow it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.conftest import run_command

OWN = ("cohort.n_participants=80", "trainer=cpu", "model.depth=1", "model.start_out=4", "report.n_resamples=100")


def advised(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    assert found is not None, text
    return found[1]


@pytest.mark.more
def test_following_the_advice_gives_every_participant_an_honest_corrected_gap(tmp_path: Path) -> None:
    first = run_command(tmp_path, "train.py", *OWN, "trainer.max_epochs=1")
    assert first.code == 0, first.text
    command = shlex.split(advised(first.out, r"note: There are only 8 in val and 8 in test\..*\n  (python .*)\n"))
    batch_size = advised(first.out, r"note: With batch_size=64, .* learn faster .* use (batch_size=auto), which is 8")
    epochs = advised(first.out, r"note: The best epoch is the last of 1: .* Use (trainer.max_epochs=2)\.")

    folds = run_command(tmp_path, *command[1:], *OWN, batch_size, epochs, "hydra.sweep.dir=folds")
    assert folds.code == 0, folds.text
    report = shlex.split(advised(folds.out, r"\nAnalyse them with: (python .*)\n"))
    reported = run_command(tmp_path, *report[1:], "hydra.run.dir=report")
    assert reported.code == 0, reported.text

    table = pd.read_csv(tmp_path / "report" / "predictions.csv", dtype={"participant_id": str})
    assert len(table) == table["participant_id"].nunique() == 80
    for fold in range(5):
        splits = pd.read_csv(tmp_path / "folds" / str(fold) / "splits.csv", dtype=str)
        is_own = table["participant_id"].isin(splits.loc[splits["split"] == "test", "participant_id"])
        own, others = table[is_own], table[~is_own]
        assert len(own) == 16
        slope, intercept = np.polyfit(others["age"], others["bag"], 1)
        assert own["bag_corrected"].to_numpy() == pytest.approx(own["bag"] - intercept - slope * own["age"], abs=1e-8)
    notes = json.loads((tmp_path / "report" / "findings.json").read_text())["notes"]
    assert not [note for note in notes if re.search("split=kfold|batch_size|No corrected gap", note)]
