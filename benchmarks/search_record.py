"""Trainings of random feasible networks, each recorded once: the table that `benchmarks.search` replays.

A piece is two sweeps without pruning, of the same random networks in order of their cost: with all training
participants, and with a third of them. A piece that was interrupted is continued; pieces of several machines are
collected in one table. Until a piece is whole, its expensive networks are missing, so that it is not replayed.
"""

from __future__ import annotations

import datetime
import os
import runpy
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd

from benchmarks.__main__ import about
from benchmarks.measure import ROOT
from brainage.system.files import write_csv
from brainage.system.reading import read_json

TABLE = ROOT / "benchmarks" / "recorded_search.csv"

N_A_PIECE, N_PARTICIPANTS = 10, 1500

# Training participants of each part.
PARTS = {"full": "all", "third": "400"}

# Columns that are lists, one number an epoch.
LISTS = ("val_mse", "seconds")

_WORDS = (
    *("--multirun", "sweep=variable1dcnn", "modality=ica25", f"cohort.n_participants={N_PARTICIPANTS}", "trainer=cpu"),
    *("hydra/sweeper/pruner=none", f"hydra.sweeper.n_trials={N_A_PIECE}"),
    f"hydra.sweeper.sampler.n_startup_trials={N_A_PIECE}",  # random draws only
)


def record(folder: Path, piece: int) -> None:
    """Train a piece's networks that are missing, and add them to the table, also where a signal ends it."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    for part, n_train in PARTS.items():
        name = f"piece-{piece}-{part}"
        own = (f"seed={piece}", f"split.n_train={n_train}", f"hydra.sweeper.study_name={name}")
        command = [sys.executable, "-m", "benchmarks.search_record", *_WORDS, *own]
        done = subprocess.run(command, cwd=folder, env=environment, check=False)
        collect(folder / "outputs" / "sweeps" / name, piece, part)
        if done.returncode:
            sys.exit(done.returncode)


def collect(sweep: Path, piece: int, part: str, table: Path = TABLE) -> None:
    """Add the complete trials of a sweep to the table, unless they are there."""
    rows: list[dict[str, Any]] = _rows(read_table(table)) if table.exists() else []
    there = {(row["piece"], row["part"], row["trial"]) for row in rows}
    machine = about()["machine"]
    trials = pd.read_csv(sweep / "trials.csv")
    for trial in _rows(trials[trials["state"] == "COMPLETE"]):
        if (piece, part, trial["number"]) not in there:
            run = sweep / "trials" / str(trial["number"])
            epochs = pd.read_csv(run / "metrics.csv")
            summary = read_json(run / "summary.json")
            made = {"parameters": summary["model"]["parameters"], "date": _date(run), "commit": summary["commit"]}
            point = {key: value for key, value in trial.items() if "." in key}
            curves = {"val_mse": epochs["val/loss"].round(4).tolist(), "seconds": epochs["seconds"].round(3).tolist()}
            rows.append({"piece": piece, "part": part, "trial": trial["number"], **point, **made})
            rows[-1] |= {"machine": machine, **curves}
    if rows:
        every = pd.DataFrame(rows).sort_values(["piece", "part", "trial"])
        lists = {name: [" ".join(map(str, curve)) for curve in every[name]] for name in LISTS}
        write_csv(table, every.assign(**lists))


def read_table(table: Path = TABLE) -> pd.DataFrame:
    """Return the table: one row a training, with its validation MSE and CPU seconds of each epoch as lists."""
    read = pd.read_csv(table)
    for name in LISTS:
        read[name] = [[float(number) for number in text.split()] for text in read[name]]
    return read


def _date(run: Path) -> str:
    return datetime.date.fromtimestamp((run / "summary.json").stat().st_mtime).isoformat()


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _train() -> None:
    """Run ``train.py``; the seconds in ``metrics.csv`` are then this process's on the processor."""
    from brainage.training import callbacks

    clock = SimpleNamespace(perf_counter=time.process_time, monotonic=time.monotonic)
    callbacks.time = clock  # type: ignore[attr-defined, assignment]
    sys.argv[0] = str(ROOT / "train.py")
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    _train()
