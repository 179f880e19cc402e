"""Time of ``report.py`` for a table of 20,000 participants with 50 phenotypes, with 2,000 resamples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measure import ROOT, Result, of_medians, run

N_PARTICIPANTS, N_PHENOTYPES = 20_000, 50


def measure(folder: Path, repetitions: int) -> list[Result]:
    """Report a table of which all rows are analysed."""
    rng = np.random.default_rng(0)
    age = rng.normal(63.4, 7.65, N_PARTICIPANTS).clip(46, 82)
    table = pd.DataFrame(
        {
            "participant_id": np.arange(1_000_000, 1_000_000 + N_PARTICIPANTS),
            "age": age,
            "predicted_age": 30 + 0.5 * age + rng.normal(0, 3.5, N_PARTICIPANTS),
            "sex": rng.integers(2, size=N_PARTICIPANTS),
            "site": rng.integers(11025, 11029, size=N_PARTICIPANTS),
            "head_motion": rng.lognormal(-2, 0.4, N_PARTICIPANTS),
        }
    )
    values = rng.normal(size=(N_PARTICIPANTS, N_PHENOTYPES))
    values[rng.random(values.shape) < 0.1] = np.nan
    for number in range(N_PHENOTYPES):
        table[f"phenotype_{number}"] = values[:, number]
    table.to_csv(folder / "table.csv", index=False)
    words = ("predictions=table.csv", "gap_correction=in_sample", "associations.rows=all")
    seconds = [run(folder, str(ROOT / "report.py"), *words).seconds for _ in range(repetitions)]
    note = "the whole command: reading, 2,000 bootstrap resamples, 51 partial correlations, all figures, the page"
    return [of_medians("report of 20,000 participants, 50 phenotypes", seconds, 60, unit="s", note=note)]
