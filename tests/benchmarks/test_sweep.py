"""Sweeps of one and of two workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.sweep import SMALL, gain_of_two_workers
from brainage.system.reading import read_json


@pytest.mark.slow
def test_two_workers_train_as_many_trials_as_one(tmp_path: Path) -> None:
    words = (*SMALL, "trainer.max_epochs=1", "hydra.sweeper.n_trials=4", "cohort.n_participants=60")
    assert gain_of_two_workers(tmp_path, "small", *words) > 0
    for n_workers in (1, 2):
        trials = tmp_path / f"workers-{n_workers}-small" / "outputs" / "sweeps" / "variable1dcnn-ica25" / "trials"
        found = [read_json(summary) for summary in trials.glob("*/summary.json")]
        assert {(one["status"], one["epochs"]) for one in found} == {("finished", 1)}
        assert 4 <= len(found) <= 3 + n_workers  # the last two may start together
    assert len(list((tmp_path / "store" / "outputs" / "store").glob("*/index.*"))) == 1
