"""Learning curves of the ridge and of the default network: ``python -m benchmarks.learning_curve``, half an hour.

One simulated cohort of 20,000 participants (a development seed); it resumes, and writes
``experiments/recipes/learning_curve.csv``.
"""

from __future__ import annotations

import argparse
import datetime
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd

from benchmarks.measure import ROOT
from brainage.runs.folder import read_summary
from brainage.system.provenance import commit

TABLE = ROOT / "experiments" / "recipes" / "learning_curve.csv"
MODELS = ("ridge_features", "pooled1dcnn")
_COMMON = ("split.n_train=800,1600,4000,8000,16000", "cohort.n_participants=20000", "cohort.seed=0", "trainer=cpu")


def main() -> None:
    """Train what is not finished, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning_curve", description=__doc__)
    runs = ROOT / "outputs" / "bench" / "learning_curve"
    parser.add_argument("--runs", type=Path, default=runs, help="folder of the runs and of the store")
    options = parser.parse_args()
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    tables = [_errors(options.runs, model) for model in MODELS]
    pd.concat(tables).assign(commit=str(commit())[:7], date=today).round(4).to_csv(TABLE, index=False)


def _errors(runs: Path, model: str) -> pd.DataFrame:
    """Return errors of a model by number of training participants."""
    folders = (f"hydra.sweep.dir={runs / model}", f"store.root={runs / 'store'}")
    command = [sys.executable, str(ROOT / "train.py"), "--multirun", f"model={model}", *_COMMON, *folders]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True)
    rows = []
    for job in sorted(runs.joinpath(model).glob("[0-9]*")):
        summary = read_summary(job) or {}
        predictions = pd.read_csv(job / "predictions.csv", dtype={"participant_id": str}).set_index("split")
        errors = predictions["bag"].abs().groupby(level=0).mean()
        row = {"model": model, "n_train": summary["n"]["train"], "val_mae": errors["val"], "test_mae": errors["test"]}
        rows.append({**row, "parameters": summary["model"]["parameters"]})
    return pd.DataFrame(rows).sort_values("n_train")


if __name__ == "__main__":
    main()
