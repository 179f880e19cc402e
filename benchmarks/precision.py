"""Accuracy with bfloat16 and float32, paired by seed: ``python -m benchmarks.precision``, half an hour.

The default network with fewer channels, on a small simulated cohort. A processor without bfloat16 rounds in the
same way, more slowly. It resumes from, and writes, ``benchmarks/precision.csv``.
"""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from scipy import stats

from benchmarks.measure import ROOT
from brainage.runs.folder import read_summary
from brainage.system.provenance import commit

TABLE = ROOT / "benchmarks" / "precision.csv"
SEEDS = range(24)
PRECISIONS = ("32-true", "bf16-mixed")
_COMMON = ("cohort.n_participants=600", "model.start_out=32", "batch_size=16", "trainer=cpu")


def main() -> None:
    """Train what is not in the table, and print the mean difference with its 95 % interval."""
    table = pd.read_csv(TABLE) if TABLE.is_file() else pd.DataFrame()
    for seed in SEEDS:
        for precision in PRECISIONS:
            if table.empty or not ((table["seed"] == seed) & (table["precision"] == precision)).any():
                table = pd.concat([table, pd.DataFrame([_row(seed, precision)])])
                table.round(4).to_csv(TABLE, index=False)
    mae = table.pivot_table(index="seed", columns="precision", values="test_mae")
    difference = mae["bf16-mixed"] - mae["32-true"]
    low, high = stats.t.interval(0.95, len(difference) - 1, difference.mean(), stats.sem(difference))
    print(
        f"bf16-mixed minus 32-true, {len(difference)} seeds: {difference.mean():+.4f} years ({low:+.4f} to {high:+.4f})"
    )


def _row(seed: int, precision: str) -> dict[str, object]:
    words = (f"seed={seed}", f"split.seed={seed}", f"cohort.seed={seed}", f"trainer.precision={precision}")
    with tempfile.TemporaryDirectory() as folder:
        own = (f"hydra.run.dir={folder}/run", f"store.root={folder}/store")
        command = [sys.executable, str(ROOT / "train.py"), *_COMMON, *words, *own]
        alone = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(command, cwd=ROOT, env=alone, check=True, stdout=subprocess.DEVNULL)
        summary = read_summary(Path(folder) / "run") or {}
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    metrics = {f"{part}_mae": summary["metrics"][part]["mae"] for part in ("val", "test")}
    return {"seed": seed, "precision": precision, **metrics, "commit": str(commit())[:7], "date": today}


if __name__ == "__main__":
    main()
