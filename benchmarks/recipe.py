"""Recipes and readouts, by ``experiments/recipes/PLAN.md``: ``python -m benchmarks.recipe``, hours on two cores.

2,000 simulated participants a cohort seed, which also sets the split, the initial weights and the batch order. Finished
runs are not repeated.
"""

from __future__ import annotations

import argparse
import datetime
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from benchmarks.measure import ROOT
from brainage.data.cohorts.simulated import SimulatedCohort
from brainage.evaluation.intervals import percentile_interval
from brainage.evaluation.known_truth import measure_truth
from brainage.runs.folder import read_summary
from brainage.system.console import show_table

N_PARTICIPANTS = 2000
_COMMON = ("cohort=simulated", "cohort.version=1", f"cohort.n_participants={N_PARTICIPANTS}")

NETWORKS = {
    "final": ("experiment=final_models/MODALITY", "optimizer.lr=1e-3"),
    "default": ("modality=MODALITY", "model=variable1dcnn"),
}
RECIPES = {
    "published, rate 1e-3": ("recipe=published",),
    "modern": ("recipe=modern",),
    "pooled, plain": ("recipe=none", "model.readout=global_average"),
}
RIDGE = "ridge"

# Cohort seeds, and arms as network and recipe, by modality.
PLANNED: dict[str, tuple[Sequence[int], Sequence[tuple[str, str]]]] = {
    "ica25": (range(100, 110), [(network, recipe) for network in NETWORKS for recipe in RECIPES]),
    "ica100": (range(100, 104), [("final", "modern")]),
}
_RESAMPLES = 2000


@dataclass(frozen=True)
class Tested:
    """Test participants of one run: absolute errors, in years, and the gap's correlation with the true gap."""

    errors: pd.Series
    r_true_gap: float
    ceiling: float


def main() -> None:
    """Train the missing runs; write the errors of each seed and the differences between arms."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recipe", description=__doc__)
    parser.add_argument("--modality", choices=PLANNED, default="ica25")
    parser.add_argument("--jobs", type=int, default=2, help="parallel runs, one thread each (default: 2)")
    parser.add_argument("--trainer", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--train", nargs="+", metavar="ARM", help="train these arms only, and write no table")
    parser.add_argument("--runs", type=Path, default=ROOT / "outputs" / "bench" / "recipe", help="folder of the runs")
    options = parser.parse_args()
    seeds, planned = PLANNED[options.modality]
    words = {f"{network}, {recipe}": (*NETWORKS[network], *RECIPES[recipe]) for network, recipe in planned}
    words[RIDGE] = ("modality=MODALITY", "model=ridge_features")
    place: Path = options.runs / options.modality
    asked = [
        (place / arm.replace(", ", "_").replace(" ", "_") / str(seed), arm, seed)
        for arm in options.train or words
        for seed in seeds
    ]
    common = (*_COMMON, f"trainer={options.trainer}")
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(lambda one: _train(one[0], options.modality, (*words[one[1]], *common), one[2]), asked))
    if options.train:
        return
    tested = {(arm, seed): _tested(run, seed) for run, arm, seed in asked}
    target = ROOT / "experiments" / "recipes"
    rows = pd.DataFrame([_row(run, arm, seed, tested[arm, seed]) for run, arm, seed in asked])
    rows.to_csv(target / f"confirmation_{options.modality}.csv", index=False, float_format="%.4f")
    found = [_difference(arm, other, seeds, tested) for arm in words for other in words if _is_compared(arm, other)]
    differences = target / f"confirmation_{options.modality}_differences.csv"
    pd.DataFrame(found).to_csv(differences, index=False, float_format="%.4f")
    header = ("arm", "minus", "years", "95 % interval", "p")
    show_table("Test MAE", header, [_cells(row) for row in found])


def _is_compared(arm: str, other: str) -> bool:
    """Return whether arms are compared: recipes of one network, and every network with the ridge."""
    network, _, recipe = other.partition(", ")
    same = arm.startswith(f"{network}, ") and arm != other
    return arm != RIDGE and (other == RIDGE or (same and recipe == "modern"))


def _train(run: Path, modality: str, words: Sequence[str], seed: int) -> None:
    """Train or resume a run in its folder, unless it is finished."""
    if (read_summary(run) or {}).get("status") == "finished":
        return
    if (run / "checkpoints" / "last.ckpt").is_file():
        given = [f"resume={run}"]
    else:
        of_seed = (f"cohort.seed={seed}", f"split.seed={seed}", f"seed={seed}", f"hydra.run.dir={run}")
        given = [*(word.replace("MODALITY", modality) for word in words), *of_seed]
    alone = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "train.py"), *given]
    subprocess.run(command, cwd=ROOT, env=alone, check=True, stdout=subprocess.DEVNULL)
    print(f"{run.parent.name}, seed {seed}", flush=True)


def _tested(run: Path, seed: int) -> Tested:
    """Read a run's predictions, and the true gaps."""
    known = SimulatedCohort(n_participants=N_PARTICIPANTS, seed=seed).read_table()
    table = pd.read_csv(run / "predictions.csv", dtype={"participant_id": str})
    test = table[table["split"] == "test"]
    truth = measure_truth(test, table[table["split"] == "train"], known)
    if truth is None or truth.r is None:
        raise SystemExit(f"{run}: gaps cannot be compared with the true ones")
    return Tested(test.set_index("participant_id")["bag"].abs(), truth.r, truth.best_mae)


def _row(run: Path, arm: str, seed: int, tested: Tested) -> dict[str, object]:
    summary = read_summary(run) or {}
    return {
        "arm": arm,
        "cohort_seed": seed,
        "test_mae": float(tested.errors.mean()),
        "ceiling": tested.ceiling,
        "r_true_gap": tested.r_true_gap,
        "val_mae": summary["metrics"]["val"]["mae"],
        "parameters": summary["model"]["parameters"],
        "epochs": summary["epochs"],
        "commit": str(summary["commit"])[:7],
        "date": datetime.datetime.fromtimestamp((run / "summary.json").stat().st_mtime, tz=datetime.UTC)
        .date()
        .isoformat(),
    }


def _difference(arm: str, other: str, seeds: Sequence[int], tested: dict[tuple[str, int], Tested]) -> dict[str, object]:
    """Compare two arms: paired t-test over cohorts, and an interval by resampling cohorts, then people within them."""
    pairs = [(tested[arm, seed].errors - tested[other, seed].errors).to_numpy() for seed in seeds]
    means = [float(pair.mean()) for pair in pairs]
    low, high = percentile_interval(_resampled(pairs))
    p = float(stats.ttest_1samp(means, 0.0).pvalue)
    return {"arm": arm, "minus": other, "difference": float(np.mean(means)), "low": low, "high": high, "p": p}


def _resampled(pairs: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return mean differences of resamples."""
    rng = np.random.default_rng(43)
    return np.array(
        [
            np.mean(
                [pairs[cohort][rng.integers(len(pairs[cohort]), size=len(pairs[cohort]))].mean() for cohort in drawn]
            )
            for drawn in rng.integers(len(pairs), size=(_RESAMPLES, len(pairs)))
        ]
    )


def _cells(row: dict[str, object]) -> list[str]:
    return [
        str(row["arm"]),
        str(row["minus"]),
        f"{row['difference']:+.3f}",
        f"{row['low']:+.3f} to {row['high']:+.3f}",
        f"{row['p']:.2g}",
    ]


if __name__ == "__main__":
    main()
