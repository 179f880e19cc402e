"""Findings of simulated predictions, for the tests of pages and tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from brainage.evaluation.against import BaselinePredictions
from brainage.evaluation.analyse import analyse
from brainage.evaluation.findings import AnalysisSettings, Findings


@pytest.fixture(scope="session")
def findings() -> Findings:
    """30 test participants; the gap is associated with ``speed`` and not with ``hand``, which is text."""
    rng = np.random.default_rng(0)
    split = np.repeat(["train", "val", "test"], [50, 140, 30])
    n = len(split)
    age, true_gap = rng.uniform(45, 80, n), rng.normal(0, 4, n)
    predictions = pd.DataFrame(
        {
            "participant_id": [f"volunteer-{number}" for number in range(n)],
            "split": split,
            "age": age,
            "predicted_age": 62 + 0.5 * (age + true_gap - 62) + rng.normal(0, 1, n),
        }
    )
    phenotypes = predictions[["participant_id"]].assign(
        head_motion=rng.gamma(2, 0.05, n),
        true_gap=true_gap,
        speed=true_gap + rng.normal(0, 1, n),
        hand=np.where(np.arange(n) % 2, "right", "left"),
        centre="A",
    )
    ridge = predictions[["participant_id"]].assign(predicted_age=age + 20)
    site = predictions[["participant_id"]].assign(predicted_age=age + 5)
    baselines = [
        BaselinePredictions("ridge_features", "ridge on spectra", ridge),
        BaselinePredictions("site_mean", "mean age of the site", site),
    ]
    return analyse(predictions, phenotypes, AnalysisSettings(n_resamples=100), baselines)
