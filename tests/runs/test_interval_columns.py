"""Prediction intervals from the command line: of folds, of a report on them, and of new participants."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import run_command, train_here

RIDGE = ("model=ridge_connectivity", "cohort=simulated", "report.n_resamples=100")


@pytest.mark.more
def test_pooled_folds_and_predictions_carry_intervals(tmp_path: Path) -> None:
    words = (*RIDGE, "cohort.n_participants=240", "split=kfold", "split.n_folds=3", "split.val_fraction=0.25")
    ended = run_command(tmp_path, "train.py", "--multirun", *words, "split.fold=0,1,2", "hydra.sweep.dir=folds")
    assert ended.code == 0, ended.text
    pooled = pd.read_csv(tmp_path / "folds" / "pooled_predictions.csv")
    assert len(pooled) == 240 and pooled["predicted_age_low"].notna().all()
    inside = pooled["age"].between(pooled["predicted_age_low"], pooled["predicted_age_high"]).mean()
    assert 0.8 < inside < 0.97

    ended = run_command(tmp_path, "report.py", "run=folds", "hydra.run.dir=report")
    assert ended.code == 0 and "90% intervals: coverage, width" in ended.out, ended.text
    found = json.loads((tmp_path / "report" / "findings.json").read_text())["intervals"]
    assert len(found["fits"]) == 3 and found["coverage"][0]["n"] == 240
    assert found["coverage"][0]["coverage"]["value"] == pytest.approx(inside)
    again = pd.read_csv(tmp_path / "report" / "predictions.csv").set_index("participant_id")
    expected = pooled.set_index("participant_id").loc[again.index]
    assert again["predicted_age_high"].to_numpy() == pytest.approx(expected["predicted_age_high"].to_numpy())

    words = ("cohort=simulated", "cohort.n_participants=20", "cohort.seed=9", "match_ids=false", "hydra.run.dir=new")
    for source in ("run=folds/0", "runs=folds"):
        ended = run_command(tmp_path, "predict.py", source, *words)
        assert ended.code == 0, ended.text
        new = pd.read_csv(tmp_path / "new" / "predictions.csv")
        # The folds have no validation participants in common.
        assert ("predicted_age_low" in new) == (source == "run=folds/0")
    page = (tmp_path / "new" / "report.html").read_text()
    assert "Of the mean of several runs, on the validation participants that they share" in page


@pytest.mark.slow
def test_nine_of_ten_ages_are_inside_overall_and_in_each_third_of_predicted_age(tmp_path: Path) -> None:
    shares = []
    for seed in range(50):
        folder = tmp_path / str(seed)
        words = ("cohort.n_participants=2000", f"cohort.seed={seed}", f"split.seed={seed}", "cohort.version=1")
        train_here(folder, *RIDGE, *words, f"store.root={folder / 'store'}")
        table = pd.read_csv(folder / "predictions.csv").query("split == 'test'").sort_values("predicted_age")
        inside = table["age"].between(table["predicted_age_low"], table["predicted_age_high"]).to_numpy()
        third = len(table) // 3
        parts = (inside, inside[:third], inside[third:-third], inside[-third:])
        shares.append([part.mean() for part in parts])
        for path in (folder / "store").rglob("*.npy"):
            path.unlink()  # 80 MB a cohort
    means = pd.DataFrame(shares, columns=["all", "low", "middle", "high"]).mean()
    print(means)
    assert means.between(0.88, 0.92).all(), means
