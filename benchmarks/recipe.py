"""Recipes and readouts, by ``experiments/recipes/PLAN.md``: ``python -m benchmarks.recipe``, hours on two cores.

2,000 simulated participants a cohort seed, which also sets the split, the initial weights and the batch order. Runs
that are in the tables are not repeated, so some arms can be trained on another machine.
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
from threading import Lock

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from omegaconf import OmegaConf
from scipy import stats

from benchmarks.measure import ROOT
from brainage.data.cohorts.simulated import SimulatedCohort
from brainage.evaluation.intervals import percentile_interval
from brainage.evaluation.known_truth import measure_truth
from brainage.runs.folder import read_summary
from brainage.system.console import show_table
from brainage.system.provenance import commit

N_PARTICIPANTS = 2000
_COMMON = ("cohort=simulated", "cohort.version=1", f"cohort.n_participants={N_PARTICIPANTS}")

_NETWORKS = {
    "final": ("experiment=final_models/MODALITY", "optimizer.lr=1e-3"),
    "default": ("modality=MODALITY", "model=variable1dcnn"),
}
_RECIPES = {
    "published, rate 1e-3": ("recipe=published",),
    "modern": ("recipe=modern",),
    "pooled, plain": ("recipe=none", "model.readout=global_average"),
}
RIDGE = "ridge"
# What development kept, and its stack with the ridge.
DEVELOPED = "pooled, developed"
STACK = "stack of the developed and the ridge"

ARMS: dict[str, tuple[str, ...]] = {
    **{f"{name}, {recipe}": (*of, *words) for name, of in _NETWORKS.items() for recipe, words in _RECIPES.items()},
    DEVELOPED: ("modality=MODALITY", "model=pooled1dcnn", "recipe=cutmix"),
    RIDGE: ("modality=MODALITY", "model=ridge_features"),
    STACK: ("ensemble=stack",),
}

# Cohort seeds and arms, by modality.
PLANNED: dict[str, tuple[Sequence[int], Sequence[str]]] = {
    "ica25": (range(100, 110), tuple(ARMS)),
    "ica100": (range(100, 104), ("final, modern", DEVELOPED, RIDGE, STACK)),
}
_RESAMPLES = 2000
_ADDING = Lock()


@dataclass(frozen=True)
class Tested:
    """Test participants of one run: absolute errors, in years, and the gap's correlation with the true gap."""

    errors: NDArray[np.float64]
    r_true_gap: float
    ceiling: float


def main() -> None:
    """Train the runs that are in no table; write the errors of each seed and the differences between arms."""
    options = _options()
    seeds, planned = PLANNED[options.modality]
    known = _table(options.modality)
    missing = [(arm, seed) for arm in options.arms or planned for seed in seeds if (arm, seed) not in known]
    for stacks in (False, True):  # a stack needs the runs of its members
        with ThreadPoolExecutor(options.jobs) as pool:
            list(pool.map(lambda one: _add(options, *one), [one for one in missing if (one[0] == STACK) == stacks]))
    known = _table(options.modality)
    arms = [arm for arm in planned if all((arm, seed) in known for seed in seeds)]
    found = [_difference(arm, other, seeds, known) for arm in arms for other in arms if _is_compared(arm, other)]
    pd.DataFrame(found).to_csv(_file(options.modality, "_differences"), index=False, float_format="%.4f")
    header = ("arm", "minus", "years", "95 % interval", "p")
    show_table("Test MAE", header, [_cells(row) for row in found])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recipe", description=__doc__)
    parser.add_argument("--modality", choices=PLANNED, default="ica25")
    parser.add_argument("--arms", nargs="+", choices=ARMS, metavar="ARM", help="train these only (default: all)")
    parser.add_argument("--jobs", type=int, default=2, help="parallel runs, one thread each (default: 2)")
    parser.add_argument("--trainer", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--runs", type=Path, default=ROOT / "outputs" / "bench" / "recipe", help="folder of the runs")
    return parser.parse_args()


def _file(modality: str, part: str = "") -> Path:
    return ROOT / "experiments" / "recipes" / f"confirmation_{modality}{part}.csv"


def _table(modality: str) -> dict[tuple[str, int], NDArray[np.float64]]:
    """Return absolute errors of test participants, in years and the order of the split, by arm and cohort seed."""
    if not _file(modality, "_errors").is_file():
        return {}
    table = pd.read_csv(_file(modality, "_errors"))
    return {(str(row.iloc[0]), int(row.iloc[1])): row.iloc[2:].to_numpy(np.float64) for _, row in table.iterrows()}


def _add(options: argparse.Namespace, arm: str, seed: int) -> None:
    """Add a run to the tables, to which other threads add too."""
    run, train = _trained(options, arm, seed)
    tested = _tested(run, train, seed)
    errors = {str(number): error for number, error in enumerate(tested.errors.round(3))}
    with _ADDING:
        _append(_file(options.modality), _row(run, arm, seed, tested))
        _append(_file(options.modality, "_errors"), {"arm": arm, "cohort_seed": seed, **errors})


def _trained(options: argparse.Namespace, arm: str, seed: int) -> tuple[Path, Path]:
    """Return the finished run, or comparison, of an arm, and a run that has predictions of training participants."""
    run: Path = options.runs / options.modality / arm.replace(", ", "_").replace(" ", "_") / str(seed)
    if arm == STACK:
        members = [_trained(options, member, seed)[0] for member in (DEVELOPED, RIDGE)]
        runs = ",".join(map(str, members))
        _run("compare.py", f"runs=[{runs}]", *ARMS[STACK], f"hydra.run.dir={run}")
        return run, members[0]
    words = [word.replace("MODALITY", options.modality) for word in ARMS[arm]]
    _train(run, (*words, *_COMMON, f"trainer={options.trainer}"), seed)
    return run, run


def _append(path: Path, row: dict[str, object]) -> None:
    known = [pd.read_csv(path)] if path.is_file() else []
    rows = pd.concat([*known, pd.DataFrame([row])]).sort_values(["arm", "cohort_seed"]).round(4)
    counts = {name: "Int64" for name in ("parameters", "epochs") if name in rows}  # a stack has none
    rows.astype(counts).to_csv(path, index=False)


def _is_compared(arm: str, other: str) -> bool:
    """Return whether arms are compared: with the ridge, and with `modern` of the same network, or of both."""
    network, _, recipe = other.partition(", ")
    is_other_recipe = arm.startswith(f"{network}, ") and arm != other
    return arm != RIDGE and (other == RIDGE or (recipe == "modern" and (is_other_recipe or arm == DEVELOPED)))


def _train(run: Path, words: Sequence[str], seed: int) -> None:
    """Train or resume a run in its folder, unless it is finished."""
    if (read_summary(run) or {}).get("status") == "finished":
        return
    if (run / "checkpoints" / "last.ckpt").is_file():
        given = [f"resume={run}"]
    else:
        given = [*words, f"cohort.seed={seed}", f"split.seed={seed}", f"seed={seed}", f"hydra.run.dir={run}"]
    _run("train.py", *given)
    print(f"{run.parent.name}, seed {seed}", flush=True)


def _run(script: str, *words: str) -> None:
    alone = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / script), *words]
    subprocess.run(command, cwd=ROOT, env=alone, check=True, stdout=subprocess.DEVNULL)


def _tested(run: Path, trained: Path, seed: int) -> Tested:
    """Read predictions, of training participants from another run, and the true gaps."""
    known = SimulatedCohort(n_participants=N_PARTICIPANTS, seed=seed).read_table()
    tables = [pd.read_csv(one / "predictions.csv", dtype={"participant_id": str}) for one in (run, trained)]
    test, train = (table[table["split"] == part] for table, part in zip(tables, ("test", "train"), strict=True))
    truth = measure_truth(test, train, known)
    if truth is None or truth.r is None:
        raise SystemExit(f"{run}: gaps cannot be compared with the true ones")
    return Tested(test["bag"].abs().to_numpy(), truth.r, truth.best_mae)


def _row(run: Path, arm: str, seed: int, tested: Tested) -> dict[str, object]:
    of_run: dict[str, object] = {}
    if summary := read_summary(run):
        of_run = {
            "val_mae": summary["metrics"]["val"]["mae"],
            "parameters": summary["model"]["parameters"],
            "epochs": summary["epochs"],
            "accelerator": OmegaConf.load(run / "config.yaml").trainer.accelerator,
        }
    return {
        "arm": arm,
        "cohort_seed": seed,
        "test_mae": float(tested.errors.mean()),
        "ceiling": tested.ceiling,
        "r_true_gap": tested.r_true_gap,
        **of_run,
        "commit": str(commit())[:7],
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
    }


def _difference(
    arm: str, other: str, seeds: Sequence[int], errors: dict[tuple[str, int], NDArray[np.float64]]
) -> dict[str, object]:
    """Compare two arms: paired t-test over cohorts, and an interval by resampling cohorts, then people within them."""
    pairs = [errors[arm, seed] - errors[other, seed] for seed in seeds]
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
