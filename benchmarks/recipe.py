"""Recipes, and the contribution of each part of the modern one: ``python -m benchmarks.recipe``, hours on two cores.

Final models on 2,000 simulated participants. A seed sets the split, the initial weights and the batch order, so that
each seed has its own test participants. Finished runs are not repeated.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.measure import ROOT
from brainage.evaluation.intervals import percentile_interval, resampled_counts
from brainage.runs.folder import read_summary
from brainage.system.console import show_table

# The published learning rates, which the final models use with the published recipe only.
_RATES = {"ica25": 5.7194389964362656e-05, "ica100": 0.00020177405202416644}

# Overrides of each arm; RATE is replaced by the modality's published learning rate.
ARMS = {
    "published": ("recipe=published",),
    "published, rate 1e-3": ("recipe=published", "optimizer.lr=1e-3"),
    "modern": ("recipe=modern",),
    "modern, published rate": ("recipe=modern", "optimizer.lr=RATE"),
    "modern, bias from zero": ("recipe=modern", "model.output_bias=zero"),
    "modern, no circular shift": ("recipe=modern", "recipe.circular_shift=false"),
    "modern, no cutmix": ("recipe=modern", "recipe.cutmix=0"),
    "modern, no weight averaging": ("recipe=modern", "recipe.weight_averaging=0"),
}


def _reference(arm: str) -> str | None:
    """Return the arm that an arm is compared with."""
    return {"published": None, "modern": "published"}.get(arm, "modern")


COMMON = ("cohort=simulated", "cohort.n_participants=2000", "trainer=cpu")

_HEADER = ("recipe", "test MAE", "val MAE", "epochs", "compared with", "difference", "over participants", "over seeds")


def main() -> None:
    """Train the missing runs; print and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recipe", description=__doc__)
    parser.add_argument("--modality", choices=("ica25", "ica100"), default="ica25")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS), metavar="ARM")
    parser.add_argument("--jobs", type=int, default=2, help="parallel runs, one thread each (default: 2)")
    parser.add_argument("--runs", type=Path, default=ROOT / "outputs" / "bench" / "recipe", help="folder of the runs")
    options = parser.parse_args()
    if len(set(options.seeds)) < 2:
        parser.error(f"--seeds must be two or more, for the interval over seeds, but got {options.seeds}")
    place: Path = options.runs / options.modality
    asked = [(arm, seed) for seed in options.seeds for arm in options.arms]
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(lambda one: _train(place, options.modality, *one), asked))
    rows = list(_rows(place, options.seeds, options.arms))
    show_table(f"Final model, {options.modality}, seeds {options.seeds}", _HEADER, [_cells(row) for row in rows])
    target = ROOT / "experiments" / "recipes" / f"{options.modality}.csv"
    _write(pd.DataFrame(rows), target)
    print(f"Written: {target}")


def _write(measured: pd.DataFrame, target: Path) -> None:
    """Write the table; keep rows of other arms measured earlier with the same seeds."""
    if target.exists():
        before = pd.read_csv(target)
        seeds, others = measured["seeds"].iloc[0], set(ARMS) - set(measured["recipe"])
        measured = pd.concat([measured, before[before["recipe"].isin(others) & (before["seeds"] == seeds)]])
    measured = measured.sort_values("recipe", key=lambda names: names.map(list(ARMS).index))
    target.parent.mkdir(exist_ok=True)
    measured.to_csv(target, index=False, float_format="%.3f")


def _folder(place: Path, arm: str, seed: int) -> Path:
    return place / arm.replace(",", "").replace(" ", "_") / str(seed)


def _train(place: Path, modality: str, arm: str, seed: int) -> None:
    """Train or resume a final model in its folder, unless it is finished."""
    run = _folder(place, arm, seed)
    if (read_summary(run) or {}).get("status") == "finished":
        return
    if (run / "checkpoints" / "last.ckpt").is_file():
        words = [f"resume={run}"]
    else:
        overrides = (word.replace("RATE", str(_RATES[modality])) for word in ARMS[arm])
        given = (*COMMON, *overrides, f"seed={seed}", f"split.seed={seed}", f"hydra.run.dir={run}")
        words = [f"experiment=final_models/{modality}", *given]
    alone = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, str(ROOT / "train.py"), *words],
        cwd=ROOT,
        env=alone,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    print(f"{arm}, seed {seed}: {_test(run)[1]:.3f} years", flush=True)


def _test(run: Path) -> tuple[pd.Series, float]:
    """Return the absolute errors of the test participants and their mean, in years."""
    table = pd.read_csv(run / "predictions.csv", dtype={"participant_id": str})
    test = table[table["split"] == "test"].set_index("participant_id")
    errors = (test["predicted_age"] - test["age"]).abs()
    return errors, float(errors.mean())


def _rows(place: Path, seeds: list[int], arms: list[str]) -> Iterator[dict[str, object]]:
    """Measure each arm; compare it with its reference, if measured too, on the same participants."""
    errors = {arm: [_test(_folder(place, arm, seed))[0] for seed in seeds] for arm in arms}
    for arm in arms:
        summaries = [json.loads((_folder(place, arm, seed) / "summary.json").read_text()) for seed in seeds]
        row: dict[str, object] = {
            "recipe": arm,
            "seeds": " ".join(map(str, seeds)),
            "commit": " ".join(sorted({_short(str(summary["commit"])) for summary in summaries})),
            "test_mae": float(np.mean([error.mean() for error in errors[arm]])),
            "val_mae": float(np.mean([summary["metrics"]["val"]["mae"] for summary in summaries])),
            "epochs": float(np.mean([summary["epochs"] for summary in summaries])),
        }
        reference = _reference(arm)
        if reference in errors:
            pairs = zip(errors[arm], errors[reference], strict=True)
            row.update(compared_with=reference, **_difference([own - other for own, other in pairs]))
        yield row


def _short(commit: str) -> str:
    number, _, mark = commit.partition("-")
    return number[:7] + (f"-{mark}" if mark else "")


def _difference(differences: list[pd.Series]) -> dict[str, object]:
    """Return the mean difference, its interval over participants (bootstrap), and over seeds (Student's t)."""
    table = pd.concat(differences)
    by_participant = table.groupby(level=0)  # a participant may be in the test sets of several seeds
    totals, times = by_participant.sum().to_numpy(), by_participant.size().to_numpy()
    drawn = np.concatenate(
        [counts @ totals / (counts @ times) for counts in resampled_counts(len(totals), 2000, seed=43)]
    )
    low, high = percentile_interval(drawn)
    means = np.array([one.mean() for one in differences])
    reach = float(stats.t.ppf(0.975, len(means) - 1)) * float(means.std(ddof=1)) / math.sqrt(len(means))
    return {
        "difference": float(table.mean()),
        "low_participants": low,
        "high_participants": high,
        "low_seeds": float(means.mean()) - reach,
        "high_seeds": float(means.mean()) + reach,
    }


def _cells(row: dict[str, object]) -> list[str]:
    cells = [str(row["recipe"]), f"{row['test_mae']:.3f}", f"{row['val_mae']:.3f}", f"{row['epochs']:.0f}"]
    if "difference" not in row:
        return [*cells, "", "", "", ""]
    intervals = [f"{row[f'low_{kind}']:+.2f} to {row[f'high_{kind}']:+.2f}" for kind in ("participants", "seeds")]
    return [*cells, str(row["compared_with"]), f"{row['difference']:+.3f}", *intervals]


if __name__ == "__main__":
    main()
