"""How many ages are inside prediction intervals of the default network: ``python -m benchmarks.coverage``.

Five simulated cohorts of 2,000, of whom 400 validate and 400 are tested. A cohort that is in ``coverage.csv`` here is
not trained again, so the command continues one that was interrupted.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.measure import ROOT
from brainage.system.files import write_csv
from brainage.system.provenance import commit

RESULTS = Path(__file__).with_suffix(".csv")
SEEDS = range(5)
SHARES = ("covered", "low_third", "middle_third", "high_third")
WORDS = ("cohort.n_participants=2000", "cohort.version=1", "split.train_fraction=0.6", "split.val_fraction=0.2",
         "trainer=cpu", "report.n_resamples=100")  # fmt: skip


def main() -> None:
    """Train what is missing, and print mean and standard error of the coverage over cohorts."""
    known = pd.read_csv(RESULTS) if RESULTS.is_file() else pd.DataFrame({"cohort_seed": []})
    for seed in SEEDS:
        if seed not in known["cohort_seed"].to_numpy():
            known = pd.concat([known, pd.DataFrame([measured(seed)])], ignore_index=True)
            write_csv(RESULTS, known.convert_dtypes())
    shares = known[list(SHARES)]
    print(pd.DataFrame({"mean": shares.mean(), "standard error": shares.sem()}).round(4).to_string())


def measured(seed: int) -> dict[str, object]:
    """Train on one cohort, and return the share of tested ages inside, overall and by third of predicted age."""
    with tempfile.TemporaryDirectory() as place:
        words = [*WORDS, f"cohort.seed={seed}", f"split.seed={seed}", f"seed={seed}", f"store.root={place}/store"]
        subprocess.run([sys.executable, ROOT / "train.py", *words, f"hydra.run.dir={place}/run"], check=True)
        table = pd.read_csv(f"{place}/run/predictions.csv").query("split == 'test'").sort_values("predicted_age")
    inside = table["age"].between(table["predicted_age_low"], table["predicted_age_high"]).to_numpy()
    third = len(table) // 3
    parts = (inside, inside[:third], inside[third:-third], inside[-third:])
    shares = {name: round(float(part.mean()), 4) for name, part in zip(SHARES, parts, strict=True)}
    mae = (table["predicted_age"] - table["age"]).abs().mean()
    return {"cohort_seed": seed, "n": len(table), "mae": round(float(mae), 3), **shares, "commit": commit()}


if __name__ == "__main__":
    main()
